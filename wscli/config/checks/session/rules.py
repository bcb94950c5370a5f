"""Rules, timers and routes: what is done about messages, and whose they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from wscli.config.checks.session.actions import compile_send
from wscli.config.checks.session.site import Place, Site, spaces_of
from wscli.config.checks.session.steps import compile_steps, match_items
from wscli.config.reading.located import Located
from wscli.config.reading.nodes import Branch
from wscli.core.failures import Verdict
from wscli.session.models import RouteModel, RuleModel, TimerModel
from wscli.session.plan import Route, Rule, SessionTimer
from wscli.templates import JsonTemplate, compile_template
from wscli.templates.shapes import Shape, compile_shape
from wscli.values import parse_duration

__all__ = ["compile_routes", "compile_rules", "compile_timers"]

OF_CHANNEL = ("sub", "with", "param")
"""Namespaces that differ from channel to channel."""
_MATCHED = ("param", "with", "var", "sub")
_SENT = ("token", "param", "with", "var", "sub", "msg", "ref", "now")
_TIMED = ("token", "param", "with", "var", "sub", "ref", "now")
_EFFECTS = ("set", "keep", "send", "do", "drop", "then")
_KINDS = ("every", "idle_in", "idle_out")


def has_leaf(shape: Shape) -> bool:
    """Whether a shape has a leaf by which a message's channel is found."""
    return any(space in OF_CHANNEL for one in shape.equalities for space, _ in getattr(one.wanted, "references", ()))


def _match(located: Located, site: Site, *, of_channel: bool) -> Shape:
    """Compile the shape of a channel's messages, or of any."""
    return site.shape(located, _MATCHED, of_channel=of_channel) or compile_shape({}, ())


# rules


def compile_rules(located: Located | None, site: Site) -> tuple[Rule, ...]:
    """Compile rules. One that names ``{sub}``, or the others of a channel in its ``match``, is a channel's."""
    rules = []
    for number, item in enumerate(site.items(located, "rules")):
        model = site.typed(RuleModel, item)
        if isinstance(item.node, Branch):
            rules.append(_rule(item, model, f"rules[{number}]", site))
    return tuple(rules)


def _rule(located: Located, model: RuleModel | None, name: str, site: Site) -> Rule:
    of_channel = "sub" in spaces_of(located) or not spaces_of(located.get("match")).isdisjoint(OF_CHANNEL)
    place = Place(name, _SENT if of_channel else tuple(one for one in _SENT if one != "sub"), of_channel)
    match = compile_shape({}, ())
    if located.get("match") is not None:
        match = _match(located.get("match") or located, site, of_channel=of_channel)
        if of_channel and not has_leaf(match):
            text = "a channel's rule must have {sub}, {with} or {param} as the value of a key, which finds the channel"
            site.add(located.get("match") or located, text)
    send, ack = located.get("send"), located.get("ack")
    if model is not None and not any(located.get(key) is not None for key in _EFFECTS):
        site.add(located, f"this rule does nothing; it has none of {', '.join(_EFFECTS)}")
    if ack is not None and send is None:
        site.add(ack, "'ack' says when 'send:' is sent, and there is none", key=True)
    sent = [one for one in place.spaces if one != "token"]
    if send is not None and "token" in spaces_of(send):
        site.add(send, "a rule's 'send' cannot wait for a token; write it as a step of 'do:'", key=True)
        send = None
    return Rule(
        match=match,
        per_channel=of_channel,
        place=name,
        set=site.values(located.get("set"), replace(place, spaces=tuple(sent)), kept=False, has_message=True),
        keep=site.values(located.get("keep"), replace(place, spaces=tuple(sent)), kept=True, has_message=True),
        send=None if send is None else compile_send(send, sent, site, of_channel=of_channel),
        do=compile_steps(located.get("do"), replace(place, name=f"{name}.do"), site),
        ack_logged=ack is not None,
        drop=model is not None and model.drop,
        then=_then(located.get("then"), site, of_channel=of_channel),
    )


def _then(located: Located | None, site: Site, *, of_channel: bool) -> Verdict | Literal["gap"] | None:
    if located is not None and located.text == "gap":
        return "gap"
    return site.verdict(located, of_channel=of_channel)


# timers


def compile_timers(located: Located | None, site: Site) -> tuple[SessionTimer, ...]:
    """Compile timers. One that names ``{sub}``, ``{with}`` or ``{param}`` is a channel's."""
    timers = []
    for number, item in enumerate(site.items(located, "timers")):
        model = site.typed(TimerModel, item)
        if isinstance(item.node, Branch):
            found = _timer(item, model, f"timers[{number}]", site)
            if found is not None:
                timers.append(found)
    return tuple(timers)


def _timer(located: Located, model: TimerModel | None, name: str, site: Site) -> SessionTimer | None:
    of_channel = not spaces_of(located).isdisjoint(OF_CHANNEL)
    place = Place(name, _TIMED if of_channel else tuple(one for one in _TIMED if one != "sub"), of_channel)
    given = [key for key in _KINDS if located.get(key) is not None]
    if len(given) != 1 and model is not None:
        site.add(
            located, f"a timer has exactly one of every, idle_in and idle_out; given: {', '.join(given) or 'none'}"
        )
    first = located.get("first")
    if first is not None and "every" not in given:
        site.add(first, "'first' is of 'every:'", key=True)
    durations = [_duration(located.get(key), place, site) for key in given]
    steps = compile_steps(located.get("do"), replace(place, name=f"{name}.do"), site)
    verdict = site.verdict(located.get("else"), of_channel=of_channel)
    if not durations or durations[0] is None:
        return None
    return SessionTimer(
        kind=given[0],  # type: ignore[arg-type]  # one of _KINDS
        duration=durations[0],
        per_channel=of_channel,
        place=name,
        first_random=model is not None and model.first is not None,
        do=steps,
        otherwise=verdict,
    )


def _duration(located: Located | None, place: Place, site: Site) -> JsonTemplate | None:
    """Compile a duration, of which a variable may be a part."""
    spaces = [one for one in place.spaces if one in _MATCHED]
    compiled = site.text(located, spaces, of_channel=place.of_channel)
    if located is None or located.text is None or compiled is None:
        return compiled
    template = compile_template(located.text, spaces)
    if template.whole is not None:
        return compiled
    pieces = template.partly_filled({})
    sample = "".join(piece if isinstance(piece, str) else "1" for piece in pieces)
    try:
        parse_duration(sample)
    except ValueError:
        site.add(located, f"{site.quoted(located)} is not a duration; write one such as 25s, or '{{var.NAME}}ms'")
    return compiled


# routes


def compile_routes(located: Located | None, site: Site) -> tuple[Route, ...]:
    """Compile ``route:``, a shape or a list of alternatives."""
    if located is None:
        return ()
    alternatives = match_items(located, site)
    return tuple(_route(item, site, typed=bool(alternatives)) for item in alternatives or [located])


def _route(located: Located, site: Site, *, typed: bool) -> Route:
    match = located.get("match") or located
    of_channel = not spaces_of(match).isdisjoint(OF_CHANNEL)
    if typed:
        site.typed(RouteModel, located)
    shape = _match(match, site, of_channel=of_channel)
    return Route(
        match=shape,
        show=site.path(located.get("show"), many=True) if typed else None,
        order=site.path(located.get("order")) if typed else None,
    )
