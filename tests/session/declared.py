"""Sessions written as in a file, compiled without its checks."""

from __future__ import annotations

from typing import Any

import yaml

from wscli.core.failures import Action, Verdict
from wscli.session.calls import SessionHttp
from wscli.session.plan import (
    Alternative,
    HttpAction,
    Resume,
    Route,
    Rule,
    RunAction,
    SendAction,
    SessionLimits,
    SessionPlan,
    SessionTimer,
    Step,
)
from wscli.templates import compile_json
from wscli.templates.paths import compile_path_expression
from wscli.templates.shapes import compile_shape
from wscli.values import Scalar, parse_duration, parse_rate

SPACES = ("token", "param", "with", "var", "msg", "sub", "sent", "ref", "now")
CHANNEL = ("sub", "with", "param")


def tree(text: str) -> Any:
    """Read YAML without typing its scalars."""
    return _tree(yaml.compose(text))


def _tree(node: Any) -> Any:
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): _tree(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_tree(one) for one in node.value]
    return Scalar(node.value, plain=node.style is None)


def _shape(value: Any) -> Any:
    return compile_shape(value, SPACES)


def _verdict(value: Any) -> Any:
    if value is None or value == "gap":
        return None if value is None else "gap"
    if isinstance(value, dict):
        return Verdict(Action.RETRY, parse_duration(value["retry"]))
    return Verdict(Action(str(value)))


def _values(mapping: Any) -> dict[str, Any]:
    return {
        name: compile_path_expression(str(value)) if str(value).startswith(".") else compile_json(value, SPACES)
        for name, value in (mapping or {}).items()
    }


def _send(value: Any) -> SendAction | None:
    if value is None:
        return None
    if isinstance(value, dict) and list(value) == ["binary"]:
        return SendAction(compile_json(value["binary"], SPACES), binary=True)
    return SendAction(compile_json(value, SPACES))


def _shown(value: Any) -> str:
    return yaml.safe_dump(_plain(value), default_flow_style=True, width=1000).strip()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else str(value)


def _alternatives(value: Any, drop: bool) -> tuple[Alternative, ...]:
    if value is None:
        return ()
    if not (isinstance(value, list) and all(isinstance(one, dict) and "match" in one for one in value)):
        value = [{"match": value}]
    return tuple(
        Alternative(
            _shape(one["match"]),
            set=_values(one.get("set")),
            keep=_values(one.get("keep")),
            drop=_flag(one.get("drop"), drop),
            resumed=_flag(one.get("resumed"), False),
            then=_verdict(one.get("then")),
        )
        for one in value
    )


def _flag(value: Any, default: bool) -> bool:
    return default if value is None else value == "true"


def _action(step: Any) -> Any:
    if "http" in step:
        accept = frozenset(map(int, step["http"].get("accept", ())))
        return HttpAction(SessionHttp.model_validate({k: v for k, v in step["http"].items() if k != "accept"}), accept)
    if "run" in step:
        stdin = compile_json(step["stdin"], SPACES) if "stdin" in step else None
        return RunAction(tuple(compile_json(one, SPACES) for one in step["run"]), stdin)
    return _send(step.get("send"))


def _tokens(value: Any) -> set[str]:
    return {name for space, name in compile_json(value, SPACES).references if space == "token"}


def _step(step: Any, place: str) -> Step:
    named = {key: step[key] for key in ("send", "http", "run", "stdin") if key in step}
    when = tuple((*name.split(".", 1), _shape(shape)) for name, shape in step.get("when", {}).items())
    return Step(
        place,
        next(iter(named), "wait"),
        _action(step),
        when=when,  # type: ignore[arg-type]
        expect=_alternatives(step.get("expect"), _flag(step.get("drop"), True)),
        expected=_shown(step["expect"]) if "expect" in step else "",
        within=parse_duration(step.get("within", "10s")),
        set=_values(step.get("set")),
        keep=_values(step.get("keep")),
        tokens=frozenset(_tokens(named)),
    )


def _steps(value: Any, place: str) -> tuple[Step, ...]:
    return tuple(_step(step, f"{place}[{at}]") for at, step in enumerate(value or ()))


def _of_channel(*values: Any) -> bool:
    references = {
        space for value in values if value is not None for space, _ in compile_shape(value, SPACES).references
    }
    return bool(references & set(CHANNEL))


def _rule(rule: Any, place: str) -> Rule:
    return Rule(
        _shape(rule["match"]),
        _of_channel(rule["match"]),
        place=place,
        set=_values(rule.get("set")),
        keep=_values(rule.get("keep")),
        send=_send(rule.get("send")),
        do=_steps(rule.get("do"), f"{place}.do"),
        ack_logged=rule.get("ack") == "logged",
        drop=_flag(rule.get("drop"), False),
        then=_verdict(rule.get("then")),
    )


def _timer(timer: Any, place: str) -> SessionTimer:
    kind = next(one for one in ("every", "idle_in", "idle_out") if one in timer)
    return SessionTimer(
        kind,  # type: ignore[arg-type]
        compile_json(timer[kind], SPACES),
        _of_channel(timer[kind], *(step.get("send") for step in timer.get("do", ()))),
        place=place,
        first_random=timer.get("first") == "random",
        do=_steps(timer.get("do"), f"{place}.do"),
        otherwise=_verdict(timer.get("else")),
    )


def _routes(route: Any) -> tuple[Route, ...]:
    if route is None:
        return ()
    listed = isinstance(route, list) and all(isinstance(one, dict) and "match" in one for one in route)
    return tuple(
        Route(_shape(one["match"]), _path(one.get("show")), _path(one.get("order")))
        for one in (route if listed else [{"match": route}])
    )


def _path(value: Any) -> Any:
    return None if value is None else compile_path_expression(str(value), many=True)


def session(text: str, **more: Any) -> SessionPlan:
    """Compile a session; ``more`` are fields of the plan."""
    given = tree(text) if text.strip() else {}
    resume, limits = given.get("resume"), given.get("limits", {})
    outgoing = given.get("outgoing")
    return SessionPlan(
        **{part: _steps(given.get(part), part) for part in ("before", "hello", "subscribe", "unsubscribe", "bye")},
        resume=None
        if resume is None
        else Resume(
            tuple(map(str, resume["needs"])),
            _steps(resume.get("hello"), "resume.hello"),
            resume.get("subscribe") == "kept",
            _flag(resume.get("once"), False),
        ),
        rules=tuple(_rule(one, f"rules[{at}]") for at, one in enumerate(given.get("rules", ()))),
        timers=tuple(_timer(one, f"timers[{at}]") for at, one in enumerate(given.get("timers", ()))),
        route=_routes(given.get("route")),
        show=_path(given.get("show")),
        order=_path(given.get("order")),
        outgoing="none" if outgoing == "none" else None if outgoing is None else compile_json(outgoing, SPACES),
        merge=compile_json(given["merge"], SPACES) if "merge" in given else None,
        reply=_shape(given["reply"]) if "reply" in given else None,
        limits=SessionLimits(**{key: parse_rate(value) for key, value in limits.items()}),
        close=int(given.get("close", 1000)),
        **more,
    )
