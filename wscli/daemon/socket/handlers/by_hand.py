"""What is done by hand: to channels from ``start`` to ``resume``; ``reload`` and ``down``."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from shlex import quote
from typing import Any

from wscli.control.environment import digest_variables
from wscli.control.messages import ChannelStates
from wscli.control.protocol import ProtocolError, success
from wscli.control.requests import NamedChannels, NoArguments, PauseRequest
from wscli.daemon.channel.channel import Channel
from wscli.daemon.registry.manager import Manager
from wscli.daemon.registry.reload import reload_file
from wscli.daemon.socket.peer import Peer
from wscli.daemon.socket.server import App
from wscli.errors import UsageError

__all__ = ["down", "pause", "reload", "restart", "resubscribe", "resume", "rotate", "start", "stop"]


async def start(app: App, request: NamedChannels, peer: Peer) -> ChannelStates:
    """Open the named channels; the instance of a template is created."""
    return _each([app.manager.channel(name) for name in request["channels"]], Channel.start)


async def stop(app: App, request: NamedChannels, peer: Peer) -> ChannelStates:
    """Close the named channels."""
    return _each(app.manager.select(request["channels"]), Channel.stop)


async def restart(app: App, request: NamedChannels, peer: Peer) -> ChannelStates:
    """Close the named channels and open them anew; the instance of a template is created."""
    return _each([app.manager.channel(name) for name in request["channels"]], Channel.restart)


async def rotate(app: App, request: NamedChannels, peer: Peer) -> ChannelStates:
    """Replace the connections of the named channels, each once; the instance of a template is created.

    Raises:
        UsageError: an endpoint declares ``rotate: none``.

    """
    channels = [app.manager.channel(name) for name in request["channels"]]
    for channel in channels:
        channel.check_rotation()  # before the first is rotated
    rotated = set()
    for channel in channels:
        upstream = channel.subscription.upstream if channel.subscription.member.joined else None
        if upstream not in rotated:
            channel.rotate()
        if upstream is not None:
            rotated.add(upstream)
    return _each(channels, lambda channel: None)


async def resubscribe(app: App, request: NamedChannels, peer: Peer) -> ChannelStates:
    """Subscribe the named channels anew; the instance of a template is created.

    Raises:
        UsageError: no session subscribes one of them.

    """
    channels = [app.manager.channel(name) for name in request["channels"]]
    for channel in channels:
        if channel.plan.upstream.session is None:
            raise UsageError(
                f"channel {channel.name!r} has no session, and nothing to subscribe",
                f"`wscli restart {quote(channel.name)}` closes its connection and opens another",
            )
    return _each(channels, Channel.resubscribe)


async def pause(app: App, request: PauseRequest, peer: Peer) -> ChannelStates:
    """Close channels until ``resume``; a stopped or failed one stays as it is."""
    return _each(_pausable(app.manager, request), Channel.pause)


async def resume(app: App, request: PauseRequest, peer: Peer) -> ChannelStates:
    """End the pause of the channels that are paused."""
    return _each([one for one in _pausable(app.manager, request) if one.state == "paused"], Channel.resume)


async def reload(app: App, request: NoArguments, peer: Peer) -> dict[str, Any]:
    """Have the manager read its file again; return its ``Reload`` with an ``EnvironmentDigests`` as ``environment``.

    An invalid file is an error and changes nothing.
    """
    report = await reload_file(app.manager)
    return {**report, "environment": digest_variables(app.manager.plan.variables)}


async def down(app: App, request: object, peer: Peer) -> None:
    """Stop the manager; it answers before that, and a client that has hung up already is obeyed too.

    The client sees the process end by the end of this connection, which no file can fake.
    """
    with contextlib.suppress(OSError):  # out of descriptors; the client waits for the lock as well
        app.leaving.append(os.dup(peer.sock.fileno()))
    try:
        await peer.send_line(success({"pid": os.getpid()}))
    finally:
        app.manager.stopping.set()


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
    return [one for one in manager.select(names) if not (noncritical and one.plan.critical)]
