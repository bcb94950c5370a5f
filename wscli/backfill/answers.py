"""The messages in an answer."""

from __future__ import annotations

import json
from typing import Any

from wscli.backfill.models import BackfillModel
from wscli.templates.paths import ABSENT, JsonPath
from wscli.tokens.answer import parse_answer
from wscli.tokens.errors import SourceFailed

__all__ = ["parse_messages"]


def parse_messages(text: str, plan: BackfillModel) -> list[bytes]:
    """Give the messages of an answer, oldest first: text unchanged, any other JSON value as compact JSON.

    Raises:
        SourceFailed: the answer is not JSON, the list is missing, or an item has no message.
    """
    items = _at(plan.items, parse_answer(text))
    if not isinstance(items, list):
        raise SourceFailed(f"the answer has no list at {'.' if plan.items is None else plan.items.source}")
    messages = [_message(item, plan) for item in items]
    return messages if plan.order == "oldest" else messages[::-1]


def _message(item: Any, plan: BackfillModel) -> bytes:
    found = _at(plan.show, item)
    if found is ABSENT:
        raise SourceFailed(f"an item of the answer has nothing at {'.' if plan.show is None else plan.show.source}")
    if isinstance(found, str):
        return found.encode("utf-8", "replace")  # a lone surrogate has no encoding
    try:
        return json.dumps(found, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8", "replace")
    except ValueError:
        raise SourceFailed("an item of the answer holds a number that is too large") from None


def _at(path: JsonPath | None, value: Any) -> Any:
    return value if path is None else path.get(value)
