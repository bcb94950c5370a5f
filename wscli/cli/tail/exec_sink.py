"""``--exec``: each message to a command; what a command took with exit code 0 is done."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
from base64 import b64decode
from collections.abc import Callable
from typing import Any

from wscli.cli.tail.exec_pool import CommandPool, Job, Progress
from wscli.control.output import Output
from wscli.control.sinks import CopySink
from wscli.control.stream import FrameSocket
from wscli.errors import UsageError, WscliError

__all__ = ["ExecSink", "argv_of"]


def argv_of(command: str) -> list[str]:
    """Split a command as a shell does, and see that there is such a program.

    Raises:
        UsageError: it does not parse, or the program does not exist.
    """
    try:
        argv = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"invalid --exec: {command!r}: {str(error).lower()}", "close its quotes") from None
    if not argv or "\0" in command:
        raise UsageError(f"invalid --exec: {command!r}: it has no program", "give a program and its arguments")
    if shutil.which(argv[0]) is None:
        raise UsageError(
            f"invalid --exec: program {argv[0]!r} does not exist", "give its path, or one that is found on PATH"
        )
    return argv


_AGAIN = "the consumer's position stays before that message: run the same again once the command is mended"
_LOST = "without --consumer NAME no position is kept: that message is not delivered again"


class ExecSink(CopySink):
    """Takes records, and hands each message to a command of its own.

    ``stop_fd`` becomes readable once a command has failed; ``failure`` says how.

    Args:
        output: where the commands write too.
        note: tells of gaps.
        argv: the command.
        parallel: so many at a time.
        timeout: seconds for one.
        key: a jq program whose result keeps messages in order; None: any order, where several run at a time.
    """

    acknowledges = True

    def __init__(
        self,
        output: Output,
        note: Callable[[str], None],
        argv: list[str],
        *,
        parallel: int,
        timeout: float,
        key: str | None,
    ) -> None:
        super().__init__(output, note)
        self._argv = argv
        self._key = None if key is None else _key_function(key)
        self._frames: FrameSocket | None = None
        self._progress = Progress()
        self._gaps = 0
        self._pool = CommandPool(argv, parallel=parallel, timeout=timeout, done=self._was_done, failed=self._has_failed)
        self.failure: WscliError | None = None
        self._stop, self._say_stop = os.pipe()
        self.stop_fd = self._stop

    def start(self, frames: FrameSocket | None) -> None:
        """Acknowledge there from now on."""
        self._frames = frames
        self._gaps = 0

    def data(self, channel: str, body: memoryview) -> bool:
        """Hand messages over, as soon as there is room for them."""
        for line in bytes(body).split(b"\n")[:-1]:
            record: dict[str, Any] = json.loads(line)
            if self._frames is not None:  # then it is one channel, whose numbers are all different
                with self._pool.changed:
                    self._progress.began(record["seq"], self._gaps)
            if not self._pool.put(self._job(record)):
                return True
        return False

    def gap(self, record: dict[str, Any]) -> bool:
        """Tell of a gap; it is done with the next message."""
        self._gaps += 1
        return super().gap(record)

    def settle(self, *, at_once: bool = False) -> None:
        """Wait for what was handed over, or at once for what a command has begun with."""
        self._pool.drain(at_once=at_once)

    def stop(self) -> None:
        """Have the commands that are under way end."""
        self._pool.terminate()

    def close(self) -> None:
        """End what waits for messages, and what is still under way."""
        super().close()
        self._pool.close()
        os.close(self._stop)
        os.close(self._say_stop)

    def _job(self, record: dict[str, Any]) -> Job:
        text = record["type"] == "text"
        payload = record["data"].encode("utf-8", "surrogateescape") if text else b64decode(record["data"])
        environ = {f"WSCLI_{name.upper()}": str(record[name]) for name in ("channel", "epoch", "seq", "ts", "type")}
        key = None if self._key is None else self._key(record["data"] if text else "")
        return Job(record["seq"], key, payload, environ)

    def _was_done(self, job: Job) -> None:
        if self._frames is not None and (far := self._progress.done(job.seq)) is not None:
            with contextlib.suppress(OSError):  # closed after a second signal: the message is delivered again
                self._frames.acknowledge(*far)

    def _has_failed(self, job: Job, why: str) -> None:
        self.failure = WscliError(
            f"{self._argv[0]!r} {why} on message {job.seq} of {job.environ['WSCLI_CHANNEL']}",
            _AGAIN if self._frames is not None else _LOST,
        )
        os.write(self._say_stop, b"!")


def _key_function(expression: str) -> Callable[[str], str]:
    """Make the function that gives a message's key; what is not JSON, or fails, is of one key with its like."""
    from wscli.cli.tail.jq_sink import program_of

    program = program_of(expression, "--key")

    def key(text: str) -> str:
        found = ""
        for results in program.results([text]):
            with contextlib.suppress(ValueError):
                found = next(results, "")
        return found

    return key
