"""What a session costs a message: 200 channels on one connection, each message routed, and a number of it kept."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from bench.report import table
from wscli.clock import SystemClock
from wscli.config.loading import load
from wscli.jsontext import decode_json
from wscli.session.actions import Deliver, Send
from wscli.session.engine.memory import Memory
from wscli.session.engine.session import RunningSession

__all__ = ["BATCHES", "CHANNELS", "SESSION", "measure", "payloads", "show"]

CHANNELS = 200
BATCHES = (1, 8, 64)
"""Messages that arrive in one turn of the loop."""
SESSION = """\
      subscribe:
        - send: {id: "{ref.int}", type: subscribe, event: "{with.event}"}
          expect: [{match: {id: "{sent.ref}", success: true}}, {match: {id: "{sent.ref}", success: false}, then: stop}]
      route: {id: "{sub.ref}", type: event}
      rules:
        - {match: {type: ping}, send: {type: pong}, drop: true}
        - {match: {seq: "{any}"}, keep: {seq: .seq}}
      timers: [{every: 30s, do: [{send: {id: "{ref.int}", type: ping}, expect: {id: "{sent.ref}", type: pong}}]}]
"""
_FILE = f"""\
version: 1
endpoints:
  e:
    url: ws://127.0.0.1:1
    share: true
    session:
{SESSION}
      SHOW
channels:
  c/{{n}}: {{endpoint: e, with: {{event: "{{param.n}}"}}}}
"""


@dataclass(eq=False)
class _Channel:
    name: str
    params: dict[str, str]
    values: dict[str, str]
    critical: bool = True
    dedupe: None = None
    kept: dict[str, Any] = field(default_factory=dict)


class _Refs:
    def __init__(self) -> None:
        self._numbers = count(1)

    def draw(self, kind: str) -> int | str:
        number = next(self._numbers)
        return number if kind == "int" else str(number)


def measure(*, messages: int, runs: int) -> dict[str, Any]:
    """Give the best processor time in seconds a message: of decoding alone, and of the session by size of batch."""
    made = payloads(messages)
    gc.collect()
    gc.freeze()
    found = [{"name": "decode alone", **{str(size): _best(runs, made, 1, _decode) for size in BATCHES}}]
    for name, shown in (("route and keep", ""), ("and show a part", "show: .event")):
        session = _subscribed(shown)
        if (delivered := _delivered(session, made)) != messages:
            raise RuntimeError(f"{messages - delivered} messages reached no channel")
        found.append({"name": name, **{str(size): _best(runs, made, size, session.received) for size in BATCHES}})
    return {"messages": messages, "channels": CHANNELS, "bytes": len(made[-1]), "results": found}


def payloads(messages: int) -> list[bytes]:
    """Make messages, each for one of the channels by its ``id``."""
    chance = Random(1)
    event = {"event_type": "state_changed", "data": {"entity_id": "light.kitchen", "new_state": {"state": "on"}}}
    event |= {"origin": "LOCAL", "time_fired": "2026-11-30T10:00:00"}
    return [
        json.dumps({"id": chance.randint(1, CHANNELS), "type": "event", "seq": seq, "event": event}).encode()
        for seq in range(messages)
    ]


def _subscribed(shown: str) -> RunningSession:
    """Give a session with all its channels ready."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / "bench.yaml"
        path.write_text(_FILE.replace("SHOW", shown))
        (channel,) = load(path, {}).channels.values()
    plan = channel.upstream.session
    if plan is None:
        raise RuntimeError("the file has no session")
    session = RunningSession(plan, Memory(), {}, _Refs(), SystemClock(), Random(1), shared=True)
    actions = [*session.begin(), *session.dialling(), *session.opened()]
    for number in map(str, range(CHANNELS)):
        actions += session.join(_Channel(f"c/{number}", {"n": number}, {"event": number}))
    for action in actions:
        if isinstance(action, Send):
            asked = json.loads(session.let_out(action.message).payload or b"")
            session.received([json.dumps({"id": asked["id"], "success": True}).encode()], None)
    return session


def _decode(batch: list[bytes], _: None) -> None:
    for payload in batch:
        decode_json(payload)


def _delivered(session: RunningSession, payloads: Sequence[bytes]) -> int:
    actions = session.received(payloads, None)
    return sum(len(one.payloads) for one in actions if isinstance(one, Deliver))


def _best(runs: int, payloads: Sequence[bytes], size: int, take: Callable[[list[bytes], None], object]) -> float:
    batches = [list(payloads[at : at + size]) for at in range(0, len(payloads), size)]
    times = []
    for _ in range(runs):
        began = time.process_time()
        for batch in batches:
            take(batch, None)
        times.append(time.process_time() - began)
    return min(times) / len(payloads)


def show(found: dict[str, Any]) -> str:
    """Lay out the microseconds."""
    rows = [[one["name"], *(f"{one[str(size)] * 1e6:.2f} us" for size in BATCHES)] for one in found["results"]]
    title = f"a session's part of a message of {found['bytes']} bytes, {found['channels']} channels on one connection"
    return table(title, ["messages in one turn", *map(str, BATCHES)], rows)
