"""``with:`` of a channel, and whether it has every value that its endpoint needs of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from wscli.config.checks.context import Context, Use
from wscli.config.checks.session.session import CompiledSession
from wscli.config.checks.session.site import Site
from wscli.config.reading.located import Located
from wscli.config.reading.nodes import Branch, plain
from wscli.templates import JsonTemplate, compile_json, did_you_mean
from wscli.templates.paths import ABSENT

__all__ = ["check_uses", "compile_values"]


def compile_values(located: Located | None, params: Collection[str], context: Context) -> JsonTemplate:
    """Compile ``with:``, any JSON by name, with placeholders of the channel's parameters."""
    if located is None:
        return compile_json({}, ())
    site = Site(context)
    if not isinstance(located.node, Branch):
        site.add(located, f"must be a mapping of names to values, not {site.quoted(located)}")
        return compile_json({}, ())
    compiled = site.message(located, ("param",), of_channel=True)
    for use in site.uses:
        if use.placeholder.name not in params and use.placeholder.default is None:
            near = did_you_mean(use.placeholder.name, params)
            context.add(use.located, f"'{use.placeholder}' is not a parameter of the channel's name{near}")
    return compiled or compile_json({}, ())


def check_uses(
    channel: Located, params: Collection[str], session: CompiledSession | None, dial: Iterable[Use], context: Context
) -> None:
    """Check the placeholders of a channel's dial and session: its own values, and what the session sets."""
    declared = channel.get("with")
    names = [] if declared is None else list(dict(declared.entries()))
    dial = list(dial)
    for use in (*dial, *(() if session is None else session.uses)):
        space, name = use.placeholder.space, use.placeholder.name
        if use.placeholder.default is not None:
            continue
        if space == "with" and name not in names and _applies(use, declared):
            _missing_value(channel, name, use, context)
        elif space == "param" and name not in params:
            _missing_param(channel, name, params, use, context)
    for use in dial:
        if use.placeholder.space == "var":
            _check_variable(use, session, context)


def _applies(use: Use, declared: Located | None) -> bool:
    """Whether a step is taken for a channel, as far as its ``when`` says it before the values of its name are known."""
    for space, name, shape in use.conditions:
        value = None if declared is None else declared.get(name)
        if space == "with" and not shape.references and not _fits(shape, value):
            return False
    return True


def _fits(shape: Any, value: Located | None) -> bool:
    if value is None:
        return bool(shape.matches(ABSENT, {}))
    compiled = compile_json(plain(value.node), ("param",))
    return bool(compiled.references) or bool(shape.matches(compiled.render({}), {}))


def _missing_value(channel: Located, name: str, use: Use, context: Context) -> None:
    origin = context.problems.origin(use.located.mark)
    endpoint = channel.get("endpoint")
    whose = f"the {origin}" if origin is not None else f"endpoint {str(endpoint.text if endpoint else '')!r}"
    context.add(channel, f"{whose} needs a value {name!r} here; add 'with: {{{name}: ...}}'", key=True)


def _missing_param(channel: Located, name: str, params: Collection[str], use: Use, context: Context) -> None:
    near = did_you_mean(name, params)
    text = f"'{{param.{name}}}': the name of channel {channel.key!r} has no {{{name}}}{near}"
    origin = context.problems.origin(use.located.mark)
    if origin is not None:
        context.add(channel, f"the {origin} needs a parameter {{{name}}} in the name of this channel", key=True)
    elif not context.problems.at(use.located.mark):
        context.add(use.located, text)


def _check_variable(use: Use, session: CompiledSession | None, context: Context) -> None:
    """Check a variable of a dial: ``before`` sets it, or an earlier connection kept it."""
    name = use.placeholder.name
    setters = [] if session is None else [one for one in session.setters if one.space == "var"]
    same = [one for one in setters if one.name == name]
    if any(one.place.startswith("before") for one in same):
        return
    if not any(one.kept for one in same):
        known = {one.name for one in setters if one.kept or one.place.startswith("before")}
        text = f"no step of 'before' sets it, and nothing keeps it{did_you_mean(name, known)}"
    elif use.placeholder.default is None:
        text = "it is kept by a connection, and has no value at the first dial; give a default, as in '{var.x?text}'"
    else:
        return
    if not context.problems.at(use.located.mark):
        context.add(use.located, f"'{use.placeholder}': {text}")
