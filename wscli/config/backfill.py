"""What the types do not say of ``backfill:``: which tokens, parameters and facts of a gap its placeholders may name."""

from __future__ import annotations

from collections.abc import Collection

from wscli.backfill.models import CALL_NAMESPACES, FACTS
from wscli.config.context import Context, unknown_token
from wscli.config.spots import Spot
from wscli.config.tls import check_tls_files
from wscli.templates import TemplateError, compile_template, did_you_mean

__all__ = ["check_backfill"]


def check_backfill(spot: Spot | None, params: Collection[str], context: Context) -> None:
    """Check the backfill of a channel whose name has these parameters."""
    call = None if spot is None else spot.get("http")
    if spot is None or call is None:
        return
    captured = spot.get("capture")
    facts = (*FACTS, *(name for name, _ in captured.entries())) if captured is not None else FACTS
    for leaf in call.leaves():
        for space, name in _references(leaf, context):
            wrong = _wrong(space, name, params, facts, context)
            if wrong:
                context.add(leaf, f"'{{{space}.{name}}}': {wrong}")
    tls = call.get("tls")
    if tls is not None:
        check_tls_files(tls, context)


def _references(leaf: Spot, context: Context) -> list[tuple[str, str]]:
    if leaf.text is None or "{" not in leaf.text or context.problems.at(leaf.mark):
        return []
    try:
        return sorted(compile_template(leaf.text, CALL_NAMESPACES).references)
    except TemplateError:  # said by the model, where it takes templates
        return []


def _wrong(space: str, name: str, params: Collection[str], facts: Collection[str], context: Context) -> str | None:
    if space == "token" and context.tokens is not None and name not in context.tokens:
        return unknown_token(name, context.tokens)
    if space == "param" and name not in params:
        return f"the name of the channel has no {{{name}}}{did_you_mean(name, params)}"
    if space == "gap" and name not in facts:
        near = did_you_mean(name, facts) or "; 'capture:' declares others"
        return f"a gap has {', '.join(facts)}{near}"
    return None
