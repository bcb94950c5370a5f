"""docs/python.md: its examples run as they stand, and nothing of the API is missing from it."""

from __future__ import annotations

import gc
import inspect
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import wscli.errors
from tests.backend.process import BackendProcess
from tests.processes import Wscli
from wscli import Client, Gap, Message
from wscli.daemon.socket.server import CLIENT_LIMIT

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "python.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture(scope="module")
def runtime() -> Iterator[str]:
    """The directory of what `wscli demo` runs: the back end, and a manager on it."""
    with BackendProcess(interval=0.02) as demo, Wscli() as command:
        command.env["WSCLI_DEMO_PORT"] = str(demo.port)
        text = (Path(wscli.errors.__file__).parent / "demo" / "demo.yaml").read_text()
        (orders,) = re.findall("`(orders: .*)`", TEXT)
        with command.up(text.replace("\nchannels:\n", f"\nchannels:\n  {orders}\n")):
            yield str(command.runtime)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_every_example_runs(
    runtime: str, example: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in [name for name in os.environ if name.startswith("WSCLI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WSCLI_RUNTIME_DIR", runtime)
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "docs/python.md", "exec"), {"__name__": "__main__"})
    gc.collect()
    assert capsys.readouterr().out


def test_every_method_and_field_is_in_the_text() -> None:
    for name, method in inspect.getmembers(Client, inspect.isfunction):
        if name[0] != "_":
            row = re.search(rf"^\| `{name}\((.*?)\)` \|", TEXT, re.MULTILINE)
            assert row, name
            parameters = list(inspect.signature(method).parameters.values())[1:]
            assert [part.split("=")[0].lstrip("*") for part in row[1].split(", ")] == [one.name for one in parameters]
    for field in (*Message._fields, "cursor", "json()", *Gap._fields):
        assert f"`{field}`" in TEXT, field


def test_the_limit_of_connections_is_the_managers() -> None:
    assert f"the\nmanager's {CLIENT_LIMIT} connections" in TEXT


def test_every_error_is_in_the_text_with_its_exit_code() -> None:
    kinds = [getattr(wscli.errors, name) for name in wscli.errors.__all__]
    for kind in kinds:
        if inspect.isclass(kind) and issubclass(kind, wscli.errors.WscliError) and kind is not wscli.errors.ConfigError:
            assert re.search(rf"^\| `{kind.__name__}` \|.*\| {kind.exit_code:d} \|$", TEXT, re.MULTILINE), kind
