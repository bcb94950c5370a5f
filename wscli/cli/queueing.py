"""The client's part of ``send --queue``: messages that the manager puts on the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wscli.cli.outcomes import Outcomes
from wscli.cli.sending import PATIENCE, Sender, hand_over
from wscli.control.client import connect
from wscli.control.selection import Selection
from wscli.errors import UsageError

if TYPE_CHECKING:
    from wscli.control.messages import Framing

__all__ = ["queue"]


class _QueueingSender(Sender):
    verb = "queue"
    outcome = "queued"

    def taken(self, result: dict[str, int]) -> int:
        """Count those whose key was known too: they are queued, or were sent, already."""
        return result["queued"] + result["known"]


def queue(
    selection: Selection,
    channel: str,
    message: str | None,
    wanted: dict[str, Any],
    *,
    framing: Framing,
    as_json: bool,
) -> int:
    """Queue the message, or what stdin has; ``wanted`` has ``binary``, ``ttl`` in seconds and ``key``.

    Raises:
        UsageError: there is a key, and there may be many messages.

    """
    if wanted["key"] is not None and framing != "whole":
        raise UsageError("--key goes with one message, and stdin may have many", "give a MESSAGE, or --whole")
    with connect(selection) as client:
        sender = _QueueingSender(client, {"channel": channel, **wanted}, PATIENCE, Outcomes(channel, enabled=as_json))
        hand_over(sender, message, framing)
    return 0
