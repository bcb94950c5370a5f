"""``start``, ``stop``, ``restart``, ``pause`` and ``resume``: a step for each channel, answered with their states."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wscli.control.messages import ChannelStates
from wscli.control.protocol import ProtocolError
from wscli.control.requests import ChannelsRequest, PauseRequest
from wscli.daemon.channel.channel import Channel
from wscli.daemon.registry.manager import Manager
from wscli.daemon.socket.app import App
from wscli.daemon.socket.peer import Peer

__all__ = ["pause", "restart", "resume", "start", "stop"]


async def start(app: App, request: ChannelsRequest, peer: Peer) -> ChannelStates:
    """Open the named channels; the instance of a template is created."""
    return _each([app.manager.channel(name) for name in request["channels"]], lambda channel: channel.start())


async def stop(app: App, request: ChannelsRequest, peer: Peer) -> ChannelStates:
    """Close the named channels."""
    return _each(app.manager.select(request["channels"]), lambda channel: channel.stop())


async def restart(app: App, request: ChannelsRequest, peer: Peer) -> ChannelStates:
    """Close the named channels and open them anew; the instance of a template is created."""
    return _each([app.manager.channel(name) for name in request["channels"]], lambda channel: channel.restart())


async def pause(app: App, request: PauseRequest, peer: Peer) -> ChannelStates:
    """Hold channels without giving up; a stopped or failed one stays as it is."""
    return _each(_pausable(app.manager, request), lambda channel: channel.pause())


async def resume(app: App, request: PauseRequest, peer: Peer) -> ChannelStates:
    """End the pause of the channels that are paused."""
    return _each(
        [one for one in _pausable(app.manager, request) if one.state == "paused"], lambda channel: channel.resume()
    )


def _each(channels: Sequence[Channel], step: Callable[[Channel], None]) -> ChannelStates:
    """Apply a step to each channel; all names were resolved before the first step."""
    for channel in channels:
        step(channel)
    return {"channels": [channel.status() for channel in channels]}


def _pausable(manager: Manager, request: PauseRequest) -> list[Channel]:
    """Return the named channels, all that are not critical, or all."""
    names, noncritical = request.get("channels", []), request.get("noncritical", False)
    if names and noncritical:
        raise ProtocolError("'channels' and 'noncritical' exclude each other", "give one of them")
    return manager.noncritical() if noncritical else manager.select(names)
