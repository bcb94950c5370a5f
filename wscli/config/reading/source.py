"""Read a file's bytes, and decode the text in them."""

from __future__ import annotations

import codecs
import re
import sys
from pathlib import Path

from wscli.config.reading.nodes import Mark
from wscli.config.reading.problems import FatalProblem

__all__ = ["MAX_BYTES", "STDIN", "decode_text", "read_file"]

MAX_BYTES = 4 << 20
STDIN = Path("-")

_FOREIGN_BOMS = {  # UTF-32's first: in little endian it begins with UTF-16's
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
"""YAML's printable characters, without the line breaks that only YAML counts (U+0085, U+2028, U+2029) and the BOM."""


def read_file(file: Path) -> bytes:
    """Read a file, or stdin for ``-``.

    Raises:
        FatalProblem: the file cannot be read, or is larger than 4 MiB.
    """
    try:
        if file == STDIN:
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with file.open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise FatalProblem(None, "there is no such file") from None
    except IsADirectoryError:
        raise FatalProblem(None, "it is a directory; name the file in it") from None
    except PermissionError:
        raise FatalProblem(None, "it cannot be read: permission denied") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FatalProblem(None, f"it cannot be read: {reason.lower()}") from None
    if len(data) > MAX_BYTES:
        raise FatalProblem(None, f"the file is larger than {MAX_BYTES >> 20} MiB")
    return data


def decode_text(data: bytes) -> str:
    """Give the text of UTF-8 bytes, without a byte order mark.

    Raises:
        FatalProblem: the encoding is not UTF-8, or a character is not allowed in YAML.
    """
    for bom, name in _FOREIGN_BOMS.items():
        if data.startswith(bom):
            raise FatalProblem(Mark(1, 1), f"the file is {name}; save it as UTF-8")
    try:
        text = data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        raise FatalProblem(_end_of(before), f"byte 0x{data[error.start]:02x} is not UTF-8") from None
    if found := _FORBIDDEN.search(text):
        wrong = f"the character U+{ord(found.group()):04X} is not allowed in YAML; write it as an escape"
        raise FatalProblem(_end_of(text[: found.start()]), wrong)
    return text


def _end_of(text: str) -> Mark:
    lines = re.split("\r\n|\n|\r", text)
    return Mark(len(lines), len(lines[-1]) + 1)
