"""What is said of a channel that is not ready."""

from __future__ import annotations

from typing import Any

import pytest

from wscli.control.text import state_text


def status(state: str, text: str, *, attempt: int = 1, at: float | None = None) -> Any:
    return {
        "state": state,
        "reason": {"code": "x", "text": text},
        "next": {"action": "x", "at": at},
        "attempt": attempt,
    }


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (status("waiting", "refused", attempt=2, at=104.0), "waiting 4 s: refused; attempt 3"),
        (status("waiting", "refused", at=100.42), "waiting 0.4 s: refused; attempt 2"),
        (status("waiting", "refused", at=90.0), "waiting 0 s: refused; attempt 2"),
        (status("waiting", "HTTP 503", attempt=9, at=3700.0), "waiting 60 min: HTTP 503; attempt 10"),
        (status("waiting", "refused"), "waiting: refused; attempt 2"),
        (status("connecting", "resolving api.example.com"), "connecting: resolving api.example.com"),
        (
            status("connecting", "resolving; last attempt: refused", attempt=3),
            "connecting: resolving; last attempt: refused; attempt 3",
        ),
        (status("offline", "no network leads to the server", attempt=7), "offline: no network leads to the server"),
        (status("ready", "connected and ready"), "ready: connected and ready"),
    ],
)
def test_a_state_is_said_with_its_reason_and_the_next_attempt(one: Any, text: str) -> None:
    assert state_text(one, 100.0) == text
