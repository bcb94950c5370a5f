"""The hook that a client runs in."""

from __future__ import annotations

from wscli.control.hook import hook_of
from wscli.daemon.hooks.command import environment


def test_a_client_in_a_hook_knows_the_channel_and_the_instance() -> None:
    environ = environment({}, channel="rooms/7", instance="app", hook="on_state")
    assert hook_of(environ) == {"channel": "rooms/7", "instance": "app"}


def test_a_command_that_is_run_for_messages_by_tail_is_no_hook() -> None:
    assert hook_of({"WSCLI_CHANNEL": "rooms/7"}) == {}
