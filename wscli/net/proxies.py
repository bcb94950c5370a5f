"""Which proxy a token endpoint is reached through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import Field, PlainValidator, WithJsonSchema, field_validator

from wscli.tokens.failed import SourceFailed
from wscli.values import Secret, StrictModel

__all__ = ["ProxySettings", "ProxyText", "proxy_for"]


class ProxySettings(StrictModel):
    """A proxy, with credentials beside its URL or in it."""

    url: Annotated[Secret, Field(description="http:// or https:// URL of the proxy")]
    username: Annotated[Secret | None, Field(description="the user, where the URL names none")] = None
    password: Annotated[Secret | None, Field(description="the user's password")] = None

    @field_validator("url")
    @classmethod
    def _http(cls, url: Secret) -> Secret:
        if not _usable(url.reveal()):
            raise ValueError("a token's proxy is 'auto', 'none', or a URL that begins with http:// or https://")
        return url

    def full_url(self) -> str:
        """The URL with the credentials in it."""
        if self.username is None:
            return self.url.reveal()
        parts = urlsplit(self.url.reveal())
        password = f":{quote(self.password.reveal(), safe='')}" if self.password is not None else ""
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, f"{quote(self.username.reveal(), safe='')}{password}@{host}", "", "", ""))


def _usable(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port or an IPv6 address that is none
        return False


Proxy = Literal["auto", "none"] | ProxySettings


def _parse(value: object) -> Proxy:
    if isinstance(value, ProxySettings):
        return value
    if isinstance(value, str):
        if value in ("auto", "none"):
            return "auto" if value == "auto" else "none"
        if not _usable(value):
            raise ValueError("a token's proxy is 'auto', 'none', or a URL that begins with http:// or https://")
        return ProxySettings(url=Secret(str(value)))
    return ProxySettings.model_validate(value)


ProxyText = Annotated[
    Proxy,
    PlainValidator(_parse),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "examples": ["auto", "none", "http://proxy.example.com:3128"]},
                ProxySettings.model_json_schema(),
            ]
        }
    ),
]


def _from_environment(scheme: str, host: str, environ: Mapping[str, str]) -> str | None:
    """Follow ``https_proxy``, ``all_proxy`` and ``no_proxy``, lower case first."""
    names = [f"{scheme}_proxy", f"{scheme.upper()}_PROXY", "all_proxy", "ALL_PROXY"]
    if "REQUEST_METHOD" in environ:
        names = [name for name in names if name != "HTTP_PROXY"]  # to a CGI program, a header that the client chose
    proxy = next((environ[name] for name in names if environ.get(name)), None)
    exempt = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    return None if proxy is None or _exempt(host, exempt) else proxy


def _exempt(host: str, exempt: str) -> bool:
    """Whether ``no_proxy`` lists the host, its domain, either with the port, or ``*`` for all."""
    name = host.rpartition(":")[0].strip("[]").lower()
    for entry in exempt.lower().replace(" ", "").split(","):
        domain = entry.removeprefix("*").lstrip(".")
        if entry == "*" or (
            domain and any(place == domain or place.endswith(f".{domain}") for place in (name, host.lower()))
        ):
            return True
    return False


def proxy_for(setting: Proxy, scheme: str, host: str, environ: Mapping[str, str]) -> str | None:
    """Give the proxy's URL, credentials included, or None for a direct connection.

    ``host`` is ``name:port``.

    Raises:
        SourceFailed: the environment names a proxy of a kind that token endpoints cannot be reached through.

    """
    if isinstance(setting, ProxySettings):
        return setting.full_url()
    found = None if setting == "none" else _from_environment(scheme, host, environ)
    if found is None:
        return None
    url = found if "://" in found else f"http://{found}"
    if not _usable(url):
        raise SourceFailed("the environment's proxy is no http:// or https:// URL, and no other can be used for tokens")
    return url
