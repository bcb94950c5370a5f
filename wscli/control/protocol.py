"""The lines of the control socket: one JSON object each, with the protocol's number in the first of either side.

A request is ``{"v": 2, "wscli": "0.1.0", "verb": "stats", "args": {}}``; its answer ``{"v": 2, "wscli": "0.1.0",
"ok": true, "result": {}}`` or ``{..., "ok": false, "error": {"code": 6, "message": "...", "hint": "..."}}``. What
follows within a verb carries no number.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal, get_args

from wscli.errors import NoInstance, UsageError, WscliError, error_for
from wscli.version import __version__

__all__ = [
    "ANSWER_LIMIT",
    "BLOCK_LIMIT",
    "COUNT_LIMIT",
    "ENDS",
    "FAILURE_HEADER",
    "LINE_LIMIT",
    "PROTOCOL",
    "SPOKEN_BY_ALL",
    "STATES",
    "State",
    "AnswerReader",
    "ProtocolError",
    "check_version",
    "decode_line",
    "encode_line",
    "failure",
    "greeting",
    "manager_stopped",
    "request_line",
    "result_of",
    "split_block",
    "success",
]

PROTOCOL = 2
"""Raised whenever an older side would misread a newer one."""
FAILURE_HEADER = "Wscli-Failure"
"""Names the kind of the failed dial that a refused upgrade tells of; the drop-in ``connect()`` raises by it."""
LINE_LIMIT = 4 << 20
"""Bytes of one line of a client's, its newline included: the names that fit into one command (ARG_MAX) fit into it."""
SPOKEN_BY_ALL = frozenset({"ping", "down"})
"""Verbs that keep their form in every version, so that an older manager can be told to go."""
ANSWER_LIMIT = 64 << 20
"""Bytes of one line of the manager's: the statistics of very many channels."""
BLOCK_LIMIT = 16 << 20
"""Bytes of one block of payload to send."""
ENDS = {"line": b"\n", "nul": b"\0"}
"""What ends each message of a block, by framing; in ``whole`` the block is one message."""
COUNT_LIMIT = (1 << 53) - 1
"""The largest whole number of a request (RFC 8259, section 6)."""
State = Literal[
    "idle", "connecting", "handshaking", "ready", "waiting", "offline", "paused", "stopped", "failed", "done"
]
"""A channel's state: a value of `wscli.core.states.ChannelState`, for clients, which do not import that."""
STATES: tuple[str, ...] = get_args(State)


class ProtocolError(WscliError):
    """The other side does not speak this protocol."""


def manager_stopped() -> NoInstance:
    """Return the error of everything that a manager still did when it was stopped."""
    return NoInstance("the manager was stopped", "`wscli up` starts it again")


def greeting() -> dict[str, Any]:
    """Return the keys that begin a first line."""
    return {"v": PROTOCOL, "wscli": __version__}


def encode_line(message: dict[str, Any]) -> bytes:
    """Encode one line; a lone surrogate in a name is kept as a JSON escape."""
    return json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"


def request_line(verb: str, args: Mapping[str, Any] | None = None) -> bytes:
    """Encode the first line of a client.

    Raises:
        UsageError: it is longer than a manager reads.
    """
    line = encode_line({**greeting(), "verb": verb, "args": dict(args or {})})
    if len(line) > LINE_LIMIT:
        text = f"the request is too long: {len(line)} bytes of at most {LINE_LIMIT}"
        raise UsageError(text, "split the names over several commands")
    return line


def decode_line(line: bytes) -> dict[str, Any]:
    """Decode one line.

    Raises:
        ProtocolError: it is not a JSON object.
    """
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        raise ProtocolError("the line is not JSON", "a request is one JSON object and a newline") from None
    if not isinstance(message, dict):
        raise ProtocolError("the line must be a JSON object", "a request is one JSON object and a newline")
    return message


def check_version(first: dict[str, Any], other: str) -> None:
    """Refuse a first line of another protocol, naming the side to upgrade.

    Args:
        first: the other side's first line.
        other: who that is, ``"client"`` or ``"manager"``.

    Raises:
        ProtocolError: the numbers differ.
    """
    number, version = first.get("v"), first.get("wscli")
    if type(number) is not int:
        raise ProtocolError(f"the {other} sent no protocol number", "the first line carries a 'v', a whole number")
    if number == PROTOCOL:
        return
    this = "manager" if other == "client" else "client"
    older = other if number < PROTOCOL else this
    raise ProtocolError(
        f"the {other} is wscli {str(version)[:40]!r} with protocol {str(number)[:20]}, "
        f"this {this} is wscli {__version__!r} with protocol {PROTOCOL}",
        "the manager is the older one: restart it with `wscli down`, then `wscli up -d`"
        if older == "manager"
        else "the client is the older one: upgrade the wscli that this command comes from",
    )


def split_block(block: bytes, framing: str) -> list[bytes]:
    """Split a block into messages; what follows the last end is a message as well, unless it is empty."""
    if framing == "whole":
        return [block]
    *messages, rest = block.split(ENDS[framing])
    return [*messages, rest] if rest else messages


def success(result: Mapping[str, Any]) -> dict[str, Any]:
    """Make an answer."""
    return {"ok": True, "result": dict(result)}


def failure(error: WscliError, **facts: Any) -> dict[str, Any]:
    """Make the answer that carries an error; ``facts`` are further keys, such as how much was sent before it."""
    return {"ok": False, "error": {"code": int(error.exit_code), "message": error.message, "hint": error.hint, **facts}}


def result_of(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer's result.

    Raises:
        WscliError: the error that the answer carries, of the class of its exit code.
        ProtocolError: it is not an answer.
    """
    match answer:
        case {"ok": True, "result": dict(result)}:
            return result
        case {"ok": False, "error": {"code": int(code), "message": str(message), "hint": str() | None as hint}}:
            raise error_for(code, message, hint)
    raise ProtocolError("the manager's answer cannot be read", "is it wscli that listens there? see `wscli ls`")


class AnswerReader:
    """Bytes in, answers out: the lines of a manager, for a client that blocks and for one that does not.

    The first is checked for the protocol's number, unless ``any_version`` is set.
    """

    def __init__(self) -> None:
        self.any_version = False
        self._buffer = bytearray()
        self._searched = 0
        self._greeted = False

    def received(self, data: bytes) -> None:
        """Add received bytes."""
        self._buffer += data

    def next_answer(self) -> dict[str, Any] | None:
        """Give the next answer, or None until more has been received.

        Raises:
            ProtocolError: it is not an answer, or of another version.
        """
        end = self._buffer.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(self._buffer)
            if self._searched > ANSWER_LIMIT:
                raise ProtocolError(f"the manager's answer is over {ANSWER_LIMIT >> 20} MiB")
            return None
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        self._searched = 0
        try:
            message = decode_line(line)
        except ProtocolError as error:
            raise ProtocolError(
                f"the answer cannot be read: {error.message}", "is it wscli that listens there? see `wscli ls`"
            ) from None
        if not self._greeted and not self.any_version:
            check_version(message, "manager")
        self._greeted = True
        return message

    def rest(self) -> bytes:
        """Return and forget the bytes after the answers."""
        rest, self._buffer = bytes(self._buffer), bytearray()
        return rest
