"""The hook that a client runs in, as its environment says: the manager set these variables."""

import os
from collections.abc import Mapping

__all__ = ["hook_of"]


def hook_of(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Give ``channel`` and ``instance`` of the hook, which the manager compares with its own; empty outside a hook."""
    if "WSCLI_HOOK" not in environ:
        return {}
    return {"channel": environ.get("WSCLI_CHANNEL", ""), "instance": environ.get("WSCLI_INSTANCE", "")}
