"""The child process that evaluates: ``python -m wscli.expressions.child SECONDS BYTES FD``.

A request is a line of JSON on stdin: the program, whether it is a condition, its variables, and texts. For each text
the answer has frames on stdout: ``r`` for each result, then ``.``, or ``e`` with jq's reason of a failure, or ``n``
where the text is not JSON. The process is ended by a signal when a text takes more than SECONDS of processor time, when
it needs more than BYTES of memory (0: unlimited), and when its parent ends, which holds the other end of the pipe FD.
"""

import contextlib
import fcntl
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from struct import Struct
from typing import Any

from wscli.expressions.compiled import compile_condition, compile_program, is_json

__all__ = ["ANSWER_HEADER"]

ANSWER_HEADER = Struct("!cI")
"""Kind and length of a frame."""
_FLUSH_AFTER = 0.1
"""Seconds after which finished answers are not held back for the next ones."""


def _limit(memory: int, parent: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory:
        with contextlib.suppress(OSError, ValueError):  # a lower limit is in force
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    fcntl.fcntl(parent, fcntl.F_SETOWN, os.getpid())  # SIGIO ends us as the pipe does, even within jq
    fcntl.fcntl(parent, fcntl.F_SETFL, fcntl.fcntl(parent, fcntl.F_GETFL) | os.O_ASYNC)


@lru_cache(64)
def _compiled(program: str, condition: bool, values: str) -> Callable[[str], Iterator[str]]:
    if not condition:
        return compile_program(program)
    holds = compile_condition(program, json.loads(values))
    return lambda text: iter(["true"] if holds(text) else [])


def _answer(request: dict[str, Any], seconds: float) -> None:
    out = sys.stdout.buffer
    run = _compiled(request["program"], request["condition"], json.dumps(request["values"]))
    flushed = time.monotonic()
    for text in request["texts"]:
        signal.setitimer(signal.ITIMER_PROF, seconds)
        kind, said = b".", b""
        try:
            if is_json(text):
                for result in run(text):
                    body = result.encode("utf-8", "backslashreplace")
                    out.write(ANSWER_HEADER.pack(b"r", len(body)) + body)
            else:
                kind = b"n"
        except ValueError as error:  # from jq: the program failed, or its parser is stricter than Python's
            kind, said = b"e", str(error).encode("utf-8", "backslashreplace")
        out.write(ANSWER_HEADER.pack(kind, len(said)) + said)
        if time.monotonic() - flushed > _FLUSH_AFTER:
            out.flush()
            flushed = time.monotonic()
    signal.setitimer(signal.ITIMER_PROF, 0)
    out.flush()


def main() -> None:
    """Answer requests until stdin ends."""
    seconds, memory, parent = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    _limit(memory, parent)
    for line in sys.stdin.buffer:
        _answer(json.loads(line), seconds)


if __name__ == "__main__":
    main()
