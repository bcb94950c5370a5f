"""How many examples Hypothesis draws for what must hold in every order: a few at hand, ten thousand in CI."""

from __future__ import annotations

import os

__all__ = ["EXAMPLES"]

EXAMPLES = 10_000 if os.environ.get("WSCLI_HYPOTHESIS_PROFILE") == "ci" else 300
