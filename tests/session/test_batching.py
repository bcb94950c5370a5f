"""How messages lie in frames, and frames in turns of the loop, makes no difference."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.examples import SOME
from tests.session.declared import session
from tests.session.host import Channel, Host, Refs
from tests.session.model.real import Real
from tests.session.model.sessions import bodies, compiled, sessions
from wscli.session.actions import SessionReady, StepWaits
from wscli.session.engine.memory import Memory

STREAM = 'session:\n      frames: {stream: {until: "\\n"}}\n'


def ran(text: str, batches: list[list[tuple[bytes, bool]]]) -> dict[str, Any]:
    """Run a session without calls and references, and give what became of it."""
    channels = compiled(text)
    assume(not isinstance(channels, str))
    upstream = channels[0].upstream
    real = Real(upstream.session, Memory(), upstream.share, Refs())
    mine = [Channel(one.name, one.values.render({}), dedupe=one.dedupe) for one in channels]
    real.do(real.session.begin())
    real.do(real.session.dialling())
    real.dialled = True
    for channel in mine if upstream.share else mine[:1]:
        real.do(real.session.join(channel))
    real.do(real.session.opened())
    for batch in batches:
        real.receive(batch)
    real.commit()
    found: dict[str, Any] = {"": [event for event in real.events if event[0] == "open"]}
    for channel in mine:
        found[channel.name] = [event for event in real.events if event[1:2] == (channel.name,)], channel.kept
    over = any(event[0] == "judged" for event in real.events)
    return {"over": over, "sent": sorted(real.sent), "var": real.session.variables(), **found}


def cut(items: Any, cuts: list[int]) -> list[Any]:
    """Cut a list, or bytes, at some places."""
    edges = sorted({0, len(items), *(at % (len(items) + 1) for at in cuts)})
    return [items[start:end] for start, end in pairwise(edges)]


@given(
    sessions(unless=("{ref.", "run:", "stream", "parse")),
    st.lists(bodies, min_size=1, max_size=12),
    st.lists(st.integers(0, 12), max_size=6),
)
@settings(max_examples=SOME, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_messages_in_any_turns_equal_one_turn_each(text: str, messages: list[bytes], cuts: list[int]) -> None:
    messages = [b'{"op":"hi","n":1}', b'{"op":"ok","n":2}', *messages]
    single = ran(text, [[(one, False)] for one in messages])
    assume(not single["over"])  # a batch is finished before its verdict is carried out
    assert ran(text, [[(one, False) for one in some] for some in cut(messages, cuts)]) == single


@given(
    sessions(unless=("{ref.", "run:", "split", "parse")),
    st.lists(bodies, min_size=1, max_size=8),
    st.lists(st.integers(0, 600), max_size=8),
)
@settings(max_examples=SOME, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_stream_in_any_frames_equals_the_whole(text: str, messages: list[bytes], cuts: list[int]) -> None:
    text = (
        text.replace("session:\n", "session:\n      frames: {stream: {until: '\n'}}\n")
        if "stream" not in text
        else text
    )
    wire = b"".join(one + b"\n" for one in (b'{"op":"hi","n":1}', *messages))
    whole = ran(text, [[(wire, False)]])
    assume(not whole["over"])
    assert ran(text, [[(one, False)] for one in cut(wire, cuts)]) == whole


@pytest.mark.parametrize(
    "steps",
    [
        "{expect: {n: 1}}, {expect: {n: 2}}",
        "{expect: {n: 1}}, {send: a}, {expect: {n: 2}}",
        "{expect: {n: 1}}, {send: a}, {send: b}, {expect: {n: 2}}",
        "{expect: {n: 1}}, {send: a}, {send: b, expect: {n: 2}}",
        '{expect: {n: 1}, set: {x: .n}}, {set: {y: "{var.x}"}}, {send: "{var.y}"}, {send: b, expect: {n: 2}}',
        "{expect: {n: 1}}, {send: a}, {send: b, expect: {n: 2}}, {send: c}",
    ],
)
def test_awaited_messages_in_one_read_are_all_seen(steps: str) -> None:
    host = Host(session(f"hello: [{steps}]")).dial().join(channel := Channel("c"))
    host.receive({"n": 1}, {"n": 2}, {"n": 3})
    assert len(host.of(SessionReady)) == 2
    assert host.got[channel.name] == [{"n": 3}]


def test_an_answer_to_a_later_step_is_not_one_to_an_earlier_reference() -> None:
    host = Host(
        session('hello: [{expect: {n: 1}}, {send: "{ref.int}"}, {send: "{ref.int}", expect: {id: "{sent.ref}"}}]')
    )
    host.dial().receive({"n": 1})
    host.receive({"id": 1})
    assert host.of(StepWaits)[-1].text == "hello[2]: waiting for {id: '{sent.ref}'}"
    host.receive({"id": 2})
    assert (host.sent, len(host.of(SessionReady))) == ([1, 2], 2)


def test_a_wait_after_two_sends_names_the_reference_of_the_last() -> None:
    host = Host(
        session('hello: [{expect: {n: 1}}, {send: "{ref.int}"}, {send: "{ref.int}"}, {expect: {id: "{sent.ref}"}}]')
    )
    host.dial().receive({"n": 1}, {"id": 1})
    host.receive({"id": 1})
    assert len(host.of(SessionReady)) == 1
    host.receive({"id": 2})
    assert len(host.of(SessionReady)) == 2
    assert json.dumps(host.sent) == "[1, 2]"
