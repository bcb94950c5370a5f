"""``session:`` of an endpoint, compiled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wscli.config.checks.context import Context, Use
from wscli.config.checks.session.actions import check_refs, ref_kind
from wscli.config.checks.session.frames import compile_frames
from wscli.config.checks.session.names import check_names_of_session
from wscli.config.checks.session.rules import compile_routes, compile_rules, compile_timers
from wscli.config.checks.session.site import Place, Setter, Site, placeholders
from wscli.config.checks.session.steps import compile_steps
from wscli.config.reading.located import Located
from wscli.config.reading.nodes import Branch
from wscli.session.models import ResumeModel, SessionLimitsModel, SessionModel
from wscli.session.plan import Resume, SendAction, SessionLimits, SessionPlan, Step
from wscli.templates import NAMESPACES, JsonTemplate
from wscli.templates.shapes import Shape

__all__ = ["CompiledSession", "compile_session"]

_BEFORE = ("token", "param", "with", "var", "now")
_HELLO = (*_BEFORE, "ref")
_SUBSCRIBE = (*_HELLO, "sub")
_OUTGOING = ("param", "with", "var", "sub", "ref", "now")
_REPLY = ("param", "with", "var", "sub", "sent", "msg")
BYE_WITHIN = 2.0
LONGEST_BYE = 30.0


@dataclass(frozen=True, slots=True)
class CompiledSession:
    """A session, and what it names."""

    plan: SessionPlan
    uses: tuple[Use, ...]
    setters: tuple[Setter, ...]


def compile_session(located: Located, context: Context, *, share: bool) -> CompiledSession:
    """Compile and check; problems go to the context."""
    site = Site(context, share=share)
    model = site.typed(SessionModel, located)
    frames = compile_frames(located.get("frames"), site)
    subscribe = _steps(located, "subscribe", _SUBSCRIBE, site, of_channel=True)
    bye = Place("bye", _HELLO, within=BYE_WITHIN, longest=LONGEST_BYE)
    bye_steps = compile_steps(located.get("bye"), bye, site)
    outgoing, merge = _outgoing(located.get("outgoing"), site), _merge(located.get("merge"), site)
    for message, key in ((outgoing, "outgoing"), (merge, "merge")):
        if isinstance(message, JsonTemplate):
            check_refs(message, located.get(key) or located, site)
    sent = ref_kind(merge) or (ref_kind(outgoing) if isinstance(outgoing, JsonTemplate) else None)
    plan = SessionPlan(
        before=_steps(located, "before", _BEFORE, site, connected=False),
        hello=_steps(located, "hello", _HELLO, site),
        subscribe=subscribe,
        unsubscribe=_steps(located, "unsubscribe", _SUBSCRIBE, site, of_channel=True),
        bye=bye_steps,
        bye_within=min(LONGEST_BYE, sum(step.within for step in bye_steps)) or BYE_WITHIN,
        resume=_resume(located.get("resume"), site),
        rules=compile_rules(located.get("rules"), site),
        timers=compile_timers(located.get("timers"), site),
        route=compile_routes(located.get("route"), site),
        show=site.path(located.get("show"), many=True),
        order=None if model is None else model.order,
        outgoing=outgoing,
        outgoing_takes_binary=_takes_binary(located.get("outgoing")),
        merge=merge,
        reply=_reply(located.get("reply"), site, sent),
        limits=_limits(located.get("limits"), site),
        close=1000 if model is None else model.close,
        frames=frames,
        upstream_values=frozenset(
            (use.placeholder.space, use.placeholder.name)
            for use in site.uses
            if not use.of_channel and use.placeholder.space in ("with", "param")
        ),
    )
    check_names_of_session(located, site, first_kind(subscribe))
    return CompiledSession(plan, tuple(site.uses), tuple(site.setters))


def _steps(
    located: Located, key: str, spaces: tuple[str, ...], site: Site, *, of_channel: bool = False, connected: bool = True
) -> tuple[Step, ...]:
    return compile_steps(located.get(key), Place(key, spaces, of_channel, connected), site)


def _resume(located: Located | None, site: Site) -> Resume | None:
    if located is None:
        return None
    model = site.typed(ResumeModel, located)
    hello = compile_steps(located.get("hello"), Place("resume.hello", _HELLO), site)
    if model is None:
        return None
    return Resume(tuple(map(str, model.needs)), hello, subscribe_kept=model.subscribe == "kept", once=model.once)


def _limits(located: Located | None, site: Site) -> SessionLimits:
    model = None if located is None else site.typed(SessionLimitsModel, located)
    return SessionLimits() if model is None else SessionLimits(model.send, model.subscribe)


def _outgoing(located: Located | None, site: Site) -> JsonTemplate | Literal["none"] | None:
    if located is not None and located.text == "none":
        return "none"
    spaces = (*_OUTGOING, "msg")
    return (site.message if located is None or located.text is None else site.text)(located, spaces, of_channel=True)


def _takes_binary(located: Located | None) -> bool:
    """Whether a whole message is named as base64, so that it may be binary."""
    named = () if located is None else (one for leaf in located.leaves() for one in placeholders(leaf, NAMESPACES))
    return any(one.space == "msg" and not one.name and one.filter in ("base64", "base64url") for one in named)


def _merge(located: Located | None, site: Site) -> JsonTemplate | None:
    if located is not None and not isinstance(located.node, Branch):
        site.add(located, f'must be a mapping, such as {{id: "{{ref.int}}"}}, not {site.quoted(located)}')
        return None
    return site.message(located, _OUTGOING, of_channel=True)


def _reply(located: Located | None, site: Site, sent: str | None) -> Shape | None:
    shape = site.shape(located, _REPLY, of_channel=True, sent=sent)
    leaves = () if shape is None else shape.equalities
    if located is not None and shape is not None and not any({"sent", "msg"} & leaf.spaces for leaf in leaves):
        site.add(located, "it must name {sent.ref}, or what is sent, as {msg.id}, to tell whose reply it is")
    return shape


def first_kind(steps: tuple[Step, ...]) -> str | None:
    """Give the kind of reference of the first message that steps send; ``when`` may skip some of them."""
    for step in steps:
        if isinstance(step.action, SendAction):
            kind = ref_kind(step.action.message)
            if kind is not None or not step.when:
                return kind
    return None
