"""The one reader of requests: what it accepts, and that every refusal names the argument in one line."""

from __future__ import annotations

from typing import Any

import pytest

from wscli.control.protocol import ProtocolError
from wscli.daemon.socket.handlers import HANDLERS
from wscli.daemon.socket.validation import read_block, read_request, request_types


def test_every_verb_of_the_manager_has_a_request_type_or_ignores_its_arguments() -> None:
    assert {verb for verb, handler in HANDLERS.items() if not request_types(handler)} == {"ping", "down"}


@pytest.mark.parametrize(
    ("verb", "args"),
    [
        ("tail", {"channels": ["a"], "last": 3, "since": 1, "after": {"a": "k3f9:1"}, "count": None, "follow": True}),
        ("consume", {"channel": "a", "consumer": "c", "pid": 7, "claim": None}),
        ("wait", {"channels": ["a"], "for": "ready"}),
        ("outbox", {"action": "rm", "ids": [1, 2], "expired": False, "channel": None}),
        ("queue", {"channel": "a", "key": None, "ttl": 1.5, "bytes": 0, "framing": "nul"}),
        ("token", {"action": "refresh", "name": "t"}),
        ("stats", {}),
        ("ping", {"whatever": [1]}),
    ],
)
def test_a_valid_request_is_returned_as_it_is(verb: str, args: dict[str, Any]) -> None:
    assert read_request(verb, args, HANDLERS[verb]) == args


@pytest.mark.parametrize(
    ("verb", "args", "message"),
    [
        ("stats", 7, "the arguments must be a JSON object"),
        ("stats", {"chanels": []}, "unknown argument 'chanels'"),
        ("reload", {"file": "a"}, "unknown argument 'file'"),
        ("stats", {"channels": "a"}, "argument 'channels' must be a list of names"),
        ("stats", {"channels": None}, "argument 'channels' must be a list of names"),
        ("stop", {"channels": []}, "argument 'channels' must be a list of at least one name"),
        ("start", {"channels": []}, "argument 'channels' must be a list of at least one name"),
        ("tail", {"channels": []}, "argument 'channels' must be a list of at least one name"),
        ("doctor", {}, "argument 'channel' is missing: it must be text"),
        ("doctor", {"channel": "a", "dial": 1}, "argument 'dial' must be true or false"),
        ("logs", {"n": True}, "argument 'n' must be a whole number of at least 0"),
        ("logs", {"n": 1 << 53}, "argument 'n' must be a whole number of at least 0"),
        ("send", {"channel": "a", "timeout": float("nan")}, "argument 'timeout' must be a number of seconds"),
        ("send", {"channel": "a", "framing": "jpeg"}, "argument 'framing' must be one of whole, line, nul, not 'jpeg'"),
        ("send", {"channel": "a", "timeout": 10**400}, "argument 'timeout' must be a number of seconds"),
        ("tail", {"channels": ["a"], "since": float("inf")}, "argument 'since' must be a time in seconds"),
        ("tail", {"channels": ["a"], "since": float("nan")}, "argument 'since' must be a time in seconds"),
        ("tail", {"channels": ["a"], "since": 10**400}, "argument 'since' must be a time in seconds"),
        ("tail", {"channels": ["a"], "after": {"a": 7}}, "argument 'after' must be an object that maps names to text"),
        ("wait", {"channels": ["a"], "for": "redy"}, "argument 'for' must be one of idle, .*, not 'redy'"),
        ("wait", {"channels": ["a"], "for": ["ready"]}, "argument 'for' must be one of idle"),
        ("token", {"action": "steal"}, "invalid action: 'steal'"),
        ("token", {"name": "t"}, "invalid action: 'None'"),
        ("queue", {"channel": "a", "key": "\udcff"}, "argument 'key' must be text in UTF-8"),
        ("outbox", {"action": "rm", "channel": "rooms/\udcff"}, "argument 'channel' must be text in UTF-8"),
        ("outbox", {"action": "rm", "ids": [1.5]}, "argument 'ids' must be a list of whole numbers"),
    ],
)
def test_an_invalid_request_is_refused_in_one_line_with_a_hint(verb: str, args: Any, message: str) -> None:
    with pytest.raises(ProtocolError, match=message) as refused:
        read_request(verb, args, HANDLERS[verb])
    assert "\n" not in refused.value.message
    assert refused.value.hint


def test_a_line_between_blocks_announces_a_block_or_asks_for_outcomes() -> None:
    assert read_block("send", {"bytes": 3}) == {"bytes": 3}
    assert read_block("queue", {"outcomes": True}) == {"outcomes": True}
    with pytest.raises(ProtocolError, match="unknown argument 'outcomes'"):
        read_block("send", {"outcomes": True})
    with pytest.raises(ProtocolError, match="argument 'bytes' is missing"):
        read_block("queue", {})
