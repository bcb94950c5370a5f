"""The output: everything or an error, and no torn write while somebody reads."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading

import pytest

from wscli.control.output import _GRACE, Output, OutputClosed


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    yield reading, writing
    for fd in (reading, writing):
        with contextlib.suppress(OSError):
            os.close(fd)


@pytest.mark.parametrize("blocking", [True, False])
def test_everything_is_written_though_the_pipe_is_small_or_somebody_made_it_non_blocking(pipe, blocking):
    reading, writing = pipe
    os.set_blocking(writing, blocking)
    data, got = os.urandom(1 << 20), bytearray()

    def read():
        while len(got) < len(data):
            got.extend(os.read(reading, 1 << 16))

    thread = threading.Thread(target=read)
    thread.start()
    Output(writing).write(data)
    thread.join()
    assert got == data


def test_a_pipe_without_a_reader_is_closed(pipe):
    reading, writing = pipe
    os.close(reading)
    with pytest.raises(OutputClosed):
        Output(writing).write(b"x")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has a full device")  # noqa: PTH110
def test_a_full_disk_is_an_error_and_no_end():
    full = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(OSError, match="No space"):
        Output(full).write(b"x")
    os.close(full)


def test_an_interrupt_between_writes_is_raised_at_once(pipe):
    with pytest.raises(KeyboardInterrupt):
        Output(pipe[1]).interrupt(KeyboardInterrupt())


_WRITER = """
import signal, sys
from wscli.control import output as module
from wscli.control.output import Output
module._GRACE = float(sys.argv[1])
output = Output(1)
def interrupt(number, frame):
    output.interrupt(SystemExit(9))
signal.signal(signal.SIGTERM, interrupt)
signal.signal(signal.SIGALRM, interrupt)
sys.stderr.write("go\\n")
sys.stderr.flush()
output.write(b"x" * (1 << 20))
"""


@pytest.fixture
def writer(request):
    """A process that writes one MiB to a pipe, of which the first bytes are read already."""
    command = [sys.executable, "-c", _WRITER, str(request.param)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stderr.readline()
    first = os.read(process.stdout.fileno(), 1)
    yield process, first
    process.kill()
    process.communicate()


@pytest.mark.parametrize("writer", [60.0], ids=[""], indirect=True)  # however long the reader takes
def test_a_write_that_somebody_reads_is_completed_before_the_signal_ends_it(writer):
    process, got = writer
    process.send_signal(signal.SIGTERM)
    rest = process.stdout.read()
    assert len(got + rest) == 1 << 20
    assert process.wait() == 9


@pytest.mark.parametrize("writer", [_GRACE], ids=[""], indirect=True)
def test_a_write_that_nobody_reads_is_given_up_soon_after_the_signal(writer):
    process, _ = writer
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 9
