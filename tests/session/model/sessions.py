"""Sessions of all kinds, put together from pieces of the grammar, and what a server may say to them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import strategies as st

from wscli.config.loading import load
from wscli.config.plan import ChannelPlan
from wscli.errors import WscliError

__all__ = ["bodies", "compiled", "deeds", "helpful", "sessions"]

FRAMES = ["", r'frames: {split: "\n"}', r'frames: {stream: {until: "\n"}}', "frames: {parse: ['(?P<op>ping|hi)']}"]
BEFORE = ["", "before: [{run: [a], expect: [{match: {op: hi}, set: {t: .n}}, {match: {op: bad}, then: stop}]}]"]
_LOGGED_IN = "expect: [{match: {op: ok}, keep: {sid: .n}}, {match: {op: bad}, then: retry}]"
_SUBSCRIBED = (
    'expect: [{match: {id: "{sent.ref}", ok: true}, resumed: true}, {match: {id: "{sent.ref}", ok: false}, then: done},'
    ' {match: {id: "{sent.ref}"}, set: {n: .n}}]'
)
HELLO = [
    "",
    "hello: [{expect: {op: hi}}]",
    f'hello: [{{expect: {{op: hi}}, set: {{beat: .n}}, drop: false}}, {{send: {{n: "{{var.beat}}"}}, {_LOGGED_IN}}}]',
    'hello: [{send: {op: in, id: "{ref.int}"}, expect: {id: "{sent.ref}"}}]',
    'hello: [{run: [a], set: {sig: .n}}, {expect: {op: ok}, keep: {sid: .n}}, {send: "{var.sig}"}]',
    'hello: [{expect: {op: hi}}, {send: a}, {send: b}, {send: {n: "{var.x?0}"}}, {expect: {op: ok}, set: {x: .n}}]',
    'hello: [{when: {var.seq: "{absent}"}, expect: {op: hi}, keep: {seq: .n}}, {send: x}, {send: y, expect: "pong"}]',
]
SUBSCRIBE = [
    "",
    'subscribe: [{send: {sub: "{with.ch}"}}]',
    f'subscribe: [{{send: {{id: "{{ref.int}}", sub: "{{with.ch}}"}}, {_SUBSCRIBED}}}]',
    'subscribe: [{send: {id: "{ref.int}"}}, {send: {id: "{ref.str}"}, expect: {id: "{sub.ref}"}}]',
    'subscribe: [{run: ["{with.ch}"], expect: {op: ok}}, {expect: {ch: "{with.ch}"}, drop: false, keep: {n: .n}}]',
]
UNSUBSCRIBE = [
    "",
    'unsubscribe: [{send: {un: "{with.ch}"}}]',
    'unsubscribe: [{send: {un: "{sub.ref?none}"}}, {send: bye}]',
]
RULES = [
    '{match: {op: ping}, send: {op: pong, n: "{msg.n?0}"}, drop: true}',
    '{match: {n: "{any}"}, keep: {seq: .n}}',
    "{match: {op: data}, set: {last: .n}}",
    "{match: {op: lost}, then: gap}",
    "{match: {op: down}, then: reconnect, drop: true}",
    '{match: {op: data}, send: {ack: "{msg.n?0}"}, ack: logged}',
    '{match: {op: tick}, do: [{send: {op: tock, n: "{msg.n?0}"}}, {expect: {op: tack}, set: {tack: .op}}]}',
    '{match: {op: end, ch: "{with.ch}"}, then: done}',
    '{match: {op: end, id: "{sub.ref}"}, then: retry, drop: true}',
    '{match: {op: data, ch: "{with.ch}"}, keep: {seen: "{msg.n?0}"}}',
    '{match: {ok: true, ch: "{with.ch}"}, drop: true}',
    '{match: {op: lost, ch: "{with.ch}"}, then: gap}',
    '{match: {op: tick, ch: "{with.ch}"}, do: [{send: {op: more}, expect: {op: tack, ch: "{with.ch}"}}]}',
    '{match: {op: data, ch: "{with.ch}"}, send: {ackd: "{msg.n?0}"}, ack: logged}',
]
ROUTE = [
    "",
    'route: {n: "{sub.n?}"}',
    'route: {id: "{sub.ref}"}',
    'route: {ch: "{with.ch}"}',
    'route: [{match: {id: "{sub.ref}"}, show: .d}, {match: {op: data}}, {match: {ch: "{with.ch}"}, show: ".d[]"}]',
    'route: [{match: {ch: "{with.ch}", id: "{sub.n?1}"}}, {match: {op: data}, show: .n}]',
]
SHOW = ["", "show: .d", 'show: ".d[]"', "show: .d|fromjson"]
ORDER = ["", "order: .n"]
RESUME = [
    "",
    "resume: {needs: [sid], hello: [{expect: {op: hi}}], subscribe: kept}",
    "resume: {needs: [seq], once: true}",
    f'resume: {{needs: [sid], hello: [{{send: {{again: "{{var.sid}}"}}, {_LOGGED_IN}}}]}}',
]


@st.composite
def sessions(draw: st.DrawFn, unless: tuple[str, ...] = ()) -> str:
    """Draw the text of a file, without what has one of the given texts in it."""

    def pick(pieces: list[str]) -> str:
        return draw(st.sampled_from([piece for piece in pieces if not any(one in piece for one in unless)]))

    keys = [pick(some) for some in (FRAMES, BEFORE, HELLO, SUBSCRIBE, SHOW, ORDER)]
    has_ref = any("{ref." in key for key in keys if key.startswith("subscribe"))

    def possible(pieces: list[str]) -> list[str]:
        kept = " ".join(keys)
        fitting = [piece for piece in pieces if has_ref or "{sub.ref" not in piece]
        fitting = [piece for piece in fitting if "{sub.n" not in piece or "{n: .n}" in kept]
        return [piece for piece in fitting if "needs: [" not in piece or f"keep: {{{piece.split('[')[1][:3]}" in kept]

    rules = draw(st.lists(st.sampled_from(possible(RULES)), max_size=4))
    keys.append(f"rules: [{', '.join(rules)}]" if rules else "")
    keys += [pick(possible(some)) for some in (UNSUBSCRIBE, ROUTE, RESUME)]
    share = draw(st.booleans())
    dedupe = draw(st.sampled_from(["", ", dedupe: .n"]))
    return (
        f"version: 1\nendpoints:\n  e:\n    url: ws://127.0.0.1:1\n    share: {str(share).lower()}\n    session:\n"
        + "".join(f"      {key}\n" for key in keys if key)
        + ("" if any(keys) else "      hello: []\n")
        + "channels:\n"
        + "".join(f"  {name}: {{endpoint: e, with: {{ch: {ch}}}{dedupe}}}\n" for name, ch in CHANNELS)
    )


CHANNELS = (("a", "x"), ("b", "y"), ("c", "x"))


@cache
def compiled(text: str) -> list[ChannelPlan] | str:
    """Load a file; give its channels, or why it is refused."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / "app.yaml"
        path.write_text(text)
        try:
            return list(load(path, {}).channels.values())
        except WscliError as error:
            return str(error)


OPS = ["hi", "ok", "bad", "ping", "data", "lost", "down", "tick", "tack", "end"]


def _without_none(message: dict[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in message.items() if item is not None}


objects = st.fixed_dictionaries(
    {
        "op": st.none() | st.sampled_from(OPS) | st.sampled_from(OPS[:5]),
        "n": st.integers(0, 4) | st.integers(0, 4) | st.integers(0, 4) | st.none(),
        "id": st.none() | st.integers(1, 4) | st.sampled_from(["1", "2", True, 1.0]),
        "ch": st.none() | st.sampled_from(["x", "y"]),
        "ok": st.none() | st.booleans(),
        "d": st.none() | st.sampled_from(["s", 1, [], [1, "t"], '{"a":1}', {"é": 2**70}]),
    }
).map(_without_none)
full = st.builds(
    lambda op, n, ref, ch, d: {"op": op, "n": n, "id": ref, "ch": ch, "d": d},
    st.sampled_from(["data", "data", "tick", "lost", "end"]),
    st.integers(0, 9),
    st.integers(1, 5) | st.sampled_from(["1", "2"]),
    st.sampled_from("xy"),
    st.sampled_from(["s", [1, "t"], '{"a":1}', {"é": 2**70}]),
)
bodies = (objects | full).map(lambda message: json.dumps(message).encode())
payloads = bodies | st.sampled_from(
    [b"ping", b"hi", b"pong", b'"pong"', b"\xff", b"[]", b'{"op":"ok"}', b'{"op":"hi"}']
)
frames = st.tuples(
    st.lists(payloads, min_size=1, max_size=3).map(b"\n".join), st.sampled_from([False, False, False, True])
)
helpful = [
    *({"op": op, "n": 1} for op in OPS),
    *({"id": ref, "ok": True, "n": 2, "ch": "x"} for ref in range(1, 12)),
    *({"id": str(ref), "n": 3} for ref in range(1, 12)),
    *({"op": "tack", "ch": ch, "n": 1} for ch in "xy"),
    "pong",
]
"""One of these is what a step waits for."""
batches = st.lists(frames, max_size=3)
later = st.lists(
    st.one_of(
        st.tuples(st.just("help"), batches),
        st.tuples(st.just("help"), batches),
        st.tuples(st.just("help"), st.just([])),
        st.tuples(st.just("frames"), batches),
        st.tuples(st.just("frames"), batches),
        st.tuples(st.just("frames"), st.lists(st.tuples(bodies, st.just(False)), min_size=1, max_size=4)),
        st.tuples(st.just("answer"), st.none() | bodies),
        st.tuples(st.just("join"), st.integers(0, 2)),
        st.tuples(st.just("leave"), st.integers(0, 2)),
        st.tuples(st.just("commit"), st.none()),
        st.tuples(st.just("reconnect"), st.none()),
    ),
    min_size=3,
    max_size=20,
)
deeds = st.tuples(st.sampled_from([6, 4, 2, 0]), later).map(lambda drawn: [("help", [])] * drawn[0] + drawn[1])
"""What happens on the connections: mostly what the session waits for at first, so that it comes far."""
