"""Compiles the values of a session where they stand, and remembers what they name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from pydantic import ValidationError

from wscli.config.checks.context import Context, Use
from wscli.config.reading.located import Located
from wscli.config.reading.nodes import Branch, Items, Leaf, kind_of, plain
from wscli.config.translate import report_errors
from wscli.core.failures import Action, Verdict
from wscli.core.verdicts import parse_verdicts
from wscli.session.plan import Assigned
from wscli.templates import NAMESPACES, JsonTemplate, TemplateError, compile_json, did_you_mean, unquoted_placeholder
from wscli.templates.filters import Placeholder
from wscli.templates.paths import JsonPath, compile_path_expression
from wscli.templates.shapes import Shape, compile_shape
from wscli.templates.text import split
from wscli.templates.trees import compile_key
from wscli.values import Scalar, StrictModel, shown

__all__ = ["Condition", "Place", "Setter", "Site", "placeholders", "spaces_of"]

_FIXED = {
    "ref": (("int", "str", "uuid"), "a number is {ref.int} or {ref.str}, an id {ref.uuid}"),
    "sent": (("ref",), "only {sent.ref} is known of a message"),
    "now": (("ms", "s", "rfc3339"), "the time is {now.ms}, {now.s} or {now.rfc3339}"),
}
"""Namespaces with names of their own, and what to say of another."""

_Model = TypeVar("_Model", bound=StrictModel)
Condition = tuple[str, str, Shape]


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a session something stands."""

    name: str
    """As in ``hello``."""
    spaces: tuple[str, ...]
    """The namespaces of what is sent there."""
    of_channel: bool = False
    """Whether it is a channel's: what is set there is ``{sub}``."""
    connected: bool = True
    """Whether there is a connection."""
    within: float = 10.0
    longest: float = 3600.0


class Setter(NamedTuple):
    """A ``set`` or a ``keep`` of a name."""

    space: str
    name: str
    kept: bool
    place: str


@dataclass(slots=True)
class Site:
    """One endpoint's session while it is compiled."""

    context: Context
    share: bool = False
    uses: list[Use] = field(default_factory=list)
    setters: list[Setter] = field(default_factory=list)
    groups: set[str] = field(default_factory=set)
    """The names of the groups of ``frames.parse`` that are text, or ``headers``, which has texts."""
    shapes: list[tuple[Located, Shape, str | None]] = field(default_factory=list)
    """Each with its place and the kind of ``{sent.ref}``."""
    conditions: tuple[Condition, ...] = ()
    """Of the step that is compiled."""
    before: bool = False
    """Whether that step is taken before there is a connection."""
    skipped: bool = False
    """Whether that step is never taken, as its token source is declared or is not."""

    def add(self, located: Located, text: str, *, key: bool = False) -> None:
        """Add a problem, unless the place has one already."""
        if not self.context.problems.knows(located.key_at if key else located.mark, located.path):
            self.context.add(located, text, key=key)

    def typed(self, model: type[_Model], located: Located, *, spaces: Collection[str] = NAMESPACES) -> _Model | None:
        """Validate a level of the tree; its problems go to the context."""
        try:
            found = model.model_validate(plain(located.node), context={"base": self.context.base, "spaces": spaces})
        except ValidationError as error:
            report_errors(error, located, self.context.problems)
            return None
        return found

    def items(self, located: Located | None, what: str) -> list[Located]:
        """Give the items of a list; anything else is a problem."""
        if located is None:
            return []
        if not isinstance(located.node, Items):
            self.add(located, f"must be a list of {what}, not {self.quoted(located)}")
        return list(located.items())

    def quoted(self, located: Located) -> str:
        """Quote a value for a message."""
        return shown(located.text) if located.text is not None else kind_of(located.node)

    # values with placeholders

    def message(self, located: Located | None, spaces: Collection[str], *, of_channel: bool) -> JsonTemplate | None:
        """Compile JSON with placeholders; None: there is none, or it is wrong."""
        if located is None or not self._checks(located, spaces, compile_json):
            return None
        self.collect(located, spaces, of_channel=of_channel)
        return compile_json(plain(located.node), spaces)

    def text(self, located: Located | None, spaces: Collection[str], *, of_channel: bool) -> JsonTemplate | None:
        """Compile text with placeholders."""
        if located is None:
            return None
        if located.text is None:
            self.add(located, _unquoted(located) or f"must be text, not {kind_of(located.node)}")
            return None
        if not self._checks(located, spaces, compile_json):
            return None
        self.collect(located, spaces, of_channel=of_channel)
        return compile_json(Scalar(str(located.text), plain=False, redacted=located.text.redacted), spaces)

    def shape(
        self, located: Located | None, spaces: Collection[str], *, of_channel: bool, sent: str | None = None
    ) -> Shape | None:
        """Compile a shape; ``sent`` is the kind of ``{sent.ref}``."""
        if located is None or not self._checks(located, spaces, compile_shape):
            return None
        self.collect(located, spaces, of_channel=of_channel)
        try:
            shape = compile_shape(plain(located.node), spaces)
        except TemplateError as error:  # of several leaves together
            self.add(located, str(error))
            return None
        self.shapes.append((located, shape, sent))
        return shape

    def path(self, located: Located | None, *, many: bool = False) -> JsonPath | None:
        """Compile a path."""
        if located is None:
            return None
        if located.text is None:
            self.add(located, f"must be a path, such as .payload, not {kind_of(located.node)}")
            return None
        try:
            return compile_path_expression(located.text, many=many)
        except ValueError as error:
            self.add(located, str(error))
            return None

    def _checks(self, located: Located, spaces: Collection[str], compiles: Callable[..., object]) -> bool:
        """Check each leaf and key by itself, so that each problem has its place."""
        if isinstance(located.node, Leaf):
            try:
                compiles(located.node.value, spaces)
            except (TemplateError, ValueError) as error:
                self.add(located, str(error))
                return False
            return True
        if meant := _unquoted(located):
            self.add(located, meant)
            return False
        good = True
        for key, value in located.entries():
            try:
                compile_key(key, spaces)
            except TemplateError as error:
                self.add(value, str(error), key=True)
                good = False
            good = self._checks(value, spaces, compiles) and good
        for item in located.items():
            good = self._checks(item, spaces, compiles) and good
        return good

    def collect(self, located: Located | None, spaces: Collection[str], *, of_channel: bool) -> None:
        """Remember the placeholders of a value, and check their fixed names."""
        for leaf in () if located is None else located.leaves():
            for one in placeholders(leaf, spaces):
                self.uses.append(Use(one, leaf, of_channel, self.conditions, self.before))
                if one.space in _FIXED and one.name not in _FIXED[one.space][0]:
                    names, text = _FIXED[one.space]
                    self.add(leaf, f"'{one}': {text}{did_you_mean(one.name, names)}")
                if one.space == "token" and one.default is None and not self.skipped:
                    self.context.check_token(leaf, one.name)

    def name(self, located: Located, space: str, name: str, *, of_channel: bool) -> None:
        """Remember a variable that need not have a value."""
        self.uses.append(Use(Placeholder(space, name, None, ""), located, of_channel))

    # what is set, and verdicts

    def values(self, located: Located | None, place: Place, *, kept: bool, has_message: bool) -> Mapping[str, Assigned]:
        """Compile ``set`` or ``keep``: a path where it begins with a dot, else a template."""
        found: dict[str, Assigned] = {}
        if located is not None and not isinstance(located.node, Branch):
            self.add(located, f"must be a mapping of names to paths, not {self.quoted(located)}")
            return found
        for name, value in located.entries() if located is not None else ():
            space = "sub" if place.of_channel else "var"
            if not name or not all(sign.isascii() and (sign.isalnum() or sign in "_-") for sign in name):
                self.add(
                    value, f"invalid name: {name!r}; a name must consist of letters, digits, '_' and '-'", key=True
                )
            elif (space, name) == ("sub", "ref"):
                self.add(value, "{sub.ref} is the first message's of 'subscribe'; choose another name", key=True)
            self.setters.append(Setter(space, name, kept, place.name))
            compiled = self._value(value, place, kept=kept, has_message=has_message)
            if compiled is not None:
                found[name] = compiled
        return found

    def _value(self, located: Located, place: Place, *, kept: bool, has_message: bool) -> Assigned | None:
        if located.text is None or not located.text.redacted.startswith("."):
            secret = ("token",) if kept else ()  # what is kept may be written to a disk
            spaces = [space for space in place.spaces if space not in ("ref", "msg", *secret)]
            spaces += ["msg"] * has_message
            return self.message(located, spaces, of_channel=place.of_channel)
        if not has_message:
            self.add(located, f"{self.quoted(located)}: there is no message here; add 'expect:', 'http:' or 'run:'")
            return None
        return self.path(located)

    def verdict(self, located: Located | None, *, of_channel: bool) -> Verdict | None:
        """Read a verdict."""
        if located is None:
            return None
        try:
            (found,) = parse_verdicts({"1000": plain(located.node)}).values()
        except ValueError as error:
            self.add(located, str(error))
            return None
        if found.action is Action.REPLACE and of_channel and self.share:
            text = "'replace' is of a whole connection, which other channels share; use retry, reconnect, fresh or stop"
            self.add(located, text)
        return found


def _unquoted(located: Located) -> str | None:
    meant = unquoted_placeholder(plain(located.node)) if isinstance(located.node, Branch) else None
    return f'quote "{meant}": without quotes it is a mapping to YAML' if meant else None


def placeholders(leaf: Located, spaces: Collection[str]) -> list[Placeholder]:
    """Give the placeholders of a text; of an invalid one none."""
    if leaf.text is None or "{" not in leaf.text:
        return []
    try:
        return [piece for piece in split(leaf.text, spaces) if isinstance(piece, Placeholder)]
    except TemplateError:
        return []


def spaces_of(located: Located | None) -> set[str]:
    """Give the namespaces that a value names, wherever it is allowed to."""
    leaves = () if located is None else located.leaves()
    return {one.space for leaf in leaves for one in placeholders(leaf, NAMESPACES)}
