"""What the types do not say of ``gateway:``: its token is a secret, and no address is listened at twice."""

from __future__ import annotations

import copy

from wscli.config.checks.context import Context
from wscli.config.models.gateway import GatewayPlan
from wscli.config.reading.located import Located
from wscli.config.reading.nodes import Branch, Leaf, MapEntry
from wscli.values import Scalar, shown

__all__ = ["check_gateway", "conceal_token"]


def conceal_token(root: Branch) -> None:
    """Make a literal token as unprintable as one from the environment, before any problem quotes it."""
    gateway = root.entries.get("gateway")
    if gateway is None or not isinstance(gateway.value, Branch) or "auth" not in gateway.value.entries:
        return
    key_mark, auth = gateway.value.entries["auth"]
    auth = copy.deepcopy(auth)  # an alias may share the node with a place where it is not a secret
    gateway.value.entries["auth"] = MapEntry(key_mark, auth)
    for leaf in (located.node for located in Located(auth).leaves()):
        if isinstance(leaf, Leaf) and not leaf.is_nothing and leaf.value not in ("", "none"):
            leaf.value = Scalar(str(leaf.value), plain=False, redacted="***")


def check_gateway(located: Located | None, plan: GatewayPlan | None, context: Context) -> None:
    """Refuse two equal addresses; ``plan`` is the section as its types read it."""
    listen = located.get("listen") if located is not None else None
    if listen is not None and plan is not None:
        for place, item in enumerate(listen.items()):
            if plan.listen[place] in plan.listen[:place]:
                context.add(item, f"duplicate address: {shown(item.text)}")
