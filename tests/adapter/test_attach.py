"""Which manager is asked for a URL, and what its answer comes to."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.adapter.answering import ATTACHED, UNKNOWN, Managers, managers
from wscli.adapter import attach as attach_module
from wscli.adapter.attach import Inquiry, attach
from wscli.control.protocol import PROTOCOL, ProtocolError, encode_line, failure, greeting
from wscli.errors import NoInstance, TimedOut, UnknownChannel, WscliError

__all__ = ["managers"]

URL = "ws://example.com/calls?token=s3cret"


def asked(*, within: float = 5.0) -> None:
    attach(URL, os.environ, within=within).close()


def test_the_only_one_that_runs_is_asked_with_the_whole_url(managers: Managers) -> None:
    managers.register("dead")
    managers.add("app", ATTACHED)
    sock = attach(URL, os.environ)
    assert sock.family is socket.AF_UNIX
    assert sock.gettimeout() is None
    sock.close()
    assert managers.asked == [("app", URL)]


@pytest.mark.parametrize(("first", "within"), [(UNKNOWN, 5.0), (None, 0.05)])
def test_each_is_asked_until_one_has_the_channel(managers: Managers, first: bytes | None, within: float) -> None:
    managers.add("a", first)
    managers.add("b", ATTACHED)
    managers.add("c", ATTACHED)
    asked(within=within)
    assert [name for name, _ in managers.asked] == ["a", "b"]


def test_none_of_several_may_have_it(managers: Managers) -> None:
    managers.add("a", UNKNOWN)
    managers.add("b", UNKNOWN)
    with pytest.raises(UnknownChannel, match="none of 2 running instances") as caught:
        asked()
    assert "s3cret" not in f"{caught.value} {caught.value.hint}"


def test_one_that_hangs_is_told_before_one_that_does_not_know(managers: Managers) -> None:
    managers.add("a", UNKNOWN)
    managers.add("b", None)
    with pytest.raises(TimedOut, match="did not answer in time"):
        asked(within=0.05)


def test_the_environment_chooses(managers: Managers, monkeypatch: pytest.MonkeyPatch) -> None:
    managers.add("a", ATTACHED)
    managers.add("b", UNKNOWN)
    monkeypatch.setenv("WSCLI_INSTANCE", "b")
    with pytest.raises(UnknownChannel, match="no channel of instance 'app' has this URL"):
        asked()
    assert [name for name, _ in managers.asked] == ["b"]
    monkeypatch.setenv("WSCLI_INSTANCE", "c")
    with pytest.raises(NoInstance, match="no instance named 'c' is running"):
        asked()


def test_the_file_of_the_directory_or_a_parent_chooses(
    managers: Managers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "my apps" / "wscli.yaml"
    below = file.parent / "where"
    below.mkdir(parents=True)
    file.touch()
    monkeypatch.chdir(below)
    managers.add("a", ATTACHED)
    with pytest.raises(NoInstance, match=r"no instance of '.*wscli\.yaml' is running") as raised:
        asked()
    assert raised.value.hint == f"start it with `wscli up -d -c '{os.path.realpath(file)}'`"
    managers.add("b", ATTACHED, file=os.path.realpath(file))
    asked()
    assert [name for name, _ in managers.asked] == ["b"]


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        (b"", NoInstance, "the manager of 'app' hung up"),
        (b"HTTP/1.1 200 OK\r\n\r\n", ProtocolError, "is not JSON"),
        (
            encode_line({**greeting(), "v": PROTOCOL + 1, "ok": True, "result": {}}),
            ProtocolError,
            "this client is wscli",
        ),
        (encode_line({**greeting(), **failure(ProtocolError("no such verb 'attach'"))}), WscliError, "no such verb"),
    ],
)
def test_whatever_else_it_answers_is_an_error_of_ours(
    managers: Managers, answer: bytes, kind: type[WscliError], text: str
) -> None:
    managers.add("app", answer)
    with pytest.raises(kind, match=text):
        asked()


def test_nobody_is_asked_for_a_url_that_no_server_would_take(managers: Managers) -> None:
    managers.add("app", ATTACHED)
    with pytest.raises(UnknownChannel, match="a URL of 9018 characters"):
        attach(f"ws://example.com/?{'x' * 9_000}", os.environ)
    assert managers.asked == []


def test_no_manager_at_all_says_how_to_start_one() -> None:
    with pytest.raises(NoInstance, match="no instance is running") as caught:
        asked()
    assert caught.value.hint == "start one with `wscli up -d -c FILE`"


@pytest.mark.parametrize("order", ["run drop", "drop run"])
def test_nothing_stays_open_of_an_inquiry_that_nobody_waits_for(managers: Managers, order: str) -> None:
    managers.add("app", ATTACHED)
    inquiry = Inquiry(URL, os.environ)
    found = [sock for step in order.split() if (sock := getattr(inquiry, step)()) is not None]
    assert [sock.fileno() for sock in found] == [-1]


def test_its_patience_is_shorter_than_any_handshakes() -> None:
    assert attach_module.ATTACH_PATIENCE < 10
