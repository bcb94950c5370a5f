"""TLS for token endpoints, beyond the system's defaults."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from wscli.tokens.failed import SourceFailed
from wscli.values import Flag, Secret, StrictModel

__all__ = ["TlsSettings", "make_context"]


class TlsSettings(StrictModel):
    """TLS beyond the system's defaults; relative paths start at the YAML file."""

    ca: Annotated[str | None, Field(description="PEM file of the authorities to trust instead of the system's")] = None
    cert: Annotated[str | None, Field(description="PEM file of our own certificate")] = None
    key: Annotated[str | None, Field(description="PEM file of its key; without it, the key is in cert")] = None
    key_password: Annotated[Secret | None, Field(description="what the key is encrypted with")] = None
    server_name: Annotated[str | None, Field(description="the name to ask for and to check, instead of the URL's")] = (
        None
    )
    insecure: Annotated[Flag, Field(description="true: check no certificate; for development only")] = False

    @model_validator(mode="after")
    def _key_belongs_to_cert(self) -> TlsSettings:
        if self.cert is None and (self.key is not None or self.key_password is not None):
            raise ValueError("a key without its certificate; add cert: PATH")
        return self


def make_context(settings: TlsSettings, base: Path) -> ssl.SSLContext:
    """Read the files, as they are now, into a context.

    Raises:
        SourceFailed: a file is missing, or is not what it should be.

    """
    context = ssl.create_default_context()
    try:
        if settings.ca is not None:
            context = ssl.create_default_context(cafile=base / Path(settings.ca).expanduser())
        if settings.cert is not None:
            key = None if settings.key is None else base / Path(settings.key).expanduser()
            password = settings.key_password
            # Without a password of ours OpenSSL would ask for one on the terminal.
            context.load_cert_chain(
                base / Path(settings.cert).expanduser(), key, lambda: password.reveal() if password else ""
            )
    except ssl.SSLError as error:
        raise SourceFailed(f"the TLS files cannot be used: {(error.reason or 'not PEM').lower()}") from None
    except (OSError, ValueError) as error:
        why = (error.strerror or "").lower() if isinstance(error, OSError) else "not a path"
        raise SourceFailed(f"the TLS files cannot be read: {why}") from None
    if settings.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
