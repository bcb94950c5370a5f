"""``wait``: block until channels are in a state."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from wscli.control.protocol import ProtocolError
from wscli.core.states import SETTLED, ChannelState
from wscli.daemon.socket.handlers.args import names, text
from wscli.daemon.socket.handlers.hands import statuses
from wscli.errors import ChannelUnavailable

if TYPE_CHECKING:
    from wscli.control.messages import ByHand
    from wscli.daemon.channel.channel import Channel
    from wscli.daemon.socket.app import App
    from wscli.daemon.socket.peer import Peer

__all__ = ["handle", "settle"]


async def handle(app: App, args: dict[str, Any], peer: Peer) -> ByHand:
    """Answer when every channel is in the state; the deadline is the client's, which hangs up at it."""
    wanted = text(args, "for") if "for" in args else ChannelState.READY
    if wanted not in tuple(ChannelState):
        raise ProtocolError(f"{wanted!r} is no state", f"a state is one of {', '.join(ChannelState)}")
    channels = [app.manager.channel(name) for name in names(args, required=True)]
    await peer.while_connected(settle(channels, ChannelState(wanted)))
    return {"channels": statuses(channels)}


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
            await asyncio.wait(waits)


async def _reach(channel: Channel, wanted: ChannelState) -> None:
    state = await channel.wait_for(SETTLED | {wanted})
    if state is not wanted:
        raise channel.unavailable() or ChannelUnavailable(f"channel {channel.name!r} is {state}, and not {wanted}")
