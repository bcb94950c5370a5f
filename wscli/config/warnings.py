"""What is valid in a file and yet hardly meant: forgotten templates, unused names, two channels that dial one URL."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping

from wscli.config.plan import Plan
from wscli.config.reading.expand import VARIABLE
from wscli.config.reading.located import Located
from wscli.config.reading.problems import FileProblems
from wscli.templates import NAMESPACES, did_you_mean

__all__ = ["check_templates", "check_unused", "check_urls"]

# templates of other languages

_NAME = r"[A-Za-z_][A-Za-z0-9_-]*"
_BRACES = re.compile(rf"\{{\{{-?\s*{_NAME}(?:\.{_NAME})*(?:\s*[|:][^{{}}]*)?\s*-?\}}\}}|\{{%.*?%\}}")
_BARE = re.compile(rf"(?<!\{{)\{{({_NAME})\}}(?!\}})")
_SHELL = re.compile(r"(?<![A-Za-z0-9$])\$(?:[A-Z_][A-Z0-9_]*(?![A-Za-z0-9_])|\([^()]*\))")
_WINDOWS = re.compile(r"%(?:[A-Z][A-Z0-9]*_[A-Z0-9_]+|TOKEN|KEY|SECRET|PASSWORD)%")  # not SQL's LIKE '%ERROR%'
_ANGLES = re.compile(r"<(?:[A-Z][A-Z0-9_-]{2,}|(?:your|my)[ _-][\w -]+|(?:\w+[_-])?(?:token|key|secret|password))>")
_COLON = re.compile(r"(?<=/):[A-Za-z_][A-Za-z0-9_]*")
_PARAMETER = re.compile(r"\{([^{}]*)\}")
_HOOKS = ("on_connect", "on_state", "on_message")
_TOKEN = re.compile(r"\{token\.([A-Za-z0-9_-]+)")
_VALUE = re.compile(r"\{with\.([A-Za-z0-9_-]+)")

_SHAPES = frozenset({"match", "expect", "route", "reply", "when", "parse", "body"})
"""Keys of a session below which braces have meanings of their own."""
_CALL = ("get", "post", "put", "headers", "json", "form")
_TEXTS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "endpoints": (
        ("url",),
        ("connect_to",),
        ("query",),
        ("headers",),
        ("subprotocols",),
        ("proxy",),
        ("tls", "key_password"),
    ),
    "channels": (("path",), ("query",), ("headers",), ("subprotocols",), *(("backfill", "http", key) for key in _CALL)),
    "tokens": (("value",), ("file",), ("oauth2",), *(("http", key) for key in _CALL)),
}
"""By section, the keys of an entry that hold text in which a template could be meant; never a command or jq."""


def check_templates(root: Located, found: FileProblems) -> None:
    """Warn of text that looks like a template of another language, or a forgotten one of ours.

    ``root`` is the file before its variables are expanded: ``$$`` writes a ``$`` on purpose.
    """
    spaces = {name: "param" for channel, _ in root.section("channels") for name in _PARAMETER.findall(channel)}
    spaces.update((name, "token") for name, _ in root.section("tokens"))
    for section, keys in _TEXTS.items():
        for _, entry in root.section(section):
            for located in filter(None, (entry.get(*key) for key in keys)):
                _check_texts(located, spaces, found)
    sessions = (endpoint.get("session") for _, endpoint in root.section("endpoints"))
    for one in (*sessions, *(channel.get("with") for _, channel in root.section("channels"))):
        if one is not None:
            _check_session(one, spaces, found)
    token = root.get("gateway", "auth", "token")
    if token is not None:
        _check_texts(token, spaces, found)


def _check_session(located: Located, spaces: Mapping[str, str], found: FileProblems) -> None:
    """Warn of whole values such as ``{id}`` in what a session sends: a part of one may well be the protocol's."""
    for leaf in located.leaves():
        bare = _BARE.fullmatch(leaf.text or "")
        if bare is not None and bare[1] != "msg" and _SHAPES.isdisjoint(leaf.path):  # {msg} is a placeholder
            name = f"{bare[1]}.NAME" if bare[1] in NAMESPACES else f"{spaces.get(bare[1], 'with')}.{bare[1]}"
            text = f"{bare.group()!r} is sent as it stands; a placeholder is written '{{{name}}}'"
            found.add(leaf.mark, leaf.path, text)


def _check_texts(located: Located, spaces: Mapping[str, str], found: FileProblems) -> None:
    for leaf in located.leaves():
        text = VARIABLE.sub("\0", leaf.text or "")
        is_body = "json" in leaf.path or "form" in leaf.path  # which may be a program of its own, such as GraphQL
        for seen, meant in _foreign(text, spaces, is_path=leaf.path[-1] == "path"):
            if not is_body or seen == text:
                found.add(leaf.mark, leaf.path, f"{seen!r} is sent as it stands; {meant}")


def _foreign(text: str, spaces: Mapping[str, str], *, is_path: bool) -> Iterator[tuple[str, str]]:
    """Give each piece that looks like a template, and what to write instead."""
    if is_path:
        for piece in _COLON.findall(text):
            yield piece, f"a parameter of the channel's name is written '{{{piece[1:]}}}'"
    else:
        for piece in _BRACES.findall(text):
            name = piece.strip("{}% -").partition("|")[0].strip()
            yield piece, f"a placeholder is written '{{{name if '.' in name else 'token.NAME'}}}'"
        for bare in _BARE.finditer(text):
            if bare[1] in spaces or bare.group() == text:
                yield bare.group(), f"a placeholder is written '{{{spaces.get(bare[1], 'token')}.{bare[1]}}}'"
    for piece in _SHELL.findall(text):
        name = piece[1:] if piece[1] != "(" else None
        yield piece, f"a variable is written '${{{name}}}'" if name else "no command is run here; see 'tokens: command'"
    for piece in _WINDOWS.findall(text):
        yield piece, f"a variable is written '${{{piece.strip('%')}}}'"
    for piece in _ANGLES.findall(text):
        yield piece, "it looks like a value that is still missing"


# names that nothing uses


def check_unused(root: Located, found: FileProblems) -> None:
    """Warn of an endpoint, a token, a backoff policy and a parameter that is declared and used by nothing."""
    channels = root.section("channels")
    endpoints = dict(root.section("endpoints"))
    used = {_text(channel.get("endpoint")) for _, channel in channels}
    for name, located in endpoints.items():
        if name not in used:
            found.add(located.key_at, located.path, "no channel uses this endpoint")
    if channels:  # without them the file is a token broker's
        _check_tokens(root, found)
    policies = {_text(entry.get("backoff")) for _, entry in (*endpoints.items(), *channels)}
    for name, located in root.section("backoff"):
        if name not in policies and name != "default":
            found.add(located.key_at, located.path, "no endpoint and no channel uses this backoff policy")
    for name, channel in channels:
        if not any(channel.get(event) for event in _HOOKS):  # whose commands know the name
            _check_params(name, channel, endpoints.get(_text(channel.get("endpoint"))), found)
    values = {name: _values(endpoint) for name, endpoint in endpoints.items()}
    for _, channel in channels:
        _check_values(channel, values.get(_text(channel.get("endpoint")), set()), found)


def _check_tokens(root: Located, found: FileProblems) -> None:
    used = {name for leaf in root.leaves() for name in _TOKEN.findall(leaf.text or "")}
    hooks = [channel.get(event) for _, channel in root.section("channels") for event in _HOOKS]
    commands = " ".join(leaf.text or "" for hook in hooks if hook is not None for leaf in hook.leaves())
    for name, located in root.section("tokens"):
        if name not in used and name not in commands:
            text = f"no endpoint, channel or token uses this token; only `wscli token get {name}` does"
            found.add(located.key_at, located.path, text)


def _check_params(name: str, channel: Located, endpoint: Located | None, found: FileProblems) -> None:
    params = _PARAMETER.findall(name)
    path = channel.get("path")
    places = filter(None, (channel, endpoint)) if params else ()
    texts = [leaf.text or "" for located in places for leaf in located.leaves()]
    for param in params:
        in_path = path is not None and f"{{{param}}}" in (path.text or "")
        if not in_path and not any(f"{{param.{param}" in text for text in texts):
            text = f"the parameter {{{param}}} is not used; every channel of this template dials the same URL"
            found.add(channel.key_at, channel.path, text)


def _check_values(channel: Located, used: set[str], found: FileProblems) -> None:
    """Warn of values that neither the endpoint nor the channel names; ``used`` are the endpoint's."""
    unused = [one for one in channel.section("with") if one[0] not in used]
    for name, value in unused:
        if name not in _values(channel):
            near = did_you_mean(name, used) or "; nothing names '{with." + name + "}'"
            found.add(value.key_at, value.path, f"this value is not used{near}")


def _values(located: Located) -> set[str]:
    """Give the names of the values that a mapping uses."""
    return {name for leaf in located.leaves() for name in _VALUE.findall(leaf.text or "")} | set(_conditions(located))


def _conditions(located: Located) -> Iterator[str]:
    """Give the names of values that ``when:`` asks for, at any depth."""
    for key, child in located.entries():
        if key == "when":
            yield from (name.removeprefix("with.") for name, _ in child.entries())
        else:
            yield from _conditions(child)
    for item in located.items():
        yield from _conditions(item)


def _text(located: Located | None) -> str:
    return "" if located is None else str(located.text or "")


# channels that share a URL


def check_urls(root: Located, plan: Plan, found: FileProblems) -> None:
    """Warn once of each URL that several channels dial with the same headers and so on."""
    dialled: dict[tuple[object, ...], list[Located]] = {}
    for name, located in root.section("channels"):
        channel = plan.channels[name]
        if channel.upstream.share:
            continue
        # Parameters of two templates are the same where they have the same place in the name.
        params = {name: f"parameter-{place}" for place, name in enumerate(channel.params)}
        with contextlib.suppress(ValueError):  # a filter that takes numbers alone
            key = channel.upstream.key(params, channel.values.render({"param": params}))
            # Two endpoints with a session may be two accounts, or do two things.
            endpoint = None if channel.upstream.session is None else channel.upstream.endpoint
            same = (key.address, key.connect_to, key.query, key.headers, key.subprotocols, key.tls, endpoint)
            dialled.setdefault(same, []).append(located)
    for first, *others in dialled.values():
        if others:
            second = others[0]
            names = f"{second.key!r} and {first.key!r}"
            if len(others) > 1:
                names = f"{first.key!r}, {second.key!r} and {len(others) - 1} more"
            text = f"the channels {names} dial the same URL, over one connection each"
            if plan.channels[first.key].upstream.session is not None:
                text += "; 'share: true' on the endpoint lets them share one"
            found.add(second.key_at, second.path, text)
