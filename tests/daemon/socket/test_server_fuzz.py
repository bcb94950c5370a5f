"""Whatever a client sends to a real socket: it is answered or hung up on, the manager lives, no descriptor is left."""

from __future__ import annotations

import gc
import json
import os
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.daemon.served import Served, serve
from tests.examples import EXAMPLES
from tests.fuzzing import converse
from tests.waiting import descriptors, in_thread
from wscli.control.protocol import PROTOCOL
from wscli.daemon.socket.handlers import HANDLERS

words = st.sampled_from(["", "notifications", "calls", "rooms/{id}", "session", "line", "nul", "whole", "get", "ready"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
argument_names = st.sampled_from([
    "channel", "channels", "bytes", "framing", "binary", "timeout", "for", "action", "name", "n", "noncritical", "dial",
])  # fmt: skip
requests = st.fixed_dictionaries(
    {},
    optional={
        "v": st.just(1) | json_values,
        "wscli": st.just("0.1.0") | json_values,
        "verb": st.sampled_from(sorted(HANDLERS)) | json_values,
        "args": st.dictionaries(argument_names, json_values, max_size=5) | json_values,
    },
)
valid_requests = st.builds(
    lambda verb, args: {"v": PROTOCOL, "wscli": "0.1.0", "verb": verb, "args": args},
    st.sampled_from(sorted(HANDLERS)),
    st.dictionaries(argument_names, json_values, max_size=5),
)
lines = (requests | valid_requests | json_values).map(lambda value: json.dumps(value).encode() + b"\n")
conversations = st.lists(lines | st.binary(max_size=200), max_size=4).map(b"".join)


class Closed(list[int]):
    """The descriptors that a process leaves to its end, where it has ended."""

    def append(self, descriptor: int) -> None:
        os.close(descriptor)


@pytest.fixture(scope="module")
def live() -> Iterator[Served]:
    yield from in_thread(lambda: serve(leaving=Closed()))


def still(live: Served) -> int:
    """Have it answer, wait until all its clients are gone, and count the open descriptors."""
    converse(live.dial(), b"{}\n")
    pause = threading.Event()
    while live.server.clients and not pause.wait(0.001):
        pass
    gc.collect()  # sockets that an earlier test of this process left to the collector
    return descriptors()


@pytest.fixture(scope="module")
def at_first() -> list[int]:
    """The descriptors that were open before the fuzzing, where the first test ran."""
    return []


def test_it_serves_before_all_that(live: Served, at_first: list[int]) -> None:
    at_first.append(still(live))


@pytest.mark.timeout(900)
@settings(max_examples=EXAMPLES, deadline=None)
@given(data=conversations)
def test_whatever_is_sent_every_answer_is_ours_and_the_server_goes_on(live: Served, data: bytes) -> None:
    said = converse(live.dial(), data)
    if said:  # further lines follow of send alone, and frames of what streams
        answer = json.loads(said.splitlines()[0])
        if answer["ok"]:
            assert isinstance(answer["result"], dict)
        else:
            assert "the manager failed" not in answer["error"]["message"]
    [alive] = converse(live.dial(), b'{"v":%d,"wscli":"0.1.0","verb":"ping","args":{}}\n' % PROTOCOL).splitlines()
    assert json.loads(alive)["ok"] is True


def test_after_all_that_no_descriptor_is_left(live: Served, at_first: list[int]) -> None:
    """Run after the test above, on the same server: nothing but the listener and the loop's own stays open."""
    before = at_first[0] if at_first else still(live)
    for _ in range(100):
        converse(live.dial(), os.urandom(50) + b"\n")
    assert still(live) == before
