"""The URLs of endpoints and proxies, and where a connection leads instead."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from wscli.config.checks.context import DIAL_NAMESPACES, Context, LocatedTemplate
from wscli.config.models.fields import joined
from wscli.config.reading.located import Located
from wscli.net.hosts import UNIX, host_of, parse_place
from wscli.net.proxy import ProxyChoice, ProxySettings
from wscli.templates import Template, compile_template
from wscli.values import Scalar, Secret, shown

__all__ = ["EndpointUrl", "compile_proxy", "compile_url", "reaches_host", "shown_proxy"]

_PROXY_SCHEMES = ("http", "https", "socks", "socks5", "socks5h", "socks4", "socks4a")
_MEANT = {"http": "ws", "https": "wss"}
_USERINFO = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)[^/?#]*@")


class EndpointUrl(NamedTuple):
    """An endpoint's URL."""

    url: Secret
    shown: str
    secure: bool
    has_user: bool
    connect_to: Secret | None = None
    """``HOST:PORT`` or ``unix:PATH``, where the connection does not lead to the URL's host."""
    shown_connect_to: str = ""
    query_names: tuple[str, ...] = ()
    """The names of its own query."""
    placed: LocatedTemplate | None = None
    """The URL, where it has placeholders."""

    @property
    def is_unix(self) -> bool:
        """Whether the connection leads to a Unix socket."""
        return self.shown_connect_to.startswith(UNIX)


def _quoted(text: Scalar) -> str:
    """Quote an invalid URL, unless it may contain a secret."""
    return "" if any(sign in text.redacted for sign in "@?#") or not text else f"{text.redacted!r}: "


def _wrong(text: str, schemes: tuple[str, ...]) -> str | None:
    """Describe what is wrong with a URL, without quoting it."""
    if "{" in text or "}" in text:
        near = "; write one such as '{with.NAME}', or a bare '{id}' in the 'path:' of a channel"
        return f"a brace in this URL belongs to no placeholder{near if 'ws' in schemes else ''}"
    try:
        parts = urlsplit(text)
        host, port = host_of(parts), parts.port
    except ValueError:
        return "this URL's host or port cannot be read"
    if any(not "!" <= sign <= "~" for sign in text.replace(parts.netloc, "", 1)):
        return "this URL holds a blank or a character beyond ASCII behind its host; percent-encode it"
    if parts.scheme not in schemes or "://" not in text:
        meant = _MEANT.get(parts.scheme)
        near = f"; did you mean {meant}://?" if meant in schemes and "://" in text else ""
        if "unix" in parts.scheme and "ws" in schemes:
            near = "; a Unix socket is written unix:PATH"
        return f"a URL begins with {' or '.join(f'{scheme}://' for scheme in schemes[:2])} here{near}"
    if not host or port == 0:
        return "this URL has no host" if not host else "this URL's port is 0"
    if "#" in text:
        return "a WebSocket URL has no fragment (RFC 6455, section 3); '%23' writes a '#'"
    return None


def compile_url(located: Located | None, connect_to: Located | None, context: Context) -> EndpointUrl | None:
    """Check an endpoint's URL, or the Unix socket in its place, and its ``connect_to``."""
    place = _place(connect_to, context)
    if located is None or located.text is None or context.problems.at(located.mark):
        return None
    text = located.text
    if text.startswith(UNIX):
        if connect_to is not None:
            context.add(connect_to, "a unix: url says itself where to connect; keep one of the two", key=True)
        place = _place(located, context)
        if place is None:
            return None
        return EndpointUrl(Secret("ws://localhost"), place.redacted, False, False, *_both(place))
    placed = context.template(located)
    if placed is None:
        return None
    if not placed.template.is_literal:
        return _with_placeholders(placed, place, context)
    if wrong := _wrong(text, ("ws", "wss")):
        context.add(located, f"{_quoted(text)}{wrong}")
        return None
    parts = urlsplit(text)
    visible, names = _visible(text.redacted)
    return EndpointUrl(
        Secret(str(text)), visible, parts.scheme == "wss", "@" in parts.netloc, *_both(place), query_names=names
    )


def _visible(text: str) -> tuple[str, tuple[str, ...]]:
    """Give a URL without userinfo and query, and the names of its query."""
    visible, _, query = _USERINFO.sub(r"\1", text).partition("?")
    return visible, tuple(pair.partition("=")[0] for pair in query.split("&") if pair)


def _with_placeholders(placed: LocatedTemplate, place: Scalar | None, context: Context) -> EndpointUrl | None:
    """Check a URL with placeholders: around them it must be one, and so must the default of a whole one."""
    text, whole = placed.located.text or Scalar(""), placed.template.whole
    sample = placed.sample() if whole is None else whole.default or "wss://default.example"
    if wrong := _wrong(sample, ("ws", "wss")):
        context.add(placed.located, f"{_quoted(text)}{wrong}")
        return None
    parts = urlsplit(sample)
    visible, names = (text.redacted, ()) if whole else _visible_around(text.redacted)
    return EndpointUrl(
        Secret(str(text)), visible, parts.scheme == "wss", "@" in parts.netloc, *_both(place), names, placed
    )


_HOLE = "\ue000"
"""In place of a placeholder; no URL holds this character."""
_TO_HOST = re.compile(r"[^/?#]*//[^/?#]*")


def _visible_around(text: str) -> tuple[str, tuple[str, ...]]:
    pieces = compile_template(text, DIAL_NAMESPACES).partly_filled({})
    holes = [str(piece) for piece in pieces if not isinstance(piece, str)]
    visible, names = _visible("".join(piece if isinstance(piece, str) else _HOLE for piece in pieces))
    for hole in holes:
        visible = visible.replace(_HOLE, hole, 1)
    return visible, names


def reaches_host(template: Template) -> bool:
    """Whether a placeholder of a URL is part of its host, or of what stands before."""
    text = "".join(piece if isinstance(piece, str) else _HOLE for piece in template.partly_filled({}))
    found = _TO_HOST.match(text)
    return found is None or _HOLE in found.group()


def _both(place: Scalar | None) -> tuple[Secret | None, str]:
    return (None, "") if place is None else (Secret(str(place)), place.redacted)


def _place(located: Located | None, context: Context) -> Scalar | None:
    """Check ``HOST:PORT`` or ``unix:PATH``; a relative path starts at the file's directory."""
    if located is None or located.text is None or context.problems.at(located.mark):
        return None
    text = located.text
    if text.startswith(UNIX):
        text = Scalar(_absolute(text, context), redacted=_absolute(text.redacted, context))
    try:
        parse_place(text)
    except ValueError as error:
        context.add(located, f"invalid value: {shown(located.text)}; {error}")
        return None
    return text


def _absolute(text: str, context: Context) -> str:
    """Give ``unix:PATH`` with an absolute path; ``unix:///PATH`` means the same."""
    path = re.sub("^///+", "/", text.removeprefix(UNIX))
    return UNIX + joined(context.base, path) if path else text


def compile_proxy(located: Located | None, address: EndpointUrl, context: Context) -> ProxyChoice:
    """Read ``auto``, ``none``, a URL, or ``{url, username, password}``."""
    if located is not None and located.text not in ("auto", "none") and address.is_unix:
        context.add(located, "no proxy leads to a Unix socket; leave 'proxy:' out", key=True)
    if located is None or located.text in ("auto", "none"):
        return "none" if located is not None and located.text == "none" else "auto"
    url = located if located.text is not None else located.get("url")
    if url is None or url.text is None or context.problems.at(url.mark):
        return "auto"
    wrong = _wrong(url.text, _PROXY_SCHEMES)
    if wrong is None and urlsplit(url.text).path.strip("/"):
        wrong = "a proxy's URL has no path"
    if wrong:
        extra = "; or write auto or none" if located.text is not None else ""
        context.add(url, f"{_quoted(url.text)}{wrong}{extra}")
        return "auto"
    parts = urlsplit(url.text)
    return ProxySettings(url=Secret(_with_user(parts, located, context)))


def shown_proxy(located: Located | None) -> str | None:
    """Give a declared proxy's URL without userinfo, and with ``***`` for values of the environment."""
    url = located if located is None or located.text is not None else located.get("url")
    if url is None or url.text is None or url.text in ("auto", "none"):
        return None
    return _USERINFO.sub(r"\1", url.text.redacted)


def _with_user(parts: SplitResult, located: Located, context: Context) -> str:
    user, password = located.get("username"), located.get("password")
    if user is None or user.text is None:
        if password is not None:
            context.add(password, "a password without its username; add 'username:'", key=True)
        return urlunsplit(parts)
    if "@" in parts.netloc:
        context.add(user, "the url already names a user; keep one of the two", key=True)
    credentials = quote(user.text, safe="")
    if password is not None and password.text is not None:
        credentials += f":{quote(password.text, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{credentials}@{parts.netloc}"))
