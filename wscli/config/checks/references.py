"""The placeholders of token sources and of ``backfill:``: what they name must be declared, and no circle may close."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from wscli.backfill.models import CALL_NAMESPACES, GAP_FIELDS
from wscli.config.checks.context import Context, unknown_token
from wscli.config.checks.tls import check_tls_files
from wscli.config.reading.located import Located
from wscli.templates import TemplateError, compile_template, did_you_mean

__all__ = ["check_backfill", "check_tokens"]


def _references(leaf: Located, namespaces: Collection[str]) -> list[tuple[str, str]]:
    if leaf.text is None or "{" not in leaf.text:
        return []
    try:
        return sorted(compile_template(leaf.text, namespaces).references)
    except TemplateError:  # the model reports it, where it takes templates
        return []


def check_backfill(located: Located | None, params: Collection[str], context: Context) -> None:
    """Check the backfill of a channel whose name has these parameters."""
    call = None if located is None else located.get("http")
    if located is None or call is None:
        return
    fields = (*GAP_FIELDS, *dict(located.section("capture")))
    for leaf in call.leaves():
        if not context.problems.at(leaf.mark):
            for space, name in _references(leaf, CALL_NAMESPACES):
                if wrong := _wrong(space, name, params, fields, context):
                    context.add(leaf, f"'{{{space}.{name}}}': {wrong}")
    check_tls_files(call.get("tls"), context)


def _wrong(space: str, name: str, params: Collection[str], fields: Collection[str], context: Context) -> str | None:
    if space == "token" and context.tokens is not None and name not in context.tokens:
        return unknown_token(name, context.tokens)
    if space == "param" and name not in params:
        return f"the name of the channel has no {{{name}}}{did_you_mean(name, params)}"
    if space == "gap" and name not in fields:
        near = did_you_mean(name, fields) or "; 'capture:' declares others"
        return f"a gap has {', '.join(fields)}{near}"
    return None


def check_tokens(located: Located | None, context: Context) -> None:
    """Check the references and the files of all token sources."""
    uses: dict[str, dict[str, Located]] = {}
    for name, source in located.entries() if located is not None else ():
        uses[name] = {}
        for kind, settings in source.entries():
            for leaf in settings.leaves() if kind != "read" else ():
                for _, other in _references(leaf, ("token",)):
                    uses[name].setdefault(other, leaf)
            check_tls_files(settings.get("tls"), context)
    for others in uses.values():
        for name, leaf in others.items():
            if name not in uses:
                context.add(leaf, f"'{{token.{name}}}': {unknown_token(name, uses)}")
    _check_circles(uses, context)


def _check_circles(uses: dict[str, dict[str, Located]], context: Context) -> None:
    """Search depth first, each token once; a reference back into the current path closes a circle."""
    done: set[str] = set()
    for start, others in uses.items():
        path: dict[str, Iterator[str]] = {} if start in done else {start: iter(others)}
        while path:
            name = next(reversed(path))
            other = next(path[name], None)
            if other is None:
                done.add(name)
                del path[name]
            elif other in path:
                names = list(path)
                circle = " -> ".join((*names[names.index(other) :], other))
                context.add(uses[name][other], f"'{{token.{other}}}' closes a circle: {circle}")
            elif other in uses and other not in done:
                path[other] = iter(uses[other])
