"""Remote text on its way to a terminal: whatever could steer the terminal is shown as an escape instead.

Escaped are the C0 and C1 control characters and DEL (ECMA-48), the bidirectional controls of Unicode (UAX 9), which
can make a line read as another, line and paragraph separators, and lone surrogates.
"""

import functools

__all__ = ["escape"]

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
