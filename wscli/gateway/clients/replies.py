"""The replies to one client's requests, where the channel's session says which messages they are."""

from __future__ import annotations

from collections.abc import Callable

from wscli.daemon.channel.channel import Channel
from wscli.daemon.upstream.session.seam import AwaitedReply
from wscli.gateway.clients.channel_feed import ChannelFeed

__all__ = ["ClientReplies"]


class ClientReplies:
    """Gives a client the replies to its own requests, until it leaves.

    Args:
        channel: what it is a client of.
        feed: what it is sent.
        on_reply: called once there is one in the feed, with the bytes of all replies that wait there.
        on_lost: called where the connection ended before the reply to a request with an id.
    """

    def __init__(
        self, channel: Channel, feed: ChannelFeed, *, on_reply: Callable[[int], None], on_lost: Callable[[], None]
    ) -> None:
        self._channel = channel
        self._feed: ChannelFeed | None = feed
        self._on_reply = on_reply
        self._on_lost = on_lost

    def ask(self) -> AwaitedReply | None:
        """Ask for the reply to the client's next message; None: the channel's session does not tell replies."""
        session = self._channel.plan.upstream.session
        if session is None or session.reply is None:
            return None
        return AwaitedReply(self._replied, self._lost, private=True)

    def close(self) -> None:
        """Give it nothing more, and forget it: it leaves, and a reply may never come."""
        self._feed = None
        self._on_reply, self._on_lost = lambda waiting: None, lambda: None

    def _replied(self, payload: bytes, binary: bool) -> None:
        if self._feed is not None:
            self._feed.reply(payload, binary=binary)
            self._on_reply(self._feed.reply_bytes)

    def _lost(self) -> None:
        if self._feed is not None:
            self._on_lost()
