"""``command: [prog, arg]``: what a program prints."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, PlainValidator, WithJsonSchema
from pydantic_core import CoreSchema

from wscli.templates import Scope, compile_template
from wscli.tokens.failed import SourceFailed
from wscli.tokens.fetch import Answer, FetchContext
from wscli.tokens.fields import TemplateText, Timeout, names_in
from wscli.tokens.process import Finished, run
from wscli.values import Scalar, Secret, StrictModel

__all__ = ["Argv", "Command", "CommandSource"]

_LONGEST_QUOTE = 200
_SHORTEST_SECRET = 4
_LIST = {"type": "array", "items": {"type": "string"}, "minItems": 1, "examples": [["vault", "print", "token"]]}


@dataclass(frozen=True, slots=True)
class Argv:
    """A program and its arguments; ``shown`` is what may be printed of the program's name."""

    words: tuple[str, ...] = field(repr=False)
    shown: str


def _word(number: int, value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(f"item {number} of the command is not text")
    template = compile_template(value, ("token",))
    from_environment = isinstance(value, Scalar) and value.redacted != value
    if template.references or (from_environment and number):
        raise ValueError(
            f"item {number} of the command holds a secret, which the process list would show to everybody; "
            "hand it over by environment: or stdin: (the command inherits the manager's environment)"
        )
    return template.render({})


def _argv(value: object) -> Argv:
    if isinstance(value, Argv):
        return value
    if not isinstance(value, (list, tuple)) or not value:
        raise ValueError("a command is a list, [PROGRAM, ARGUMENT...]; it is run without a shell")
    words = tuple(_word(number, item) for number, item in enumerate(value))
    if not words[0]:
        raise ValueError("the command's program is empty")
    return Argv(words, value[0].redacted if isinstance(value[0], Scalar) else words[0])


class CommandSource(StrictModel):
    """A program that prints the token, run without a shell where the YAML file is."""

    run: Annotated[
        Argv, PlainValidator(_argv), WithJsonSchema(_LIST), Field(description="the program and its arguments")
    ]
    environment: dict[str, TemplateText] = Field(
        default_factory=dict, description="variables beside the manager's own; values may name {token.other}"
    )
    stdin: Annotated[TemplateText | None, Field(description="what it reads; without it, nothing")] = None
    timeout: Annotated[Timeout, Field(description="after this long its process group is killed")] = 30.0

    def references(self) -> frozenset[str]:
        """The tokens in its environment and input."""
        return names_in((*self.environment.values(), self.stdin))

    async def fetch(self, context: FetchContext) -> Answer:
        """Run it once."""
        scope = await context.scope(self.references())
        extra, stdin = self._secrets(scope)
        done = await run(
            self.run.words,
            shown=self.run.shown,
            cwd=context.base,
            environ={**context.environ, **extra},
            stdin=None if stdin is None else stdin.encode(),
            timeout=self.timeout,
        )
        if done.code != 0:
            raise SourceFailed(self._failure(done, [*extra.values(), *([stdin] if stdin else [])]))
        try:
            return Answer(Secret(done.output.decode("utf-8-sig")))
        except UnicodeDecodeError:
            raise SourceFailed(f"the command '{self.run.shown}' printed what is not UTF-8") from None

    def _secrets(self, scope: Scope) -> tuple[dict[str, str], str | None]:
        extra = {name: template.render(scope) for name, template in self.environment.items()}
        return extra, None if self.stdin is None else self.stdin.render(scope)

    def _failure(self, done: Finished, secrets: list[str]) -> str:
        how = f"exited with {done.code}" if done.code > 0 else f"was killed by signal {-done.code}"
        last = _last_line(done.errors, secrets)
        return f"the command '{self.run.shown}' {how}{f': {last}' if last else ''}"


def _last_line(errors: bytes, secrets: list[str]) -> str:
    """The last line of stderr, printable, short, and without what was handed over."""
    lines = [line.strip() for line in errors.decode(errors="replace").splitlines() if line.strip()]
    if not lines:
        return ""
    line = lines[-1]
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            line = line.replace(secret, "***")
    shortened = line if len(line) <= _LONGEST_QUOTE else f"{line[:_LONGEST_QUOTE]}..."
    return repr(shortened)


def _from_list(value: object) -> object:
    return CommandSource(run=_argv(value)) if isinstance(value, (list, tuple, str)) else value


class _ListInSchema:
    """Says in the JSON Schema that the list alone will do."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Add the list to the model's own schema."""
        return {"anyOf": [_LIST, handler(schema)]}


Command = Annotated[CommandSource, BeforeValidator(_from_list), _ListInSchema()]
