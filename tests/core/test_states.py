"""The transition table: complete, closed, and as the contract with scripts names it."""

from __future__ import annotations

import pytest

from wscli.core.states import HOLDS_CONNECTION, SETTLED, TRANSITIONS, ChannelState

S = ChannelState


def test_the_names_are_those_that_scripts_rely_on() -> None:
    named = "idle connecting handshaking ready waiting offline paused stopped failed done"
    assert [str(state) for state in ChannelState] == named.split()


def test_every_state_has_its_row_and_none_leads_to_itself() -> None:
    assert set(TRANSITIONS) == set(ChannelState)
    assert [state for state in ChannelState if state in TRANSITIONS[state]] == []


@pytest.mark.parametrize("state", ChannelState)
def test_every_state_can_be_reached_from_a_new_channel(state: ChannelState) -> None:
    reached = {S.IDLE}
    while (further := reached.union(*(TRANSITIONS[known] for known in reached))) != reached:
        reached = further
    assert state in reached


@pytest.mark.parametrize("state", ChannelState)
def test_every_state_can_be_left_for_an_open_connection_and_be_stopped(state: ChannelState) -> None:
    assert state in HOLDS_CONNECTION or S.CONNECTING in TRANSITIONS[state]
    assert state is S.STOPPED or S.STOPPED in TRANSITIONS[state]


@pytest.mark.parametrize("state", ChannelState)
def test_an_error_of_ours_can_be_stated_from_everywhere(state: ChannelState) -> None:
    assert state is S.FAILED or S.FAILED in TRANSITIONS[state]


def test_ready_is_reached_only_through_a_handshake_and_a_handshake_only_through_a_dial_or_a_rotation() -> None:
    assert [state for state in ChannelState if S.READY in TRANSITIONS[state]] == [S.HANDSHAKING]
    assert [state for state in ChannelState if S.HANDSHAKING in TRANSITIONS[state]] == [S.CONNECTING, S.READY]


def test_only_an_attempt_that_ended_makes_wait() -> None:
    assert {state for state in ChannelState if S.WAITING in TRANSITIONS[state]} == HOLDS_CONNECTION


def test_what_only_a_person_ends_holds_no_connection() -> None:
    assert not SETTLED & HOLDS_CONNECTION
    assert SETTLED == {S.PAUSED, S.STOPPED, S.FAILED, S.DONE}
    for state in SETTLED:
        assert TRANSITIONS[state] <= {S.CONNECTING, S.IDLE} | SETTLED
