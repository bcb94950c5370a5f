"""The URLs of endpoints and proxies."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from wscli.config.checks.context import Context
from wscli.config.reading.located import Located
from wscli.net.proxy import ProxyChoice, ProxySettings
from wscli.values import Scalar, Secret

__all__ = ["EndpointUrl", "compile_proxy", "compile_url", "shown_proxy"]

PROXY_SCHEMES = ("http", "https", "socks5", "socks5h", "socks4", "socks4a")
_MEANT = {"http": "ws", "https": "wss", "socks": "socks5"}
_USERINFO = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)[^/?#]*@")


class EndpointUrl(NamedTuple):
    """An endpoint's URL."""

    url: Secret
    shown: str
    secure: bool
    has_user: bool
    query_names: tuple[str, ...] = ()
    """The names of its own query."""


def _quoted(text: Scalar) -> str:
    """Quote an invalid URL, unless it may contain a secret."""
    return "" if any(sign in text.redacted for sign in "@?#") or not text else f"{text.redacted!r}: "


def _wrong(text: str, schemes: tuple[str, ...]) -> str | None:
    """Describe what is wrong with a URL, without quoting it."""
    if any(not "!" <= sign <= "~" for sign in text):
        return "this URL holds a blank or a character beyond ASCII; percent-encode it"
    if "{" in text or "}" in text:
        return "a URL holds no placeholder; use 'query:', 'headers:' or the 'path:' of a channel"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return "this URL's host or port cannot be read"
    if parts.scheme not in schemes or "://" not in text:
        meant = _MEANT.get(parts.scheme)
        near = f"; did you mean {meant}://?" if meant in schemes and "://" in text else ""
        return f"a URL begins with {' or '.join(f'{scheme}://' for scheme in schemes[:2])} here{near}"
    if not parts.hostname or port == 0:
        return "this URL has no host" if not parts.hostname else "this URL's port is 0"
    if "#" in text:
        return "a WebSocket URL has no fragment (RFC 6455, section 3); '%23' writes a '#'"
    return None


def compile_url(located: Located | None, context: Context) -> EndpointUrl | None:
    """Check an endpoint's URL."""
    if located is None or located.text is None or context.problems.at(located.mark):
        return None
    text = located.text
    if wrong := _wrong(text, ("ws", "wss")):
        context.add(located, f"{_quoted(text)}{wrong}")
        return None
    parts = urlsplit(text)
    shown, _, query = _USERINFO.sub(r"\1", text.redacted).partition("?")  # without userinfo and query
    names = tuple(pair.partition("=")[0] for pair in query.split("&") if pair)
    return EndpointUrl(Secret(str(text)), shown, parts.scheme == "wss", "@" in parts.netloc, names)


def compile_proxy(located: Located | None, context: Context) -> ProxyChoice:
    """Read ``auto``, ``none``, a URL, or ``{url, username, password}``."""
    if located is None or located.text in ("auto", "none"):
        return "none" if located is not None and located.text == "none" else "auto"
    url = located if located.text is not None else located.get("url")
    if url is None or url.text is None or context.problems.at(url.mark):
        return "auto"
    wrong = _wrong(url.text, PROXY_SCHEMES)
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
