"""Steps: each sends, calls or runs something or nothing, and waits for its answer."""

from __future__ import annotations

from dataclasses import replace

from wscli.config.checks.session.actions import compile_action, ref_kind
from wscli.config.checks.session.site import Condition, Place, Site, spaces_of
from wscli.config.checks.session.words import expected_words
from wscli.config.reading.located import Located
from wscli.config.reading.nodes import Branch, Items
from wscli.session.models import AlternativeModel, StepModel
from wscli.session.plan import Alternative, SendAction, Step
from wscli.templates.shapes import compile_shape
from wscli.values import format_duration

__all__ = ["compile_steps", "match_items"]

_VARIABLES = ("with", "var", "param", "sub")
_KEYS = ("send", "http", "run", "expect", "set", "keep")


def compile_steps(located: Located | None, place: Place, site: Site) -> tuple[Step, ...]:
    """Compile a list of steps."""
    found = []
    for number, item in enumerate(site.items(located, "steps")):
        step = _step(item, replace(place, name=f"{place.name}[{number}]"), site)
        if step is not None:
            found.append(step)
    return tuple(found)


def _step(located: Located, place: Place, site: Site) -> Step | None:
    model = site.typed(StepModel, located)
    if not isinstance(located.node, Branch):
        return None
    uses, setters = len(site.uses), len(site.setters)
    site.before = not place.connected
    site.conditions = _conditions(located.get("when"), place, site)
    step = _compile(located, model, place, site)
    skipped, site.skipped, site.conditions, site.before = site.skipped, False, (), False
    if skipped:
        del site.uses[uses:], site.setters[setters:]
        return None
    tokens = {use.placeholder.name for use in site.uses[uses:] if use.placeholder.space == "token"}
    return replace(step, tokens=frozenset(filter(site.context.has_token, tokens)))


def _compile(located: Located, model: StepModel | None, place: Place, site: Site) -> Step:
    send, expect = located.get("send"), located.get("expect")
    answered = any(located.get(key) is not None for key in ("expect", "http", "run"))
    _check_sense(located, place, site, answered=answered, typed=model is not None)
    action, shown = compile_action(located, place, site)
    within_expect = replace(place, spaces=(*place.spaces, "sent")) if send is not None else place
    drop = model is None or model.drop
    kind = ref_kind(action.message) if isinstance(action, SendAction) else None
    alternatives = _expect(expect, within_expect, site, drop=drop, sent=kind)
    items = [] if expect is None else match_items(expect, site) or [expect]
    shapes = [item.get("match") or item for item in items]
    for shape in shapes:
        _check_answer(shape, located, place, site)
    if send is not None and kind is None:
        _refuse_sent(located, site)
    expected = expected_words(*shapes)
    return Step(
        place=place.name,
        shown=shown or (f"wait for {expected}" if expected else "set variables"),
        action=action,
        when=site.conditions,
        expect=alternatives,
        expected=expected,
        within=_within(located.get("within"), model, place, site),
        set=site.values(located.get("set"), within_expect, kept=False, has_message=answered),
        keep=site.values(located.get("keep"), within_expect, kept=True, has_message=answered),
    )


def _refuse_sent(step: Located, site: Site) -> None:
    """Refuse ``{sent.ref}`` where the message of the step has no reference."""
    for leaf in step.leaves():
        if "sent" in spaces_of(leaf) and "send" not in leaf.path:
            text = "the message of this step has no reference; write {ref.int}, {ref.str} or {ref.uuid} in it"
            site.add(leaf, f"'{{sent.ref}}': {text}")


def _check_answer(match: Located, step: Located, place: Place, site: Site) -> None:
    """Refuse an answer that may be another channel's."""
    named = spaces_of(match)
    by_message = step.get("http") is None and step.get("run") is None
    if site.share and place.of_channel and by_message and named.isdisjoint(("sent", "sub", "with", "param")):
        text = "it could take another channel's answer; under 'share' it must name {sent}, {sub}, {with} or {param}"
        site.add(match, text)


def _within(located: Located | None, model: StepModel | None, place: Place, site: Site) -> float:
    if located is None or model is None or model.within is None:
        return place.within
    if model.within > place.longest:
        most = format_duration(place.longest)
        site.add(located, f"{site.quoted(located)} is too large; it must be at most {most} here")
    return model.within


def _check_sense(located: Located, place: Place, site: Site, *, answered: bool, typed: bool) -> None:
    """Refuse a step that does nothing, or that would send or wait without a connection."""
    if typed and not any(located.get(key) is not None for key in _KEYS):
        site.add(located, f"this step does nothing; it has none of {', '.join(_KEYS)}")
    for key in ("within", "drop"):
        one = located.get(key)
        if one is not None and not answered:
            site.add(one, f"'{key}' is of an answer, and none is awaited here; add 'expect:'", key=True)
    if place.connected:
        return
    send, expect = located.get("send"), located.get("expect")
    if send is not None:
        site.add(send, "'before' runs before there is a connection; 'hello:' sends messages", key=True)
    elif expect is not None and located.get("http") is None and located.get("run") is None:
        text = "'before' runs before there is a connection; an answer comes from 'http:' or 'run:' here"
        site.add(expect, text, key=True)


def _conditions(located: Located | None, place: Place, site: Site) -> tuple[Condition, ...]:
    """Compile ``when``: variables by shape."""
    if located is not None and not isinstance(located.node, Branch):
        site.add(
            located,
            f"must be a mapping of variables to shapes, such as {{with.private: true}}, not {site.quoted(located)}",
        )
    found = []
    spaces = [space for space in _VARIABLES if space in place.spaces]
    for key, value in located.entries() if located is not None else ():
        space, _, name = key.partition(".")
        if space == "token" and name and "token" in place.spaces:
            site.skipped |= not _token_fits(value, name, site)
            continue
        if space not in spaces or not name:
            names = ", ".join(f"{one}.NAME" for one in (*spaces, *{"token"}.intersection(place.spaces)))
            site.add(value, f"invalid variable: {key!r}; it must be one of {names}", key=True)
            continue
        site.name(value, space, name, of_channel=place.of_channel)
        shape = site.shape(value, spaces, of_channel=place.of_channel)
        if shape is not None:
            found.append((space, name, shape))
    return tuple(found)


def _token_fits(located: Located, name: str, site: Site) -> bool:
    """Whether a token source is declared, or is not, as it should be; that is known when the file is loaded."""
    if located.text not in ("{any}", "{absent}"):
        text = 'must be "{any}", where the token\'s source is declared, or "{absent}"'
        site.add(located, f"{text}, not {site.quoted(located)}")
    return site.context.has_token(name) == (located.text != "{absent}")


def match_items(located: Located, site: Site) -> list[Located]:
    """Give the items of a list of alternatives; of a shape none. A list that is partly both is a problem."""
    if not isinstance(located.node, Items) or not located.node.items:
        return []
    items = list(located.items())
    matching = [item for item in items if item.get("match") is not None]
    if matching and len(matching) < len(items):
        other = next(item for item in items if item.get("match") is None)
        site.add(other, "this item has no 'match:', as the others have; a list is of alternatives or a shape, not both")
        return matching
    return matching


def _expect(
    located: Located | None, place: Place, site: Site, *, drop: bool, sent: str | None
) -> tuple[Alternative, ...]:
    if located is None:
        return ()
    alternatives = match_items(located, site)
    if not alternatives:
        shape = site.shape(located, place.spaces, of_channel=place.of_channel, sent=sent)
        return () if shape is None else (Alternative(shape, drop=drop),)
    found = []
    for item in alternatives:
        model = site.typed(AlternativeModel, item)
        shape = site.shape(item.get("match"), place.spaces, of_channel=place.of_channel, sent=sent)
        found.append(
            Alternative(
                match=shape or compile_shape({}, ()),
                set=site.values(item.get("set"), place, kept=False, has_message=True),
                keep=site.values(item.get("keep"), place, kept=True, has_message=True),
                drop=drop if model is None or model.drop is None else model.drop,
                resumed=model is not None and model.resumed,
                then=site.verdict(item.get("then"), of_channel=place.of_channel),
            )
        )
    return tuple(found)
