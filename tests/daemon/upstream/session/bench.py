"""A running session around one that a test scripts, and what its upstream is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from tests.daemon.upstream.session.conftest import Parts
from wscli.daemon.upstream.dial.dialer import AttemptRecord
from wscli.daemon.upstream.members.member import Member
from wscli.daemon.upstream.session.runner import SessionRunner
from wscli.errors import NotSent
from wscli.session.actions import SessionReady
from wscli.session.engine.outgoing import LetOut


class WrappedMessage(str):
    """A message to let out."""

    reply: Any = None


class Scripted:
    """A pure session that does what the test says: ``on[INPUT]`` gives the actions; ``told`` are the inputs."""

    close_code = 4000

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.on: dict[str, Callable[..., Sequence[Any]] | Sequence[Any]] = {}

    def __getattr__(self, name: str) -> Any:
        def take(*arguments: Any) -> Sequence[Any]:
            self.told.append((name, *arguments) if arguments else name)
            given = self.on.get(name, ())
            return given(*arguments) if callable(given) else given

        return take

    def variables(self) -> dict[str, str]:
        return {"url": "wss://h"}

    def wait_to_send(self, message: Any) -> float:
        return 0.0

    def let_out(self, message: Any) -> LetOut:
        return LetOut(str(message).encode(), binary=False)

    def wrap(self, channel: Any, payload: bytes, *, binary: bool, ref: Any = None, reply: Any = None) -> Any:
        if payload == b"never":
            raise NotSent("the session allows no messages from programs (outgoing: none)")
        message = WrappedMessage(f"wrapped {payload.decode()}")
        message.reply = reply
        return message

    def forget(self, message: Any) -> None:
        self.told.append(("forget", message))


class Bench:
    """A running session, what its listener was told, and its channel ``news``."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.session = Scripted()
        self.told: list[Any] = []
        self.on: dict[str, Callable[..., Any]] = {}
        kept: list[Any] = []
        self.kept = kept
        subscriber: Any = SimpleNamespace(name="news", critical=True, kept={}, keep=kept.append)
        plan: Any = SimpleNamespace(retry_after_max=None)
        self.news = Member(subscriber, plan, joined=True)
        self.record = AttemptRecord(started=0.0)
        owner: Any = SimpleNamespace(
            plan=plan,
            subscribers=SimpleNamespace(expected=lambda: [one for one in (self.news,) if one.joined]),
        )
        listener: Any = _Listener(self)
        self.it = SessionRunner(self.session, owner, parts.services, self.record, listener)  # type: ignore[arg-type]

    @property
    def sent(self) -> list[str]:
        return [payload.decode() for payload, _ in self.parts.link.sent]

    def open(self, *actions: Any) -> None:
        """Open the session, and let the channel join."""
        self.session.on["opened"] = actions or (SessionReady(),)
        self.it.open(self.parts.link)
        self.it.join(self.news)
        self.session.told.clear()
        self.told.clear()

    def tell(self, *actions: Any) -> None:
        """Let messages arrive, which cause these actions."""
        self.session.on["received"] = actions
        self.it.receive([b"x"], None)


class _Listener:
    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def __getattr__(self, name: str) -> Any:
        def told(*arguments: Any, **more: Any) -> None:
            self._bench.told.append((name, *arguments, *more.values()))
            if name in self._bench.on:
                self._bench.on[name](*arguments, **more)

        return told
