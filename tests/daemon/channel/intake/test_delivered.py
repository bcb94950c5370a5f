"""What a session delivers: acknowledged once it is committed, kept with its messages, and in its place."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.daemon.channel.intake.outages import lost, message, plan, told
from tests.daemon.scripted import Scripted, channel_plan, scripted
from tests.session.declared import session
from tests.waiting import eventually
from wscli.history.limits import HistoryLimits
from wscli.session.actions import Deliver
from wscli.templates.paths import compile_path_expression

ENVELOPES = session("""
rules: [{match: {envelope: "{any}"}, send: {ack: "{msg.envelope}"}, keep: {last: .envelope}, ack: logged}]
show: .payload
""")
ON_DISK = HistoryLimits(store="disk", sync="normal")


def envelope(number: int) -> str:
    return json.dumps({"envelope": number, "payload": {"n": number}})


def acked(it: Scripted) -> list[int]:
    return [json.loads(payload)["ack"] for payload, _ in it.server.link.sent]


async def test_in_memory_a_message_is_acknowledged_in_the_turn_in_which_it_is_shown() -> None:
    async with scripted(channel_plan(session=ENVELOPES)) as it:
        it.server.link.say(envelope(1), envelope(2))
        assert acked(it) == [1, 2]
        assert it.channel.history.last == 2


async def test_on_disk_it_is_acknowledged_after_its_commit_and_a_duplicate_at_once(tmp_path: Path) -> None:
    declared = channel_plan(session=ENVELOPES, history=ON_DISK, dedupe=compile_path_expression(".envelope"))
    async with scripted(declared, state=tmp_path) as it:
        it.server.link.say(envelope(1), envelope(2))
        assert acked(it) == []
        await eventually(lambda: acked(it) == [1, 2])
        assert it.channel.history.committed == 2
        it.server.link.say(envelope(2))
        assert acked(it) == [1, 2, 2]
    async with scripted(declared, state=tmp_path) as it:
        it.server.link.say(envelope(1))
        assert acked(it) == [1], "what was seen before a restart is a duplicate too"
        assert it.channel.history.kept["var"] == {"last": 1}
        assert it.channel.stats()["duplicates"] == 1


async def test_what_the_disk_did_not_take_is_never_acknowledged(tmp_path: Path) -> None:
    async with scripted(channel_plan(session=ENVELOPES, history=ON_DISK), state=tmp_path) as it:
        it.channel.intake.overflow()
        it.server.link.say(envelope(1))
        it.channel.history.record_gap("outage")
        await eventually(
            lambda: it.channel.history.committed == it.channel.history.last or not it.channel.history._queue
        )  # type: ignore[attr-defined]
        assert acked(it) == []


async def test_an_acknowledgement_goes_out_on_its_own_connection_or_never(tmp_path: Path) -> None:
    async with scripted(channel_plan(session=ENVELOPES, history=ON_DISK), state=tmp_path) as it:
        it.server.link.say(envelope(1))
        it.channel.restart()
        await it.time.settle()
        await eventually(lambda: it.channel.history.committed == 1)
        assert acked(it) == []


async def test_while_a_gap_is_filled_messages_gaps_and_kept_values_wait_in_their_order(tmp_path: Path) -> None:
    on_disk = replace(plan(), history=ON_DISK)
    async with lost([2], [], declared=on_disk, held=True, state=tmp_path) as (it, http):
        logged: list[int] = []
        subscriber = it.channel.subscription.member.subscriber
        given: Any = [message(3).encode()]
        subscriber.delivered(
            Deliver(None, given, None, kept={"var": {"seq": 3}}, acks=[(0, 9)]),  # type: ignore[arg-type]
            logged.append,
        )
        subscriber.missed("skipped", 4)
        subscriber.keep({"sub": {"seq": 4}})
        await it.time.settle()
        assert (it.channel.history._queue.kept, logged) == (None, []), "a kill now resumes before what is held"  # type: ignore[attr-defined]
        await http.go_on(it)
        await eventually(lambda: logged == [9])
        assert told(it) == ["1", ("outage", 1), "+2", "3", ("skipped", None)]
    async with scripted(on_disk, state=tmp_path, http=http) as it:
        assert it.channel.history.kept == {"var": {"seq": 3}, "sub": {"seq": 4}}
