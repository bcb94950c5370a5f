"""``wscli init``: what it writes is valid once its variables are set, and nothing is overwritten."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.cli.commands import start
from wscli.cli import main
from wscli.cli.init import PLAIN, variables_of
from wscli.config.loading import load
from wscli.session.preset import preset_names


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    code = main(["init", *args])
    return (code, *capsys.readouterr())


def test_the_plain_file_is_valid_as_it_stands_and_with_all_that_it_proposes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys) == (
        0, "", "wrote 'wscli.yaml'; now edit it, `wscli config check`, `wscli up -d`\n",
    )  # fmt: skip
    assert list(load(Path("wscli.yaml"), {}).channels) == ["events"]
    proposed = re.sub(r"^( *)# (?=[ \w/{}]+:)", r"\1", PLAIN.partition("\nversion:")[2], flags=re.MULTILINE)
    Path("all.yaml").write_text(f"version:{proposed}")
    plan = load(Path("all.yaml"), {"API_KEY": "k"})
    assert list(plan.channels) == ["events", "rooms/{id}", "orders"]
    assert list(plan.tokens) == ["api"]


@pytest.mark.parametrize("name", preset_names())
def test_the_file_of_a_preset_is_valid_once_its_variables_are_set(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = run(capsys, "app.yaml", "--preset", name)
    assert (code, out) == (0, "")
    text = Path("app.yaml").read_text()
    assert f"preset: {name}" in text
    for variable in variables_of(text):
        assert f" set {variable}," in err
        monkeypatch.setenv(variable, "secret-value")
    assert main(["config", "check", "--strict", "app.yaml"]) == 0
    assert "secret-value" not in "".join(capsys.readouterr())


def test_a_file_that_is_there_is_not_changed(capsys: pytest.CaptureFixture[str]) -> None:
    Path("wscli.yaml").write_text("mine")
    code, _, err = run(capsys)
    assert code == 1
    assert err.startswith("error: 'wscli.yaml' is there already, and was not changed\nhint: another FILE, or - ")
    assert Path("wscli.yaml").read_text() == "mine"
    Path("wscli.yaml").write_text("")  # as a shell makes it for `> wscli.yaml`
    assert run(capsys)[0] == 0
    assert Path("wscli.yaml").read_text() == PLAIN


def test_it_goes_where_it_is_told_to(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "-") == (0, PLAIN, "")
    assert run(capsys, "-c", "my app.yaml")[2].endswith("`wscli up -d -c 'my app.yaml'`\n")
    assert Path("my app.yaml").read_text() == PLAIN
    assert run(capsys, "a.yaml", "-c", "b.yaml")[0] == 2
    assert run(capsys, "nowhere/a.yaml") == (1, "", "error: no such file or directory 'nowhere/a.yaml'\n")


def test_an_unknown_preset_lists_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "--preset", "slak")
    assert code == 2
    assert err.startswith("error: unknown preset: 'slak'\nhint: did you mean 'slack'? the presets are actioncable, ")
    assert "did you mean" not in run(capsys, "--preset", "zzz")[2]
    assert not Path("wscli.yaml").exists()


async def test_presets_are_completed() -> None:
    words = {"_WSCLI_COMPLETE": "bash_complete", "COMP_WORDS": "wscli init --preset sl", "COMP_CWORD": "3"}
    process = await start(env={**os.environ, **words}, stdout=subprocess.PIPE)
    out, _ = await process.communicate()
    assert out.split() == [b"plain,slack"]


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("a: ${ONE} ${TWO:-x} ${THREE:?why} # ${FOUR}\n# ${FIVE}\nb: {env: SIX}\nc: ${ONE}", ["ONE", "THREE", "SIX"]),
        ("nothing: $$ {ONE}", []),
    ],
)
def test_the_variables_of_a_file_are_those_without_which_it_is_refused(text: str, variables: list[str]) -> None:
    assert variables_of(text) == variables
