"""Named consumers from Python: what the program was done with does not come again, what it was not does."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.client.scene import Scene, client, make, scene
from tests.processes import Process
from tests.waiting import until
from wscli import AsyncClient, Client, Gap, Message
from wscli.errors import NoInstance, OutcomeUnknown, UnknownChannel, UsageError, WscliError

__all__ = ["client", "make"]


@pytest.fixture(scope="module")
def running() -> Iterator[Scene]:
    with scene() as made:
        made.manager.wait_for("kept")
        yield made


@pytest.fixture
def other(running: Scene) -> AsyncClient:
    return AsyncClient("app", environ=running.environ)


@pytest.fixture
def first(running: Scene, client: Client) -> int:
    """The number of the first of five messages that have just been committed."""
    return add(running, client, 5)


def add(running: Scene, client: Client, count: int) -> int:
    before = client.stats("kept")["channels"]["kept"]["received"]
    client.send("kept", f'{{"burst": {count}}}')
    stats = running.manager.until_stats(lambda stats: committed(stats["channels"]["kept"], before + count))
    return int(stats["channels"]["kept"]["history"]["last"]) - count + 1


def committed(channel: dict[str, Any], received: int) -> bool:
    return bool(channel["received"] >= received and channel["committed"] == channel["history"]["last"])


def seqs(items: Any) -> list[int]:
    return [item.seq for item in items if isinstance(item, Message)]


class Position:
    """A consumer that a test has for itself, new at the first of its messages."""

    def __init__(self, client: Client, name: str, first: int) -> None:
        self.client = client
        self.name = name
        self.options: Any = {"consumer": name, "follow": False, "gaps": False, "last": 5}
        self.first = first

    def now(self) -> tuple[int, int | None]:
        """How many messages it is done with, and who reads."""
        found = next((one for one in self.client.consumers("kept") if one["consumer"] == self.name), None)
        return (0, None) if found is None else (int(found["cursor"].split(":")[1]) - self.first + 1, found["held_by"])

    def until(self, done: int, held_by: int | None) -> None:
        """Wait until the manager has heard so."""
        until(lambda: self.now() == (done, held_by))


@pytest.fixture
def at(client: Client, first: int, request: pytest.FixtureRequest) -> Position:
    test, _, param = request.node.name.removeprefix("test_").removesuffix("]").partition("[")
    return Position(client, f"{param}-{test}"[:64].strip("-"), first)


def test_a_message_is_done_once_the_next_is_asked_for_and_when_with_is_left_in_peace(
    client: Client, at: Position, first: int
) -> None:
    with client.tail("kept", **at.options) as tail:
        assert seqs([next(tail), next(tail)]) == [first, first + 1]
        assert at.now()[1] == os.getpid()
        at.until(1, os.getpid())
    assert at.now() == (2, None), "and it is confirmed"
    with client.tail("kept", **at.options) as tail:
        for message in tail:
            if message.seq == first + 3:
                break
    assert at.now() == (4, None)
    assert seqs(client.tail("kept", **at.options)) == [first + 4]
    assert at.now() == (5, None), "the end of the iterator is waited for as well, without a with"
    assert seqs(client.tail("kept", **at.options)) == []


def test_an_error_that_leaves_with_leaves_the_message_that_was_worked_on(
    client: Client, at: Position, first: int
) -> None:
    with contextlib.suppress(ZeroDivisionError), client.tail("kept", **at.options) as tail:
        for message in tail:
            if message.seq == first + 2:
                raise ZeroDivisionError
    assert at.now() == (2, None), "those before it were confirmed"
    assert seqs(client.tail("kept", **at.options)) == [first + 2, first + 3, first + 4]


def test_ack_says_at_once_that_what_was_taken_is_done(client: Client, at: Position, first: int) -> None:
    with contextlib.suppress(ZeroDivisionError), client.tail("kept", **at.options) as tail:
        next(tail)
        tail.ack()
        tail.ack()
        raise ZeroDivisionError
    assert at.now() == (1, None)
    tail = client.tail("kept", **at.options)
    assert seqs([next(tail), next(tail)]) == [first + 1, first + 2]
    tail.ack()
    tail.close()
    tail.ack()
    at.until(3, None)
    with client.tail("echo") as plain, pytest.raises(UsageError, match="without a consumer"):
        plain.ack()


def test_a_tail_that_is_closed_or_dropped_says_nothing_of_its_last_message(
    client: Client, at: Position, first: int
) -> None:
    tail = client.tail("kept", **at.options)
    assert seqs([next(tail), next(tail)]) == [first, first + 1]
    tail.close()
    at.until(1, None)
    for message in client.tail("kept", **at.options):
        assert message.seq == first + 1
        break
    gc.collect()
    at.until(1, None)


def test_gaps_are_told_once_whether_they_are_wanted_or_not(running: Scene, client: Client, at: Position) -> None:
    assert running.command("restart", "kept").returncode == 0
    running.manager.wait_for("kept")
    last = add(running, client, 1)
    options = {**at.options, "gaps": True}
    with contextlib.suppress(ZeroDivisionError), client.tail("kept", **options) as tail:
        for item in tail:
            if isinstance(item, Gap):
                raise ZeroDivisionError
    with client.tail("kept", **options) as tail:
        assert isinstance(next(tail), Gap), "it was being worked on"
    assert seqs(client.tail("kept", **options)) == [last]
    assert list(client.tail("kept", **options)) == []
    other = {**at.options, "consumer": f"without-gaps-{type(client).__name__}", "last": 2}
    assert seqs(client.tail("kept", **other)) == [last - 1, last]
    assert list(client.tail("kept", **{**other, "gaps": True})) == []


def test_another_thread_may_end_a_tail(client: Client, at: Position, first: int) -> None:
    found: list[object] = []
    tail = client.tail("kept", consumer=at.name, last=1)
    thread = threading.Thread(target=lambda: found.extend([*tail, "the end"]))
    thread.start()
    at.until(5, os.getpid())
    tail.close()
    thread.join(30)
    assert found[-1] == "the end"
    with tail:
        pass
    assert at.now()[0] == 5


def test_one_reader_a_name_and_it_is_told_which(client: Client, at: Position) -> None:
    with (
        client.tail("kept", **at.options),
        pytest.raises(WscliError, match=f"is read by process {os.getpid()}"),
    ):
        client.tail("kept", consumer=at.name)
    for wrong, call in (
        ("goes with one channel", lambda: client.tail("kept", "echo", consumer="a")),
        ("keeps its history in memory", lambda: client.tail("echo", consumer="a")),
        ("invalid consumer name: 'a/b'", lambda: client.tail("kept", consumer="a/b")),
        ("invalid consumer name: ''", lambda: client.tail("kept", consumer="")),
        ("'x:-1' is not a cursor", lambda: client.reset_consumer("kept", at.name, "x:-1")),
    ):
        with pytest.raises(UsageError, match=wrong):
            call()


def test_consumers_are_listed_reset_and_removed(client: Client, at: Position, first: int) -> None:
    with client.tail("kept", **at.options) as tail:
        message = next(tail)
    assert isinstance(message, Message)
    assert {one["consumer"]: one["lag"] for one in client.consumers()}[at.name] == 4
    client.reset_consumer("kept", at.name, "end")
    assert seqs(client.tail("kept", **at.options)) == []
    client.reset_consumer("kept", at.name, message.cursor)
    assert seqs(client.tail("kept", **at.options))[0] == first + 1
    client.reset_consumer("kept", at.name)
    assert seqs(client.tail("kept", **at.options))[0] == 1
    client.remove_consumer("kept", at.name)
    assert at.name not in {one["consumer"] for one in client.consumers("kept")}
    with pytest.raises(WscliError, match="there is no consumer"):
        client.remove_consumer("kept", at.name)
    with pytest.raises(UnknownChannel):
        client.consumers("kpet")


def test_ctrl_c_while_it_waits_leaves_nothing_to_come_again(running: Scene, client: Client, at: Position) -> None:
    code = (
        "import sys, wscli\n"
        "try:\n"
        "    with wscli.Client('app').tail('kept', consumer=sys.argv[1], last=2) as tail:\n"
        "        for message in tail: print(message.seq, flush=True)\n"
        "except KeyboardInterrupt: print('interrupted')\n"
    )
    script = Process(
        [sys.executable, "-W", "error", "-c", code, at.name], env=running.command.env, cwd=running.command.directory
    )
    with script:
        script.until_lines(2)
        at.until(5, script.pid)  # by then it waits for the next one
        script.popen.send_signal(signal.SIGINT)
        assert script.wait() == 0
        assert (script.out[-1], script.err) == ("interrupted", [])
        assert at.now() == (5, None)


async def test_a_task_that_is_cancelled_leaves_what_it_worked_on_and_nothing_else(
    client: Client, other: AsyncClient, at: Position, first: int
) -> None:
    async def work(most: int, seen: list[int]) -> None:
        async with other.tail("kept", consumer=at.name, last=5, gaps=False) as tail:
            async for message in tail:
                seen.append(message.seq)
                if len(seen) == most:
                    await asyncio.Event().wait()

    for most, done in ((2, 1), (3, 3), (99, 5)):
        seen: list[int] = []
        task = asyncio.create_task(work(most, seen))
        await asyncio.to_thread(at.until, done, os.getpid())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert at.now() == (done, None)


async def test_a_tail_that_another_task_takes_from_ends_with_its_context(
    client: Client, other: AsyncClient, at: Position
) -> None:
    async with other.tail("kept", consumer=at.name, last=1, gaps=False) as tail:
        await anext(tail)
        taking = asyncio.ensure_future(anext(tail, None))
        await asyncio.to_thread(at.until, 5, os.getpid())
    assert await taking is None


async def test_a_tail_that_another_task_closes_while_there_is_no_room_to_acknowledge_ends(
    other: AsyncClient, at: Position, monkeypatch: pytest.MonkeyPatch
) -> None:
    tail = other.tail("kept", consumer=at.name, last=1, gaps=False)
    await anext(tail)

    async def no_room() -> None:
        await tail.aclose()

    monkeypatch.setattr(tail._link, "acknowledged", no_room)
    assert [item async for item in tail] == []


def test_ten_thousand_acknowledgements_find_room(running: Scene, client: Client) -> None:
    first = add(running, client, 10_000)
    name = f"many-{type(client).__name__}"
    found = seqs(client.tail("kept", consumer=name, last=10_000, follow=False, gaps=False))
    assert found == list(range(first, first + 10_000))
    assert client.status("kept")[0]["consumers"][name]["lag"] == 0


async def test_a_manager_that_goes_does_not_confirm() -> None:
    with scene() as made:
        made.manager.wait_for("kept")
        client, other = Client(environ=made.environ), AsyncClient(environ=made.environ)
        first = add(made, client, 3)
        options: Any = {"gaps": False, "last": 3}
        tail, feed = client.tail("kept", consumer="a", **options), other.tail("kept", consumer="b", **options)
        assert seqs([next(tail), await anext(feed)]) == [first, first]
        made.manager.kill()
        with pytest.raises(OutcomeUnknown, match="was not confirmed"):
            tail.__exit__(None, None, None)
        with pytest.raises(OutcomeUnknown, match="was not confirmed"):
            await feed.__aexit__(None, None, None)
        with pytest.raises(NoInstance):
            client.consumers()
