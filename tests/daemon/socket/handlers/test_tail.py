"""The handler of ``tail``: where a stream begins, what holds a channel in use, and how the stream ends."""

from __future__ import annotations

import json

import pytest

from tests.daemon.tailing import fill, tailed
from tests.waiting import eventually
from wscli.control.frames import DATA, END, GAP, STATE
from wscli.core.states import ChannelState

__all__ = ["tailed"]


async def test_the_answer_says_where_each_channel_begins(tailed):
    fill(tailed.notifications, "a", "b")
    async with tailed.tail("notifications", "calls") as (answer, _):
        assert answer["result"]["channels"] == {
            "notifications": {"epoch": tailed.notifications.history.epoch, "after": 2},
            "calls": {"epoch": tailed.calls.history.epoch, "after": 0},
        }


async def test_a_reader_that_follows_holds_its_channel_in_use_until_it_hangs_up(tailed):
    async with tailed.tail("notifications"):
        assert (tailed.notifications.uses, tailed.notifications.readers) == (1, 1)
        assert (tailed.calls.uses, tailed.calls.readers) == (0, 0)
    await eventually(lambda: (tailed.notifications.uses, tailed.notifications.readers) == (0, 0))


async def test_without_follow_nothing_is_opened_and_everything_kept_is_printed(tailed):
    fill(tailed.notifications, "a", "b")
    tailed.notifications.state = ChannelState.FAILED
    async with tailed.tail("notifications", follow=False) as (_, far):
        await far.read(until=END)
        assert far.data == b"a\nb\n"
        assert far.end.exit_code == 0
        assert tailed.notifications.uses == 0


async def test_a_message_between_the_answer_and_the_first_frame_is_not_lost(tailed):
    async with tailed.tail("notifications", last=1) as (_, far):
        fill(tailed.notifications, "a")
        await far.read(frames=1)
        assert far.data == b"a\n"


@pytest.mark.parametrize(
    ("args", "got"),
    [({"last": 2}, b"c\nd\n"), ({"last": 0}, b""), ({"since": 0}, b"a\nb\nc\nd\n"), ({"since": 9e9}, b"")],
)
async def test_where_to_begin(tailed, args, got):
    fill(tailed.notifications, "a", "b")
    fill(tailed.notifications, "c", "d")
    async with tailed.tail("notifications", **args) as (_, far):
        fill(tailed.notifications, "e")
        await far.read(until=DATA)
        while not far.data.endswith(b"e\n"):
            await far.read(frames=len(far.frames) + 1)
        assert far.data == got + b"e\n"


async def test_after_a_cursor_it_goes_on_exclusively(tailed):
    fill(tailed.notifications, "a", "b", "c")
    cursor = f"{tailed.notifications.history.epoch}:2"
    async with tailed.tail("notifications", after={"notifications": cursor}) as (_, far):
        await far.read(frames=1)
        assert far.data == b"c\n"


async def test_after_a_cursor_of_another_epoch_a_reset_comes_first(tailed):
    fill(tailed.notifications, "a")
    async with tailed.tail("notifications", after={"notifications": "zzzz:7"}) as (_, far):
        await far.read(frames=2)
        assert far.json(GAP)[0]["reason"] == "reset"
        assert far.data == b"a\n"


async def test_several_channels_are_labelled_once_each(tailed):
    async with tailed.tail("notifications", "calls", "notifications") as (_, far):
        fill(tailed.calls, "x")
        fill(tailed.notifications, "y")
        await far.read(frames=4)
        assert far.data == b"calls\tx\nnotifications\ty\n"
        assert tailed.notifications.uses == 1


@pytest.mark.parametrize("state", [ChannelState.FAILED, ChannelState.STOPPED, ChannelState.PAUSED])
async def test_a_channel_that_settles_ends_it_with_8_after_its_last_message(tailed, state):
    async with tailed.tail("notifications") as (_, far):
        fill(tailed.notifications, "last words")
        await tailed.notifications.become(state)
        await far.read(until=END)
        assert far.data == b"last words\n"
        assert far.end.exit_code == 8
        assert state in far.end.message
        assert far.end.hint == "`wscli start notifications`"


async def test_refused_credentials_end_it_with_4(tailed):
    tailed.notifications.refused_credentials = True
    async with tailed.tail("notifications") as (_, far):
        await tailed.notifications.become(ChannelState.FAILED)
        await far.read(until=END)
        assert far.end.exit_code == 4


async def test_a_channel_that_failed_before_is_replayed_and_ends_it_at_once(tailed):
    fill(tailed.notifications, "a", "b")
    tailed.notifications.state = ChannelState.FAILED
    async with tailed.tail("notifications", last=1) as (_, far):
        await far.read(until=END)
        assert far.data == b"b\n"
        assert far.end.exit_code == 8


async def test_a_channel_that_is_done_ends_it_well(tailed):
    async with tailed.tail("notifications") as (_, far):
        await tailed.notifications.become(ChannelState.DONE)
        await far.read(until=END)
        assert far.end.exit_code == 0


async def test_of_several_channels_one_that_is_done_is_told_of_and_the_last_ends_it(tailed):
    async with tailed.tail("notifications", "calls") as (_, far):
        await tailed.calls.become(ChannelState.DONE)
        await far.read(until=STATE)
        assert far.json(STATE) == [{"channel": "calls", "state": "done", "text": "so it was set"}]
        fill(tailed.notifications, "goes on")
        await tailed.notifications.become(ChannelState.DONE)
        await far.read(until=END)
        assert far.data == b"notifications\tgoes on\n"
        assert far.end.exit_code == 0


async def test_of_several_channels_the_first_that_fails_ends_it(tailed):
    async with tailed.tail("notifications", "calls") as (_, far):
        await tailed.calls.become(ChannelState.FAILED)
        await far.read(until=END)
        assert far.end.exit_code == 8
        assert "'calls'" in far.end.message


async def test_a_channel_that_is_removed_ends_it_with_6(tailed):
    async with tailed.tail("notifications") as (_, far):
        tailed.notifications.removed = True
        await tailed.notifications.become(ChannelState.STOPPED)
        await far.read(until=END)
        assert far.end.exit_code == 6


async def test_a_manager_that_is_stopped_ends_it_with_5(tailed):
    async with tailed.tail("notifications") as (_, far):
        tailed.manager.stopping.set()
        await tailed.notifications.become(ChannelState.STOPPED)
        await far.read(until=END)
        assert far.end.exit_code == 5


async def test_a_server_that_closes_says_goodbye_to_its_readers(tailed):
    async with tailed.tail("notifications") as (_, far):
        await tailed.served.server.close()
        await far.read(until=END)
        assert far.end.exit_code == 5


async def test_a_pause_that_is_over_before_anybody_looked_ends_nothing(tailed):
    async with tailed.tail("notifications") as (_, far):
        async with tailed.notifications.changed:
            tailed.notifications.state = ChannelState.PAUSED
            tailed.notifications.changed.notify_all()
            tailed.notifications.state = ChannelState.READY
        fill(tailed.notifications, "a")
        await far.read(frames=1)
        assert far.end is None


async def test_a_bug_in_watching_ends_the_stream_and_says_so(tailed, monkeypatch, caplog):
    def fail():
        raise RuntimeError("nobody foresaw this")

    async with tailed.tail("notifications") as (_, far):
        monkeypatch.setattr(tailed.notifications, "unavailable", fail)
        await tailed.notifications.become(ChannelState.FAILED)
        await far.read(until=END)
        assert far.end.exit_code == 1
        assert "nobody foresaw this" in caplog.text


@pytest.mark.parametrize("name", ["plain", "nul", "json"])
async def test_every_format_is_answered(tailed, name):
    async with tailed.tail("notifications", format=name) as (_, far):
        fill(tailed.notifications, "a")
        await far.read(frames=1)
        if name == "json":
            assert json.loads(far.data)["data"] == "a"
        else:
            assert far.data == (b"a\0" if name == "nul" else b"a\n")


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        ({"channels": ["nope"]}, 6, "nope"),
        ({"channels": []}, 1, "channels"),
        ({"channels": "notifications"}, 1, "channels"),
        ({"format": "xml"}, 1, "'format' must be one of plain, nul, json, not 'xml'"),
        ({"last": -1}, 1, "last"),
        ({"last": "3"}, 1, "last"),
        ({"count": 1.5}, 1, "count"),
        ({"since": "yesterday"}, 1, "since"),
        ({"since": float("nan")}, 1, "since"),
        ({"after": "k3f9:1"}, 1, "after"),
        ({"after": {"notifications": 7}}, 1, "after"),
        ({"after": {"notifications": "17"}}, 2, "'17' is not a cursor"),
        ({"follow": "yes"}, 1, "follow"),
    ],
)
async def test_what_cannot_be_is_refused_and_holds_nothing(tailed, args, code, words):
    request = {"channels": ["notifications"], **args}
    async with tailed.tail(**request) as (answer, _):
        assert answer["error"]["code"] == code
        assert words in answer["error"]["message"]
    await eventually(lambda: (tailed.notifications.uses, tailed.notifications.readers) == (0, 0))
