"""What the methods ask, checked before anybody is asked."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import wscli
from wscli.client import requests
from wscli.errors import NotSent, UsageError

START: dict[str, Any] = {"last": None, "since": None, "after": None, "follow": True}


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: requests.tail_request((), **START), "no channel"),
        (lambda: requests.tail_request(("a",), **{**START, "last": 1, "since": 2.0}), "exclude each other"),
        (lambda: requests.tail_request(("a",), **{**START, "last": -1}), "invalid last: -1"),
        (lambda: requests.tail_request(("a", "b"), **{**START, "after": "k3f9:1"}), "one channel"),
        (lambda: requests.send_request("a", "", -1.0), "invalid timeout: -1"),
        (lambda: requests.send_request("a", "", float("nan")), "invalid timeout: nan"),
        (lambda: requests.exchange("a", "", ".id ==", 1.0), "does not compile"),
        (lambda: requests.exchange("a", "{{ref.int}", ".id == $ref", 1.0), r"\$ref is not defined"),
        (lambda: requests.exchange("a", b"{ref.int}", ".id == $ref", 1.0), r"\$ref is not defined"),
        (lambda: requests.exchange("a", "{ref.int}", ".id == $ref", 1.0, expand=False), r"\$ref is not defined"),
        (lambda: requests.wait_request((), "ready", None), "no channel"),
        (lambda: requests.wait_request(("a",), "ready", float("inf")), "invalid timeout: inf"),
        (lambda: requests.wait_request(("a",), "redy", None), "invalid state: 'redy'"),
        (lambda: wscli.Client("a", file="b"), "both choose"),
    ],
)
def test_what_cannot_be_is_a_usage_error(ask: Callable[[], object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ask()


@pytest.mark.parametrize("message", [{"a": 1}, 7, None, bytearray(b"x")])
def test_a_message_is_text_or_bytes_and_nothing_else(message: Any) -> None:
    with pytest.raises(TypeError, match=r"str \(text\) or bytes \(binary\)"):
        requests.send_request("a", message, 1.0)


def test_a_channel_is_named_by_a_text() -> None:
    with pytest.raises(TypeError, match=r"not \['a'\]"):
        requests.channels_request("stats", (["a"],))  # type: ignore[arg-type]


def test_text_that_cannot_be_utf8_and_what_is_too_long_is_not_sent() -> None:
    with pytest.raises(NotSent, match="character 1 is a lone surrogate"):
        requests.send_request("a", "x\udc80", 1.0)
    with pytest.raises(NotSent, match="over 16 MiB"):
        requests.send_request("a", bytes((16 << 20) + 1), 1.0)


def test_a_client_says_whom_it_speaks_to() -> None:
    assert repr(wscli.Client("app")) == "Client('app')"
    assert repr(wscli.AsyncClient(file=Path("/srv/app.yaml"))) == "AsyncClient(file='/srv/app.yaml')"
    assert repr(wscli.Client()) == "Client()"


def test_importing_wscli_imports_nothing_else_until_the_api_is_asked_for() -> None:
    code = (
        "import sys; before = set(sys.modules); import wscli\n"
        "print(sorted(set(sys.modules) - before))\n"
        "wscli.Client, wscli.Message, wscli.Gap; print('asyncio' in sys.modules, 'jq' in sys.modules)\n"
        "wscli.AsyncClient; print(set(wscli.__all__) <= set(dir(wscli)))\n"
        "try: wscli.Clint\n"
        "except AttributeError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "['wscli', 'wscli.version']",
        "False False",
        "True",
        "module 'wscli' has no attribute 'Clint'",
    ]
