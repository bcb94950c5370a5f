"""The files of ``tls:``, which must be there when the configuration is loaded."""

from __future__ import annotations

from pathlib import Path

from wscli.config.context import Context
from wscli.config.nodes import Branch
from wscli.config.spots import Spot
from wscli.net.tls import TlsSettings
from wscli.values import Scalar, Secret, shown

__all__ = ["check_tls", "check_tls_files"]


def check_tls_files(spot: Spot, context: Context) -> dict[str, Scalar]:
    """Give the absolute paths of ``ca``, ``cert`` and ``key``; each must be a file that can be read."""
    found = {}
    for key in ("ca", "cert", "key"):
        named = spot.get(key)
        if named is None or named.text is None or context.problems.at(named.mark):
            continue
        path = context.base / Path(named.text).expanduser()
        wrong = _wrong(path)
        if wrong:
            context.add(named, f"{shown(named.text)}: {wrong}")
        found[key] = Scalar(str(path), redacted=str(context.base / Path(named.text.redacted).expanduser()))
    return found


def _wrong(path: Path) -> str | None:
    try:
        if path.is_dir():
            return "this is a directory, not a file"
        if not path.exists():
            return "there is no such file; a relative path starts at this file's directory"
        if path.is_file():  # opening a FIFO would wait for its writer
            path.open("rb").close()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "no path"
        return f"this file cannot be read: {reason.lower()}"
    return None


def check_tls(spot: Spot | None, context: Context, *, secure: bool) -> TlsSettings:
    """Read an endpoint's ``tls:``."""
    if spot is None:
        return TlsSettings()
    files = check_tls_files(spot, context)
    password, server_name, insecure = spot.get("key_password"), spot.get("server_name"), spot.get("insecure")
    cert = spot.get("cert")
    for alone in (spot.get("key"), password):
        if alone is not None and cert is None:
            context.add(alone, "a key without its certificate; add 'cert:'", key=True)
    if not secure and isinstance(spot.node, Branch):
        context.add(spot, "a ws:// url has no TLS; write wss://, or leave 'tls:' out", key=True)
    return TlsSettings.model_construct(  # the errors that validation would find are located above
        ca=files.get("ca"),
        cert=files.get("cert"),
        key=files.get("key"),
        key_password=Secret(str(password.text)) if password is not None else None,
        server_name=str(server_name.text) if server_name is not None else None,
        insecure=insecure is not None and insecure.text == "true",
    )
