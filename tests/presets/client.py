"""A client of one endpoint in virtual time: the session as it is declared, and a scripted server at its other end.

It carries out what the session wants done, but for verdicts, which it notes: a test says whether to dial again.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any

from tests.presets.line import ClientLine, VirtualClock
from tests.presets.member import Member, as_json
from tests.presets.servers.base import Dialled, ScriptedServer
from wscli.config.loading import load
from wscli.core.failures import Failure, FailureKind, Verdict
from wscli.core.verdicts import decide
from wscli.daemon.upstream.refs import Refs
from wscli.daemon.upstream.services import Unrouted
from wscli.session import actions
from wscli.session.engine.memory import Memory
from wscli.session.engine.outgoing import AskedReply
from wscli.session.engine.session import RunningSession

__all__ = ["Client"]


class Client:
    """The manager's side of one upstream."""

    def __init__(
        self, text: str, server: ScriptedServer, folder: Path, environ: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        file = folder / "wscli.yaml"
        file.write_text(text)
        self.plan = load(file, environ)
        self.server = server
        self.tokens = dict.fromkeys(self.plan.tokens, "good")
        self.clock, self.numbers = VirtualClock(), itertools.count()
        self.due: dict[int, int] = {}
        self.inbox: list[str | bytes] = []
        self.together = True
        """Whether all that the server said in one turn is one read."""
        self.refs, self.memory = Refs(), Memory()
        self.members: dict[str, Member] = {}
        self.session: RunningSession
        self.open = self.ready = self.resumed = self.over = False
        self.unrouted = Unrouted()
        self.closed: tuple[int, str] | None = None
        """By the server."""
        self.verdict: Verdict | None = None
        """The first on the connection."""
        self.reason = ""
        self.replies: list[Any] = []
        self.acknowledging = True
        """Whether the history commits at once."""
        self.acks: list[int] = []
        self.commands: dict[str, Any] = {}
        """What each command prints, by its name."""

    def advance(self, seconds: float) -> None:
        self._flush()
        self.clock.advance(seconds, self._flush)

    def dial(self, *names: str) -> Client:
        """Connect for the first time, or again, and have channels subscribe."""
        for name in names:
            plan = self.plan.channels[name]
            values = plan.values.render({"param": {}})
            self.members.setdefault(name, Member(name, {}, values, plan.dedupe))
        first = next(iter(self.members.values()))
        self.upstream = self.plan.channels[first.name].upstream
        assert self.upstream.session is not None
        self.verdict, self.closed, self.ready, self.resumed, self.reason = None, None, False, False, ""
        self.due.clear()
        self.clock.clear()
        self.inbox.clear()
        for member in self.members.values():
            member.ready = member.resumed = False
            member.verdict = None
        self.scope = {"param": first.params, "with": first.values}
        self.session = RunningSession(
            self.upstream.session,
            self.memory,
            self.scope,
            self.refs,
            self.clock,
            Random(1),
            shared=self.upstream.share,
            max_message=self.upstream.dial.max_message,
        )
        self._begun = False
        self._do(self.session.begin())
        self.advance(0)
        return self

    def subscribe(self, *names: str) -> None:
        """Have further channels subscribe on the open connection."""
        for name in names:
            plan = self.plan.channels[name]
            member = Member(name, {}, plan.values.render({"param": {}}), plan.dedupe)
            self.members[name] = member
            self._do(self.session.join(member))
        self._flush()

    def lose(self) -> None:
        """The connection is cut."""
        self.open = False
        self.server.disconnected(None)

    def hang_up(self) -> None:
        """Close the connection, as for a verdict."""
        self.open = False
        self.server.disconnected(self.session.close_code)

    def send(self, name: str, message: Any) -> None:
        self._post(name, message, reply=None)

    def request(self, name: str, message: Any) -> Any:
        """Send, and give the reply; None: there was none at once."""
        count = len(self.replies)
        self._post(name, message, reply="wanted")
        return self.replies[count] if len(self.replies) > count else None

    def leave(self, name: str) -> None:
        self._do(self.session.leave(self.members.pop(name)))
        self._flush()

    def bye(self) -> None:
        self._do(self.session.bye())
        self._flush()

    def on_close(self, code: int) -> Verdict:
        """The verdict on a close by the server."""
        failure = Failure(FailureKind.CLOSE, f"closed by the server: {code}", code=code, by="peer")
        return self._decided(failure)

    def _decided(self, failure: Failure) -> Verdict:
        return decide(failure, self.upstream.verdicts, token_used=bool(self.upstream.token_names))

    def say(self, message: str | bytes) -> None:
        if self.open:
            self.inbox.append(message)

    def close(self, code: int, reason: str = "") -> None:
        if self.open:
            self.open = False
            self.closed = (code, reason)

    # What the session wants done.

    def _post(self, name: str, message: Any, *, reply: AskedReply | None) -> None:
        text = message if isinstance(message, (str, bytes)) else json.dumps(message)
        payload = text.encode() if isinstance(text, str) else text
        self._write(self.session.wrap(self.members[name], payload, binary=isinstance(message, bytes), reply=reply))
        self._flush()

    def _write(self, message: Any) -> None:
        if not self.open:
            self._do(self.session.not_sent(message))
            return
        if wait := self.session.wait_to_send(message):
            self.clock.after(wait, lambda: self._write(message))
            return
        out = self.session.let_out(message)
        if out.payload is not None:
            self.server.received(out.payload if out.binary else out.payload.decode())
        self._do(out.actions)

    def _flush(self) -> None:
        while self.inbox:
            batch = self.inbox if self.together else self.inbox[:1]
            self.inbox = self.inbox[len(batch) :]
            payloads = [one.encode() if isinstance(one, str) else one for one in batch]
            kinds = bytes(isinstance(one, bytes) for one in batch)
            self._do(self.session.received(payloads, kinds if any(kinds) else None))

    def _do(self, todo: list[Any]) -> None:
        for action in todo:
            if (handler := _HANDLERS.get(type(action))) is not None:
                handler(self, action)

    def _call(self, call: actions.Call) -> None:
        what = call.what
        if isinstance(what, actions.AskTokens):
            answer: Any = {name: self.tokens[name] for name in what.names}
        elif isinstance(what, actions.CommandCall):
            answer = json.dumps(self.commands[what.argv[0].rpartition("/")[2]]).encode()
        else:
            answer = self._fetch(what)
        self._do(self.session.answered(call.number, answer))

    def _fetch(self, what: actions.Fetch) -> bytes | actions.CallFailed:
        request = what.request
        status, value = self.server.http(request.method, request.url, request.headers, request.body)
        body = json.dumps(value).encode()
        if 200 <= status <= 299 or status in what.accept:
            return body
        return actions.CallFailed(Failure(FailureKind.STATUS, f"HTTP {status}", code=status, by="peer"), body)

    def _upgrade(self) -> None:
        dial = self.upstream.dial
        scope = {**self.scope, "var": self.session.variables(), "token": self.tokens}
        dialled = Dialled(
            dial.address(scope),
            {name: str(value) for name, value in dial.filled_query(scope)},
            {name: str(value) for name, value in dial.filled_headers(scope)},
            [str(one) for one in dial.filled_subprotocols(scope)],
        )
        self.open = True
        self._do(self.session.dialling())
        self.server.connected(ClientLine(self), dialled)
        for member in self.members.values():
            self._do(self.session.join(member))
        self._do(self.session.opened())
        self._flush()

    def _ready(self, action: actions.SessionReady) -> None:
        if not self._begun:
            self._begun = True
            self._upgrade()
        else:
            self.ready, self.resumed = True, action.resumed

    def _timer(self, action: actions.SetTimer) -> None:
        mark = self.due[action.number] = next(self.numbers)
        if action.delay is not None:
            self.clock.after(action.delay, lambda: self._ring(action.number, mark))

    def _ring(self, number: int, mark: int) -> None:
        if self.due.get(number) == mark:
            self._do(self.session.due(number))

    def _deliver(self, action: actions.Deliver) -> None:
        member: Any = action.channel
        for at, payload in enumerate(action.payloads):
            key = action.keys[at] if action.keys else None
            if key is None or key not in member.keys:
                member.got.append(payload)
            if key is not None:
                member.keys.add(key)
        self.acks += [number for _, number in action.acks]
        if self.acknowledging:
            self.commit()

    def commit(self) -> None:
        """The history commits what it got."""
        acks, self.acks = self.acks, []
        for number in acks:
            self._do(self.session.logged(number))

    def _judged(self, action: actions.JudgeUpstream) -> None:
        if self.verdict is None:
            self.verdict = action.verdict or self._decided(action.failure)
            self.reason = action.failure.text

    def _refused(self, action: actions.JudgeChannel) -> None:
        member: Any = action.channel
        member.ready = False
        member.verdict = action.verdict or self._decided(action.failure)
        member.reason = action.failure.text

    def _subscribed(self, action: actions.SubscriptionReady) -> None:
        member: Any = action.channel
        member.ready, member.resumed = True, action.resumed

    def _gap(self, action: actions.RecordGap) -> None:
        member: Any = action.channel
        member.gaps.append((action.reason, action.missed))

    def _unsubscribed(self, action: actions.Unsubscribed) -> None:
        member: Any = action.channel
        member.left = True

    def _reply(self, action: actions.Reply) -> None:
        self.replies.append(as_json(action.payload))

    def _over(self, _: actions.ByeOver) -> None:
        self.over = True


_HANDLERS: Mapping[type, Callable[[Client, Any], None]] = {
    actions.Send: lambda client, action: client._write(action.message),
    actions.Call: Client._call,
    actions.SessionReady: Client._ready,
    actions.SetTimer: Client._timer,
    actions.Deliver: Client._deliver,
    actions.JudgeUpstream: Client._judged,
    actions.JudgeChannel: Client._refused,
    actions.SubscriptionReady: Client._subscribed,
    actions.RecordGap: Client._gap,
    actions.CountUnrouted: lambda client, action: client.unrouted.count(action),
    actions.Unsubscribed: Client._unsubscribed,
    actions.Reply: Client._reply,
    actions.ByeOver: Client._over,
}
