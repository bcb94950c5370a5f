"""What the manager reports: ``ping``, ``complete``, ``status``, ``stats``, ``logs`` and ``doctor``."""

from __future__ import annotations

import os

from wscli.control.messages import Complete, Ping, Stats, StatusAnswer
from wscli.control.messages.attempts import AnswerReport, AttemptReport, Doctor, ExchangeReport, SessionStep
from wscli.control.protocol import success
from wscli.control.requests import ChannelsRequest, DoctorRequest, LogsRequest, NoArguments, StatusRequest
from wscli.daemon.fanout.readers import Reader
from wscli.daemon.fanout.sources import HistorySource, Options
from wscli.daemon.socket.peer import Peer
from wscli.daemon.socket.server import App
from wscli.daemon.upstream.dial.dialer import AttemptRecord
from wscli.session.actions import Stepped
from wscli.transport.connection import UpgradeExchange
from wscli.version import __version__

__all__ = ["complete", "doctor", "logs", "ping", "stats", "status"]


async def ping(app: App, request: object, peer: Peer) -> Ping:
    """Return which instance this is, as ``wscli ls`` shows it."""
    states = [channel.state for channel in app.manager.channels()]
    return {
        "version": __version__,
        "instance": app.manager.plan.name,
        "pid": os.getpid(),
        "file": str(app.manager.plan.file),
        "uptime_s": round(app.manager.clock.monotonic() - app.manager.started, 3),
        "channels": len(states),
        "ready": sum(state == "ready" for state in states),
    }


async def complete(app: App, request: NoArguments, peer: Peer) -> Complete:
    """Return declared channels, open instances, templates up to their first placeholder, and token sources."""
    names = [channel.name for channel in app.manager.channels()]
    prefixes = [name.partition("{")[0] for name, declared in app.manager.plan.channels.items() if declared.params]
    return {"channels": list(dict.fromkeys([*names, *prefixes])), "tokens": list(app.manager.plan.tokens)}


async def stats(app: App, request: ChannelsRequest, peer: Peer) -> Stats:
    """Return the object of ``stats --json``."""
    return app.manager.stats(request.get("channels", []))


async def status(app: App, request: StatusRequest, peer: Peer) -> StatusAnswer | None:
    """Return the objects of ``status --json``; with ``watch`` every change follows as one of these objects."""
    changes = app.manager.changes
    source = HistorySource("status", changes, changes.seek_last(0))  # before the answer: no change is missed
    result: StatusAnswer = {
        "instance": app.manager.plan.name,
        "channels": app.manager.status(request.get("channels", [])),
        "problems": app.manager.problems.texts(),
    }
    if not request.get("watch", False):
        return result
    await peer.send_line(success(result))
    await Reader(peer.sock, [source], Options(), clock=app.manager.clock).run()
    return None


async def logs(app: App, request: LogsRequest, peer: Peer) -> None:
    """Send the last ``n`` records of a level and above, and with ``follow`` the next ones."""
    log = app.manager.logs[request.get("level", app.manager.log_level)]
    source = HistorySource("log", log, log.seek_last(request.get("n", 0)))
    await peer.send_line(success({}))
    await Reader(peer.sock, [source], Options(follow=request.get("follow", False)), clock=app.manager.clock).run()


async def doctor(app: App, request: DoctorRequest, peer: Peer) -> Doctor:
    """Return the channel's status, and the record of its last attempt, or of a new one.

    A dial for a client with an upstream of its own is an attempt as well; None: there was none.
    """
    channel = app.manager.channel(request["channel"])
    if request.get("dial", False):
        record: AttemptRecord | None = await peer.while_connected(app.manager.dial_once(channel))
    else:
        attempts = filter(None, (channel.subscription.last_attempt, channel.own.last_attempt))
        record = max(attempts, key=lambda one: one.started, default=None)
    attempt = None if record is None else _attempt(record, channel.name)
    asked = channel.subscription.upstream.request()
    return {"channel": channel.status(), "url": asked.plan.dial.shown_address(asked.params), "attempt": attempt}


def _exchange(exchange: UpgradeExchange) -> ExchangeReport:
    return {
        "url": exchange.url,
        "proxy": exchange.proxy,
        "headers": list(exchange.headers),
        "subprotocols": list(exchange.subprotocols),
        "extensions": exchange.extensions,
        "answer": None if exchange.status is None else _answer(exchange, exchange.status),
    }


def _answer(exchange: UpgradeExchange, status: int) -> AnswerReport:
    headers: dict[str, str] = {}
    for name, value in exchange.answer:
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return {
        "status": status,
        "phrase": exchange.phrase,
        "headers": headers,
        "subprotocol": headers.get("sec-websocket-protocol"),
        "extensions": headers.get("sec-websocket-extensions"),
        "location": headers.get("location"),
        "body": exchange.body,
    }


def _session_step(at: float, step: Stepped) -> SessionStep:
    return {
        "place": step.place,
        "action": step.shown,
        "channel": None if step.channel is None else step.channel.name,
        "at": at,
        "seconds": round(step.seconds, 6),
        "answer": step.answer,
        "ok": step.ok,
    }


def _attempt(record: AttemptRecord, channel: str) -> AttemptReport:
    timeline, failure = record.shown_timeline(), record.failure
    return {
        "started": record.started,
        "peer": timeline.peer,
        "tokens": sorted(record.tokens),
        "steps": [
            {"name": step.name, "seconds": round(step.seconds, 6), "detail": step.detail, "ok": step.ok}
            for step in timeline.steps
        ],
        "exchanges": [_exchange(one) for one in timeline.exchanges],
        "session": [_session_step(*one) for one in record.shown_session(channel)],
        "failure": None if failure is None else {"kind": str(failure.kind), "code": failure.code, "text": failure.text},
    }
