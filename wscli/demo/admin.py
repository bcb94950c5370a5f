"""``POST /admin/{order}``: the controls over HTTP, each argument a key of the JSON body."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any

from aiohttp import web
from pydantic import ValidationError, validate_call

__all__ = ["ORDERING", "Order", "admin_routes"]

Order = Callable[..., Awaitable[dict[str, Any]]]

ORDERING: ContextVar[web.Request | None] = ContextVar("ORDERING", default=None)
"""The request whose order is carried out: an order that drops all connections spares this one, for the answer."""


def admin_routes(orders: Mapping[str, Order]) -> list[web.RouteDef]:
    """Give the one route, for these orders."""
    checked = {name: validate_call(order) for name, order in orders.items()}

    async def handle(request: web.Request) -> web.Response:
        if "Origin" in request.headers:  # a page of a browser on this machine has no business here
            return _error(403, "orders are not taken from web pages")
        order = checked.get(request.match_info["order"])
        if order is None:
            return _error(404, f"there is no order {request.match_info['order']!r}; there are {', '.join(orders)}")
        ORDERING.set(request)
        try:
            arguments = json.loads(await request.text() or "{}")
            if not isinstance(arguments, dict):
                return _error(400, "the body is not a JSON object")
            return web.json_response(await order(**arguments))
        except ValidationError as error:
            found = error.errors()[0]
            return _error(400, f"{'.'.join(str(part) for part in found['loc'])}: {found['msg']}")
        except ValueError as error:
            return _error(400, str(error))

    return [web.post("/admin/{order}", handle)]


def _error(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)
