"""Types of keys: text that keeps its ``Scalar``, secrets, and TLS with files relative to the configuration file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, PlainValidator, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticKnownError

from wscli.net.tls import TlsSettings
from wscli.values import Scalar, Secret

__all__ = ["TEXT_SCHEMA", "EndpointTls", "SecretText", "Text", "base_of", "expand_home", "joined", "require_text"]

TEXT_SCHEMA: dict[str, Any] = {"type": ["string", "number", "boolean"]}
_TEXT = WithJsonSchema(TEXT_SCHEMA)


def require_text(value: object) -> str:
    """Give text; refuse a list or a mapping in the words of the types."""
    if not isinstance(value, str):
        raise PydanticKnownError("string_type")
    return value


def base_of(info: ValidationInfo) -> Path:
    """Give the directory of the configuration file, which is the validation's context."""
    return Path((info.context or {}).get("base", "."))


def expand_home(text: str) -> Path:
    """Expand ``~`` and ``~user``.

    Raises:
        ValueError: the user is unknown; the text follows the quoted value and a colon.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError("the home directory of an unknown user") from None


def _absolute(settings: TlsSettings, info: ValidationInfo) -> TlsSettings:
    files = {key: name for key in ("ca", "cert", "key") if (name := getattr(settings, key)) is not None}
    return settings.model_copy(update={key: _below(base_of(info), name) for key, name in files.items()})


def _below(base: Path, name: str) -> str:
    """Give the path of a file; values of the environment stay redacted in it."""
    redacted = name.redacted if isinstance(name, Scalar) else name
    return Scalar(joined(base, name), redacted=joined(base, redacted))


def joined(base: Path, name: str) -> str:
    """Give the path of a file, relative to ``base``."""
    try:
        return str(base / expand_home(name))
    except ValueError:
        return str(base / name)  # which the check of the file reports


Text = Annotated[str, PlainValidator(require_text), _TEXT]
"""Text that keeps what is known of it (``Scalar``)."""
SecretText = Annotated[
    Secret,
    PlainValidator(lambda value: value if isinstance(value, Secret) else Secret(str(require_text(value)))),
    _TEXT,
]
EndpointTls = Annotated[TlsSettings, AfterValidator(_absolute)]
"""TLS whose relative files start at the directory of the configuration file."""
