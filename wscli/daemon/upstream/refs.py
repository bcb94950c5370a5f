"""References: what ``{ref.int}`` and its like become, drawn as the message is written; pure but for the numbers."""

from __future__ import annotations

from itertools import count
from uuid import uuid4

from wscli.control.requests import PLACEHOLDER, Ref
from wscli.errors import UsageError
from wscli.templates import Template, TemplateError, compile_template

__all__ = ["Referring", "Refs"]

_KINDS = ("int", "str", "uuid")
MOST = 1000
"""References of one message, those that are text included: filling them holds up everything else."""


class Refs:
    """The references of one upstream; numbers rise through reconnects: a late answer matches no later request."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def draw(self, kind: str) -> Ref:
        """Give a fresh one: a number, the same as text, or a random UUID (RFC 9562, section 5.4)."""
        if kind == "uuid":
            return str(uuid4())
        number = next(self._numbers)
        return str(number) if kind == "str" else number


class Referring:
    """A message with references, which are all the same value.

    Raises:
        UsageError: a reference is of an unknown kind or has a filter that does not fit, there are two kinds, or over
            ``MOST``.

    """

    __slots__ = ("_kind", "_pieces")

    def __init__(self, text: str) -> None:
        self._pieces: list[str | Template] = []
        kinds: dict[str, None] = {}
        at = 0
        try:
            for number, found in enumerate(PLACEHOLDER.finditer(text)):
                if number == MOST:
                    raise UsageError(
                        f"the message has over {MOST} references", "`wscli send CHANNEL` sends text as it stands"
                    )
                template = compile_template(found.group(), ("ref",))
                self._pieces += [text[at : found.start()], template]
                kinds.update((name, None) for _, name in template.references)
                at = found.end()
            self._pieces.append(text[at:])
            self._kind = _only(list(kinds))
            self.fill(Refs())  # a filter that does not fit is told now
        except TemplateError as error:
            raise UsageError(f"the message: {error}", "`{{ref.NAME}` writes `{ref.NAME}` as text") from None

    def fill(self, refs: Refs) -> tuple[Ref | None, str]:
        """Draw a reference, and give it with the text that it stands in; None where the text has none."""
        ref = None if self._kind is None else refs.draw(self._kind)
        scope = {"ref": {self._kind or "": ref}}
        return ref, "".join(one if isinstance(one, str) else one.render(scope) for one in self._pieces)


def _only(kinds: list[str]) -> str | None:
    for kind in kinds:
        if kind not in _KINDS:
            known = "there are {ref.int}, {ref.str} and {ref.uuid}"
            raise UsageError(
                f"no reference is called '{{ref.{kind}}}'", f"{known}; '{{{{ref.{kind}}}' writes it as text"
            )
    if len(kinds) > 1:
        both = " and ".join(f"'{{ref.{kind}}}'" for kind in kinds)
        raise UsageError(f"the message has {both}, and $ref can be one only", "use one of them throughout")
    return kinds[0] if kinds else None
