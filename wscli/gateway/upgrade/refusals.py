"""What a client is answered whose upgrade is refused because of its upstream; pure."""

from __future__ import annotations

import math
from http import HTTPStatus
from shlex import quote

from websockets.http11 import Response

from wscli.control.protocol import FAILURE_HEADER
from wscli.control.text import escape
from wscli.core.failures import Failure, FailureKind
from wscli.errors import UnknownChannel, UsageError, WscliError
from wscli.gateway.handshake import response
from wscli.transport.connection import UpgradeExchange

__all__ = ["UpgradeRefused", "refusal_for_error", "refusal_for_failure", "refusal_for_now"]

_PASSED_ON = {"content-type": "Content-Type", "retry-after": "Retry-After", "www-authenticate": "WWW-Authenticate"}
"""Headers of the server's own refusal that the client gets."""
_WITHOUT_BODY = (204, 205, 304)


class UpgradeRefused(Exception):
    """The client is refused with this answer."""

    def __init__(self, answer: Response) -> None:
        super().__init__(answer.status_code)
        self.answer = answer


def refusal_for_failure(
    failure: Failure, exchange: UpgradeExchange | None = None, *, channel: str, retry_after: float | None = None
) -> Response:
    """Answer with the failure of a dial, or of a connection that ended before it was ready.

    An upgrade that the server refused is answered as the server answered it: status, phrase, the beginning of the body
    and the headers that matter. Other failures are 504 for a timeout and 502 for the rest. Each carries
    ``FAILURE_HEADER``, and that of a redirect its ``Location``, which `Handshake.answer` keeps for attached clients.

    Args:
        failure: why there is no connection, without secrets.
        exchange: the upgrade and the server's answer, without secrets, as ``AttemptRecord.shown_timeline`` gives it.
        channel: the name of the channel, for the hint.
        retry_after: seconds until the next dial may begin, where that is known.
    """
    headers = {FAILURE_HEADER: str(failure.kind)}
    if retry_after is not None:
        headers["Retry-After"] = _seconds(retry_after)
    if failure.location is not None and _is_harmless(failure.location):
        headers["Location"] = failure.location
    if failure.kind is FailureKind.STATUS and exchange is not None and _is_final(exchange.status, failure.code):
        return _as_answered(exchange, headers)
    status = HTTPStatus.GATEWAY_TIMEOUT if failure.kind is FailureKind.TIMEOUT else HTTPStatus.BAD_GATEWAY
    return response(status, _body(failure.text, f"`wscli doctor {quote(channel)}` tells each step"), headers=headers)


def refusal_for_now(text: str, hint: str | None, *, retry_after: float | None = None) -> Response:
    """Answer with 503: no connection may be opened, or none is ready, at present."""
    headers = {} if retry_after is None else {"Retry-After": _seconds(retry_after)}
    return response(HTTPStatus.SERVICE_UNAVAILABLE, _body(text, hint), headers=headers)


def refusal_for_error(error: WscliError) -> Response:
    """Answer with an error of ours."""
    status = 404 if isinstance(error, UnknownChannel) else 400 if isinstance(error, UsageError) else 503
    return response(status, _body(error.message, error.hint))


def _is_final(status: int | None, code: int | None) -> bool:
    """Whether the server's answer may be passed on: it is the last one, and ends the request."""
    return status is not None and status == code and status >= HTTPStatus.OK


def _as_answered(exchange: UpgradeExchange, headers: dict[str, str]) -> Response:
    status = exchange.status or HTTPStatus.BAD_GATEWAY
    passed_on = {
        _PASSED_ON[name]: value for name, value in exchange.answer if name in _PASSED_ON and _is_harmless(value)
    }
    content_type = passed_on.pop("Content-Type", "text/plain; charset=utf-8")
    body = b"" if status in _WITHOUT_BODY else exchange.body.encode("utf-8", "replace")
    phrase = exchange.phrase if _is_harmless(exchange.phrase) else ""
    return response(status, body, content_type, {**headers, **passed_on}, phrase=phrase)


def _is_harmless(text: str) -> bool:
    """Whether text of a server may stand in a line of ours: a control character could end it."""
    return text.isascii() and text.isprintable()


def _body(text: str, hint: str | None) -> bytes:
    told = escape(text) if hint is None else f"{escape(text)}\nhint: {hint}"
    return f"{told}\n".encode("utf-8", "replace")


def _seconds(wait: float) -> str:
    return str(max(0, math.ceil(wait)))
