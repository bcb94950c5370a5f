"""``wscli doctor``: a channel's last attempt, step by step and timed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from wscli.cli.formatting import duration, next_step
from wscli.cli.options import channel_argument, json_option, with_instance
from wscli.cli.printing import json_lines, note, put
from wscli.control.client import ask
from wscli.control.selection import Selection
from wscli.control.text import escape
from wscli.errors import ExitCode

if TYPE_CHECKING:
    from wscli.control.messages.attempts import Doctor, ExchangeReport, SessionStep
    from wscli.control.requests import DoctorRequest

SWITCHING_PROTOCOLS = 101
DIAL_DEADLINE = 300.0
"""Seconds for a dial with its token and its place in the connect budget; they have shorter deadlines of their own."""


def _text(result: Doctor) -> str:
    """Show the channel, the attempt's steps, and how it ended."""
    now = time.time()
    one, attempt = result["channel"], result["attempt"]
    step = next_step(one, now=now)
    lines = [
        f"channel  {one['channel']}: {one['state']}: {one['reason']['text']}" + (f"; {step}" if step else ""),
        f"url      {result['url']}",
    ]
    if attempt is None:
        lines.append("attempt  none yet")
    else:
        tokens = ", with token " + ", ".join(attempt["tokens"]) if attempt["tokens"] else ""
        peer = f", to {attempt['peer']}" if attempt["peer"] else ""
        lines.append(f"attempt  {duration(now - attempt['started'])} ago{peer}{tokens}")
        for part in attempt["steps"]:
            mark = "ok" if part["ok"] else "FAILED"
            lines.append(f"  {part['name']:<8} {mark:<6} {duration(part['seconds']):>7}  {part['detail']}")
        for exchange in attempt["exchanges"]:
            lines += _exchange_lines(exchange)
        lines += _session_lines(attempt["session"])
        if attempt["failure"]:
            lines.append(f"ended    {attempt['failure']['text']}")
    return "".join(escape(line).rstrip() + "\n" for line in lines)


def _session_lines(steps: Sequence[SessionStep]) -> list[str]:
    """Show the steps of the session with their answers, and name the first that failed."""
    if not steps:
        return []
    width = max(len(one["place"]) for one in steps)
    lines = ["session"]
    for one in steps:
        mark = "ok" if one["ok"] else "FAILED"
        answer = f" -> {one['answer']}" if one["answer"] else ""
        lines.append(f"  {one['place']:<{width}} {mark:<6} {duration(one['seconds']):>7}  {one['action']}{answer}")
    failed = next((one for one in steps if not one["ok"]), None)
    if failed is not None:
        whose = f" of {failed['channel']}" if failed["channel"] else ""
        lines.append(f"failed   step {failed['place']}{whose}: {failed['action']}")
    return lines


def _exchange_lines(exchange: ExchangeReport) -> list[str]:
    """Show what was asked, and what was answered."""
    via = f", through {exchange['proxy']}" if exchange["proxy"] else ""
    offered = [*exchange["subprotocols"], *filter(None, [exchange["extensions"]])]
    lines = [f"asked    {exchange['url']}{via}", f"  headers  {', '.join(exchange['headers'])}"]
    if offered:
        lines.append(f"  offered  {', '.join(offered)}")
    answer = exchange["answer"]
    if answer is None:
        return lines
    lines.append(f"answer   HTTP {answer['status']} {answer['phrase']}")
    lines += [f"  {name}: {value}" for name, value in answer["headers"].items()]
    accepted = [*filter(None, [answer["subprotocol"], answer["extensions"]])]
    if answer["status"] == SWITCHING_PROTOCOLS and offered:
        lines.append(f"  accepted {', '.join(accepted) or 'none of them'}")
    if answer["body"]:
        lines.append(f"  body     {answer['body']}")
    return lines


@click.command("doctor")
@with_instance
@channel_argument
@click.option("--dial", is_flag=True, help="Open a second connection, close it, and report on that.")
@json_option("One JSON object.")
def command(selection: Selection, channel: str, dial: bool, as_json: bool) -> int:
    """Show a channel's last attempt, step by step.

    Each step is timed: token, connect budget, DNS, TCP, proxy, TLS, upgrade. Below them is each request and its answer,
    without secrets: names of the query and of headers, each redirect, the beginning of a refusal. Then, where the
    endpoint declares a session, each of its steps and of the channel's with its answer, and which step failed.

    --dial exits with 8 if the dial failed, with 4 if credentials were refused.
    """
    request: DoctorRequest = {"channel": channel, "dial": dial}
    result: Doctor = ask(selection, "doctor", request, timeout=DIAL_DEADLINE)
    if dial:
        note(f"dialled a second connection for {channel}, beside the channel's own, and closed it")
    put(json_lines([result]) if as_json else _text(result))
    failure = result["attempt"] and result["attempt"]["failure"]
    if not dial or not failure:
        return 0
    refused = failure["kind"] == "token" or failure["code"] in (401, 403, 4401)
    return ExitCode.AUTH if refused else ExitCode.CHANNEL_UNAVAILABLE
