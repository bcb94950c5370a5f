"""``wscli tail``: the messages of channels, one a line."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from wscli.cli.interrupts import interruptible
from wscli.cli.options import DURATION, Number, channels_argument, json_option, read_time, timeout_option, with_instance
from wscli.cli.printing import note
from wscli.cli.tail.stream import TailCommandOptions, TailSession
from wscli.control.output import Output
from wscli.control.selection import Selection
from wscli.control.sinks import CopySink, shown_json, shown_text
from wscli.errors import UsageError, WscliError, error_for

_EXEC_TIMEOUT = 60.0


def _check(wanted: TailCommandOptions) -> None:
    if sum(one is not None for one in (wanted.last, wanted.since, wanted.after)) > 1:
        raise UsageError("--last, --since and --after exclude each other", "each says where to begin: give one")
    if wanted.after is not None and len(set(wanted.channels)) > 1:
        raise UsageError("--after goes with one channel", "a cursor is a place in one channel's history")
    if wanted.consumer is not None and len(set(wanted.channels)) > 1:
        raise UsageError("--consumer goes with one channel", "a consumer has a place in one channel's history")
    if wanted.exec is None and any(one is not None for one in (wanted.parallel, wanted.key, wanted.exec_timeout)):
        raise UsageError("--parallel, --key and --exec-timeout go with --exec", "they say how its commands run")
    if wanted.exec is not None and (wanted.as_json or wanted.nul or wanted.jq is not None):
        raise UsageError("--exec prints nothing by itself, and goes with none of --json, -0 and --jq", "leave them out")
    if wanted.as_json and wanted.nul and wanted.jq is None:
        raise UsageError("--json and -0 exclude each other", "a record has no newline in it: read --json by the line")


def _sink(wanted: TailCommandOptions, output: Output, *, terminal: bool) -> CopySink:
    if wanted.exec is not None:
        from wscli.cli.tail.exec_sink import ExecSink, argv_of

        return ExecSink(
            output,
            note,
            argv_of(wanted.exec),
            parallel=wanted.parallel or 1,
            timeout=wanted.exec_timeout or _EXEC_TIMEOUT,
            key=wanted.key,
        )
    if wanted.jq is None:
        show = (shown_json if wanted.as_json else shown_text) if terminal else None
        return CopySink(output, note, records=wanted.as_json, show=show)
    from wscli.cli.tail.jq_sink import JqSink

    return JqSink(
        output,
        note,
        wanted.jq,
        strict=wanted.consumer is not None,
        records=wanted.as_json,
        labelled=len(set(wanted.channels)) > 1 and not wanted.as_json,
        end=b"\0" if wanted.nul else b"\n",
        count=wanted.most,
        show=shown_text if terminal else None,
    )


@click.command("tail")
@with_instance
@channels_argument(required=True)
@json_option("A record a line, gaps included.")
@click.option("-n", "--last", type=Number(0), metavar="N", help="Replay the last N of each channel first.")
@click.option(
    "--since", callback=read_time, metavar="T", help="Replay from so long ago (10m), or from an RFC 3339 time."
)
@click.option("--after", metavar="CURSOR", help="Go on after a record's epoch:seq.")
@click.option("--count", "most", type=Number(1), metavar="N", help="End after N messages, over all channels.")
@timeout_option("End with 124 after this long, whatever came.")
@click.option("--idle-timeout", type=DURATION, metavar="T", help="End with 124 after this long without a message.")
@click.option("--jq", metavar="EXPR", help="Print what this jq program makes of each message, as `jq -rc` does.")
@click.option("-0", "nul", is_flag=True, help="End each message with NUL instead of a newline.")
@click.option("--retry", is_flag=True, help="Wait for a manager that is away, and continue after the last message.")
@click.option("--consumer", metavar="NAME", help="Continue at the position of this consumer, and keep it.")
@click.option(
    "--ack",
    type=click.Choice(["auto"]),
    default="auto",
    show_default=True,
    help="A message is done once it is written out, or with --exec once its command has exited with 0.",
)
@click.option("--exec", metavar="CMD", help="Run a command for each message, which it reads on stdin.")
@click.option("--parallel", type=Number(1, 64), metavar="N", help="Run up to N commands at a time.  [default: 1]")
@click.option("--key", metavar="JQ", help="Keep the order of messages with the same result of this jq program.")
@click.option("--exec-timeout", type=DURATION, metavar="T", help="Kill a command that takes longer.  [default: 1m]")
@click.option(
    "-f", "--follow/--no-follow", default=True, help="Wait for more, or print what there is.  [default: follow]"
)
def command(selection: Selection, /, **options: Any) -> int:
    """Print the messages of channels, one a line.

    It begins with what comes next, or with --no-follow and for a new --consumer at the oldest message that is kept;
    --last, --since and --after begin elsewhere. With several channels each line begins with CHANNEL and a tab. Binary
    messages need --json or -0. stderr says when a channel is down, with the reason and the next attempt.

    Exits with 8 (or 4) at once when a channel failed, is stopped or paused, and with 5 when the manager goes, unless
    --retry is given. With --consumer, 9: its last position was not confirmed. With --exec, 1: a command failed.
    """
    wanted = TailCommandOptions(**options)
    _check(wanted)
    if sys.stdout is None:
        return 0  # stdout is closed, and its number would be taken by the socket
    output = Output(sys.stdout.fileno())
    sink = _sink(wanted, output, terminal=os.isatty(sys.stdout.fileno()))
    with interruptible(output, wanted.timeout) as wake:
        try:
            end = TailSession(selection, wanted, sink, output, wake=wake).run()
        except WscliError as error:
            raise sink.failure or error from None
        finally:
            sink.close()
    if sink.failure is not None:
        raise sink.failure
    if end.exit_code:
        raise error_for(end.exit_code, end.message, end.hint)
    return 0
