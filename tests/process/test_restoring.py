"""Files of an instance that are removed or replaced while it is owned."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.process.owning import own
from tests.process.test_ownership import directory, environ, files, plan, refusal, with_state
from wscli.control import paths
from wscli.errors import WscliError
from wscli.process.ownership import InstanceHeld

__all__ = ["directory", "environ", "with_state"]


def answers(environ: dict[str, str], listener: socket.socket) -> bool:
    [instance] = paths.registered(environ)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(instance.socket)
        listener.accept()[0].close()
    return instance.pid == os.getpid()


def remove_all(directory: Path) -> None:
    shutil.rmtree(directory)


def remove_one(name: str) -> Callable[[Path], None]:
    return lambda directory: (directory / name).unlink()


def truncate(directory: Path) -> None:
    (directory / "app.json").write_text("")


def put_another_in_place(directory: Path) -> None:
    for name in ("app.lock", "app.json"):
        (directory / name).unlink()
        (directory / name).write_text("{}")
    (directory / "app.sock").unlink()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(directory / "app.sock"))


@pytest.mark.parametrize(
    ("harm", "made"),
    [
        (remove_all, ["app.lock", "app.sock", "app.json"]),
        (remove_one("app.lock"), ["app.lock"]),
        (remove_one("app.sock"), ["app.sock"]),
        (remove_one("app.json"), ["app.json"]),
        (truncate, ["app.json"]),
        (put_another_in_place, ["app.lock", "app.sock", "app.json"]),
    ],
)
def test_what_is_removed_or_replaced_is_made_anew(
    with_state: dict[str, str], harm: Callable[[Path], None], made: list[str]
) -> None:
    directory = Path(with_state["WSCLI_RUNTIME_DIR"])
    with own(plan(), with_state) as owned:
        assert owned.restore() == []
        first = owned.listener
        harm(directory)
        assert owned.restore() == [str(directory / name) for name in made]
        assert answers(with_state, owned.listener)
        assert "already running" in refusal(with_state).message
        if owned.listener is not first:
            first.close()
    assert files(with_state) == []


def test_the_lock_in_the_state_directory_is_made_anew(with_state: dict[str, str], tmp_path: Path) -> None:
    with own(plan(), with_state) as owned:
        shutil.rmtree(tmp_path / "state")
        assert owned.restore() == [str(tmp_path / "state" / "wscli" / "app.lock")]
        refusal({**with_state, "WSCLI_RUNTIME_DIR": str(tmp_path / "elsewhere")})


def test_files_of_another_are_neither_replaced_nor_removed(environ: dict[str, str]) -> None:
    """Without a state directory, a second manager may start between two looks at a cleared runtime directory."""
    directory = Path(environ["WSCLI_RUNTIME_DIR"])
    with own(plan(), environ) as owned:
        shutil.rmtree(directory)
        second = subprocess.Popen(
            [sys.executable, "-c", HOLDING, str(Path(__file__).parents[2])],
            env={**os.environ, **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert second.stdin is not None
        assert second.stdout is not None
        second.stdout.readline()
        with pytest.raises(InstanceHeld, match=f"already running as pid {second.pid}"):
            owned.restore()
    assert files(environ) == ["app.json", "app.lock", "app.sock"]
    second.communicate()
    assert files(environ) == []


HOLDING = """
import os, sys
sys.path.append(sys.argv[1])
from tests.process.test_ownership import plan
from tests.process.owning import own
with own(plan(), {"WSCLI_RUNTIME_DIR": os.environ["WSCLI_RUNTIME_DIR"]}):
    print("owned", flush=True)
    sys.stdin.read()
"""


def test_a_directory_that_a_logout_removed_is_left_for_the_next_one_that_can_exist(tmp_path: Path) -> None:
    (tmp_path / "xdg").mkdir()
    variables = {"XDG_RUNTIME_DIR": "xdg", "XDG_STATE_HOME": "state", "TMPDIR": "."}
    environ = {name: str(tmp_path / below) for name, below in variables.items()}
    with own(plan(name="logout-test"), environ) as owned:
        shutil.rmtree(tmp_path / "xdg")
        owned.listener.close()
        assert owned.restore()
        owned.restore()
        [instance] = [one for one in paths.registered(environ) if one.name == "logout-test"]
        assert instance.directory in paths.candidate_directories(environ)[1:]
        lock = tmp_path / "state" / "wscli" / "logout-test.lock"
        assert lock.read_text() == f"{os.getpid()}\n{instance.directory}\n"
        assert not (tmp_path / "xdg").exists()
    assert [one for one in paths.registered(environ) if one.name == "logout-test"] == []


@pytest.mark.parametrize("name", ["app.lock", "app.json", "app.sock"])
def test_a_directory_in_place_of_a_file_is_one_line_with_the_way_out(
    environ: dict[str, str], directory: Path, name: str
) -> None:
    (directory / name).mkdir()
    error = refusal(environ, WscliError)
    assert str(directory / name) in error.message
    assert str(directory / name) in str(error.hint)
    assert files(environ) == [name]
