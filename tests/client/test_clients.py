"""``wscli.Client`` and ``wscli.AsyncClient`` against a real manager: what both promise."""

from __future__ import annotations

import gc
import json
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.client.scene import Make, Scene, client, free_registration, make, running
from tests.waiting import until, with_more_time
from wscli import Client, Gap, Message
from wscli.errors import (
    ChannelUnavailable,
    NoInstance,
    NotSent,
    OutcomeUnknown,
    TimedOut,
    UnknownChannel,
    UsageError,
    WscliError,
)  # fmt: skip

__all__ = ["client", "make", "running"]


def order(**what: Any) -> str:
    return json.dumps(what)


def test_what_is_sent_as_text_comes_as_text_and_what_is_sent_as_bytes_as_bytes(client: Client) -> None:
    with client.tail("echo") as tail:
        client.send("echo", order(say=["grüße\n"]))
        client.send("echo", b"\x00\xff")
        first, second = next(tail), next(tail)
    assert isinstance(first, Message)
    assert isinstance(second, Message)
    assert (first.channel, first.data, second.data) == ("echo", "grüße\n", b"\x00\xff")
    assert (second.epoch, second.seq) == (first.epoch, first.seq + 1)
    assert first.ts <= second.ts


def test_a_tail_begins_where_it_is_told(client: Client) -> None:
    with client.tail("other") as tail:
        client.send("other", order(burst=5))
        came = [next(tail) for _ in range(5)]
    first = came[0]
    assert isinstance(first, Message)
    assert list(client.tail("other", last=5, follow=False)) == came
    assert list(client.tail("other", after=first.cursor, follow=False)) == came[1:]
    assert list(client.tail("other", since=first.ts - 0.001, follow=False))[-5:] == came
    assert list(client.tail("other", last=0, follow=False)) == []
    several = client.tail("other", "held", after={"other": first.cursor}, last=None, follow=False)
    assert list(several) == came[1:]


def test_several_channels_come_in_one_iterator(client: Client) -> None:
    with client.tail("echo", "held") as tail:
        client.send("held", order(say=["from held"]))
        client.send("echo", order(say=["from echo"]))
        found = {one.channel: one.data for one in (next(tail), next(tail)) if isinstance(one, Message)}
    assert found == {"held": "from held", "echo": "from echo"}


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.tail("ecko"),
        lambda client: client.send("ecko", "x"),
        lambda client: client.request("ecko", "x", ".a"),
        lambda client: client.wait("ecko"),
        lambda client: client.stats("ecko"),
        lambda client: client.status("ecko"),
    ],
)
def test_an_unknown_channel_is_its_error(client: Client, call: Callable[[Client], object]) -> None:
    with pytest.raises(UnknownChannel, match="'ecko'"):
        call(client)


def test_other_refusals_of_the_manager_are_errors_too(client: Client) -> None:
    with pytest.raises(UsageError, match="'k3f9'"):
        client.tail("echo", after="k3f9")
    with pytest.raises(UsageError, match="no such token 'sesion'"):
        client.token("sesion")


def test_an_outage_is_a_gap_unless_nobody_wants_to_hear_of_it(client: Client) -> None:
    with client.tail("echo") as tail, client.tail("echo", gaps=False) as plain:
        client.send("echo", order(say=["before"], close=1012))
        before, gap = next(tail), next(tail)
        client.send("echo", order(say=["behind"]))
        behind = next(tail)
        assert [next(plain), next(plain)] == [before, behind]
    assert isinstance(before, Message)
    assert isinstance(gap, Gap)
    assert (gap.channel, gap.after, gap.reason, gap.missed) == ("echo", before.seq, "outage", None)
    assert gap.start is not None
    assert gap.end is not None
    assert before.ts <= gap.start <= gap.end


def test_a_request_gives_the_reply_that_matches(client: Client) -> None:
    reply = client.request("echo", order(id=7, burst=3, say=["no json"]), ".reply == 7")
    assert reply.json() == {"reply": 7}
    by_function = client.request("echo", b"\x01\x02", lambda message: message.data == b"\x01\x02")
    assert by_function.seq > reply.seq


def test_a_request_gives_the_reply_in_which_a_regex_is_found(client: Client) -> None:
    reply = client.request("echo", '{"say": ["PONG {ref.int}"]}', raw_match="^PONG {ref.int}$")
    assert str(reply.data).startswith("PONG ")
    with pytest.raises(UsageError, match="both say what the reply is"):
        client.request("echo", "x", ".", raw_match="x")
    with pytest.raises(UsageError, match="nothing says which message is the reply: channel 'echo' has no session"):
        client.request("echo", "x")


def test_what_came_before_a_request_is_not_its_reply(client: Client) -> None:
    old = client.request("echo", order(id="same"), '.reply == "same"')
    new = client.request("echo", order(id="same"), '.reply == "same"')
    assert new.seq > old.seq


def test_references_in_text_are_fresh_ids_and_what_is_not_one_stays_as_it_is(client: Client) -> None:
    def ask(message: str, **options: Any) -> Any:
        return client.request("echo", message, ".reply | . == $ref", **options).json()["reply"]

    first, second = (ask('{"id": {ref.int}}') for _ in range(2))
    assert first < second
    assert int(ask('{"id": "{ref.str}"}')) > second
    assert len(ask('{"id": "{ref.uuid}"}')) == 36
    literal = '{"id": "{{ref.int} {token.x} {ref.}"}'
    assert client.request("echo", literal, ".reply").json() == {"reply": "{ref.int} {token.x} {ref.}"}
    as_it_is = client.request("echo", '{"id": "{ref.int}"}', ".reply", expand=False)
    assert as_it_is.json() == {"reply": "{ref.int}"}


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ('{"id": {ref.int}, "uuid": "{ref.uuid}"}', "one only"),
        ('{"id": {ref.integer}}', r"'\{ref\.integer\}'"),
        ('{"id": {ref.uuid:int}}', "does not fit its filter"),
        ('{"id": {ref.int:jsn}}', "unknown filter"),
    ],
)
def test_references_that_cannot_be_are_refused_and_nothing_is_sent(client: Client, message: str, error: str) -> None:
    before = client.stats("other")["channels"]["other"]["sent"]
    with pytest.raises(UsageError, match=error):
        client.request("other", message, ".reply")
    assert client.stats("other")["channels"]["other"]["sent"] == before


def test_a_dozen_requests_answered_out_of_order_get_their_own_replies(client: Client, running: Scene) -> None:
    def ask(_: int) -> Any:
        return client.request("echo", order(id="REF", together=12).replace('"REF"', "{ref.int}"), ".reply == $ref")

    with ThreadPoolExecutor(12) as threads:
        replies = [reply.json() for reply in threads.map(ask, range(12))]
    in_wire_order = [reply["reply"] for reply in sorted(replies, key=lambda reply: reply["place"])]
    assert in_wire_order == sorted(set(in_wire_order))
    assert len(in_wire_order) == 12
    running.until_readers(0)


def test_a_request_without_a_reply_ends_at_its_deadline(client: Client, running: Scene) -> None:
    def late(seconds: float) -> bool:
        with pytest.raises(WscliError) as failed:
            client.request("echo", order(say=["another"]), ".reply == 1", timeout=seconds)
        return isinstance(failed.value, TimedOut) and f"no reply on 'echo' within {seconds:g} s" in str(failed.value)

    assert with_more_time(late, 0.05)

    def fails(channel: str, match: Any, timeout: float) -> type[WscliError]:
        with pytest.raises(WscliError) as failed:
            client.request(channel, b"x", match, timeout=timeout)
        return failed.type

    # a manager that does not even say in time what became of the message leaves that unknown
    until(lambda: fails("echo", lambda message: True, 0) is TimedOut)
    until(lambda: fails("lost", ".reply == 1", 0.05) is NotSent)
    with pytest.raises(UsageError, match="does not compile"):
        client.request("echo", "x", ".reply ==")
    running.until_readers(0)


def test_an_error_of_the_function_that_matches_is_the_callers(client: Client, running: Scene) -> None:
    def fails(message: Message) -> bool:
        raise TimeoutError(f"my own, for {message.data!r}")

    with pytest.raises(TimeoutError, match="my own"):
        client.request("echo", b"x", fails)
    running.until_readers(0)


def test_a_channel_of_no_use_is_an_error_everywhere(client: Client, running: Scene) -> None:
    assert running.command("stop", "held").returncode == 0
    try:
        with pytest.raises(ChannelUnavailable):
            client.send("held", "x")
        with pytest.raises(ChannelUnavailable):
            client.wait("held")
        with pytest.raises(ChannelUnavailable):
            client.request("held", "x", ".a")
        tail = client.tail("held")
        with pytest.raises(ChannelUnavailable):
            next(tail)
        assert list(tail) == []
    finally:
        assert running.command("start", "held").returncode == 0


def test_figures_states_and_tokens_are_given(client: Client) -> None:
    stats = client.stats()
    assert (stats["instance"], stats["channels"]["echo"]["state"]) == ("app", "ready")
    assert list(client.stats("echo")["channels"]) == ["echo"]
    assert [one["channel"] for one in client.status()] == ["echo", "other", "lost", "held", "kept"]
    assert [one["state"] for one in client.status("echo", "other")] == ["ready", "ready"]
    assert client.token("session") == "a-token"


def test_a_wait_ends_in_time_and_says_what_it_waited_for(client: Client) -> None:
    assert [one["state"] for one in client.wait("echo", "other")] == ["ready", "ready"]
    assert client.wait("echo", timeout=0)[0]["channel"] == "echo"

    def late(seconds: float) -> bool:
        with pytest.raises(TimedOut) as failed:
            client.wait("echo", state="paused", timeout=seconds)
        return f"not paused within {seconds:g} s: echo is ready" in str(failed.value)

    assert with_more_time(late, 0.02)


def test_a_tail_that_is_dropped_leaves_nothing_open(client: Client, running: Scene) -> None:
    client.send("echo", order(burst=10))
    for _ in client.tail("echo", last=10):
        break
    tail = client.tail("echo")
    del tail
    with client.tail("echo", last=1) as tail:
        next(tail)
    assert list(tail) == []
    tail.close()
    gc.collect()  # an open socket would warn here, which is an error
    running.until_readers(0)


def test_without_a_manager_every_call_says_so(make: Make, tmp_path: Path) -> None:
    client = make(environ={"WSCLI_RUNTIME_DIR": str(tmp_path)})
    for call in (client.stats, client.status, lambda: client.send("echo", "x"), lambda: client.tail("echo")):
        with pytest.raises(NoInstance):
            call()
    with pytest.raises(NoInstance, match="'nobody'"):
        make("nobody", environ={"WSCLI_RUNTIME_DIR": str(tmp_path)}).stats()


def test_a_manager_is_chosen_by_its_file_and_by_the_environment(make: Make, running: Scene) -> None:
    by_file = make(file=running.manager.file, environ=running.environ)
    by_name = make(environ={**running.environ, "WSCLI_INSTANCE": "app"})
    assert by_file.stats()["pid"] == by_name.stats()["pid"] == running.manager.pid


def test_a_message_whose_answer_never_comes_is_of_unknown_outcome(make: Make, tmp_path: Path) -> None:
    path = free_registration(tmp_path / "run", "app")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        client = make("app", environ={"WSCLI_RUNTIME_DIR": str(tmp_path / "run")})
        with ThreadPoolExecutor(1) as threads:
            sending = threads.submit(client.send, "echo", "x")
            accepted, _ = listener.accept()
            accepted.recv(1 << 16)
            accepted.close()
            assert isinstance(sending.exception(60), OutcomeUnknown)
            sending = threads.submit(client.send, "echo", b"x" * (8 << 20))
            accepted, _ = listener.accept()
            accepted.close()
            assert isinstance(sending.exception(60), NotSent)


def test_a_rotation_by_hand_gives_how_the_channels_stand_and_doctor_the_last_attempt(client: Client) -> None:
    (status,) = client.rotate("echo")
    assert (status["channel"], status["state"]) == ("echo", "ready")
    doctor = client.doctor("echo")
    assert doctor["channel"]["channel"] == "echo"
    assert doctor["attempt"] is not None
    dialled = client.doctor("echo", dial=True)["attempt"]
    assert dialled is not None
    assert dialled["failure"] is None
    with pytest.raises(UsageError, match="no channel is given"):
        client.rotate()
