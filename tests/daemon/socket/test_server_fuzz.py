"""Whatever a client sends to a real socket: it is answered or hung up on, the manager lives, no descriptor is left."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.daemon.served import Served, serve
from tests.examples import EXAMPLES
from tests.fuzzing import converse
from tests.waiting import in_thread, opened, until
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


def serves(live: Served) -> None:
    [alive] = converse(live.dial(), b'{"v":%d,"wscli":"0.1.0","verb":"ping","args":{}}\n' % PROTOCOL).splitlines()
    assert json.loads(alive)["ok"] is True


@pytest.fixture(scope="module")
def before(live: Served) -> Counter[str]:
    """What was open before the fuzzing."""
    serves(live)
    until(lambda: not live.server.clients)
    return opened()


def test_it_serves_before_all_that(live: Served, before: Counter[str]) -> None:
    assert before
    serves(live)


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
    serves(live)


def test_after_all_that_no_descriptor_is_left(live: Served, before: Counter[str]) -> None:
    """Run after the test above, on the same server."""
    for _ in range(100):
        converse(live.dial(), os.urandom(50) + b"\n")
    until(lambda: not live.server.clients)
    until(lambda: not opened() - before)
