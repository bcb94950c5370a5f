"""Every error that a user can meet, and the exit code that it ends with.

The tree::

    WscliError                1   something went wrong
    ├── UsageError            2   the command line is wrong
    ├── ConfigError           3   the configuration is invalid
    ├── AuthError             4   a token or an authentication failed
    ├── NoInstance            5   no manager is running
    ├── UnknownChannel        6   no channel of that name
    ├── NotSent               7   certainly not sent
    ├── ChannelUnavailable    8   the channel failed, is stopped or paused
    ├── OutcomeUnknown        9   handed over, then the connection died
    └── TimedOut            124   a deadline passed

A message is one lower-case line that quotes the value it is about; the hint is the way out. Neither ever
holds a secret. This module imports nothing of ours, and little else: the thin client loads it.
"""

from enum import IntEnum

__all__ = [
    "ExitCode",
    "WscliError",
    "UsageError",
    "ConfigError",
    "AuthError",
    "NoInstance",
    "UnknownChannel",
    "NotSent",
    "ChannelUnavailable",
    "OutcomeUnknown",
    "TimedOut",
    "error_for",
]


class ExitCode(IntEnum):
    """What a wscli process ends with: part of the contract with scripts."""

    OK = 0
    ERROR = 1
    USAGE = 2
    CONFIG = 3
    AUTH = 4
    NO_INSTANCE = 5
    UNKNOWN_CHANNEL = 6
    NOT_SENT = 7
    CHANNEL_UNAVAILABLE = 8
    OUTCOME_UNKNOWN = 9
    TIMED_OUT = 124
    INTERRUPTED = 130
    TERMINATED = 143


class WscliError(Exception):
    """An error with a message for people, a hint with the way out, and an exit code for scripts."""

    exit_code: ExitCode = ExitCode.ERROR

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(WscliError):
    """The command line, or an argument of the Python API, is invalid."""

    exit_code = ExitCode.USAGE


class ConfigError(WscliError):
    """The configuration is invalid; ``message`` may hold one line per problem."""

    exit_code = ExitCode.CONFIG


class AuthError(WscliError):
    """A token could not be fetched, or the server refused it."""

    exit_code = ExitCode.AUTH


class NoInstance(WscliError):
    """No manager answers for the instance."""

    exit_code = ExitCode.NO_INSTANCE


class UnknownChannel(WscliError):
    """The instance declares no such channel."""

    exit_code = ExitCode.UNKNOWN_CHANNEL


class NotSent(WscliError):
    """The message certainly did not leave."""

    exit_code = ExitCode.NOT_SENT


class ChannelUnavailable(WscliError):
    """The channel failed, or is stopped or paused by hand."""

    exit_code = ExitCode.CHANNEL_UNAVAILABLE


class OutcomeUnknown(WscliError):
    """The message was handed over, and the connection died before the outcome was known."""

    exit_code = ExitCode.OUTCOME_UNKNOWN


class TimedOut(WscliError):
    """A deadline passed."""

    exit_code = ExitCode.TIMED_OUT


_BY_CODE: dict[int, type[WscliError]] = {kind.exit_code: kind for kind in WscliError.__subclasses__()}


def error_for(exit_code: int, message: str, hint: str | None = None) -> WscliError:
    """Make the error that a manager reported as an exit code; an unknown code is a plain ``WscliError``."""
    return _BY_CODE.get(exit_code, WscliError)(message, hint)
