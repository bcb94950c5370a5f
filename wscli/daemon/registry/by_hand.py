"""What a person did to a channel, kept where another channel takes its place."""

from __future__ import annotations

from collections.abc import Callable

from wscli.core.states import ChannelState
from wscli.daemon.channel.channel import Channel

__all__ = ["done_by_hand"]


def done_by_hand(channel: Channel) -> Callable[[Channel], None]:
    """Give the function that stops, pauses or starts another channel as this one is now, or else opens it."""
    state, started = channel.state, channel.usage.held_open

    def repeat(other: Channel) -> None:
        other.usage.held_open = started  # a pause keeps it for the resume
        if state is ChannelState.STOPPED:
            other.stop()
        elif state is ChannelState.PAUSED:
            other.pause()
        elif started:
            other.start()
        else:
            other.open()

    return repeat
