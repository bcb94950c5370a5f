"""The handler of ``tail``: where a stream begins, what holds a channel in use, and how the stream ends."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.daemon.framed import FarEnd
from tests.daemon.scripted import REFUSED, status
from tests.daemon.served import fill
from tests.waiting import eventually
from wscli.control.frames import DATA, END, GAP, STATE
from wscli.core.states import ChannelState
from wscli.daemon.socket.handlers import tail


async def test_the_answer_says_where_each_channel_begins(served):
    fill(served.notifications, "a", "b")
    async with served.tail("notifications", "calls") as (answer, _):
        assert answer["result"]["channels"] == {
            "notifications": {"epoch": served.notifications.history.epoch, "after": 2},
            "calls": {"epoch": served.calls.history.epoch, "after": 0},
        }


async def test_a_reader_that_follows_holds_its_channel_in_use_until_it_hangs_up(served):
    async with served.tail("notifications"):
        assert (served.notifications.readers, served.calls.readers) == (1, 0)
        assert served.notifications.in_use
        assert not served.calls.in_use
    await eventually(lambda: not served.notifications.in_use and not served.notifications.readers)


async def test_without_follow_nothing_is_opened_and_everything_kept_is_printed(served):
    fill(served.notifications, "a", "b")
    await served.bring(served.notifications, ChannelState.FAILED)
    async with served.tail("notifications", follow=False) as (_, far):
        await far.read(until=END)
        assert far.data == b"a\nb\n"
        assert far.end.exit_code == 0
        assert not served.notifications.in_use


async def test_a_message_between_the_answer_and_the_first_frame_is_not_lost(served):
    async with served.tail("notifications", last=1) as (_, far):
        fill(served.notifications, "a")
        await far.read(frames=1)
        assert far.data == b"a\n"


@pytest.mark.parametrize(
    ("args", "got"),
    [({"last": 2}, b"c\nd\n"), ({"last": 0}, b""), ({"since": 0}, b"a\nb\nc\nd\n"), ({"since": 9e9}, b"")],
)
async def test_where_to_begin(served, args, got):
    fill(served.notifications, "a", "b")
    fill(served.notifications, "c", "d")
    async with served.tail("notifications", **args) as (_, far):
        fill(served.notifications, "e")
        await far.read(until=DATA)
        while not far.data.endswith(b"e\n"):
            await far.read(frames=len(far.frames) + 1)
        assert far.data == got + b"e\n"


async def test_after_a_cursor_it_goes_on_exclusively(served):
    fill(served.notifications, "a", "b", "c")
    cursor = f"{served.notifications.history.epoch}:2"
    async with served.tail("notifications", after={"notifications": cursor}) as (_, far):
        await far.read(frames=1)
        assert far.data == b"c\n"


async def test_after_a_cursor_of_another_epoch_a_reset_comes_first(served):
    fill(served.notifications, "a")
    async with served.tail("notifications", after={"notifications": "zzzz:7"}) as (_, far):
        await far.read(frames=2)
        assert far.json(GAP)[0]["reason"] == "reset"
        assert far.data == b"a\n"


async def test_several_channels_are_labelled_once_each(served):
    async with served.tail("notifications", "calls", "notifications") as (_, far):
        fill(served.calls, "x")
        fill(served.notifications, "y")
        await far.read(frames=4)
        assert far.data == b"calls\tx\nnotifications\ty\n"
        assert served.notifications.readers == 1


@pytest.mark.parametrize("state", [ChannelState.FAILED, ChannelState.STOPPED, ChannelState.PAUSED])
async def test_a_channel_that_settles_ends_it_with_8_after_its_last_message(served, state):
    async with served.tail("notifications") as (_, far):
        fill(served.notifications, "last words")
        await served.bring(served.notifications, state)
        await far.read(until=END)
        assert far.data == b"last words\n"
        assert far.end.exit_code == 8
        assert state in far.end.message
        verb = "resume" if state is ChannelState.PAUSED else "start"
        assert far.end.hint == f"`wscli {verb} notifications` opens it again"


ENDS = {
    "refused credentials": (lambda served: served.bring(served.notifications, ChannelState.FAILED, refused=True), 4),
    "done": (lambda served: served.bring(served.notifications, ChannelState.DONE), 0),
    "a server that closes": (lambda served: served.server.close(), 5),
}


@pytest.mark.parametrize(("happens", "code"), ENDS.values(), ids=ENDS)
async def test_how_it_ends(served, happens, code):
    async with served.tail("notifications") as (_, far):
        await happens(served)
        await far.read(until=END)
        assert far.end.exit_code == code


async def test_a_channel_that_failed_before_is_replayed_and_ends_it_at_once(served):
    fill(served.notifications, "a", "b")
    await served.bring(served.notifications, ChannelState.FAILED)
    async with served.tail("notifications", last=1) as (_, far):
        await far.read(until=END)
        assert far.data == b"b\n"
        assert far.end.exit_code == 8


def words(far: FarEnd) -> list[str]:
    return [one["text"] for one in far.json(STATE)]


async def test_a_reader_of_a_channel_that_is_down_is_told_at_once_and_again_when_it_is_ready(served):
    await served.bring(served.notifications, ChannelState.WAITING)
    async with served.tail("notifications") as (_, far):
        await far.read(until=STATE)
        assert words(far) == ["waiting 1 s: closed by the server: 1006; attempt 2"]
        await served.it.time.advance(1)
        await far.read(frames=3)
        assert words(far)[1:] == ["ready: connected and ready"]
        assert len(far.json(GAP)) == 1


async def test_a_reader_of_a_channel_that_is_being_opened_again_is_told_of_the_last_failure(served):
    await served.bring(served.notifications, ChannelState.WAITING)
    served.it.server.hold = asyncio.get_running_loop().create_future()
    await served.it.time.advance(1)
    async with served.tail("notifications") as (_, far):
        await far.read(until=STATE)
        (text,) = words(far)
        assert text.startswith("connecting: ")
        assert text.endswith("; last attempt: closed by the server: 1006; attempt 2")


async def test_a_reader_is_told_of_a_channel_whose_first_dial_takes_long(served, monkeypatch):
    monkeypatch.setattr(tail, "SLOW_OPENING", 0.0)
    await served.bring(served.notifications, ChannelState.CONNECTING)
    async with served.tail("notifications") as (_, far):
        await far.read(until=STATE)
        assert words(far) == ["connecting: dialling ws://192.0.2.1/ws"]
        await served.bring(served.notifications, ChannelState.READY)
        await far.read(frames=3)
        assert words(far)[1:] == ["ready: connected and ready"]


async def test_a_reader_is_told_of_an_outage_once_for_each_reason(served, monkeypatch):
    monkeypatch.setattr(tail, "SHORT_OUTAGE", 0.0)
    async with served.tail("notifications") as (_, far):
        served.it.server.refusals = [REFUSED, REFUSED, status(503)]
        await served.bring(served.notifications, ChannelState.WAITING)
        await far.read(until=STATE)
        for _ in range(4):
            await served.it.time.advance(8)
        while len(words(far)) < 4:
            await far.read(frames=len(far.frames) + 1)
        assert [text.partition(":")[2].partition(";")[0] for text in words(far)] == [
            " closed by the server: 1006",
            " connection refused by 192.0.2.1:80",
            " HTTP 503",
            " connected and ready",
        ]


async def test_a_short_outage_is_told_of_by_its_gap_alone(served):
    async with served.tail("notifications") as (_, far):
        await served.bring(served.notifications, ChannelState.WAITING)
        await served.it.time.advance(1)
        fill(served.notifications, "a")
        await far.read(until=DATA)
        assert len(far.json(GAP)) == 1
        assert words(far) == []


async def test_of_several_channels_one_that_is_done_is_told_of_and_the_last_ends_it(served):
    async with served.tail("notifications", "calls") as (_, far):
        await served.bring(served.calls, ChannelState.DONE)
        await far.read(until=STATE)
        assert [(one["channel"], one["text"]) for one in far.json(STATE)] == [
            ("calls", "done: closed by the server: 4100")
        ]
        fill(served.notifications, "goes on")
        await served.bring(served.notifications, ChannelState.DONE)
        await far.read(until=END)
        assert far.data == b"notifications\tgoes on\n"
        assert far.end.exit_code == 0


async def test_of_several_channels_the_first_that_fails_ends_it(served):
    async with served.tail("notifications", "calls") as (_, far):
        await served.bring(served.calls, ChannelState.FAILED)
        await far.read(until=END)
        assert far.end.exit_code == 8
        assert "'calls'" in far.end.message


async def test_a_channel_that_is_removed_ends_it_with_6(served):
    async with served.tail("notifications") as (_, far):
        served.remove(served.notifications)
        await far.read(until=END)
        assert far.end.exit_code == 6


async def test_a_manager_that_is_stopped_ends_it_with_5(served):
    async with served.tail("notifications") as (_, far):
        served.manager.stopping.set()
        await served.bring(served.notifications, ChannelState.STOPPED)
        await far.read(until=END)
        assert far.end.exit_code == 5


async def test_a_pause_that_is_over_before_anybody_looked_ends_nothing(served):
    async with served.tail("notifications") as (_, far):
        served.notifications.pause()
        served.notifications.resume()
        await served.it.time.settle()
        fill(served.notifications, "a")
        await far.read(until=DATA)
        assert far.end is None


async def test_a_bug_in_watching_ends_the_stream_and_says_so(served, monkeypatch, caplog):
    def fail():
        raise RuntimeError("nobody foresaw this")

    async with served.tail("notifications") as (_, far):
        monkeypatch.setattr(served.notifications, "unavailable", fail)
        await served.bring(served.notifications, ChannelState.FAILED)
        await far.read(until=END)
        assert far.end.exit_code == 1
        assert "nobody foresaw this" in caplog.text


@pytest.mark.parametrize("name", ["plain", "nul", "json"])
async def test_every_format_is_answered(served, name):
    async with served.tail("notifications", format=name) as (_, far):
        fill(served.notifications, "a")
        await far.read(frames=1)
        if name == "json":
            assert json.loads(far.data)["data"] == "a"
        else:
            assert far.data == (b"a\0" if name == "nul" else b"a\n")


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        ({"channels": ["nope"]}, 6, "nope"),
        ({"channels": "notifications"}, 1, "channels"),
        ({"format": "xml"}, 1, "'format' must be one of plain, nul, json, not 'xml'"),
        ({"last": -1}, 1, "last"),
        ({"last": "3"}, 1, "last"),
        ({"count": 1.5}, 1, "count"),
        ({"since": "yesterday"}, 1, "since"),
        ({"after": "k3f9:1"}, 1, "after"),
        ({"after": {"notifications": "17"}}, 2, "'17' is not a cursor"),
        ({"follow": "yes"}, 1, "follow"),
    ],
)
async def test_what_cannot_be_is_refused_and_holds_nothing(served, args, code, words):
    request = {"channels": ["notifications"], **args}
    async with served.tail(**request) as (answer, _):
        assert answer["error"]["code"] == code
        assert words in answer["error"]["message"]
    await eventually(lambda: not served.notifications.in_use and not served.notifications.readers)
