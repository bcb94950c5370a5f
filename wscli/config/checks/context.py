"""What the checks of one load share: its problems, its directory, the declared tokens."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from wscli.config.reading.located import Located
from wscli.config.reading.problems import FileProblems
from wscli.templates import Template, TemplateError, compile_template, did_you_mean
from wscli.templates.filters import Placeholder
from wscli.templates.shapes import Shape

__all__ = ["DIAL_NAMESPACES", "Context", "LocatedTemplate", "Use", "nearest", "unknown_token", "uses_of"]

DIAL_NAMESPACES = ("token", "param", "with", "var")


class LocatedTemplate(NamedTuple):
    """A template with its place in the file."""

    template: Template
    located: Located

    def sample(self) -> str:
        """Fill it with values that any filter takes, to check the text around the placeholders."""
        names = dict.fromkeys((name for _, name in self.template.references), "1")
        return self.template.render(dict.fromkeys(DIAL_NAMESPACES, names))


class Use(NamedTuple):
    """A placeholder, and the value in which it stands."""

    placeholder: Placeholder
    located: Located
    of_channel: bool = False
    """Whether a session needs it for a channel, not for the connection."""
    conditions: tuple[tuple[str, str, Shape], ...] = ()
    """Of ``when:``, namespace, name and shape: where one does not fit, it is not used."""
    before: bool = False
    """Whether it is used before there is a connection."""


def uses_of(placed: LocatedTemplate) -> tuple[Use, ...]:
    """Give the placeholders of a template."""
    pieces = placed.template.partly_filled({})
    return tuple(Use(piece, placed.located) for piece in pieces if isinstance(piece, Placeholder))


@dataclass(slots=True)
class Context:
    """One load of one file."""

    problems: FileProblems
    base: Path
    """The directory that file names are relative to."""
    tokens: Collection[str] | None = ()
    """The names of the declared sources; None where the section cannot be read."""
    _templates: dict[tuple[str, str], Template] = field(default_factory=dict)

    def add(self, located: Located, text: str, *, key: bool = False) -> None:
        """Add a problem with a value, or with its key."""
        self.problems.add(located.key_at if key else located.mark, located.path, text)

    def template(self, located: Located) -> LocatedTemplate | None:
        """Compile a value of a dial; equal texts share one template."""
        text = located.text
        if text is None:  # the types report it
            return None
        same = (str(text), text.redacted)
        template = self._templates.get(same)
        if template is None:
            try:
                template = compile_template(text, DIAL_NAMESPACES)
            except TemplateError as error:
                self.add(located, str(error))
                return None
            self._templates[same] = template
        placed = LocatedTemplate(template, located)
        for use in uses_of(placed):
            if use.placeholder.space == "token" and use.placeholder.default is None:
                self.check_token(located, use.placeholder.name)
        return placed

    def has_token(self, name: str) -> bool:
        """Whether a source is declared; where the section cannot be read, each may be."""
        return self.tokens is None or name in self.tokens

    def check_token(self, located: Located, name: str) -> None:
        """Refuse a source that is not declared; a preset says that it needs one."""
        if self.tokens is None or name in self.tokens:
            return
        origin = self.problems.origin(located.mark)
        if origin is None:
            self.add(located, f"'{{token.{name}}}': {unknown_token(name, self.tokens)}")
        else:
            path = (*located.path[:2], "preset")  # what stands in a preset has no path in the file
            self.problems.add(located.mark, path, f"the {origin} needs a token source {name!r}; add it under 'tokens:'")


def unknown_token(name: str, known: Collection[str]) -> str:
    """Name an unknown source, and the one that may be meant."""
    return f"unknown token source: {name!r}{nearest(name, known, 'tokens')}"


def nearest(name: str, known: Collection[str], section: str) -> str:
    """Name what may be meant by an unknown name, else what there is, or the section that declares it."""
    few = 0 < len(known) <= 8
    return did_you_mean(name, known) or (f"; declared: {', '.join(known)}" if few else f"; '{section}:' declares them")
