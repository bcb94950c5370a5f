"""Cross-origin requests of pages whose origin may connect (Fetch, section 3.3); pure."""

from __future__ import annotations

from websockets.http11 import Request, Response

from wscli.gateway.handshake import response
from wscli.gateway.http.records import CURSOR_HEADER

__all__ = ["cors_headers", "is_preflight", "preflight_response"]

_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST",
    "Access-Control-Allow-Headers": "Authorization, Cache-Control, Content-Type, Last-Event-ID",
    "Access-Control-Max-Age": "600",
}


def is_preflight(request: Request) -> bool:
    """Whether a browser asks what a page may request; it sends no token with that."""
    return request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers


def cors_headers(request: Request) -> dict[str, str]:
    """Let the page that requested it read an answer; access control let in its origin, or there is none."""
    origin = request.headers.get_all("Origin")
    if not origin:
        return {}
    return {
        "Access-Control-Allow-Origin": origin[0],
        "Vary": "Origin",
        "Access-Control-Expose-Headers": CURSOR_HEADER,
    }


def preflight_response(request: Request) -> Response:
    """Tell a browser what a page of an allowed origin may request."""
    return response(204, b"", headers={**cors_headers(request), **_PREFLIGHT})
