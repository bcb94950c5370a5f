"""``command: [prog, arg]``: the output of a program, run without a shell."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, PlainValidator, WithJsonSchema
from pydantic_core import CoreSchema

from wscli.child import Child
from wscli.net.scrub import cleaned, forms_of
from wscli.templates import compile_template
from wscli.tokens.errors import SourceFailed
from wscli.tokens.fetcher import FetchContext, SourceAnswer
from wscli.tokens.field_types import TemplateText, Timeout, names_in
from wscli.values import Scalar, Secret, StrictModel

__all__ = ["CommandSource", "CommandField"]

_MAX_OUTPUT = 64 << 10
_MAX_QUOTE = 200
_LIST = {"type": "array", "items": {"type": "string"}, "minItems": 1, "examples": [["vault", "print", "token"]]}


@dataclass(frozen=True, slots=True)
class Argv:
    """A program and its arguments; ``shown`` is the program's name without secrets."""

    words: tuple[str, ...] = field(repr=False)
    shown: str


def _word(number: int, value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(f"item {number} of the command must be text")
    template = compile_template(value, ("token",))
    from_environment = isinstance(value, Scalar) and value.redacted != value
    if template.references or (from_environment and number):
        raise ValueError(
            f"item {number} of the command contains a secret, which the process list would show to every user; "
            "pass it by environment: or stdin: (the command inherits the manager's environment)"
        )
    return template.render({})


def _argv(value: object) -> Argv:
    if isinstance(value, Argv):
        return value
    if not isinstance(value, (list, tuple)) or not value:
        raise ValueError("a command must be a list, [PROGRAM, ARGUMENT...]; it is run without a shell")
    words = tuple(_word(number, item) for number, item in enumerate(value))
    if not words[0]:
        raise ValueError("the command must begin with a program")
    return Argv(words, value[0].redacted if isinstance(value[0], Scalar) else words[0])


class CommandSource(StrictModel):
    """A program that prints the token, run without a shell in the YAML file's directory."""

    run: Annotated[
        Argv, PlainValidator(_argv), WithJsonSchema(_LIST), Field(description="the program and its arguments")
    ]
    environment: dict[str, TemplateText] = Field(
        default_factory=dict, description="variables beside the manager's own; values may name {token.other}"
    )
    stdin: Annotated[TemplateText | None, Field(description="what it reads; without it, nothing")] = None
    timeout: Annotated[Timeout, Field(description="after this long its process group is killed")] = 30.0

    def references(self) -> frozenset[str]:
        """Give the tokens in its environment and input."""
        return names_in((*self.environment.values(), self.stdin))

    async def fetch(self, context: FetchContext) -> SourceAnswer:
        """Run it once."""
        scope = await context.scope(self.references())
        extra = {name: template.render(scope) for name, template in self.environment.items()}
        stdin = None if self.stdin is None else self.stdin.render(scope)
        child = await self._run(context.base, {**context.environ, **extra}, None if stdin is None else stdin.encode())
        if child.code != 0:
            how = f"exited with {child.code}" if child.code > 0 else f"was killed by signal {-child.code}"
            last = _last_line(bytes(child.errors), forms_of((*extra.values(), stdin or "", *context.secrets())))
            raise SourceFailed(f"the command '{self.run.shown}' {how}{f': {last}' if last else ''}")
        try:
            return SourceAnswer(Secret(child.output.decode("utf-8-sig")))
        except UnicodeDecodeError:
            raise SourceFailed(f"the output of the command '{self.run.shown}' is not UTF-8") from None

    async def _run(self, cwd: Path, environ: Mapping[str, str], stdin: bytes | None) -> Child:
        """Run until the program has exited and its stdout is closed, as ``$(...)`` in a shell does.

        A timeout, too much output, or a cancellation kills its process group.
        """
        name, child = self.run.shown, Child(most_output=_MAX_OUTPUT)
        try:
            await child.start(self.run.words, cwd=cwd, environ=environ, stdin=stdin)
        except (OSError, ValueError) as error:
            why = (error.strerror or "").lower() if isinstance(error, OSError) else "NUL in an argument"
            raise SourceFailed(f"cannot run the command '{name}': {why}") from None
        ended = False
        try:
            async with asyncio.timeout(self.timeout):
                await child.over
            ended = not child.overflowed
        except TimeoutError:
            raise SourceFailed(f"the command '{name}' took longer than {self.timeout:g} s and was killed") from None
        finally:
            await child.end(kill=not ended)
        if child.overflowed:
            raise SourceFailed(f"the command '{name}' printed more than {_MAX_OUTPUT >> 10} KiB and was killed")
        return child


def _last_line(errors: bytes, secrets: list[str]) -> str:
    """Give the last line of stderr, printable, short, and without the secrets."""
    line = next(filter(None, map(str.strip, reversed(errors.decode(errors="replace").splitlines()))), "")
    line = cleaned(line, secrets)
    return repr(line if len(line) <= _MAX_QUOTE else f"{line[:_MAX_QUOTE]}...") if line else ""


class _ListInSchema:
    """Allows the list alone in the JSON Schema."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [_LIST, handler(schema)]}


CommandField = Annotated[
    CommandSource,
    BeforeValidator(lambda value: CommandSource(run=_argv(value)) if isinstance(value, (list, tuple, str)) else value),
    _ListInSchema(),
]
