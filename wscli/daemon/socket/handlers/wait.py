"""``wait``: block until channels are in a state."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

from wscli.control.messages import ChannelStates
from wscli.control.requests import WaitRequest
from wscli.core.states import SETTLED, ChannelState
from wscli.daemon.channel.channel import Channel
from wscli.daemon.socket.peer import Peer
from wscli.daemon.socket.server import App
from wscli.errors import ChannelUnavailable

__all__ = ["handle_wait", "settle"]


async def handle_wait(app: App, request: WaitRequest, peer: Peer) -> ChannelStates:
    """Answer when every channel is in the state; the client enforces its deadline by hanging up."""
    manager = app.manager
    channels = [manager.channel(name) for name in request.get("channels", ())] or [
        channel for channel in manager.channels() if channel.plan.eager and channel.plan.critical
    ]
    await peer.while_connected(settle(channels, ChannelState(request.get("for", "ready"))))
    return {"channels": [channel.status() for channel in channels]}


async def settle(channels: list[Channel], wanted: ChannelState) -> None:
    """Wait until all channels are in a state; waiting for ``ready`` holds them in use, so that lazy ones open.

    Raises:
        ChannelUnavailable: one of them settled in another state, or was removed.
        AuthError: one failed for its credentials.
    """
    with ExitStack() as uses:
        if wanted is ChannelState.READY:
            for channel in channels:
                uses.enter_context(channel.use())
        waits = [asyncio.ensure_future(_reach(channel, wanted)) for channel in channels]
        try:
            await asyncio.gather(*waits)
        finally:
            for one in waits:
                one.cancel()
            await asyncio.gather(*waits, return_exceptions=True)


async def _reach(channel: Channel, wanted: ChannelState) -> None:
    state = await channel.wait_for(SETTLED | {wanted})
    if state is not wanted:
        raise channel.unavailable() or ChannelUnavailable(f"channel {channel.name!r} is {state}, and not {wanted}")
