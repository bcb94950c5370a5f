"""Types of keys: text that keeps its ``Scalar``, secrets, and files relative to the configuration file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import PlainValidator, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticKnownError

from wscli.values import Secret

__all__ = ["TEXT_SCHEMA", "FilePath", "SecretText", "Text", "base_of", "expand_home"]

TEXT_SCHEMA: dict[str, Any] = {"type": ["string", "number", "boolean"]}
_TEXT = WithJsonSchema(TEXT_SCHEMA)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise PydanticKnownError("string_type")
    return value


def _secret(value: object) -> Secret:
    return value if isinstance(value, Secret) else Secret(str(_text(value)))


def base_of(info: ValidationInfo) -> Path:
    """Give the directory of the configuration file, which is the validation's context."""
    context: dict[str, Any] = info.context or {}
    base: Path = context.get("base", Path())
    return base


def expand_home(text: str) -> Path:
    """Expand ``~`` and ``~user``.

    Raises:
        ValueError: the user is unknown; the text follows the quoted value and a colon.

    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError("the home directory of an unknown user") from None


def _file(value: object, info: ValidationInfo) -> Path:
    if isinstance(value, Path):
        return value
    try:
        return base_of(info) / expand_home(_text(value))
    except ValueError:
        return base_of(info) / _text(value)  # which the check of the file reports


Text = Annotated[str, PlainValidator(_text), _TEXT]
"""Text that keeps what is known of it (``Scalar``)."""
SecretText = Annotated[Secret, PlainValidator(_secret), _TEXT]
FilePath = Annotated[Path, PlainValidator(_file), _TEXT]
"""A file; a relative path starts at the directory of the configuration file."""
