"""What a declared path promises: a message whose value was seen is dropped, and nothing else ever is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.daemon.scripted import channel_plan, scripted
from wscli.config.models.upstream import Rotate
from wscli.daemon.channel.intake.dedupe import Dedupe
from wscli.daemon.channel.intake.messages import Messages
from wscli.history.limits import HistoryLimits
from wscli.history.seen import MOST_SEEN, SeenDigests
from wscli.templates.paths import compile_path_expression


def dedupe(path: str = ".id") -> Dedupe:
    return Dedupe(compile_path_expression(path), SeenDigests())


def test_a_value_that_was_seen_drops_its_message_in_the_same_turn_or_later() -> None:
    it = dedupe()
    assert it.fresh([b'{"id": 1}', b'{"id": 2}', b'{"id":1,"x":0}'], None) == [b'{"id": 1}', b'{"id": 2}']
    assert it.fresh([b'{"id": 2}'], None) == []


@pytest.mark.parametrize(
    "payload",
    [b"no JSON", b'{"other": 1}', b"1", b"\xff", b"[" * 100_000, b'{"id": ' + b"9" * 5000 + b"}"],
    ids=["text", "absent", "scalar", "no UTF-8", "deep", "long"],
)
def test_what_has_no_value_there_always_passes(payload: bytes) -> None:
    it = dedupe()
    assert [it.fresh([payload], None) for _ in range(2)] == [[payload]] * 2


def test_binary_messages_pass_and_kinds_stay_with_their_messages() -> None:
    one = b'{"id": 1}'
    assert dedupe().fresh([one, one, one, b"x"], b"btbt") == [one, one, one, b"x"]
    messages = Messages([one, one, one], b"ttb")
    assert messages.only(dedupe().new(messages)) == Messages([one, one], b"tb")


def test_a_key_of_the_whole_message_counts_in_place_of_what_is_shown() -> None:
    told: list[int] = []
    it, shown = dedupe(), [b'{"id": 7}'] * 4
    messages = Messages(shown, None, ["1", "1", None, "2"], acks=[(0, 10), (1, 11), (3, 13)], logged=told.append)
    new = messages.only(it.new(messages))
    assert (new.payloads, new.keys, new.acks) == (shown[:3], ["1", None, "2"], ((0, 10), (2, 13)))
    assert told == [11], "what is dropped as a duplicate is acknowledged at once"
    assert it.fresh([b'{"id": 1}'], None) == [], "its key is the value's JSON"


def test_values_are_told_apart_by_type_and_null_is_one() -> None:
    values = [b'{"id": 1}', b'{"id": "1"}', b'{"id": true}', b'{"id": null}', b'{"id": {"a": 1, "b": 2}}']
    it = dedupe()
    assert it.fresh(values, None) == values
    assert it.fresh([*values, b'{"id": {"b": 2, "a": 1}}'], None) == []


def test_the_last_4096_are_remembered() -> None:
    it = dedupe(".")
    it.fresh([str(number).encode() for number in range(MOST_SEEN + 1)], None)
    assert it.fresh([b"1"], None) == []
    assert it.fresh([b"0"], None) == [b"0"]


def test_values_of_another_path_are_others() -> None:
    seen = SeenDigests()
    for path in (".id", ".other"):
        it = Dedupe(compile_path_expression(path), seen)
        assert it.fresh([b'{"id": 1, "other": 1}'], None) != []


async def test_what_was_seen_outlives_the_manager_where_its_history_does(tmp_path: Path) -> None:
    plan = channel_plan(dedupe=compile_path_expression(".id"), history=HistoryLimits(store="disk"))
    for received in (2, 1):
        async with scripted(plan, state=tmp_path) as it:
            it.server.link.say('{"id": 1}', '{"id": 2}' if received == 2 else '{"id": 3}')
            it.server.link.say('{"id": 2}')
            assert it.channel.counters.received == received
            assert it.channel.history.last == (2 if received == 2 else 3)


async def test_what_comes_over_both_connections_of_a_rotation_is_kept_once_and_counted() -> None:
    path = compile_path_expression(".id")
    async with scripted(channel_plan(rotate=Rotate(max_age=60.0), dedupe=path)) as it:
        channel, old = it.channel, it.server.link
        old.slow_close = 60.0
        while len(it.server.links) == 1:
            await it.time.advance(1.0)
        for link in (old, it.server.links[-1]):
            link.say('{"id": 1}', '{"id": 2}')
        assert channel.history.last == 2
        stats = channel.stats()
        assert (stats["received"], stats["duplicates"]) == (2, 2)


async def test_a_reload_that_keeps_the_path_keeps_what_was_seen() -> None:
    plan = channel_plan(dedupe=compile_path_expression(".id"))
    async with scripted(plan) as it:
        it.server.link.say('{"id": 1}')
        it.manager.apply(replace(it.manager.plan, channels={"news": replace(plan, linger=1.0)}))
        it.server.link.say('{"id": 1}')
        assert it.channel.history.last == 1
        it.manager.apply(replace(it.manager.plan, channels={"news": channel_plan()}))
        it.server.link.say('{"id": 1}')
        assert it.channel.history.last == 2
