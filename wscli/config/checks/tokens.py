"""What the token sources refer to: each other, and never in a circle."""

from __future__ import annotations

from collections.abc import Iterator

from wscli.config.checks.context import Context, unknown_token
from wscli.config.checks.tls import check_tls_files
from wscli.config.reading.located import Located
from wscli.templates import TemplateError, compile_template

__all__ = ["check_tokens"]


def check_tokens(located: Located | None, context: Context) -> None:
    """Check the references and the files of all sources."""
    uses: dict[str, dict[str, Located]] = {}
    for name, source in located.entries() if located is not None else ():
        uses[name] = {}
        for kind, settings in source.entries():
            if kind == "read":
                continue
            for leaf in settings.leaves():
                for other in _references(leaf):
                    uses[name].setdefault(other, leaf)
            tls = settings.get("tls")
            if tls is not None:
                check_tls_files(tls, context)
    _check_known(uses, context)
    _check_circles(uses, context)


def _references(leaf: Located) -> list[str]:
    if leaf.text is None or "{" not in leaf.text:
        return []
    try:
        return sorted(name for _, name in compile_template(leaf.text, ("token",)).references)
    except TemplateError:  # said by the source's own model, if it takes templates there
        return []


def _check_known(uses: dict[str, dict[str, Located]], context: Context) -> None:
    for others in uses.values():
        for name, leaf in others.items():
            if name not in uses:
                context.add(leaf, f"'{{token.{name}}}': {unknown_token(name, uses)}")


def _check_circles(uses: dict[str, dict[str, Located]], context: Context) -> None:
    """Walk in depth, each token once; whatever leads back onto the way that is being walked closes a circle."""
    done: set[str] = set()
    for start, others in uses.items():
        way: dict[str, Iterator[str]] = {} if start in done else {start: iter(others)}
        while way:
            name = next(reversed(way))
            other = next(way[name], None)
            if other is None:
                done.add(name)
                del way[name]
            elif other in way:
                names = list(way)
                circle = " -> ".join((*names[names.index(other) :], other))
                context.add(uses[name][other], f"'{{token.{other}}}' closes a circle: {circle}")
            elif other in uses and other not in done:
                way[other] = iter(uses[other])
