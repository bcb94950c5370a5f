"""The back end in a process of its own."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.backends import DemoProcess, OrderRefused, demo_process

__all__ = ["demo_process"]


def dial(process: DemoProcess) -> connect:
    return connect(f"{process.ws_url}/notifications", proxy=None)


def test_it_takes_orders_over_http_and_reports_what_it_saw() -> None:
    with DemoProcess("--no-token") as process:
        with dial(process) as client:
            process.order("notify")
            assert '"n": 1' in client.recv(timeout=30)
            process.order("kick", code=4001, reason="enough")
            with pytest.raises(ConnectionClosed, match="4001"):
                client.recv(timeout=30)
        seen = process.until(lambda stats: stats["connections"]["now"] == 0)
        assert seen["connections"]["total"] == 1
        assert seen["dials"] == {"total": 1, "most_in_1s": 1}


def test_an_order_to_be_gone_is_still_answered(demo_process: DemoProcess) -> None:
    assert demo_process.order("refuse", seconds=0.2) == {}
    with pytest.raises(OSError, match="refused"), socket.create_connection(("127.0.0.1", demo_process.port)):
        pass


def test_an_order_that_cannot_be_carried_out_says_why(demo_process: DemoProcess) -> None:
    with pytest.raises(OrderRefused, match="no order 'explode'"):
        demo_process.order("explode")


def test_killed_and_started_again_it_listens_at_the_same_port(demo_process: DemoProcess) -> None:
    port = demo_process.port
    demo_process.kill()
    demo_process.start()
    assert demo_process.port == port
    assert demo_process.stats()["connections"]["now"] == 0


def test_a_port_that_is_taken_is_one_line_on_stderr(demo_process: DemoProcess) -> None:
    command = [sys.executable, "-m", "wscli.demo", f"--port={demo_process.port}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr == f"error: cannot listen on port {demo_process.port}: Address already in use\n"
