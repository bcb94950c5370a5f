"""The lines of the control socket: one JSON object each, with the protocol's number in the first of either side.

A request is ``{"v": 1, "wscli": "0.1.0", "verb": "stats", "args": {}}``; its answer ``{"v": 1, "wscli": "0.1.0",
"ok": true, "result": {}}`` or ``{..., "ok": false, "error": {"code": 6, "message": "...", "hint": "..."}}``. What
follows within a verb carries no number.
"""

import json
from collections.abc import Mapping
from typing import Any

from wscli import __version__
from wscli.errors import WscliError, error_for

__all__ = [
    "ANSWER_LIMIT",
    "BLOCK_LIMIT",
    "COUNT_LIMIT",
    "LINE_LIMIT",
    "PROTOCOL",
    "SPOKEN_BY_ALL",
    "STATES",
    "Answers",
    "ProtocolError",
    "check_version",
    "decode",
    "encode",
    "failure",
    "greeting",
    "request_line",
    "result_of",
    "success",
]

PROTOCOL = 1
"""Raised whenever an older side would misread a newer one."""
LINE_LIMIT = 64 << 10
"""Bytes of one line of a client's, its newline included."""
SPOKEN_BY_ALL = frozenset({"ping", "down"})
"""Verbs that keep their form in every version, so that an older manager can be told to go."""
ANSWER_LIMIT = 64 << 20
"""Bytes of one line of the manager's: the statistics of very many channels."""
BLOCK_LIMIT = 16 << 20
"""Bytes of one block of payload to send."""
COUNT_LIMIT = (1 << 53) - 1
"""The largest whole number of a request (RFC 8259, section 6)."""
STATES = ("idle", "connecting", "handshaking", "ready", "waiting", "offline", "paused", "stopped", "failed", "done")
"""The values of ``wscli.core.states.ChannelState``, for clients, which import none of the core."""


class ProtocolError(WscliError):
    """The other side speaks another language, or none."""


def greeting() -> dict[str, Any]:
    """Begin a first line."""
    return {"v": PROTOCOL, "wscli": __version__}


def encode(message: dict[str, Any]) -> bytes:
    """Make one line; a lone surrogate in a name is kept as a JSON escape."""
    return json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"


def request_line(verb: str, args: Mapping[str, Any] | None = None) -> bytes:
    """Make the first line of a client's."""
    return encode({**greeting(), "verb": verb, "args": dict(args or {})})


def decode(line: bytes) -> dict[str, Any]:
    """Read one line.

    Raises:
        ProtocolError: it is no JSON object.

    """
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        raise ProtocolError("the line is not JSON", "a request is one JSON object and a newline") from None
    if not isinstance(message, dict):
        raise ProtocolError("the line is JSON but no object", "a request is one JSON object and a newline")
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
    if type(number) is int and number == PROTOCOL:
        return
    if type(number) is not int:
        raise ProtocolError(f"the {other} sent no protocol number", "the first line carries a 'v', a whole number")
    this = "manager" if other == "client" else "client"
    older = other if number < PROTOCOL else this
    raise ProtocolError(
        f"the {other} is wscli {str(version)[:40]!r} with protocol {str(number)[:20]}, "
        f"this {this} is wscli {__version__!r} with protocol {PROTOCOL}",
        "the manager is the older one: restart it with `wscli down`, then `wscli up -d`"
        if older == "manager"
        else "the client is the older one: upgrade the wscli that this command comes from",
    )


def success(result: Mapping[str, Any]) -> dict[str, Any]:
    """Make an answer."""
    return {"ok": True, "result": dict(result)}


def failure(error: WscliError, **facts: Any) -> dict[str, Any]:
    """Make the answer that carries an error; ``facts`` are further keys, such as how much was sent before it."""
    return {"ok": False, "error": {"code": int(error.exit_code), "message": error.message, "hint": error.hint, **facts}}


def result_of(answer: dict[str, Any]) -> dict[str, Any]:
    """Give an answer's result.

    Raises:
        WscliError: the error that the answer carries, of the class of its exit code.
        ProtocolError: it is no answer.

    """
    match answer:
        case {"ok": True, "result": dict(result)}:
            return result
        case {"ok": False, "error": {"code": int(code), "message": str(message), "hint": str() | None as hint}}:
            raise error_for(code, message, hint)
    raise ProtocolError("the manager's answer cannot be read", "is it wscli that listens there? see `wscli ls`")


class Answers:
    """Bytes in, answers out: the lines of a manager, for a client that blocks and for one that does not.

    The first is checked for the protocol's number, unless ``any_version`` is set.
    """

    def __init__(self) -> None:
        self.any_version = False
        self._buffer = bytearray()
        self._searched = 0
        self._greeted = False

    def received(self, data: bytes) -> None:
        """Say what came."""
        self._buffer += data

    def take(self) -> dict[str, Any] | None:
        """Give the next answer, or None until more has been received.

        Raises:
            ProtocolError: it is no answer, or one of another version.

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
            message = decode(line)
        except ProtocolError as error:
            raise ProtocolError(
                f"the answer cannot be read: {error.message}", "is it wscli that listens there? see `wscli ls`"
            ) from None
        if not self._greeted and not self.any_version:
            check_version(message, "manager")
        self._greeted = True
        return message

    def rest(self) -> bytes:
        """Give what came behind the answers, and forget it."""
        rest, self._buffer = bytes(self._buffer), bytearray()
        return rest
