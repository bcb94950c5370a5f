"""``wscli config``: what it prints, where, and the exit codes."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
import yaml

from wscli.cli import main

GOOD = """\
endpoints: {api: {url: ws://h}}
tokens: {t: {value: s3cr3t}}
channels: {a: {endpoint: api, query: {t: "{token.t}"}}, b: {endpoint: api}}
"""
DOUBTFUL = "endpoints: {api: {url: ws://h, query: {t: $TOKEN}}}\nchannels: {a: {endpoint: api}, b: {endpoint: api}}\n"
BAD = "endpoints: {api: {url: ws://h}}\nchannels:\n  calls: {endpoint: apj, backof: x}\n"
Printed = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSCLI_RUNTIME_DIR", str(tmp_path / "run"))
    (tmp_path / "app.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(BAD)


@pytest.mark.parametrize(
    "args",
    [["config", "check", "app.yaml"], ["config", "check", "-c", "app.yaml"], ["-c", "app.yaml", "config", "check"]],
)
def test_check_says_ok_in_one_line(args: list[str], capsys: Printed) -> None:
    assert main(args) == 0
    assert capsys.readouterr() == ("app.yaml: ok: 2 channels, 1 endpoint, 1 token source\n", "")


def test_check_says_every_problem_on_stderr_and_a_hint(capsys: Printed) -> None:
    assert main(["config", "check", "bad.yaml"]) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == (
        "bad.yaml:3:21: channels.calls.endpoint: unknown endpoint: 'apj'; did you mean 'api'?\n"
        "bad.yaml:3:26: channels.calls.backof: unknown key; did you mean 'backoff'?\n"
        "hint: see `wscli explain channels.endpoint` and `wscli explain channels.backoff`\n"
    )


def test_check_prints_warnings_on_stderr(tmp_path: Path, capsys: Printed) -> None:
    (tmp_path / "app.yaml").write_text(DOUBTFUL)
    assert main(["config", "check", "app.yaml"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "app.yaml: ok: 2 channels, 1 endpoint, 0 token sources\n"
    assert printed.err == (
        "warning: app.yaml:1:43: endpoints.api.query.t: '$TOKEN' is sent as it stands; "
        "a variable is written '${TOKEN}'\n"
        "warning: app.yaml:2:32: channels.b: the channels 'b' and 'a' dial the same URL, over one connection each\n"
    )


def test_check_names_the_channels_whose_clients_have_an_upstream_each(tmp_path: Path, capsys: Printed) -> None:
    text = "endpoints: {a: {url: ws://h}}\nchannels:\n  c: {endpoint: a, path: /c, clients: own}\n"
    text += "  d: {endpoint: a, path: /d, subprotocols: [mqtt]}\n  e: {endpoint: a, path: /e}\n"
    (tmp_path / "app.yaml").write_text(text)
    assert main(["config", "check", "--strict", "app.yaml"]) == 0
    assert capsys.readouterr().err == "each client of the gateway and the adapter has an upstream of its own: c, d\n"


def test_check_strict_refuses_warnings_alone(tmp_path: Path, capsys: Printed) -> None:
    assert main(["config", "check", "--strict", "app.yaml"]) == 0
    assert capsys.readouterr() == ("app.yaml: ok: 2 channels, 1 endpoint, 1 token source\n", "")
    (tmp_path / "app.yaml").write_text(DOUBTFUL)
    assert main(["config", "check", "--strict", "app.yaml"]) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("warning: app.yaml:") == 2


def test_wscli_yaml_is_found_in_a_parent(tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wscli.yaml").write_text(GOOD)
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    assert main(["config", "check"]) == 0
    assert capsys.readouterr().out.startswith("../../wscli.yaml: ok")


def test_stdin_is_a_file(capsys: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO(BAD.encode())

    monkeypatch.setattr(sys, "stdin", Stdin())
    assert main(["config", "check", "-"]) == 3
    assert capsys.readouterr().err.startswith("<stdin>:3:21: channels.calls.endpoint")


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["config", "check"], 2, "no file is named"),
        (["config", "check", "missing.yaml"], 3, "missing.yaml: there is no such file\nhint: -c FILE names the file\n"),
        (["config", "check", "."], 3, ".: it is a directory; name the file in it"),
        (["config", "check", "app.yaml", "-c", "bad.yaml"], 2, "both 'app.yaml' and an option choose a file"),
        (["config", "check", "-i", "nobody"], 2, "no instance 'nobody' is registered"),
    ],
)
def test_mistakes_are_told_with_a_hint(args: list[str], code: int, said: str, capsys: Printed) -> None:
    assert main(args) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err
    assert printed.err.splitlines()[-1].startswith("hint: ")


def test_show_prints_yaml_or_json_without_secrets(capsys: Printed) -> None:
    assert main(["config", "show", "app.yaml"]) == 0
    as_yaml = capsys.readouterr().out
    assert main(["config", "show", "--json", "-c", "app.yaml"]) == 0
    as_json = capsys.readouterr().out
    assert yaml.safe_load(as_yaml) == json.loads(as_json)
    assert json.loads(as_json)["tokens"] == {"t": {"value": "***"}}


def test_schema_is_json(capsys: Printed) -> None:
    assert main(["config", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "wscli configuration"


def test_show_resolved_prints_one_channel_with_its_preset(tmp_path: Path, capsys: Printed) -> None:
    (tmp_path / "chat.yaml").write_text(
        "endpoints: {api: {preset: discord}}\ntokens: {discord: {env: X}}\n"
        "channels: {chat: {endpoint: api, with: {intents: 1}}, b: {endpoint: api, with: {intents: 2}}}\n"
    )
    assert main(["config", "show", "--resolved", "chat", "chat.yaml"]) == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    assert list(printed["channels"]) == ["chat"]
    assert printed["endpoints"]["api"]["session"]["close"] == 4000
    assert main(["config", "show", "--json", "--resolved", "chat", "chat.yaml"]) == 0
    assert json.loads(capsys.readouterr().out)["channels"]["chat"]["with"] == {"intents": 1}
    assert main(["config", "show", "chat.yaml"]) == 0
    assert "session" not in capsys.readouterr().out  # the file as it is written


def test_show_resolved_refuses_an_unknown_channel(capsys: Printed) -> None:
    assert main(["config", "show", "--resolved", "aa", "app.yaml"]) == 6
    assert capsys.readouterr().err.splitlines()[0] == "error: no channel 'aa' in the file"
