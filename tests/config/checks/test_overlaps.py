"""Two templates that some name would fit."""

from __future__ import annotations

import itertools
import re

from hypothesis import given
from hypothesis import strategies as st

from wscli.config.checks.overlaps import Overlaps, segments_overlap

patterns = st.text("ab\0", min_size=1, max_size=4).filter(lambda text: "\0\0" not in text)
TEXTS = ["".join(letters) for length in range(1, 7) for letters in itertools.product("abc", repeat=length)]


def fits(pattern: str) -> set[str]:
    wanted = re.compile(re.escape(pattern).replace("\0", "[^/]+").replace("\\[^", "[^"))
    return {text for text in TEXTS if wanted.fullmatch(text)}


@given(patterns, patterns)
def test_segments_overlap_where_a_text_fits_both(one: str, other: str) -> None:
    assert segments_overlap(one, other) == bool(fits(one) & fits(other))


@given(st.lists(st.lists(patterns, min_size=1, max_size=3), min_size=2, max_size=5))
def test_a_name_overlaps_exactly_where_each_of_its_segments_does(names: list[list[str]]) -> None:
    overlaps = Overlaps()
    *before, last = (list(name) for name in names)
    for segments in before:
        overlaps.add("/".join(segments).replace("\0", "{x}"))
    expected = {
        "/".join(segments).replace("\0", "{x}")
        for segments in before
        if len(segments) == len(last) and all(map(segments_overlap, segments, last))
    }
    found = overlaps.add("/".join(last).replace("\0", "{x}"))
    assert found in expected if expected else found is None
