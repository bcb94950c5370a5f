"""Messages and batches without a socket: whatever the fragments, what was sent is what is delivered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wscli.transport.frames.batch import MAX_BATCH, Assembler, portions
from wscli.transport.frames.close_codes import Violation

messages = st.lists(st.one_of(st.text(max_size=12).map(str.encode), st.binary(max_size=12)), max_size=12)


def is_utf8(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


@given(messages, st.data())
def test_any_fragmentation_gives_the_messages_back(sent: list[bytes], data: st.DataObject) -> None:
    """Up to the first text that is not UTF-8, and with the kinds as sent."""
    assembler = Assembler(1000)
    texts = [data.draw(st.booleans()) for _ in sent]
    for payload, text in zip(sent, texts, strict=True):
        cuts = sorted(data.draw(st.lists(st.integers(0, len(payload)), max_size=3)))
        pieces = [payload[start:end] for start, end in zip([0, *cuts], [*cuts, len(payload)], strict=True)]
        assembler.first(pieces[0], text=text, fin=len(pieces) == 1)
        for at, piece in enumerate(pieces[1:], 2):
            assembler.more(piece, fin=at == len(pieces))
    payloads, kinds, violation = assembler.take()
    bad = next((at for at, text in enumerate(texts) if text and not is_utf8(sent[at])), None)
    assert payloads == sent[:bad]
    assert [kind == ord("t") for kind in kinds or b"t" * len(payloads)] == texts[:bad]
    assert kinds is None or b"b" in kinds
    assert (violation is None) == (bad is None)
    assert violation is None or violation.code == 1007
    assert assembler.take() == ([], None, None)


def test_the_plain_way_is_open_only_while_appending_is_right() -> None:
    assembler = Assembler(1000)
    assert assembler.plain
    assembler.first(b"a", text=True, fin=False)
    assert not assembler.plain
    assembler.more(b"b", fin=True)
    assert assembler.plain
    assembler.first(b"c", text=False, fin=True)
    assert not assembler.plain
    assembler.first(b"d", text=False, fin=False)
    assembler.take()
    assert not assembler.plain
    assembler.more(b"e", fin=True)
    assert assembler.take() == ([b"de"], b"b", None)
    assert assembler.plain


def test_a_message_over_two_batches_belongs_to_the_second() -> None:
    assembler = Assembler(1000)
    assembler.first(b"whole", text=True, fin=True)
    assembler.first(b"\xe2\x82", text=True, fin=False)
    assert assembler.take() == ([b"whole"], None, None)
    assembler.more(b"\xac", fin=True)
    assert assembler.take() == (["€".encode()], None, None)


def test_limits_hold_for_bytes_and_for_empty_fragments() -> None:
    with pytest.raises(Violation, match=r"^a message of 11 bytes is larger than max_message \(10B\)$"):
        Assembler(10).first(b"x" * 11, text=True, fin=False)
    assembler = Assembler(10)
    assembler.first(b"x" * 10, text=True, fin=False)
    with pytest.raises(Violation, match=r"^a message is larger than max_message \(10B\)$"):
        assembler.more(b"x", fin=True)
    assembler = Assembler(10)
    assembler.first(b"", text=True, fin=False)
    for _ in range(65_536):
        assembler.more(b"", fin=False)
    with pytest.raises(Violation, match="more than 65536 empty fragments"):
        assembler.more(b"", fin=False)


@given(st.lists(st.integers(0, 2 * MAX_BATCH), max_size=12), st.data())
def test_portions_are_bounded_in_order_and_complete(sizes: list[int], data: st.DataObject) -> None:
    block = memoryview(bytes(2 * MAX_BATCH))
    payloads = [bytes(block[:size]) for size in sizes]
    kinds = bytes(data.draw(st.sampled_from(b"tb")) for _ in sizes)
    given_kinds = kinds if b"b" in kinds else None
    cut = list(portions(payloads, given_kinds))
    assert [payload for some, _ in cut for payload in some] == payloads
    assert b"".join(k or b"t" * len(some) for some, k in cut) == kinds
    for some, some_kinds in cut:
        assert some
        assert len(some) == 1 or sum(map(len, some)) <= MAX_BATCH
        assert some_kinds is None or b"b" in some_kinds
