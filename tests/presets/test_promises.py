"""What every preset promises, against a server that was written from its protocol's document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.presets.cases import CASES, Case
from tests.presets.client import Client

Make = Callable[..., Client]


def _named(cases: list[Case]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.preset)


@_named(CASES)
def test_a_channel_is_ready_once_the_server_has_answered_and_its_messages_are_shown(case: Case, client: Make) -> None:
    server = case.server()
    one = client(case.file(), server).dial("main")
    assert one.members["main"].ready, one.reason
    case.publish(server)
    one.advance(0)
    assert one.members["main"].shown[-1] == case.shown
    assert one.verdict is None


@_named([case for case in CASES if case.waits])
def test_a_channel_is_not_ready_before_its_protocol_says_so(case: Case, client: Make) -> None:
    server = case.server()
    server.faults.add("mute")
    one = client(case.file(), server).dial("main")
    one.advance(3)
    assert not one.members["main"].ready
    one.advance(8)
    assert one.verdict is not None or one.members["main"].verdict is not None


@_named(CASES)
def test_an_hour_of_heartbeats_brings_no_verdict(case: Case, client: Make) -> None:
    one = client(case.file(), case.server()).dial("main")
    one.advance(3600)
    assert (one.verdict, one.closed) == (None, None), one.reason
    assert one.members["main"].ready


@_named([case for case in CASES if case.noticed])
def test_a_server_that_falls_silent_is_noticed_in_time(case: Case, client: Make) -> None:
    server = case.server()
    one = client(case.file(), server).dial("main")
    server.faults.add("deaf")
    assert case.noticed is not None
    trusted = case.noticed / 2.5 if case.trusted is None else case.trusted
    one.advance(trusted)
    assert one.verdict is None, one.reason
    one.advance(case.noticed - trusted)
    assert one.verdict is not None
    assert one.verdict.action == "reconnect"


@_named(CASES)
def test_each_close_code_has_its_verdict(case: Case, client: Make) -> None:
    one = client(case.file(), case.server()).dial("main")
    assert {code: one.on_close(code).action for code in case.closes} == case.closes


@_named([case for case in CASES if case.refused])
def test_a_refused_subscription_fails_no_other_channel(case: Case, client: Make) -> None:
    assert case.refused is not None
    values, action = case.refused
    server = case.server()
    one = client(case.file(values), server).dial("main", "other1")
    one.advance(1)
    other = one.members["other1"]
    assert not other.ready
    assert other.verdict is not None
    assert other.verdict.action == action
    case.publish(server)
    one.advance(0)
    assert one.verdict is None
    assert one.members["main"].shown[-1] == case.shown


@_named(CASES)
def test_after_an_outage_it_subscribes_again(case: Case, client: Make) -> None:
    server = case.server()
    one = client(case.file(), server).dial("main")
    one.lose()
    one.dial()
    assert one.members["main"].ready, one.reason
    before = len(one.members["main"].got)
    case.publish(server)
    one.advance(0)
    assert len(one.members["main"].got) > before


@_named([case for case in CASES if case.gone])
def test_a_channel_that_is_not_used_any_more_is_unsubscribed(case: Case, client: Make) -> None:
    assert case.gone is not None
    server = case.server()
    one = client(case.file(), server).dial("main")
    member = one.members["main"]
    one.leave("main")
    assert member.left
    assert case.gone(server)
    assert one.closed is None


@_named([case for case in CASES if case.request])
def test_a_request_gets_its_reply(case: Case, client: Make) -> None:
    assert case.request is not None
    message, expected = case.request
    one = client(case.file(), case.server()).dial("main")
    reply = one.request("main", message)
    assert _has(reply, expected), reply


def _has(reply: Any, expected: Any) -> bool:
    if isinstance(expected, dict):
        return isinstance(reply, dict) and all(_has(reply.get(key), value) for key, value in expected.items())
    if isinstance(expected, list):
        return isinstance(reply, list) and all(str(one) in str(reply) for one in expected)
    if isinstance(expected, str) and isinstance(reply, str):
        return all(piece in reply for piece in expected.split("{id}"))
    return bool(reply == expected)


@_named(CASES)
def test_several_channels_use_one_connection_where_the_protocol_has_subscriptions(case: Case, client: Make) -> None:
    one = client(case.file(), case.server()).dial("main")
    alone = ("json-subscribe", "discord", "slack", "mattermost", "deepgram")
    assert one.upstream.share is (case.preset not in alone)
