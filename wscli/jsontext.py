"""JSON text and values: the one decoder and encoder of messages; big integers are kept exactly."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["decode_json", "encode_json", "json_key"]


def decode_json(text: str | bytes) -> Any:
    """Decode JSON.

    Raises:
        ValueError: it is not JSON, not UTF-8, or too deep.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("the JSON is too deep") from None


def encode_json(value: Any) -> str:
    """Encode compactly, with text as it stands; bytes become their text, or base64 where they are not UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def json_key(value: Any) -> Any:
    """Give a hashable key that is equal exactly where values are equal in JSON: ``1`` and ``1.0``, never ``true``."""
    kind = type(value)
    if kind is str or kind is int or kind is float:
        return value
    if kind is dict:
        return (dict, frozenset((key, json_key(item)) for key, item in value.items()))
    if kind is list:
        return (list, tuple(map(json_key, value)))
    return (kind, value)
