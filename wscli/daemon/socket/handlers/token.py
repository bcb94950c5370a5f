"""``token``: the broker, for other scripts. Only ``get`` gives a secret away, and only over the socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wscli.control.protocol import ProtocolError
from wscli.daemon.socket.handlers.args import text
from wscli.errors import UsageError

if TYPE_CHECKING:
    from wscli.control.messages import Token, Tokens
    from wscli.daemon.registry.manager import Manager
    from wscli.daemon.socket.app import App
    from wscli.daemon.socket.peer import Peer
    from wscli.tokens.fetcher import BrokerToken


async def handle(app: App, args: dict[str, Any], peer: Peer) -> Token | Tokens:
    """Do the action: ``get``, ``ls``, ``refresh`` or ``forget``."""
    action = text(args, "action")
    if action == "ls":
        return {"tokens": app.manager.broker.stats()}
    name = _known(app.manager, text(args, "name"))
    if action == "get":
        return {"token": (await peer.while_connected(app.manager.broker.get(name))).value.reveal()}
    if action == "refresh":
        return _facts(app.manager, await peer.while_connected(app.manager.broker.refresh(name)))
    if action == "forget":
        app.manager.broker.forget(name)
        return {}
    raise ProtocolError(f"no such action {action[:40]!r}", "an action is one of get, ls, refresh, forget")


def _facts(manager: Manager, token: BrokerToken) -> Token:
    left = None if token.expires_at is None else round(token.expires_at - manager.clock.boottime(), 3)
    return {"version": token.version, "expires_in_s": left}


def _known(manager: Manager, name: str) -> str:
    if name in manager.plan.tokens:
        return name
    known = ", ".join(manager.plan.tokens)
    raise UsageError(
        f"no such token {name!r}", f"the tokens of this instance: {known}" if known else "it declares none"
    )
