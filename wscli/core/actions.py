"""What can be done when an attempt or a subscription ends."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

__all__ = ["Action", "Verdict"]


class Action(StrEnum):
    """What a verdict asks for; the values are the words of a configuration file."""

    RETRY = "retry"
    """Dial again after the backoff."""
    RECONNECT = "reconnect"
    """Dial again at once, once per health."""
    REPLACE = "replace"
    """Have the next connection ready before this one closes; limited as ``reconnect`` is."""
    REAUTH = "reauth"
    """Forget the tokens that the attempt used, and dial again at once, once per health."""
    FRESH = "fresh"
    """Forget what a session could be resumed with, and reconnect."""
    DONE = "done"
    """End without an error."""
    STOP = "stop"
    """Fail."""


class Verdict(NamedTuple):
    """An action, and for ``retry`` the least number of seconds to wait.

    ``mends`` says of a ``stop`` that its cause may mend itself, so that the upstream is dialled again later.
    """

    action: Action
    no_sooner: float = 0.0
    mends: bool = False
