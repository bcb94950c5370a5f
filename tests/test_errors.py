"""The error tree: what is drawn is what is, and an exit code finds its way across the socket and back."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from wscli import errors
from wscli.errors import AuthError, ExitCode, WscliError, error_for

CONTRACT = {
    "OK": 0,
    "ERROR": 1,
    "USAGE": 2,
    "CONFIG": 3,
    "AUTH": 4,
    "NO_INSTANCE": 5,
    "UNKNOWN_CHANNEL": 6,
    "NOT_SENT": 7,
    "CHANNEL_UNAVAILABLE": 8,
    "OUTCOME_UNKNOWN": 9,
    "TIMED_OUT": 124,
    "INTERRUPTED": 130,
    "TERMINATED": 143,
}
KINDS = [getattr(errors, name) for name in errors.__all__ if name not in ("ExitCode", "error_for")]


def test_the_exit_codes_are_those_that_scripts_rely_on() -> None:
    assert {code.name: code.value for code in ExitCode} == CONTRACT


def test_the_drawn_tree_of_errors_is_the_real_one() -> None:
    drawn = re.findall(r"^    (?:[├└]── )?(\w+) +(\d+) ", errors.__doc__ or "", re.MULTILINE)
    assert [(kind.__name__, str(int(kind.exit_code))) for kind in KINDS] == drawn
    assert all(kind is WscliError or kind.__bases__ == (WscliError,) for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_survives_its_way_across_the_socket(kind: type[WscliError]) -> None:
    sent = kind("no channel is called 'cals'", "did you mean 'calls'?")
    received = error_for(int(sent.exit_code), sent.message, sent.hint)
    assert type(received) is kind
    assert (received.message, received.hint) == ("no channel is called 'cals'", "did you mean 'calls'?")
    assert (str(received), kind("x").hint) == (sent.message, None)


@pytest.mark.parametrize("code", [0, 42, -1, 130, 143])
def test_an_unassigned_code_is_a_plain_error(code: int) -> None:
    assert type(error_for(code, "what")) is WscliError


def test_no_two_kinds_share_a_code() -> None:
    assert len({kind.exit_code for kind in KINDS}) == len(KINDS)


def test_a_hint_is_kept_apart_from_the_message() -> None:
    error = AuthError("token 'session' could not be had", "see `wscli token ls`")
    assert str(error) == "token 'session' could not be had"
    assert error.hint == "see `wscli token ls`"
    assert AuthError("x").hint is None


def test_the_thin_client_may_load_it() -> None:
    """No heavy module comes with it: DESIGN of the client forbids them at start."""
    heavy = "asyncio dataclasses pydantic websockets tenacity yaml rich"
    program = f"import sys, wscli.errors; print([name for name in {heavy.split()} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "[]"
