"""``value: "..."``: the token itself, often ``${VAR}``, or text around another token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema

from wscli.templates import Template
from wscli.tokens.fetcher import FetchContext, SourceAnswer
from wscli.tokens.field_types import names_in, parse_template
from wscli.values import Secret

__all__ = ["Value", "ValueSource"]


@dataclass(frozen=True, slots=True)
class ValueSource:
    """Text; with ``{token.other}`` in it, it expires with the first of those tokens."""

    template: Template

    async def fetch(self, context: FetchContext) -> SourceAnswer:
        """Fill the template."""
        scope = await context.scope(self.references())
        ends = [token.expires_at for token in context.used.values() if token.expires_at is not None]
        return SourceAnswer(
            Secret(self.template.render(scope)),
            expires_in=min(ends) - context.clock.boottime() if ends else None,
            made_of={name: token.version for name, token in context.used.items()},
        )

    def references(self) -> frozenset[str]:
        """Give the tokens in the text."""
        return names_in((self.template,))


Value = Annotated[
    ValueSource,
    PlainValidator(lambda value: value if isinstance(value, ValueSource) else ValueSource(parse_template(value))),
    WithJsonSchema({"type": "string"}),
]
