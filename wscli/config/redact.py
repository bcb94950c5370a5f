"""Print a file without its secrets: values of ``${VAR}``, and every value under a key for secrets."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml
from pydantic import TypeAdapter

from wscli.config.reading.nodes import Branch, Items, Leaf, Node
from wscli.config.reading.nodes import Path as TreePath
from wscli.values import Json, Scalar

__all__ = ["redacted"]

_REDACTED = Scalar("***", plain=False)

_SECRET = {"headers", "query", "username", "password", "key_password"}
"""Keys below which everything is secret, in an endpoint, a channel and a token source."""
_GATEWAY_TOKEN = ("gateway", "auth", "token")
_URLS = {"url", "proxy", "get", "post", "put", "patch", "delete", "token_url"}
_OPEN_IN_TOKENS = {
    *("env", "file", "run", "refresh", "expires_in", "expires_at", "single_use", "timeout", "read", "token"),
    *(
        "ca",
        "cert",
        "key",
        "server_name",
        "insecure",
        "min_version",
        "client_id",
        "client_auth",
        "grant",
        "scopes",
        "audience",
    ),
}
"""Keys of a token source whose values are not secret; every other value is, also that of a future key."""
_BODIES = {"json", "form", "environment", "parameters"}
"""Keys whose entries have names of the file's own."""
_CODE = re.compile("[1-9][0-9]{2,3}")
_PLACEHOLDER = re.compile(r"\{[a-z]+\.[^{}]*\}")
_FIRST_HOLE = 0xE000
"""The first character for private use (Unicode, section 23.5)."""
_URL = re.compile(
    r"(?P<scheme>(?:[A-Za-z][A-Za-z0-9+.-]*://)?)(?P<user>[^/?#]*@)?(?P<rest>[^?#]*)(?P<query>\?.*)?", re.DOTALL
)


def redacted(root: Branch, *, as_json: bool = False) -> str:
    """Print a valid file as YAML that loads again (or JSON, typed), with ``***`` for every secret."""
    tree = _tree(root)
    if as_json:
        return json.dumps(TypeAdapter(Json).validate_python(tree), ensure_ascii=False, indent=2) + "\n"
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=100)


def _tree(node: Node, path: TreePath = ()) -> Any:
    """Give the tree as dicts, lists and ``Scalar``, with ``***`` for each secret."""
    if isinstance(node, Branch):
        # A code is written without quotes, as in the file.
        keys = {key: Scalar(key) if _CODE.fullmatch(key) else key for key in node.entries}
        return {keys[key]: _tree(entry.value, (*path, key)) for key, entry in node.entries.items()}
    if isinstance(node, Items):
        return [_tree(item, (*path, place)) for place, item in enumerate(node.items)]
    return _leaf(node, path)


def _leaf(leaf: Leaf, path: TreePath) -> Scalar:
    if path == _GATEWAY_TOKEN:
        return _REDACTED
    keys = [step for step in path[2:] if isinstance(step, str)]
    shown = Scalar(leaf.value.redacted, plain=leaf.value.plain)
    if path[:1] not in (("endpoints",), ("channels",), ("tokens",)):
        return shown
    in_session = keys[:1] in (["session"], ["with"])
    has_bodies = path[0] == "tokens" or keys[:2] == ["backfill", "http"] or (in_session and "http" in keys)
    if in_session and "http" not in keys:
        return shown  # messages and shapes have names of the protocol's own
    if _SECRET.intersection(keys) or (has_bodies and _BODIES.intersection(keys)):
        return _REDACTED
    last = keys[-1] if keys else ""
    if last in _URLS:
        return _url(shown)
    if path[0] == "tokens" and keys != ["command"] and last not in _OPEN_IN_TOKENS:
        return _REDACTED
    return shown


def _url(text: Scalar) -> Scalar:
    """Keep scheme, host and path, and mark the rest."""
    # A placeholder's default may look like a part of the URL: each is one private character meanwhile.
    signs = {hole: chr(_FIRST_HOLE + number) for number, hole in enumerate(set(_PLACEHOLDER.findall(text)))}
    found = _URL.fullmatch(_PLACEHOLDER.sub(lambda one: signs[one.group()], text))
    if found is None:
        return _REDACTED
    query = re.sub(r"=[^&]*", "=***", found["query"] or "")
    user = "***@" if found["user"] else ""
    seen = f"{found['scheme']}{user}{found['rest']}{query if '=' in query else query and '?***'}"
    return Scalar(seen.translate({ord(sign): hole for hole, sign in signs.items()}), plain=text.plain)


class _Dumper(yaml.SafeDumper):
    """Writes text as it was read: plain where it was plain, quoted where it was quoted."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless=False)


def _represent(dumper: yaml.SafeDumper, text: Scalar) -> yaml.ScalarNode:
    tag: str = "tag:yaml.org,2002:str"
    if text.plain:
        tag = dumper.resolve(yaml.ScalarNode, str(text), (True, False))  # type: ignore[no-untyped-call]  # in its stubs
    return dumper.represent_scalar(tag, str(text), style=None if text.plain else '"')


_Dumper.add_representer(Scalar, _represent)
