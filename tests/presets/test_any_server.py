"""Whatever a server says, and whatever happens when: a session of a preset never crashes, and never runs away."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.examples import SOME
from tests.presets.cases import CASES
from tests.session.host import Channel, Host
from wscli.config.loading import load
from wscli.core.failures import MOMENTS, Failure, FailureKind
from wscli.errors import NotSent
from wscli.session import actions as a
from wscli.session.plan import SessionPlan
from wscli.templates.shapes import Shape

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 3), st.floats(), st.text(max_size=3), st.just([]), st.just({})
)
MOST_ACTIONS = 20_000


def shapes_of(plan: SessionPlan) -> list[Shape]:
    found = [one.match for step in plan.steps for one in step.expect]
    found += [rule.match for rule in plan.rules] + [route.match for route in plan.route]
    return [*found, plan.reply or Shape({})]


def built(shape: Shape, filler: Any) -> Any:
    """Make a message that has the leaves of a shape, with any value where a template stands."""
    message: Any = {}
    for path, wanted in shape.equalities:
        if path and all(isinstance(step, str) for step in path):
            at = message
            for step in path[:-1]:
                at = at.setdefault(step, {}) if isinstance(at, dict) else {}
            if isinstance(at, dict):
                at[path[-1]] = wanted if wanted is None or isinstance(wanted, (str, int, float)) else filler
    return message


def frames(shapes: list[Shape]) -> st.SearchStrategy[bytes]:
    like = st.builds(built, st.sampled_from(shapes), VALUES)
    more = st.dictionaries(
        st.sampled_from(["id", "type", "op", "d", "data", "s", "seq", "channel"]), VALUES, max_size=3
    )
    mixed = st.builds(lambda one, two: {**one, **two}, like, more)
    encoded = st.one_of(like, mixed, VALUES).map(lambda value: json.dumps(value).encode())
    return st.one_of(encoded, st.binary(max_size=8), st.text(max_size=12).map(str.encode))


def deeds(shapes: list[Shape]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.tuples(st.just("frames"), st.lists(frames(shapes), min_size=1, max_size=4)),
        st.tuples(st.just("answer"), frames(shapes)),
        st.tuples(st.just("fail"), frames(shapes)),
        st.tuples(st.just("time"), st.sampled_from([0.1, 3.0, 11.0, 70.0])),
        st.tuples(st.sampled_from(["join", "leave", "send", "block", "hold", "bye"]), st.integers(0, 2)),
    )


class Deeds:
    """What may happen to a connection."""

    def __init__(self, host: Host, channels: list[Channel]) -> None:
        self.host = host
        self.channels = channels

    def frames(self, payloads: list[bytes]) -> None:
        self.host.do(self.host.session.received(payloads, None if payloads[0] else b"b" * len(payloads)))

    def answer(self, body: bytes) -> None:
        if self.host.calls:
            self.host.answer(body)

    def fail(self, body: bytes) -> None:
        if self.host.calls:
            self.host.answer(a.CallFailed(Failure(FailureKind.STATUS, "HTTP 500", code=500), body))

    def time(self, seconds: float) -> None:
        self.host.advance(seconds)

    def join(self, which: int) -> None:
        self.host.join(self.channels[which])

    def leave(self, which: int) -> None:
        self.host.leave(self.channels[which])

    def send(self, which: int) -> None:
        with suppress(NotSent):
            self.host.send(self.channels[which], {"data": which})

    def block(self, blocked: int) -> None:
        self.host.blocked = blocked > 0
        self.host.flush()

    def hold(self, held: int) -> None:
        self.host.session.hold(held > 0)

    def bye(self, _: int) -> None:
        self.host.do(self.host.session.bye())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.preset)
def test_a_session_survives_any_server(case: Any, tmp_path: Path) -> None:
    file = tmp_path / "wscli.yaml"
    file.write_text(case.file())
    plan = load(file, {})
    session = plan.channels["main"].upstream.session
    assert session is not None
    values = plan.channels["main"].values.render({"param": {}})

    @settings(max_examples=max(10, SOME // 10), deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.booleans(), st.lists(deeds(shapes_of(session)), max_size=25))
    def survives(shared: bool, todo: list[Any]) -> None:
        channels = [Channel(name, values) for name in "abc"]
        tokens = dict.fromkeys(plan.tokens, "TOKEN")
        host = Host(session, shared=shared, scope={"with": values}, tokens=tokens)
        host.join(*channels[: 2 if shared else 1]).dial()
        for what, value in todo:
            getattr(Deeds(host, channels), what)(value)
        assert len(host.actions) < MOST_ACTIONS
        judged = [one for one in host.actions if isinstance(one, (a.JudgeUpstream, a.JudgeChannel))]
        assert all(one.failure.text and one.failure.moment in ("", *MOMENTS) for one in judged)

    survives()
