"""The transition tables: complete, closed, and as the contract with scripts names the states."""

from __future__ import annotations

from typing import get_args

import pytest

from wscli.core.events import ChannelEvent
from wscli.core.states import HOLDS_CONNECTION, SETTLED, ChannelState
from wscli.core.transitions import CHANNEL_TABLE, OPEN, UPSTREAM_TABLE

S = ChannelState
OF_AN_UPSTREAM = set(S) - {S.PAUSED, S.STOPPED}


def follows(before: ChannelState) -> set[ChannelState]:
    return {after for (state, _), states in UPSTREAM_TABLE.items() if state is before for after in states} - {before}


def test_the_names_are_those_that_scripts_rely_on() -> None:
    named = "idle connecting handshaking ready waiting offline paused stopped failed done"
    assert [str(state) for state in ChannelState] == named.split()


def test_paused_and_stopped_are_states_of_channels_and_never_of_an_upstream() -> None:
    assert {state for state, _ in UPSTREAM_TABLE} == OF_AN_UPSTREAM
    assert {after for states in UPSTREAM_TABLE.values() for after in states} == OF_AN_UPSTREAM
    own = {OPEN, S.IDLE, S.HANDSHAKING, S.WAITING, S.PAUSED, S.STOPPED, S.FAILED, S.DONE}
    assert {after for states in CHANNEL_TABLE.values() for after in states} == own
    assert set(CHANNEL_TABLE) == {(state, event) for state in own for event in get_args(ChannelEvent)}


def test_every_state_can_be_reached_from_a_new_upstream() -> None:
    reached = {S.IDLE}
    while (further := reached.union(*map(follows, reached))) != reached:
        reached = further
    assert reached == OF_AN_UPSTREAM


@pytest.mark.parametrize("state", sorted(OF_AN_UPSTREAM))
def test_every_state_can_be_left_for_a_dial_be_closed_and_state_an_error_of_ours(state: ChannelState) -> None:
    assert state in HOLDS_CONNECTION or S.CONNECTING in follows(state)
    assert state is S.IDLE or S.IDLE in follows(state)
    assert state is S.FAILED or S.FAILED in follows(state)


def test_ready_is_reached_only_through_a_handshake_and_a_handshake_only_through_a_dial_or_a_rotation() -> None:
    assert [state for state in OF_AN_UPSTREAM if S.READY in follows(state)] == [S.HANDSHAKING]
    assert {state for state in OF_AN_UPSTREAM if S.HANDSHAKING in follows(state)} == {S.CONNECTING, S.READY}


def test_only_an_attempt_that_ended_makes_wait() -> None:
    assert {state for state in OF_AN_UPSTREAM if S.WAITING in follows(state)} == HOLDS_CONNECTION


def test_what_only_a_person_ends_holds_no_connection() -> None:
    assert not SETTLED & HOLDS_CONNECTION
    assert SETTLED == {S.PAUSED, S.STOPPED, S.FAILED, S.DONE}
    for state in SETTLED & OF_AN_UPSTREAM:
        assert follows(state) <= {S.CONNECTING, S.IDLE, S.FAILED}
