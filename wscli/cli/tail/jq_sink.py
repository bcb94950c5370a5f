"""``--jq``: each message through a jq program, printed as ``jq -rc`` prints."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from wscli.cli.formatting import counted
from wscli.control.frames import json_body
from wscli.control.output import Output
from wscli.control.sinks import CopySink
from wscli.errors import UsageError, WscliError
from wscli.expressions.compiled import InvalidExpression, is_json
from wscli.expressions.evaluator import Program

__all__ = ["JqSink", "program_of"]

_FLUSH = 1 << 16


class JqSink(CopySink):
    """Takes records as ``json`` encodes them, and prints what a program makes of each message.

    The program sees the parsed message; with ``records`` it sees the record, whose ``value`` is the parsed message, and
    gap records as well. What is not JSON, and what the program fails on, is left out and counted; with ``strict`` a
    message that it fails on ends it, before that message.

    Args:
        program: the jq program.
        strict: leave out nothing that the program fails on.
        labelled: begin each result with its channel's name and a tab.
        end: what ends each result.
        count: have enough after so many messages that printed something.

    Raises:
        UsageError: the program does not compile.
    """

    def __init__(
        self,
        output: Output,
        note: Callable[[str], None],
        program: str,
        *,
        strict: bool = False,
        records: bool = False,
        labelled: bool = False,
        end: bytes = b"\n",
        count: int | None = None,
        show: Callable[[memoryview], bytes] | None = None,
    ) -> None:
        super().__init__(output, note, records=records, show=show)
        self._program = program_of(program, "--jq")
        self._strict = strict
        self._labelled = labelled
        self._end = end
        self._left = count
        self._not_json = self._failed = 0
        self._why = ""
        self._results = bytearray()

    def data(self, channel: str, body: memoryview) -> bool:
        """Run the program on each record."""
        label = channel.encode("utf-8", "surrogateescape") + b"\t" if self._labelled else b""
        inputs = [self._input(line.decode()) for line in bytes(body).split(b"\n")[:-1]]
        answers = self._program.results([text for _, text in inputs if text is not None])
        for seq, text in inputs:
            if text is None:
                self._not_json += 1
            elif self._message(channel, seq, next(answers), label):
                answers.close()
                break
        for _ in answers:  # none: it is over, and gives its process back
            pass
        self._flush()
        return self.stopped_at is not None

    def _message(self, channel: str, seq: int, results: Iterator[str], label: bytes) -> bool:
        """Print what the program makes of a message, and say whether that was enough."""
        failed = self._failed
        printed = self._put(results, label)
        if self._strict and self._failed > failed:
            self._failed = failed
            self.failure = WscliError(
                f"--jq fails on message {seq} of {channel}: {self._why}",
                "its position stays before that message: run it again once the expression is mended",
            )
            self.stopped_at = seq - 1
        elif printed and self._left is not None:
            self._left -= 1
            if self._left == 0:
                self.stopped_at = seq
        return self.stopped_at is not None

    def gap(self, record: dict[str, Any]) -> bool:
        """Run the program on a gap's record, or tell of it."""
        if not self._records:
            return super().gap(record)
        for results in self._program.results([json_body(record).decode()]):
            self._put(results, b"")
        self._flush()
        return False

    def close(self) -> None:
        """Tell what was left out."""
        super().close()
        if self._not_json:
            self._note(f"{counted(self._not_json, 'message')} skipped: not JSON")
        if self._failed:
            self._note(f"{counted(self._failed, 'message')} skipped: jq: {self._why}")

    def _input(self, line: str) -> tuple[int, str | None]:
        """Give a message's number, and what the program sees of it, if it is JSON."""
        record = json.loads(line)
        if record["type"] != "text" or not is_json(record["data"]):
            return record["seq"], None
        return record["seq"], f'{line[:-1]},"value":{record["data"]}}}' if self._records else str(record["data"])

    def _put(self, results: Iterator[str], label: bytes) -> bool:
        """Print results, and say whether there were any."""
        printed, mark = False, len(self._results)
        try:
            for result in results:
                printed = True
                self._results += b"".join((label, result.encode("utf-8", "backslashreplace"), self._end))
                if len(self._results) > _FLUSH and not self._strict:
                    self._flush()
        except ValueError as error:  # jq's own: the program failed, or its parser is stricter than Python's
            self._failed += 1
            self._why = str(error)
            if self._strict:
                del self._results[mark:]  # all of a message's results, or none
        return printed

    def _flush(self) -> None:
        results, self._results = self._results, bytearray()
        if results:
            self.write(memoryview(results))


def program_of(expression: str, option: str) -> Program:
    """Compile the jq program of an option.

    Raises:
        UsageError: it does not compile.
    """
    try:
        return Program(expression)
    except InvalidExpression as error:
        raise UsageError(f"{option} does not compile: {error}", f"it reads {expression!r}") from None
