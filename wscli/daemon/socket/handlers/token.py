"""``token``: the broker, for other scripts. Only ``get`` reveals a secret, and only over the socket."""

from __future__ import annotations

from collections.abc import Mapping

from wscli.control.messages import TokenAnswer
from wscli.control.requests import TokenList, TokenRequest
from wscli.daemon.socket.peer import Peer
from wscli.daemon.socket.server import App
from wscli.errors import UnknownChannel, UsageError


async def handle_token(app: App, request: TokenList | TokenRequest, peer: Peer) -> TokenAnswer:
    """Carry out the action: ``get``, ``ls``, ``refresh`` or ``forget``."""
    broker = app.manager.broker
    if request["action"] == "ls":
        return {"tokens": broker.stats()}
    name, declared = request["name"], app.manager.plan.tokens
    if name not in declared:
        hint = f"the tokens of this instance: {', '.join(declared)}" if declared else "it declares none"
        raise UsageError(f"no such token {name!r}", hint)
    if request["action"] == "get":
        token = await peer.while_connected(broker.get(name))
        _lend(app, request.get("hook", {}), name, token.version)
        return {"token": token.value.reveal()}
    if request["action"] == "forget":
        broker.forget(name)
        return {}
    token = await peer.while_connected(broker.refresh(name))
    left = None if token.expires_at is None else round(token.expires_at - app.manager.clock.boottime(), 3)
    return {"version": token.version, "expires_in_s": left}


def _lend(app: App, hook: Mapping[str, str], name: str, version: int) -> None:
    """Count a token that a hook asked for as used by its channel."""
    if hook.get("instance") != app.manager.plan.name:
        return
    try:
        (channel,) = app.manager.select([hook.get("channel", "")])
    except UnknownChannel:  # it was removed while its hook ran
        return
    channel.subscription.lend(name, version)
