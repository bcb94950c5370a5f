"""From ``tls:`` to an SSLContext, made once for all channels that share it."""

from __future__ import annotations

import ssl
from pathlib import Path

from wscli.config.models.upstream import TlsPlan
from wscli.errors import ConfigError

__all__ = ["describe", "make_tls"]

_State = tuple[TlsPlan, tuple[tuple[int, int], ...]]
_contexts: dict[_State, ssl.SSLContext] = {}
_KEPT = 64


def make_tls(plan: TlsPlan) -> ssl.SSLContext:
    """Give the context of a plan; a changed file makes a new one, so that the next dial uses a renewed certificate.

    Raises:
        ConfigError: a file is missing or cannot be read, holds no certificate or key, or its password does not fit.

    """
    state = (plan, tuple(_stamp(option, path) for option, path in _files(plan)))
    context = _contexts.get(state)
    if context is None:
        context = _make(plan)
        while len(_contexts) >= _KEPT:
            del _contexts[next(iter(_contexts))]
        _contexts[state] = context
    return context


def _files(plan: TlsPlan) -> list[tuple[str, Path]]:
    named = (("ca", plan.ca), ("cert", plan.cert), ("key", plan.key))
    return [(option, path) for option, path in named if path is not None]


def _stamp(option: str, path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise _unreadable(option, path, error) from None
    return status.st_mtime_ns, status.st_size


def _unreadable(option: str, path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"tls.{option}: cannot read {str(path)!r}: {(error.strerror or 'unreadable').lower()}")


def _make(plan: TlsPlan) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH) if plan.ca is None else _trusting(plan.ca)
    context.set_alpn_protocols(["http/1.1"])  # the upgrade is one of HTTP/1.1 (RFC 6455, section 4.1)
    if plan.cert is not None:
        _present(context, plan, plan.cert)
    elif plan.key is not None:
        raise ConfigError("tls.key: a key without a certificate", hint="name the certificate as tls.cert")
    if plan.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _trusting(ca: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=ca)
    except ssl.SSLError:
        raise ConfigError(f"tls.ca: {str(ca)!r} holds no certificate", hint="it is a file in PEM form") from None
    except OSError as error:
        raise _unreadable("ca", ca, error) from None


def _present(context: ssl.SSLContext, plan: TlsPlan, cert: Path) -> None:
    key = plan.key or cert
    asked = False

    def password() -> str:  # without it OpenSSL would ask on the terminal
        nonlocal asked
        asked = True
        return plan.key_password.reveal() if plan.key_password is not None else ""

    try:
        context.load_cert_chain(cert, plan.key, password)
    except ssl.SSLError as error:
        if asked and plan.key_password is None:
            raise ConfigError(f"tls.key: {str(key)!r} needs a password", hint="name it as tls.key_password") from None
        if asked:
            raise ConfigError(f"tls.key_password: it does not open {str(key)!r}") from None
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigError(f"tls.key: {str(key)!r} is not the key of {str(cert)!r}") from None
        raise ConfigError(
            f"tls.cert: {str(cert)!r} and {str(key)!r} hold no certificate with its key",
            hint="both are files in PEM form",
        ) from None
    except ValueError:  # a password longer than OpenSSL takes
        raise ConfigError(f"tls.key_password: it does not open {str(key)!r}") from None
    except OSError as error:
        raise _unreadable("cert", cert, error) from None


def describe(tls: ssl.SSLObject | None) -> str:
    """Name the version and the cipher that were agreed on."""
    cipher = None if tls is None else tls.cipher()
    return "TLS" if tls is None or cipher is None else f"{tls.version()}, {cipher[0]}"
