"""The names of a session: what it uses must be set, kept or declared somewhere."""

from __future__ import annotations

import json
from typing import Any

from wscli.config.checks.session.site import Site
from wscli.config.reading.located import Located
from wscli.templates import Template, did_you_mean

__all__ = ["check_names_of_session"]

_FOREIGN = {"var": "sub", "sub": "var"}


def check_names_of_session(located: Located, site: Site, kind: str | None) -> None:
    """Check the variables of a whole session; ``kind`` is that of ``{sub.ref}``."""
    known = {space: {one.name for one in site.setters if one.space == space} for space in ("var", "sub")}
    for use in site.uses:
        space, name = use.placeholder.space, use.placeholder.name
        if (space, name) == ("sub", "ref"):
            if kind is None:
                text = (
                    "the first message of 'subscribe' has no reference; write {ref.int}, {ref.str} or {ref.uuid} in it"
                )
                site.add(use.located, f"'{{sub.ref}}': {text}")
        elif space in known and name not in known[space]:
            site.add(use.located, f"'{{{space}.{name}}}': {unknown_variable(space, name, known)}")
        elif use.before and space == "var" and use.placeholder.default is None and not _lasts(name, site):
            text = "no step of 'before' sets it, and what others 'set' ends with its connection; 'keep' it"
            site.add(use.located, f"'{{var.{name}}}': {text}")
    _check_needs(located, site)
    if site.groups:
        _check_groups(site, kind)


def unknown_variable(space: str, name: str, known: dict[str, set[str]]) -> str:
    """Say that nothing sets a variable, and what may be meant."""
    other = _FOREIGN[space]
    if name in known[other]:
        whose = "a channel's" if other == "sub" else "the connection's"
        return f"nothing sets it; {whose} variable is '{{{other}.{name}}}'"
    return f"nothing sets or keeps {name!r}{did_you_mean(name, known[space])}"


def _lasts(name: str, site: Site) -> bool:
    """Whether a variable may have a value before there is a connection."""
    setters = [one for one in site.setters if (one.space, one.name) == ("var", name)]
    return any(one.kept or one.place.startswith("before") for one in setters)


def _check_needs(located: Located, site: Site) -> None:
    needs = located.get("resume", "needs")
    kept = sorted({one.name for one in site.setters if one.space == "var" and one.kept})
    for item in needs.items() if needs is not None else ():
        if item.text is not None and item.text not in kept:
            near = did_you_mean(item.text, kept) or "; 'keep:' of a step or a rule does"
            site.add(item, f"nothing keeps {str(item.text)!r}{near}")


def _check_groups(site: Site, sub_kind: str | None) -> None:
    """Refuse a number where a regex's group is text: it would never match."""
    for located, shape, sent_kind in site.shapes:
        for one in shape.equalities:
            if not one.path or one.path[0] not in site.groups:
                continue
            wrong = _never_text(one.wanted, {("sub", "ref"): sub_kind, ("sent", "ref"): sent_kind})
            if wrong:
                where, _ = located.follow(one.path)
                group = ".".join(map(str, one.path))
                site.add(where, f"{wrong} never fits the regex's group {group!r}, which is text; {_mend(wrong)}")


def _never_text(wanted: Any, kinds: dict[tuple[str, str], str | None]) -> str | None:
    if not isinstance(wanted, Template):
        return None if isinstance(wanted, str) else json.dumps(wanted)
    whole = wanted.whole
    if whole is not None and whole.filter is None and kinds.get((whole.space, whole.name)) == "int":
        return f"'{whole}', a number of {{ref.int}},"
    return None


def _mend(wrong: str) -> str:
    return "write {ref.str}" if "ref" in wrong else "quote it"
