"""Durations; and ``--since``: so long ago, or a moment with its zone."""

from __future__ import annotations

import time

import click
import pytest

from wscli.cli.options import DURATION, read_time

COMMAND = click.Context(click.Command("tail"))
OPTION = click.Option(["--since"])


def test_durations_are_read_with_their_units_or_as_seconds():
    read = [DURATION.convert(text, None, None) for text in ("500ms", "10s", "1m30s", "1h", "2.5", "0")]
    assert read == [0.5, 10.0, 90.0, 3600.0, 2.5, 0.0]


@pytest.mark.parametrize(("text", "ago"), [("10s", 10), ("1m30s", 90), ("2d", 172800), ("5", 5)])
def test_a_duration_is_so_long_ago(text, ago):
    assert read_time(COMMAND, OPTION, text) == pytest.approx(time.time() - ago, abs=5)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-11-24T16:00:00Z", 1764000000.0),
        ("2025-11-24 16:00:00.5z", 1764000000.5),
        ("2025-11-24t17:30:00+01:30", 1764000000.0),
        ("1970-01-01T00:00:00Z", 0.0),
    ],
)
def test_a_moment_is_read_as_rfc_3339_writes_it(text, moment):
    assert read_time(COMMAND, OPTION, text) == moment


@pytest.mark.parametrize(
    "text",
    ["2025-11-24T16:00:00", "2025-11-24", "2025-02-30T00:00:00Z", "2025-11-24T16:00Z", "1d ago", "", "-5s", "now"],
)
def test_what_is_neither_is_refused(text):
    with pytest.raises(click.BadParameter, match="must be such as 10m, or 2026-01-02T03:04:05Z"):
        read_time(COMMAND, OPTION, text)


def test_no_option_is_no_moment():
    assert read_time(COMMAND, OPTION, None) is None
