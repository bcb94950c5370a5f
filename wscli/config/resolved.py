"""``wscli config show --resolved``: what one channel is after presets, defaults and merging, as a file of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from wscli.config.plan import Plan
from wscli.config.presets import UsedPreset
from wscli.config.reading.located import Located
from wscli.config.reading.nodes import Branch, Items, Leaf, MapEntry, Mark, Node
from wscli.config.schema import forms, places
from wscli.core.verdicts import CodeRange, VerdictKey, parse_verdicts
from wscli.errors import UnknownChannel
from wscli.templates import compile_name, did_you_mean
from wscli.values import Scalar, is_extension

__all__ = ["resolved_file"]

_MARK = Mark(1, 1)
_MERGED = ("query", "headers", "keepalive", "rotate")
"""Keys of an endpoint and a channel that merge by key, where both are mappings."""
_SAID = ("rotate",)
"""Keys whose default means less than the same value written out: ``rotate: none`` forbids it by hand, too."""
_LEVELS = ("verdicts",)
"""Keys of both that stay apart: the nearer level is asked first."""


def resolved_file(root: Branch, presets: Mapping[str, UsedPreset], plan: Plan, name: str) -> Branch:
    """Give a file of one channel, its endpoint, and the tokens that it needs: with every default written out.

    ``root`` is the tree with the keys of presets in it. ``name`` may be a channel of a template, which stands for it.

    Raises:
        UnknownChannel: the file declares no such channel.
    """
    file, declared = Located(root), _declared(plan, name)
    channel = dict(file.section("channels"))[declared]
    endpoint_name = plan.channels[declared].upstream.endpoint
    endpoint = dict(file.section("endpoints"))[endpoint_name]
    own, above = _entries(channel), _entries(endpoint)
    preset = presets.get(endpoint_name)
    if preset is not None and preset.verdicts is not None:
        above["verdicts"] = _below(above.get("verdicts"), preset.verdicts.node)
    named = above.pop("preset", None)
    above.pop("tokens", None)  # which the preset's placeholders have become
    backoff = _policy(file, above.pop("backoff", None), own.pop("backoff", None))
    for key in set(_known("channels")).intersection(above) - {*_LEVELS}:
        own[key] = _merged(key, above.pop(key), own.get(key))
    own["backoff"] = backoff
    whole = _with_defaults(above, ("endpoints",), _known("channels"))
    if named is not None:
        whole = _branch({"x-preset": named, **{key: entry.value for key, entry in whole.entries.items()}})
    sections: dict[str, Node] = {
        "version": _leaf("1"),
        "name": _leaf(plan.name),
        "endpoints": _branch({endpoint_name: whole}),
        "channels": _branch({declared: _with_defaults(own, ("channels",))}),
    }
    tokens = {token: source.node for token, source in file.section("tokens") if token in _tokens(plan, declared)}
    if tokens:
        sections["tokens"] = _branch(tokens)
    verdicts = file.get("verdicts")
    if verdicts is not None:
        sections["verdicts"] = verdicts.node
    return _branch(sections)


def _declared(plan: Plan, name: str) -> str:
    if name in plan.channels:
        return name
    for declared, channel in plan.channels.items():
        if channel.params and compile_name(declared).match(name) is not None:
            return declared
    near = did_you_mean(name, plan.channels).removeprefix("; ")
    raise UnknownChannel(f"no channel {name!r} in the file", near or "`wscli config show` prints the channels")


def _tokens(plan: Plan, channel: str) -> set[str]:
    """Give the token sources that a channel needs, and those that they are made with."""
    found, todo = set(), [*plan.channels[channel].upstream.token_names]
    while todo:
        name = todo.pop()
        if name not in found and name in plan.tokens:
            found.add(name)
            todo += plan.tokens[name].references()
    return found


# nodes


def _leaf(text: str) -> Leaf:
    return Leaf(_MARK, Scalar(text))


def _branch(entries: Mapping[str, Node]) -> Branch:
    return Branch(_MARK, {key: MapEntry(_MARK, node) for key, node in entries.items()})


def _entries(located: Located) -> dict[str, Node]:
    return {key: value.node for key, value in located.entries() if not is_extension(key)}


def _node(value: Any) -> Node:
    """Make a node of a default of the schema."""
    if isinstance(value, Mapping):
        return _branch({key: _node(item) for key, item in value.items()})
    if isinstance(value, list):
        return Items(_MARK, [_node(item) for item in value])
    return _leaf(str(value).lower() if isinstance(value, bool) else str(value))


# merging


def _merged(key: str, above: Node, own: Node | None) -> Node:
    if own is None:
        return above
    if key not in _MERGED or not isinstance(own, Branch) or not isinstance(above, Branch):
        return own
    lower = {name.lower() for name in own.entries} if key == "headers" else set(own.entries)
    kept = {
        name: entry
        for name, entry in above.entries.items()
        if (name.lower() if key == "headers" else name) not in lower
    }
    return Branch(_MARK, {**kept, **own.entries})


def _below(nearer: Node | None, preset: Node) -> Node:
    """Put a preset's verdicts into one table with the endpoint's, without those that the endpoint's decide."""
    if not isinstance(nearer, Branch) or not isinstance(preset, Branch):
        return nearer or preset
    decided = [_key(key) for key in nearer.entries]
    kept = {key: entry for key, entry in preset.entries.items() if not any(_covers(one, _key(key)) for one in decided)}
    return Branch(_MARK, {**kept, **nearer.entries})


def _key(text: str) -> VerdictKey:
    (key,) = parse_verdicts({text: "stop"})
    return key


def _covers(one: VerdictKey, other: VerdictKey) -> bool:
    if isinstance(one, CodeRange) and isinstance(other, CodeRange):
        return one.low <= other.low and other.high <= one.high
    return one == other


def _policy(file: Located, above: Node | None, own: Node | None) -> Node:
    """Give a channel's policy with all that it is merged over; a name stands for a policy of the file."""
    named = {name: policy.node for name, policy in file.section("backoff")}
    layers = [named.get("default"), *([own] if isinstance(own, Leaf) else [above, own])]
    entries: dict[str, MapEntry] = {}
    for layer in layers:
        policy = named.get(layer.value) if isinstance(layer, Leaf) else layer
        entries |= policy.entries if isinstance(policy, Branch) else {}
    return Branch(_MARK, entries)


# defaults


def _known(section: str) -> list[str]:
    return [place[-1] for place in places() if len(place) == 2 and place[0] == section]


def _with_defaults(given: Mapping[str, Node], place: tuple[str, ...], without: Iterable[str] = ()) -> Branch:
    """Add the keys that are left out and have a default, in the order of the documentation."""
    found: dict[str, Node] = {}
    for known, key in places().items():
        name = known[-1]
        if known[:-1] != place or (name in without and name not in given):
            continue
        node = given.get(name)
        if node is None:
            node = _default(known, key.schema)
            above = places().get(("endpoints", name)) if place == ("channels",) else None
            if node is None and above is not None:
                node = _default(above.place, above.schema)
        elif isinstance(node, Branch) and known[1:] in _COMPLETED:
            node = _with_defaults({one: entry.value for one, entry in node.entries.items()}, known)
        if node is not None:
            found[name] = node
    return _branch(found)


_COMPLETED = (("connect",), ("keepalive",), ("tls",), ("history",), ("backfill",), ("backoff",))
"""Mappings whose own keys have defaults that are worth showing."""


def _default(place: tuple[str, ...], schema: dict[str, Any]) -> Node | None:
    default = next((form["default"] for form in forms(schema) if "default" in form), None)
    if default is not None and place[-1] not in _SAID:
        return _node(default)
    if place[1:] in _COMPLETED and place[1:] not in (("backfill",), ("tls",)):
        return _with_defaults({}, place)
    return None
