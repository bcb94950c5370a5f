"""How many examples Hypothesis draws: a few hundred at hand, more in CI.

Ten thousand for what must hold in every order or against anybody: the machine, the control socket, the
gateway's requests and walls. A thousand for the rest.
"""

from __future__ import annotations

import os

__all__ = ["EXAMPLES", "SOME"]

EXAMPLES = 10_000 if os.environ.get("WSCLI_HYPOTHESIS_PROFILE") == "ci" else 200
SOME = max(200, EXAMPLES // 10)
