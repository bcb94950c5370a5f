"""The problems of a file: collected, sorted and reported together."""

from __future__ import annotations

from collections import defaultdict

from wscli.config.reading.nodes import Mark, Path
from wscli.errors import ConfigError

__all__ = ["FatalProblem", "FileProblems", "path_text"]


class FatalProblem(Exception):
    """A problem after which nothing can be read."""

    def __init__(self, mark: Mark | None, text: str, path: Path = ()) -> None:
        super().__init__(text)
        self.mark = mark
        self.text = text
        self.path = path


def path_text(path: Path) -> str:
    """Write a path: ``channels.calls.subprotocols[0]``."""
    written = ""
    for step in path:
        written += f"[{step}]" if isinstance(step, int) else f".{step if step and step.isprintable() else repr(step)}"
    return written.removeprefix(".")


class FileProblems:
    """The problems, or the warnings, of one file."""

    def __init__(self, label: str) -> None:
        self.label = label
        """The file, as the user named it."""
        self._found: dict[Mark, set[tuple[Path, str]]] = defaultdict(set)
        """Path and text of each, by place."""
        self._origins: dict[Mark, str] = {}

    def originate(self, mark: Mark, origin: str) -> None:
        """Have the problems of a place name where its values come from."""
        self._origins[mark] = origin

    def origin(self, mark: Mark) -> str | None:
        """Give where the values of a place come from; None: they stand there."""
        return self._origins.get(mark)

    def add(self, mark: Mark, path: Path, text: str) -> None:
        """Add a problem; an equal one of the same place is kept once."""
        origin = self._origins.get(mark)
        self._found[mark].add((path, text if origin is None or origin in text else f"{text} ({origin})"))

    def at(self, mark: Mark) -> bool:
        """Whether a place has a problem already, whose consequences need no report."""
        return mark in self._found

    def knows(self, mark: Mark, path: Path) -> bool:
        """Whether a value has a problem already; the values of a preset share a place, and differ by path."""
        if mark not in self._origins:
            return self.at(mark)
        return any(other == path for other, _ in self._found.get(mark, ()))

    def __bool__(self) -> bool:
        return bool(self._found)

    def lines(self) -> tuple[str, ...]:
        """Give a line for each, sorted by place: ``app.yaml:12:5: channels.calls: ...``."""
        return tuple(
            _on_one_line(": ".join(filter(None, (f"{self.label}:{mark.line}:{mark.column}", path, text))))
            for mark, found in sorted(self._found.items())
            for path, text in sorted((path_text(path), text) for path, text in found)
        )

    def paths(self) -> tuple[Path, ...]:
        """Give the path of each, sorted by place."""
        return tuple(path for _, found in sorted(self._found.items()) for path, _ in sorted(found, key=str))

    def error(self, fatal: FatalProblem | None = None, hint: str = "") -> ConfigError:
        """Make an error of all problems."""
        if fatal is not None and fatal.mark is None:
            return ConfigError(_on_one_line(f"{self.label}: {fatal.text}"), "-c FILE names the file")
        if fatal is not None and fatal.mark is not None:
            self.add(fatal.mark, fatal.path, fatal.text)
            hint = "correct that line, and run the same command again"
        return ConfigError("\n".join(self.lines()), hint or "`wscli explain` lists the keys of the top level")


def _on_one_line(text: str) -> str:
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
