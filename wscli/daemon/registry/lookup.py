"""Finding the channel that dials a URL, for programs that know only the URL; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, quote, unquote, unquote_to_bytes, urlsplit

from wscli.config.dial_plan import DialPlan
from wscli.config.plan import ChannelPlan, Plan
from wscli.net.hosts import UNIX
from wscli.net.origin import Origin, origin_of
from wscli.templates import Template, TemplateError, compile_name

__all__ = ["channel_for"]

_LONGEST = 256
"""Characters of a channel's name, and so at most of its parameters."""
_ENCODED = 12
"""Bytes of a percent-encoded character at most: four of UTF-8, each written as three."""

_Query = Sequence[tuple[str, str]]


def channel_for(plan: Plan, url: str) -> str | None:
    """Give the name of the channel that dials this URL, or None.

    Scheme, host, port and path must be equal, and the channel must declare every query parameter of the URL with an
    equal value; a value that it fills with a token is not compared. Of several such channels the one with the most
    equal literal query values is chosen, then a literal channel over a template, then the first in the file.
    """
    try:
        asked = urlsplit(url)
        if asked.scheme not in ("ws", "wss") or not asked.hostname or asked.fragment:
            return None
        parsed = _ParsedUrl(origin_of(url), _canonical(asked.path or "/"), _pairs(asked.query))
    except ValueError:  # an invalid URL, port or encoding
        return None
    found = []
    for place, channel in enumerate(plan.channels.values()):
        dial = channel.upstream.dial
        has_url = not dial.shown_url.startswith(UNIX) and dial.url_template is None
        if not has_url or (dial.path is not None and dial.path.templates):  # it has none, or not yet
            continue
        declared = dial.url.reveal()
        parts = urlsplit(declared)
        if origin_of(declared) == parsed.origin and (name := _name(plan, channel, parts, parsed)) is not None:
            found.append((-_equal_literals(dial, parts, parsed.query), bool(channel.params), place, name))
    return min(found)[-1] if found else None


class _ParsedUrl(NamedTuple):
    """The parts of a URL that are compared."""

    origin: Origin
    path: str
    query: _Query


def _pairs(query: str) -> _Query:
    return parse_qsl(query, keep_blank_values=True, errors="surrogateescape")


def _canonical(path: str) -> str:
    """Percent-encode a path as channels do; an encoded slash stays encoded (RFC 3986, section 6.2.2)."""
    return "/".join(quote(unquote_to_bytes(segment), safe="") for segment in path.split("/"))


def _name(plan: Plan, channel: ChannelPlan, parts: SplitResult, parsed: _ParsedUrl) -> str | None:
    """Give the name under which this channel dials the path and the query, or None."""
    dial = channel.upstream.dial
    known = _params_of_query(dial, parsed.query)
    if known is None:
        return None
    for params in _fits(_pieces(dial, parts), parsed.path, known):
        if params.keys() == set(channel.params) and _query_fits(dial, parts, parsed.query, params):
            name = channel.name.format_map(params)
            if not params or (name not in plan.channels and compile_name(channel.name).match(name) == params):
                return name
    return None


# the path


def _pieces(dial: DialPlan, parts: SplitResult) -> tuple[str, ...]:
    """Give the path that the channel dials, as literals (even indexes) and parameter names (odd indexes)."""
    if dial.path is None:
        return (_canonical(parts.path or "/"),)
    first, *others = dial.path.pieces
    pieces = [f"{parts.path.rstrip('/')}/{first.lstrip('/')}", *others]
    pieces[::2] = map(_canonical, pieces[::2])
    return tuple(pieces)


def _fits(pieces: tuple[str, ...], path: str, params: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Give every parse of a canonical path into these pieces, longest first parameters first."""
    literal, *rest = pieces
    if not path.startswith(literal):
        return
    path = path[len(literal) :]
    if not rest:
        if not path:
            yield dict(params)
        return
    name, following = rest[0], tuple(rest[1:])
    if name in params:
        filled = _encoded(params[name])
        if path.startswith(filled):
            yield from _fits(following, path[len(filled) :], params)
        return
    left = _LONGEST - sum(map(len, params.values()))  # the name holds all parameters, which bounds the search
    for end in _ends(path, following, left):
        value = unquote(path[:end], errors="surrogateescape")
        if len(value) <= left and _encoded(value) == path[:end]:
            yield from _fits(following, path[end:], {**params, name: value})


def _ends(path: str, following: tuple[str, ...], left: int) -> Iterator[int]:
    """Give the possible ends of a parameter of ``left`` characters: in its segment, before the next literal."""
    literal, *more = following
    longest = min(len(path.partition("/")[0]), left * _ENCODED)
    if not more:
        end = len(path) - len(literal)
        yield from [end] if 0 < end <= longest and path.endswith(literal) else []
        return
    yield from (end for end in range(longest, 0, -1) if path.startswith(literal, end))


def _encoded(value: str) -> str:
    return quote(value, safe="", errors="surrogateescape")


# the query


def _params_of_query(dial: DialPlan, query: _Query) -> dict[str, str] | None:
    """Read the parameters that are a whole query value; None where two values of one differ."""
    found: dict[str, str] = {}
    for key, value in query:
        template = dial.query.get(key)
        whole = template.whole if isinstance(template, Template) else None
        if whole is None or whole.space != "param" or whole.filter not in (None, "str"):
            continue
        if found.setdefault(whole.name, value) != value:
            return None
    return found


def _query_fits(dial: DialPlan, parts: SplitResult, query: _Query, params: Mapping[str, str]) -> bool:
    declared: dict[str, set[str | None]] = {}
    """The values that each key may have; None, which equals any, where more than parameters are part of it."""
    for key, value in _pairs(parts.query):
        declared.setdefault(key, set()).add(value)
    for key, one in dial.query.items():
        for template in (one,) if isinstance(one, Template) else one:
            is_known = all(space == "param" for space, _ in template.references)
            try:
                declared.setdefault(key, set()).add(template.render({"param": params}) if is_known else None)
            except TemplateError:  # the filter rejects the parameter: the channel cannot dial either
                return False
    return all(not declared.get(key, set()).isdisjoint((value, None)) for key, value in query)


def _equal_literals(dial: DialPlan, parts: SplitResult, query: _Query) -> int:
    literals = {key for key, _ in _pairs(parts.query)}
    literals.update(key for key, one in dial.query.items() if not isinstance(one, Template) or one.is_literal)
    return len(literals.intersection(key for key, _ in query))
