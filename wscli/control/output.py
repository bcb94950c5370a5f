"""Bytes to stdout, whole: past Python's buffers, and never torn by a signal while they are read."""

import os
import select
import signal
import stat

__all__ = ["Output", "OutputClosed"]

_GRACE = 0.25
"""Seconds for an interrupted write to complete."""


class OutputClosed(Exception):
    """The reader of the output is gone."""


class Output:
    """A file descriptor that is written to until everything is written.

    ``interrupt`` is for signal handlers: what is being written is completed first, unless its reader is stuck.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._busy = False
        self._pending: BaseException | None = None
        mode = os.fstat(fd).st_mode
        self._may_hang_up = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)

    def write(self, data: bytes | memoryview) -> None:
        """Write all of it.

        Raises:
            OutputClosed: the reader is gone.
            OSError: it cannot be written: no space, say.
        """
        self._busy = True
        try:
            view = memoryview(data)
            while view:
                view = view[self._write_some(view) :]
        except BrokenPipeError:
            raise OutputClosed from None
        finally:
            self._busy = False
        if self._pending is not None:
            raise self._pending

    def _write_some(self, view: memoryview) -> int:
        try:
            return os.write(self._fd, view)
        except BlockingIOError:  # another process that shares the other end made it non-blocking
            select.select([], [self._fd], [])
            return 0

    def interrupt(self, reason: BaseException) -> None:
        """Raise ``reason``: now, or as soon as what is being written is complete or ``_GRACE`` has passed.

        The handler of SIGALRM must call this as well.
        """
        if self._pending is None and self._busy:
            self._pending = reason
            signal.setitimer(signal.ITIMER_REAL, _GRACE)
        else:
            raise self._pending or reason

    def watch(self, poll: "select.poll") -> int | None:
        """Have a poll object tell when the reader of a pipe goes; give the descriptor to look for, or None."""
        if not self._may_hang_up:
            return None
        poll.register(self._fd, 0)  # POLLERR and POLLHUP are told unasked
        return self._fd
