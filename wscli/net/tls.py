"""TLS for every outgoing connection: the settings, and the SSLContext that is made of them."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator
from pydantic_core import PydanticKnownError

from wscli.errors import ConfigError
from wscli.values import Flag, Scalar, Secret, StrictModel

__all__ = ["TlsSettings", "describe", "lowered", "make_tls", "tls_words"]


_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def _file_name(value: object) -> str:
    if not isinstance(value, str):
        raise PydanticKnownError("string_type")
    return value


FileName = Annotated[str, PlainValidator(_file_name), WithJsonSchema({"type": "string"})]
"""Keeps a ``Scalar``, so that errors do not quote values of the environment."""


class TlsSettings(StrictModel):
    """TLS beyond the system's defaults; relative paths start at the YAML file."""

    ca: Annotated[
        FileName | None, Field(description="PEM file of the authorities to trust instead of the system's")
    ] = None
    cert: Annotated[FileName | None, Field(description="PEM file of our own certificate")] = None
    key: Annotated[FileName | None, Field(description="PEM file of its key; without it, the key is in cert")] = None
    key_password: Annotated[Secret | None, Field(description="what the key is encrypted with")] = None
    server_name: Annotated[str | None, Field(description="the name to ask for and to check, instead of the URL's")] = (
        None
    )
    min_version: Annotated[
        Literal["1.2", "1.3"],
        Field(description="the oldest version of TLS to accept"),
        WithJsonSchema({"enum": ["1.2", "1.3", 1.2, 1.3], "description": "the oldest version of TLS to accept"}),
    ] = "1.2"
    insecure: Annotated[Flag, Field(description="true: check no certificate; for development only")] = False

    @model_validator(mode="after")
    def _key_belongs_to_cert(self) -> TlsSettings:
        if self.cert is None and (self.key is not None or self.key_password is not None):
            raise ValueError("a key without its certificate; add cert: PATH")
        return self


def make_tls(settings: TlsSettings, base: Path = Path()) -> ssl.SSLContext:
    """Give the context of the settings; it is made once, and anew after one of the files changed.

    Relative names start at ``base``.

    Raises:
        ConfigError: a file cannot be read, holds no certificate or key, or its password is wrong.
    """
    named = {"ca": settings.ca, "cert": settings.cert, "key": settings.key}
    paths = {option: base / Path(name).expanduser() for option, name in named.items() if name is not None}
    return _make(settings, *((option, path, _stamp(settings, option, path)) for option, path in paths.items()))


def _stamp(settings: TlsSettings, option: str, path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _unreadable(settings, option, error) from None
    return status.st_mtime_ns, status.st_size


def _quoted(name: str | None) -> str:
    return repr(name.redacted if isinstance(name, Scalar) else name)


def _unreadable(settings: TlsSettings, option: str, error: OSError | ValueError) -> ConfigError:
    why = isinstance(error, OSError) and error.strerror
    return ConfigError(
        f"tls.{option}: cannot read {_quoted(getattr(settings, option))}: {(why or 'invalid path').lower()}"
    )


@lru_cache(maxsize=64)
def _make(settings: TlsSettings, *files: tuple[str, Path, tuple[int, int]]) -> ssl.SSLContext:
    paths = {option: path for option, path, _ in files}
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=paths.get("ca"))
    except ssl.SSLError:
        raise ConfigError(
            f"tls.ca: {_quoted(settings.ca)} holds no certificate", "it must be a file in PEM form"
        ) from None
    except OSError as error:
        raise _unreadable(settings, "ca", error) from None
    # The system's policy may be stricter.
    context.minimum_version = max(context.minimum_version, _VERSIONS[settings.min_version])
    context.set_alpn_protocols(["http/1.1"])  # the upgrade is one of HTTP/1.1 (RFC 6455, section 4.1)
    if "cert" in paths:
        _load_certificate(context, settings, paths)
    if settings.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _load_certificate(context: ssl.SSLContext, settings: TlsSettings, paths: Mapping[str, Path]) -> None:
    asked = False

    def password() -> str:  # without it OpenSSL would ask on the terminal
        nonlocal asked
        asked = True
        return settings.key_password.reveal() if settings.key_password is not None else ""

    cert, key = _quoted(settings.cert), _quoted(settings.key or settings.cert)
    try:
        context.load_cert_chain(paths["cert"], paths.get("key"), password)
    except ssl.SSLError as error:
        if asked and settings.key_password is None:
            raise ConfigError(f"tls.key: {key} needs a password", "name it as tls.key_password") from None
        if asked:
            raise ConfigError(f"tls.key_password: wrong password for {key}") from None
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigError(f"tls.key: {key} does not match {cert}") from None
        hint = "both must be files in PEM form"
        raise ConfigError(f"tls.cert: {cert} and {key} hold no certificate with its key", hint) from None
    except ValueError:  # a password longer than OpenSSL takes
        raise ConfigError(f"tls.key_password: wrong password for {key}") from None
    except OSError as error:
        raise _unreadable(settings, "cert", error) from None


def lowered(text: str) -> str:
    """Begin a text of OpenSSL's or the system's as the middle of a sentence: ``IP address mismatch`` stays as it is."""
    text = text.strip().rstrip(".")
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def tls_words(error: ssl.SSLError) -> str:
    """Say what went wrong: ``TLSV1_ALERT_PROTOCOL_VERSION`` as ``protocol version``; empty where it is not known."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return lowered(getattr(error, "verify_message", None) or "")
    reason = getattr(error, "reason", None) or ""  # only OpenSSL's own errors have one
    return (reason.partition("ALERT_")[2] or reason).replace("_", " ").lower()


def describe(tls: ssl.SSLObject | None) -> str:
    """Name the TLS version and the cipher of a connection."""
    cipher = None if tls is None else tls.cipher()
    return "TLS" if tls is None or cipher is None else f"{tls.version()}, {cipher[0]}"
