"""What the types do not say of ``gateway:``: its token is a secret, and no address is listened at twice."""

from __future__ import annotations

from wscli.config.checks.context import Context
from wscli.config.models.gateway import GatewayPlan
from wscli.config.reading.located import Located
from wscli.config.reading.nodes import Branch, Items, Leaf, MapEntry, Node
from wscli.values import Scalar, shown

__all__ = ["check_gateway", "conceal_token"]


def conceal_token(root: Branch) -> None:
    """Make a literal token as unprintable as one from the environment, before any problem quotes it."""
    gateway = root.entries.get("gateway")
    if gateway is not None and isinstance(gateway.value, Branch) and "auth" in gateway.value.entries:
        entries = gateway.value.entries
        entries["auth"] = MapEntry(entries["auth"].key_mark, _concealed(entries["auth"].value))


def _concealed(node: Node) -> Node:
    """Copy it: an alias may share the node with a place where it is not a secret."""
    if isinstance(node, Branch):
        entries = {key: MapEntry(entry.key_mark, _concealed(entry.value)) for key, entry in node.entries.items()}
        return Branch(node.mark, entries, node.size, node.height, node.merges)
    if isinstance(node, Items):
        return Items(node.mark, [_concealed(item) for item in node.items], node.size, node.height)
    if node.is_nothing or node.value in ("", "none"):
        return node
    return Leaf(node.mark, Scalar(str(node.value), plain=False, redacted="***"), node.size, node.height)


def check_gateway(located: Located | None, plan: GatewayPlan | None, context: Context) -> None:
    """Refuse two equal addresses; ``plan`` is the section as its types read it."""
    listen = located.get("listen") if located is not None and plan is not None else None
    for place, item in enumerate(listen.items() if listen is not None else ()):
        if plan is not None and plan.listen[place] in plan.listen[:place]:
            context.add(item, f"duplicate address: {shown(item.text)}")
