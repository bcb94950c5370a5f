"""The ``jq`` of ``on_message``: whether the command runs for a message.

An expression that ends soon is evaluated here; any other in a child process, which is ended where it takes too long or
too much memory, so that no message holds up the manager.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Literal

from wscli.control.text import escape
from wscli.expressions.compiled import compile_condition, is_json
from wscli.expressions.evaluator import READ_SIZE, AnswerFrames, EvaluatorProcess, make_request, take_running
from wscli.expressions.simple import LONGEST_TEXT, is_simple

__all__ = ["FilterFailed", "FilterProcesses", "MessageFilter", "MessageFit"]

TURN = 0.005
"""Seconds of filtering after which other tasks get a turn."""
_MOST_TEXTS, _MOST_BYTES = 256, 1 << 18
"""Messages that a process is sent at once, unless a single one is larger."""
_LONGEST_QUOTE = 200


class FilterFailed(Exception):
    """The expression failed on the message; the text is one escaped line."""


MessageFit = bool | Literal["not JSON"] | FilterFailed
"""Whether a message fits, or why that cannot be said."""


class FilterProcesses:
    """The processes that evaluate the expressions of a manager's hooks; started when needed, and kept.

    Args:
        environ: their environment.
        most: processes at once; an expression waits for its turn.
        seconds: of processor time for one message.
        memory: bytes of a process's address space.
        patience: seconds without an answer after which a process is ended.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        most: int = 2,
        seconds: float = 1.0,
        memory: int = 512 << 20,
        patience: float = 10.0,
    ) -> None:
        self._environ = environ
        self._seconds, self._memory, self._patience = seconds, memory, patience
        self._turn = asyncio.Semaphore(most)
        self._idle: list[EvaluatorProcess] = []

    async def fits(self, expression: str, texts: Sequence[str]) -> list[MessageFit]:
        """Say for each text whether it fits."""
        fits: list[MessageFit] = []
        size = len(texts)
        while len(fits) < len(texts):
            asked = texts[len(fits) : len(fits) + size]
            async with self._turn:
                answered, wrong = await self._ask(expression, asked)
            fits += answered
            if wrong is not None and len(asked) - len(answered) > 1:
                size = 1  # one of them ended the process: each by itself from now on
            elif wrong is not None:
                fits.append(FilterFailed(wrong))
        return fits

    async def _ask(self, expression: str, texts: Sequence[str]) -> tuple[list[MessageFit], str | None]:
        """Give the answers, and how the process ended if it did."""
        loop, frames, found = asyncio.get_running_loop(), AnswerFrames(), False
        fits: list[MessageFit] = []
        process = take_running(self._idle) or self._start()
        try:
            await loop.sock_sendall(process.sock, make_request(expression, texts, condition=True, values={}))
            while len(fits) < len(texts):
                frame = frames.next_frame()
                if frame is None:
                    async with asyncio.timeout(self._patience):
                        data = await loop.sock_recv(process.sock, READ_SIZE)
                    if not data:
                        break
                    frames.received(data)
                elif frame.kind == b"r":
                    found = True
                else:
                    fits.append(_fit(frame.kind, frame.text, found=found))
                    found = False
        except (OSError, TimeoutError):
            pass
        except BaseException:
            process.end()
            raise
        if len(fits) == len(texts):
            self._idle.append(process)
            return fits, None
        return fits, await asyncio.to_thread(process.end)

    def _start(self) -> EvaluatorProcess:
        process = EvaluatorProcess(seconds=self._seconds, memory=self._memory, environ=self._environ)
        process.sock.setblocking(False)
        return process

    def close(self) -> None:
        """End the processes; those in use end with the tasks that use them."""
        while self._idle:
            self._idle.pop().end()


class MessageFilter:
    """Whether messages fit an expression: whether it yields anything but false and null.

    Raises:
        ValueError: it does not compile.
    """

    def __init__(self, expression: str, processes: FilterProcesses) -> None:
        try:
            self._condition = compile_condition(expression)
        except ValueError as error:
            raise ValueError(_quoted(str(error))) from None
        self._expression = expression
        self._simple = is_simple(expression)
        self._processes = processes

    async def fits(self, payloads: Sequence[bytes]) -> list[MessageFit]:
        """Say for the first of these text messages, at least for one, whether they fit."""
        if self._simple and len(payloads[0]) <= LONGEST_TEXT:
            return self._at_once(payloads)
        texts: list[str] = []
        size = 0
        for payload in payloads[:_MOST_TEXTS]:
            size += len(payload)
            if texts and size > _MOST_BYTES:
                break
            texts.append(payload.decode())
        return await self._processes.fits(self._expression, texts)

    def _at_once(self, payloads: Sequence[bytes]) -> list[MessageFit]:
        fits: list[MessageFit] = []
        until = time.monotonic() + TURN
        for payload in payloads:
            if len(payload) > LONGEST_TEXT:
                break
            fits.append(self._fit_of(payload.decode()))
            if time.monotonic() > until:
                break
        return fits

    def _fit_of(self, text: str) -> MessageFit:
        if not is_json(text):
            return "not JSON"
        try:
            return self._condition(text)
        except ValueError as error:  # jq's own: the program failed, or its parser is stricter than Python's
            return FilterFailed(_quoted(str(error)))


def _fit(kind: bytes, text: str, *, found: bool) -> MessageFit:
    if kind == b"e":
        return FilterFailed(_quoted(text))
    return "not JSON" if kind == b"n" else found


def _quoted(text: str) -> str:
    line = next(iter(text.splitlines()), "")
    return escape(line if len(line) <= _LONGEST_QUOTE else f"{line[:_LONGEST_QUOTE]}...")
