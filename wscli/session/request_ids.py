"""Ids of local clients' requests: replaced by ids that are unique on the connection, and put back in the reply."""

from __future__ import annotations

import math
from typing import Any

from wscli.jsontext import json_key
from wscli.session.actions import MessageRefused
from wscli.session.plan import SessionPlan
from wscli.templates import JsonTemplate, Template
from wscli.templates.shapes import Equality

__all__ = ["OwnId", "RequestIds"]

MOST_IN_BATCH = 1000
_INFINITE = (math.inf, -math.inf)
"""What a number such as 1e999 is decoded to: JSON cannot write that."""
_Path = tuple[str | int, ...]
_Id = int | float | str
OwnId = _Id | tuple[_Id | None, ...]
"""The id of a request, or those of the requests of a batch (JSON-RPC 2.0, section 6)."""


class RequestIds:
    """Where a request has its id, and where its reply has it, as ``reply``, ``merge`` and ``outgoing`` say.

    Where ``merge`` has a reference, the request's id is what that replaces. Where neither it nor ``outgoing`` has one,
    the request has its id where ``reply`` has it, and ``replaced`` puts the reference there.
    """

    __slots__ = ("_drawn", "_find_in_reply", "_find_in_request", "_in_reply", "_in_request")

    def __init__(self, plan: SessionPlan) -> None:
        leaves = () if plan.reply is None else plan.reply.equalities
        self._in_reply = next((leaf.path for leaf in leaves if _is_sent_ref(leaf.wanted)), None)
        wrapping = [one for one in (plan.outgoing, plan.merge) if isinstance(one, JsonTemplate)]
        self._drawn = any(space == "ref" for one in wrapping for space, _ in one.references)
        merged = None if plan.merge is None else plan.merge.path_to("ref")
        self._in_request = merged if self._drawn else self._in_reply
        self._find_in_reply = Equality(self._in_reply or (), None).find
        self._find_in_request = Equality(self._in_request or (), None).find

    @property
    def replaces(self) -> bool:
        """Whether ``replaced`` is what puts a reference into a request."""
        return not self._drawn and self._in_request is not None

    def of(self, request: Any) -> OwnId | None:
        """Give the id of a request, or those of a batch; None: the answer to it, if any, is not told by one.

        Raises:
            MessageRefused: it is a batch of too many.
        """
        if isinstance(request, list) and self.replaces and isinstance(next(iter(self._in_request or ()), None), str):
            found = tuple(map(self._one, request))
            if (count := len(found) - found.count(None)) > MOST_IN_BATCH:
                raise MessageRefused(f"a batch of over {MOST_IN_BATCH} requests", "send them in several")
            return found if count else None
        return self._one(request)

    def _one(self, request: Any) -> _Id | None:
        found = None if self._in_request is None or self._in_reply is None else self._find_in_request(request)
        if isinstance(found, bool) or not isinstance(found, (int, float, str)):
            return None
        return None if found in _INFINITE else found

    def replaced(self, request: Any, own: OwnId, ref: Any) -> Any:
        """Give the request with a reference in the place of each id: a number for a number, text for text."""
        path = self._in_request or ()
        if not isinstance(own, tuple):
            return _put(request, path, ref.get(_kind(own)))
        drawn = ref.each(None if one is None else _kind(one) for one in own)
        return [one if new is None else _put(one, path, new) for one, new in zip(request, drawn, strict=True)]

    def restored(self, reply: Any, own: OwnId, ref: Any) -> Any:
        """Give the reply with the request's own id in the place of the reference, in any order where it is a batch."""
        path = self._in_reply or ()
        if not isinstance(own, tuple):
            return _put(reply, path, own)
        if not isinstance(reply, list):  # of a server that answers the first of a batch alone
            return self.restored([reply], own, ref)[0]
        ids = dict(zip(map(json_key, ref), own, strict=True))
        found = [ids.get(json_key(self._find_in_reply(one))) for one in reply]
        return [one if old is None else _put(one, path, old) for one, old in zip(reply, found, strict=True)]


def _is_sent_ref(wanted: Any) -> bool:
    whole = wanted.whole if isinstance(wanted, Template) else None
    return whole is not None and (whole.space, whole.name) == ("sent", "ref")


def _kind(own: _Id) -> str:
    return "str" if isinstance(own, str) else "int"


def _put(value: Any, path: _Path, leaf: Any) -> Any:
    """Give a copy of a value that has a leaf at a path; the path is one that it has."""
    if not path:
        return leaf
    copy = value.copy()
    copy[path[0]] = _put(value[path[0]], path[1:], leaf)
    return copy
