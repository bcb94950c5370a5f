"""``preset: NAME``: its keys are put below those of the endpoint, before anything is typed."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass

from wscli.config.reading.located import Located
from wscli.config.reading.nodes import Branch, Items, Leaf, MapEntry, Mark, Node, kind_of
from wscli.config.reading.parse import parse_yaml
from wscli.config.reading.problems import FatalProblem, FileProblems
from wscli.session.preset import preset_names, preset_text
from wscli.templates import did_you_mean
from wscli.values import Scalar, is_extension, shown

__all__ = ["UsedPreset", "apply_presets", "preset_init"]

_APART = ("verdicts",)
"""Keys that stay a level of their own."""
_TOKEN = re.compile(r"\{token\.([A-Za-z0-9_-]+)")


@dataclass(frozen=True, slots=True)
class UsedPreset:
    """The preset of one endpoint."""

    name: str
    verdicts: Located | None
    """Its verdicts, which are a level below the endpoint's."""


def apply_presets(root: Branch, problems: FileProblems) -> tuple[Branch, Mapping[str, UsedPreset]]:
    """Put the keys of presets below those of their endpoints.

    Mappings merge by key; of ``session`` each key replaces the preset's whole. What comes from a preset has the place
    of the ``preset:`` that names it. Gives the whole tree, and the presets by endpoint; ``root`` stays as it is.
    """
    used: dict[str, UsedPreset] = {}
    changed: dict[str, MapEntry] = {}
    for name, endpoint in Located(root).section("endpoints"):
        named = endpoint.get("preset")
        renamed = endpoint.get("tokens")
        if named is None or not isinstance(endpoint.node, Branch):
            if renamed is not None:
                problems.add(renamed.key_at, renamed.path, "it names tokens of a preset, but 'preset:' is missing")
            continue
        preset = _preset(named, problems)
        if preset is None:  # which may have been the one with a url
            changed[name] = MapEntry(endpoint.key_at, _with_url(endpoint.node))
            continue
        if renamed is not None:
            preset = _with_tokens(preset, renamed, problems)
        problems.originate(named.mark, f"preset {str(named.text)!r}")
        verdicts = preset.entries.get("verdicts")
        path = (*endpoint.path, "verdicts")
        used[name] = UsedPreset(
            str(named.text), None if verdicts is None else Located(verdicts.value, path, verdicts.key_mark)
        )
        merged = _merged(endpoint.node, preset)
        if "url" not in merged.entries:
            problems.add(endpoint.key_at, endpoint.path, f"the preset {str(named.text)!r} needs 'url:' here")
            merged = _with_url(merged)
        changed[name] = MapEntry(endpoint.key_at, merged)
    if not changed:
        return root, used
    endpoints = root.entries["endpoints"]
    assert isinstance(endpoints.value, Branch)  # noqa: S101 - it has entries
    below = Branch(endpoints.value.mark, {**endpoints.value.entries, **changed})
    return Branch(root.mark, {**root.entries, "endpoints": MapEntry(endpoints.key_mark, below)}), used


def _preset(named: Located, problems: FileProblems) -> Branch | None:
    if named.text is None:
        problems.add(named.mark, named.path, f"must be the name of a preset, not {kind_of(named.node)}")
        return None
    names = preset_names()
    if named.text not in names:
        near = did_you_mean(named.text, names) or f"; presets are {', '.join(names)}"
        problems.add(named.mark, named.path, f"unknown preset: {shown(named.text)}{near}")
        return None
    tree = _parsed(str(named.text))
    entries = {key: entry for key, entry in tree.entries.items() if not is_extension(key)}
    moved = _moved(Branch(tree.mark, entries), named.mark)
    return moved if isinstance(moved, Branch) else None


@functools.cache
def _parsed(name: str) -> Branch:
    problems = FileProblems(f"{name}.yaml")
    try:
        tree = parse_yaml(preset_text(name), problems)
    except FatalProblem as fatal:
        raise problems.error(fatal) from None
    if problems:
        raise problems.error()
    return tree


def _moved(node: Node, mark: Mark) -> Node:
    """Give a copy whose every node has the same place."""
    if isinstance(node, Leaf):
        return Leaf(mark, node.value)
    if isinstance(node, Items):
        return Items(mark, [_moved(item, mark) for item in node.items])
    return Branch(mark, {key: MapEntry(mark, _moved(entry.value, mark)) for key, entry in node.entries.items()})


def _with_tokens(preset: Branch, renamed: Located, problems: FileProblems) -> Branch:
    """Give the preset with other token sources than those that it names."""
    known, names = _token_names(preset), {}
    for name, source in renamed.entries():
        if name not in known:
            near = did_you_mean(name, known) or f"; it uses {', '.join(sorted(known)) or 'none'}"
            problems.add(source.key_at, source.path, f"the preset uses no token {name!r}{near}")
        elif source.text is not None:
            names[name] = str(source.text)
    other = _renamed(preset, names)
    return other if isinstance(other, Branch) else preset


def _token_names(node: Node) -> set[str]:
    if isinstance(node, Leaf):
        return set(_TOKEN.findall(node.value))
    below = node.items if isinstance(node, Items) else [entry.value for entry in node.entries.values()]
    return {name for one in below for name in _token_names(one)}


def _renamed(node: Node, names: Mapping[str, str]) -> Node:
    def new(text: str) -> str:
        return _TOKEN.sub(lambda found: f"{{token.{names.get(found[1], found[1])}", text)

    if isinstance(node, Leaf):
        return Leaf(node.mark, Scalar(new(node.value), plain=node.value.plain, redacted=new(node.value.redacted)))
    if isinstance(node, Items):
        return Items(node.mark, [_renamed(item, names) for item in node.items])
    below = {new("{" + key)[1:]: MapEntry(at.key_mark, _renamed(at.value, names)) for key, at in node.entries.items()}
    return Branch(node.mark, below)


def _merged(own: Branch, preset: Branch) -> Branch:
    entries = {key: entry for key, entry in preset.entries.items() if key not in _APART}
    for key, entry in own.entries.items():
        below = entries.get(key)
        if below is not None and isinstance(below.value, Branch) and isinstance(entry.value, Branch):
            both = Branch(entry.value.mark, {**below.value.entries, **entry.value.entries})
            entries[key] = MapEntry(entry.key_mark, both)
        else:
            entries[key] = entry
    return Branch(own.mark, entries, merges=own.merges)


def _with_url(node: Branch) -> Branch:
    """Add a url where there is none, so that its absence is not reported again."""
    url = MapEntry(node.mark, Leaf(node.mark, Scalar("wss://example.invalid")))
    return Branch(node.mark, {"url": url, **node.entries}, merges=node.merges)


def preset_init(name: str) -> str:
    """Give the text of a file that uses a preset, for ``wscli init --preset NAME``.

    Raises:
        KeyError: there is no preset of this name.
    """
    text = Located(_parsed(name)).get("x-init")
    return str(text.text) if text is not None and isinstance(text.text, Scalar) else ""
