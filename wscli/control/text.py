"""Text for people: remote text without what could steer a terminal, and the state of a channel in words.

Escaped are the C0 and C1 control characters and DEL (ECMA-48), the bidirectional controls of Unicode (UAX 9), which
can make a line read as another, line and paragraph separators, and lone surrogates.
"""

import functools
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wscli.control.messages import Status

__all__ = ["escape", "state_text"]

_CONTROLS = (*range(0x20), *range(0x7F, 0xA0))
_BIDI = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_SEPARATORS = (0x2028, 0x2029)
_SURROGATES = range(0xD800, 0xE000)
_NAMED = {ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"}


def _written(code: int) -> str:
    return _NAMED.get(code) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


@functools.cache
def _table(keep: str) -> dict[int, str]:
    return {code: _written(code) for code in (*_CONTROLS, *_BIDI, *_SEPARATORS) if chr(code) not in keep}


def escape(text: str, *, keep: str = "") -> str:
    r"""Write control characters as ``\x1b`` or ``\u202e``, but for those in ``keep`` (``"\t"``, say)."""
    if text.isprintable():  # all that is escaped here is unprintable to Python; most text takes this way
        return text
    text = text.translate(_table(keep))
    if text.isascii():
        return text
    return "".join(_written(ord(one)) if ord(one) in _SURROGATES else one for one in text)


def state_text(status: "Status", now: float | None = None) -> str:
    """Describe a state with its reason and the next attempt: ``waiting 4 s: connection refused; attempt 3``.

    ``now`` is in seconds since the epoch.
    """
    state, attempt, at = status["state"], status["attempt"], status["next"]["at"]
    text = state
    if state == "waiting":
        attempt += 1  # while it waits, those that were made are counted
        if at is not None:
            text += f" {_seconds(at - (time.time() if now is None else now))}"
    text += f": {status['reason']['text']}"
    if state in ("waiting", "connecting", "handshaking") and attempt > 1:
        text += f"; attempt {attempt}"
    return text


def _seconds(left: float) -> str:
    if left < 10:
        return f"{max(left, 0.0):.1f}".removesuffix(".0") + " s"
    return f"{left:.0f} s" if left < 120 else f"{left / 60:.0f} min"
