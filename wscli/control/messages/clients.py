"""What ``status`` and ``stats`` say of a channel's clients at the gateway and the adapter."""

from typing import Literal, TypedDict


class ClientsReport(TypedDict):
    """Which upstream the clients of a channel use, and how many have one of their own."""

    upstream: Literal["shared", "own"]
    own: int


class OwnStats(TypedDict):
    """The clients of a channel that have an upstream of their own.

    ``clients`` have one now, or are waiting for its dial; ``total`` asked for one, and ``refused`` got none.
    Messages are counted here, not among the channel's.
    """

    clients: int
    total: int
    refused: int
    received: int
    sent: int
