"""What the methods ask of a manager, checked and put into the protocol's words: the same for both clients."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

from wscli.client.matching import Match, check
from wscli.client.replies import Awaited
from wscli.control.protocol import BLOCK_LIMIT, COUNT_LIMIT, STATES
from wscli.control.refs import refers
from wscli.control.selection import Selection
from wscli.errors import NoInstance, NotSent, OutcomeUnknown, TimedOut, UsageError, WscliError

if TYPE_CHECKING:
    from wscli.control.messages import Handed, Status

__all__ = [
    "Asked",
    "Begin",
    "Chosen",
    "Exchange",
    "consumers",
    "exchange",
    "no_consumer",
    "remove_consumer",
    "reset_consumer",
    "send",
    "stats",
    "status",
    "tail",
    "token",
    "wait",
]

_ANSWER = 30.0  # seconds for the manager to answer what it knows at once
_FETCH = 120.0  # seconds for a token to be fetched; its source has a shorter deadline of its own
_PATIENCE = 10.0  # seconds beyond a message's own deadline for the manager to say how it went
_LOOK = 0.5  # seconds for the states after a deadline: a courtesy
_LONGEST = 1e9  # seconds; the manager takes no more


class Begin(TypedDict, total=False):
    """Where a tail begins, whether it follows, and by what name: what `Client.tail` takes beside channels and gaps."""

    last: int | None
    since: float | None
    after: str | Mapping[str, str] | None
    follow: bool
    consumer: str | None


class Asked(NamedTuple):
    """One request."""

    verb: str
    args: dict[str, Any]
    timeout: float | None
    """Seconds to wait for the answer."""
    payload: bytes = b""

    @property
    def consumes(self) -> bool:
        """Whether it asks for a stream whose messages are acknowledged."""
        return self.verb == "consume"

    def begun(self, result: dict[str, Any]) -> int:
        """Read from the answer of a stream of one channel the number before its first message; 0 where it has more."""
        begins = result["channels"].values()
        return next(iter(begins))["after"] if self.consumes else 0

    def within(self, seconds: float) -> Asked:
        """Give the same message to be sent, with another deadline."""
        return self._replace(args={**self.args, "timeout": seconds}, timeout=seconds + _PATIENCE)

    def lost(self, error: NoInstance | TimedOut, *, whole: bool) -> WscliError:
        """Make the error of a message whose answer did not come; ``whole`` says that the manager took all of it."""
        kind = OutcomeUnknown if whole else NotSent
        return kind(error.message, error.hint)

    def look(self) -> Asked:
        """Ask how the channels of a wait stand, once its deadline has passed."""
        return Asked("status", {"channels": self.args["channels"]}, _LOOK)

    def judge(self, states: Sequence[Status]) -> None:
        """Refuse the end of a wait, unless by now all channels are where they should be.

        Raises:
            TimedOut: one is not, or nobody knows.

        """
        wanted = self.args["for"]
        others = [one for one in states if one["state"] != wanted]
        if others or not states:
            stands = "".join(f": {one['channel']} is {one['state']}: {one['reason']['text']}" for one in others[:1])
            raise TimedOut(f"not {wanted} within {self.timeout:g} s{stands}", "a longer timeout waits longer")


class Exchange(NamedTuple):
    """A message that is answered on its own channel: the reader to open first, what to send then, the reply."""

    listen: Asked
    send: Asked
    match: Match
    timeout: float
    """Seconds for all of it."""
    called: str
    """What errors call the reply."""

    def reply_to(self, handed: Handed) -> Awaited:
        """Begin to wait for it, once it is known what the message became and behind which one it was sent."""
        channel = self.send.args["channel"]
        return Awaited(self.match, handed, channel=channel, called=self.called, timeout=self.timeout)


class Chosen:
    """Which manager a client speaks to; it is looked up at every call, so that a client outlives managers.

    Args:
        instance: its name, as ``-i``.
        file: its YAML file, as ``-c``.
        environ: where WSCLI_INSTANCE and the like are read.

    With neither, it is chosen as the commands do: WSCLI_INSTANCE, ``./wscli.yaml`` or a parent's, the only one running.

    Raises:
        UsageError: both are given.

    """

    def __init__(
        self,
        instance: str | None = None,
        *,
        file: str | os.PathLike[str] | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        if instance is not None and file is not None:
            raise UsageError("instance and file both choose a manager", "give one of them")
        self._selection = Selection(instance, None if file is None else os.fspath(file))
        self._environ = environ

    def __repr__(self) -> str:
        name, file = self._selection
        chosen = "" if name is None and file is None else repr(name) if file is None else f"file={file!r}"
        return f"{type(self).__name__}({chosen})"


def tail(
    channels: tuple[str, ...],
    *,
    last: int | None,
    since: float | None,
    after: str | Mapping[str, str] | None,
    follow: bool,
    consumer: str | None = None,
) -> Asked:
    """Ask for messages, as records; by the name of a consumer where one is given."""
    if sum(one is not None for one in (last, since, after)) > 1:
        raise UsageError("last, since and after exclude each other", "each says where to begin: give one")
    names = _names(channels, required=True)
    if isinstance(after, str):
        if len(set(names)) > 1:
            raise UsageError("after, a cursor, goes with one channel", "give {channel: cursor} where there are several")
        after = {names[0]: after}
    args = {
        "channels": names,
        "format": "json",
        "last": None if last is None else _count(last),
        "since": since,
        "after": None if after is None else dict(after),
        "follow": follow,
    }
    if consumer is None:
        return Asked("tail", args, _ANSWER)
    if len(set(names)) > 1:
        raise UsageError("consumer goes with one channel", "a consumer has a place in one channel's history")
    return Asked("consume", {**args, "channel": names[0], "consumer": consumer, "pid": os.getpid()}, _ANSWER)


def consumers(channels: tuple[str, ...]) -> Asked:
    """Ask where named consumers are."""
    return Asked("consumer", {"action": "ls", "channels": _names(channels)}, _ANSWER)


def reset_consumer(channel: str, name: str, to: str) -> Asked:
    """Ask for a consumer to begin elsewhere."""
    args = {"action": "reset", "channel": _names((channel,))[0], "name": name, "to": to}
    return Asked("consumer", args, _ANSWER)


def remove_consumer(channel: str, name: str) -> Asked:
    """Ask for a consumer to be forgotten."""
    return Asked("consumer", {"action": "rm", "channel": _names((channel,))[0], "name": name}, _ANSWER)


def no_consumer() -> UsageError:
    """Make the error for an acknowledgement on a tail that has no consumer."""
    return UsageError("a tail without a consumer has nothing to acknowledge", "name one: tail(channel, consumer=...)")


def send(channel: str, message: str | bytes, timeout: float) -> Asked:
    """Ask for one message to be sent."""
    payload = _payload(message)
    args = {"channel": _names((channel,))[0], "binary": isinstance(message, bytes), "timeout": _seconds(timeout)}
    framed = {**args, "bytes": len(payload), "framing": "whole"}
    return Asked("send", framed, timeout + _PATIENCE, payload)


def exchange(
    channel: str, message: str | bytes, match: Match, timeout: float, *, expand: bool = True, called: str = "reply"
) -> Exchange:
    """Prepare a message and its reply; ``expand`` has the references of text filled."""
    sending = send(channel, message, timeout)
    filled = expand and isinstance(message, str)
    check(match, refers=filled and refers(str(message)))
    sending = sending._replace(args={**sending.args, "refs": filled})
    listening = tail((channel,), last=None, since=None, after=None, follow=True)
    return Exchange(listening._replace(timeout=timeout), sending, match, timeout, called)


def stats(channels: tuple[str, ...]) -> Asked:
    """Ask for the counters."""
    return Asked("stats", {"channels": _names(channels)}, _ANSWER)


def status(channels: tuple[str, ...]) -> Asked:
    """Ask for the states."""
    return Asked("status", {"channels": _names(channels)}, _ANSWER)


def wait(channels: tuple[str, ...], state: str, timeout: float | None) -> Asked:
    """Ask for an answer once the channels are in a state."""
    if state not in STATES:
        raise UsageError(f"{state!r} is no state", f"a state is one of {', '.join(STATES)}")
    args = {"channels": _names(channels, required=True), "for": state}
    return Asked("wait", args, None if timeout is None else _seconds(timeout))


def token(name: str) -> Asked:
    """Ask for a token."""
    return Asked("token", {"action": "get", "name": name}, _FETCH)


def _names(channels: tuple[str, ...], *, required: bool = False) -> list[str]:
    for one in channels:
        if not isinstance(one, str):
            raise TypeError(f"a channel is named by a str, not by {one!r}")
    if required and not channels:
        raise UsageError("no channel is named", "`wscli status` lists the channels")
    return list(channels)


def _count(number: int) -> int:
    if number < 0:
        raise UsageError(f"last={number} is no number of messages", "it is 0 at least")
    return min(number, COUNT_LIMIT)


def _seconds(timeout: float) -> float:
    if not 0 <= timeout < _LONGEST:  # which refuses NaN as well
        raise UsageError(f"timeout={timeout} is no time to wait", "it is in seconds, 0 at least and under 1e9")
    return timeout


def _payload(message: object) -> bytes:
    if isinstance(message, bytes):
        payload = message
    elif isinstance(message, str):
        try:
            payload = message.encode()
        except UnicodeEncodeError as error:  # RFC 6455, section 5.6: a text message is UTF-8
            raise NotSent(
                f"the message cannot be UTF-8: character {error.start} is a lone surrogate",
                "bytes are sent as they are",
            ) from None
    else:
        raise TypeError(f"a message is str (text) or bytes (binary), not {type(message).__name__}")
    if len(payload) > BLOCK_LIMIT:
        raise NotSent(f"a message of {len(payload)} bytes is over {BLOCK_LIMIT >> 20} MiB", "send it in smaller ones")
    return payload
