"""``tail --retry`` with managers that go and come as they are told to, and a clock that only sleeping moves."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from wscli.cli.tail import stream as tailing
from wscli.cli.tail.stream import TailCommandOptions, TailSession
from wscli.control.frames import ACK, CHANNEL, CONFIRMED, DATA, END, GAP, end_body, header, json_body
from wscli.control.output import Output
from wscli.control.protocol import failure, result_of, success
from wscli.control.selection import Selection
from wscli.control.sinks import CopySink
from wscli.errors import NoInstance, TimedOut, UnknownChannel, UsageError, WscliError, error_for

AWAY = NoInstance("no instance is running", "`wscli up` starts one")
STOPPED = end_body(5, "the manager was stopped")


def frame(kind: int, body: bytes = b"", seq: int = 0) -> bytes:
    return header(kind, seq, len(body)) + body


def message(seq: int, text: str = "m") -> bytes:
    return frame(DATA, f"{text}{seq}\n".encode(), seq)


class Manager:
    """One manager: what it answers with, and what it sends before it is ended unexpectedly."""

    def __init__(self, *stream: bytes, begins: dict[str, dict[str, Any]] | None = None, refuses: Any = None) -> None:
        self.stream = b"".join(stream)
        self.begins = begins or {"feed": {"epoch": "e1", "after": 0}}
        self.refuses: WscliError | None = refuses
        self.asked: tuple[str, dict[str, Any]] = ("", {})
        self._ours, self._its = socket.socketpair()

    def __enter__(self) -> Manager:
        return self

    def __exit__(self, *exc: object) -> None:
        self._ours.close()

    def request(self, verb: str, args: dict[str, Any], *, timeout: float) -> Any:
        self.asked = (verb, json.loads(json.dumps(args)))
        return result_of(success({"channels": self.begins}) if self.refuses is None else failure(self.refuses))

    def take_over(self) -> tuple[socket.socket, bytes]:
        self._its.sendall(self.stream)
        self._its.shutdown(socket.SHUT_WR)
        return self._ours, b""

    def heard(self) -> list[tuple[int, int]]:
        """What was acknowledged."""
        said = b""
        while chunk := self._its.recv(1 << 16):
            said += chunk
        return [(seq, gaps) for seq, gaps in ACK.iter_unpack(said)]

    def close(self) -> None:
        self._ours.close()
        self._its.close()


class World:
    """Managers, one after the other; what is no manager is the error of a look for one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self.coming: list[Manager | WscliError] = []
        self.managers: list[Manager] = []
        self._all: list[Manager | WscliError] = []
        self.now = 1000.0
        self.slept: list[float] = []
        self._capfd = capfd
        monkeypatch.setattr(tailing, "connect_to", self._connect)

    def _connect(self, selection: Selection) -> Manager:
        one = self.coming.pop(0)
        if isinstance(one, WscliError):
            raise one
        self.managers.append(one)
        return one

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def run(self, *coming: Manager | WscliError, sink: CopySink | None = None, **wanted: Any) -> Any:
        """Tail through these; ends with an IndexError where it looks for more of them."""
        self.coming = list(coming)
        self._all += coming
        output = Output(1)
        sink = sink or CopySink(output, lambda text: None)
        asked = TailCommandOptions(**{"channels": ("feed",), "retry": True, **wanted})
        return TailSession(Selection(), asked, sink, output, clock=lambda: self.now, sleep=self._sleep).run()

    def close(self) -> None:
        for one in self._all:
            if isinstance(one, Manager):
                one.close()

    def said(self) -> tuple[list[str], list[str]]:
        """The lines of stdout and of stderr."""
        out, err = self._capfd.readouterr()
        return out.splitlines(), err.splitlines()

    @property
    def requests(self) -> list[dict[str, Any]]:
        return [one.asked[1] for one in self.managers]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[World]:
    made = World(monkeypatch, capfd)
    yield made
    made.close()


OVER = frame(END, end_body(0))


def test_it_waits_longer_and_longer_up_to_a_second_and_anew_after_each_manager(world: World) -> None:
    assert world.run(*[AWAY] * 8, Manager(message(1)), AWAY, Manager(OVER)).exit_code == 0
    assert world.slept == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0, 0.05, 0.1]
    assert world.said() == (
        ["m1"],
        [
            "no instance is running; waits for a manager",
            "the manager is there",
            "the manager ended unexpectedly; waits for a manager",
            "the manager is there",
        ],
    )


@pytest.mark.parametrize("goodbye", [b"", frame(END, STOPPED)])
def test_it_goes_on_behind_the_last_message_of_each_channel(world: World, goodbye: bytes) -> None:
    begins = {"feed": {"epoch": "e1", "after": 7}, "calls": {"epoch": "c1", "after": 0}}
    later = {"feed": {"epoch": "e2", "after": 8}, "calls": {"epoch": "c1", "after": 0}}
    first = Manager(frame(CHANNEL, b"feed"), message(8), goodbye, begins=begins)
    world.run(first, Manager(goodbye, begins=later), Manager(OVER, begins=later), channels=("feed", "calls"), last=1)
    assert [one["after"] for one in world.requests] == [
        None,
        {"feed": "e1:8", "calls": "c1:0"},
        {"feed": "e2:8", "calls": "c1:0"},
    ]
    assert [one["last"] for one in world.requests] == [1, None, None], "where it begins is said once"
    assert {one.asked[0] for one in world.managers} == {"tail"}


def test_a_manager_that_hangs_up_before_it_answers_is_waited_for_and_asked_the_same(world: World) -> None:
    leaving = Manager(refuses=error_for(5, "the manager was stopped"))
    world.run(leaving, Manager(OVER), after="e1:3")
    assert [one["after"] for one in world.requests] == [{"feed": "e1:3"}] * 2


def test_a_count_is_over_all_managers(world: World) -> None:
    world.run(Manager(message(1), message(2)), Manager(message(3), OVER), most=3)
    assert [one["count"] for one in world.requests] == [3, 1]
    world.run(Manager(message(1)), AWAY, most=1)
    assert world.requests[2]["count"] == 1, "what was wanted is there: no manager is needed any more"


def test_a_consumer_claims_what_was_written_and_its_end_is_confirmed(world: World) -> None:
    gap = frame(GAP, json_body({"channel": "feed", "type": "gap", "after": 1, "reason": "outage", "missed": None}))
    end = Manager(message(3), OVER, frame(CONFIRMED), begins={"feed": {"epoch": "e2", "after": 2}})
    world.run(Manager(message(1), gap, message(2)), AWAY, end, consumer="billing", last=5)
    assert [one.asked[0] for one in world.managers] == ["consume", "consume"]
    assert [(one["consumer"], one["pid"], one["claim"]) for one in world.requests] == [
        ("billing", os.getpid(), None),
        ("billing", os.getpid(), "e1:2"),
    ]
    assert [one.heard() for one in world.managers] == [[(1, 0), (1, 1), (2, 1)], [(3, 0)]]
    assert world.said()[0] == ["m1", "m2", "m3"]


@pytest.mark.parametrize(
    "error",
    [
        UsageError("'x' is not a cursor", "a hint"),
        UnknownChannel("no channel 'feed' in instance 'app'", "a hint"),
        WscliError("consumer 'a' is read by process 1", "a hint"),
        error_for(8, "channel 'feed' is failed"),
        error_for(4, "channel 'feed' is failed"),
    ],
)
@pytest.mark.parametrize("when", ["by the choice", "by the answer", "at the end"])
def test_what_no_waiting_mends_is_not_waited_for(world: World, error: WscliError, when: str) -> None:
    refusing: dict[str, Callable[[], Manager | WscliError]] = {
        "by the choice": lambda: error,
        "by the answer": lambda: Manager(refuses=error),
        "at the end": lambda: Manager(frame(END, end_body(error.exit_code, error.message, error.hint))),
    }
    coming = [Manager(message(1)), AWAY, refusing[when]()]
    if when == "at the end":
        assert world.run(*coming)[:2] == (error.exit_code, error.message)
    else:
        with pytest.raises(type(error), match=r"feed|cursor|process"):
            world.run(*coming)
    assert world.slept == [0.05, 0.1]


def test_without_it_a_manager_that_goes_is_the_end(world: World) -> None:
    for coming in (AWAY, Manager(message(1))):
        with pytest.raises(NoInstance):
            world.run(coming, retry=False)
    assert world.slept == []


def test_the_idle_timeout_is_since_the_last_message_and_not_overslept(world: World) -> None:
    with pytest.raises(TimedOut, match=r"no message came for 0\.4 s"):
        world.run(*[AWAY] * 9, idle_timeout=0.4)
    assert world.slept == pytest.approx([0.05, 0.1, 0.2, 0.05])
    world.slept.clear()
    with pytest.raises(TimedOut):  # managers that come and go say no message
        world.run(*[Manager() for _ in range(9)], idle_timeout=0.19)
    assert world.slept == pytest.approx([0.05, 0.05, 0.05, 0.04])
    world.slept.clear()
    with pytest.raises(TimedOut):
        world.run(Manager(), Manager(), Manager(message(1)), Manager(), Manager(), Manager(), idle_timeout=0.14)
    assert world.slept == pytest.approx([0.05, 0.05, 0.05, 0.05, 0.04]), "it is since the message"


def test_a_sink_that_has_failed_meanwhile_ends_it(world: World) -> None:
    failing = CopySink(Output(1), lambda text: None)
    failing.settle = lambda **_: setattr(failing, "failure", WscliError("it failed"))  # type: ignore[method-assign]
    with pytest.raises(NoInstance):
        world.run(Manager(message(1)), consumer="a", sink=failing)
    assert world.slept == []
