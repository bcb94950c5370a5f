"""The digests that were seen last are the same whether they were remembered or read again."""

from __future__ import annotations

from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from wscli.history.seen import SeenDigests

DIGESTS = st.lists(st.integers(0, 9).map(lambda number: bytes([number])), max_size=60)


@given(DIGESTS, DIGESTS, st.integers(1, 8))
def test_digests_that_are_written_and_read_again_are_those_that_were_remembered(
    before: list[bytes], after: list[bytes], most: int
) -> None:
    first, second = SeenDigests(most), SeenDigests(most)
    first.unwritten = OrderedDict()
    file: OrderedDict[bytes, None] = OrderedDict()
    for digest in before:
        first.add(digest)
        if digest[0] % 3 == 0:
            commit(first, file, most)
    commit(first, file, most)
    second.restore(file)
    assert [second.add(digest) for digest in after] == [first.add(digest) for digest in after]


def commit(seen: SeenDigests, file: OrderedDict[bytes, None], most: int) -> None:
    """Write as the log file does."""
    assert seen.unwritten is not None
    for digest in seen.unwritten:
        file.pop(digest, None)
        file[digest] = None
    seen.unwritten.clear()
    while len(file) > most:
        file.popitem(last=False)


def test_a_log_that_lost_them_gets_them_again() -> None:
    seen = SeenDigests()
    seen.unwritten = OrderedDict()
    seen.add(b"a")
    seen.unwritten.clear()
    seen.restore([])
    assert list(seen.unwritten) == [b"a"]
