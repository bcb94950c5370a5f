"""A queue with keys: put at the back, dropped from the front, found by key in O(log n)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["KeyedQueue"]

T = TypeVar("T")

_SLACK = 64


class KeyedQueue(Generic[T]):
    """Items under rising keys.

    Two lists and the index of the front, so that bisect works at full speed; dropped items are cut off
    once they are the larger half, which makes every step O(1) amortised.
    """

    __slots__ = ("_head", "_items", "_keys")

    def __init__(self) -> None:
        self._keys: list[int] = []
        self._items: list[T] = []
        self._head = 0

    def __len__(self) -> int:
        return len(self._keys) - self._head

    def put(self, key: int, item: T) -> None:
        """Add one at the back; its key is greater than all before."""
        self._keys.append(key)
        self._items.append(item)

    def first(self) -> T:
        """Return the one at the front."""
        return self._items[self._head]

    def first_key(self) -> int:
        """Return the key of the one at the front."""
        return self._keys[self._head]

    def drop_first(self) -> None:
        """Drop the one at the front."""
        self._items[self._head] = None  # type: ignore[assignment]  # let go of it; none reads before the head
        self._head += 1
        if self._head > _SLACK and self._head * 2 > len(self._keys):
            del self._keys[: self._head]
            del self._items[: self._head]
            self._head = 0

    def last(self) -> T:
        """Return the one at the back."""
        return self._items[-1]

    def last_key(self) -> int:
        """Return the key of the one at the back."""
        return self._keys[-1]

    def drop_last(self) -> T:
        """Remove and return the one at the back."""
        self._keys.pop()
        return self._items.pop()

    def first_where(self, measure: Callable[[T], float], least: float) -> tuple[int, T] | None:
        """Return the first whose measure (never falling from front to back) is at least ``least``, with its key."""
        index = bisect_left(self._items, least, self._head, key=measure)
        return None if index == len(self._keys) else (self._keys[index], self._items[index])

    def holding(self, key: int) -> T:
        """Return the one with the greatest key that is not above ``key``."""
        return self._items[bisect_right(self._keys, key, self._head) - 1]

    def following(self, key: int) -> tuple[int, T] | None:
        """Return the first one above ``key``, with its key."""
        index = bisect_right(self._keys, key, self._head)
        return None if index == len(self._keys) else (self._keys[index], self._items[index])

    def after(self, key: int) -> list[T]:
        """Return all above ``key``."""
        return self._items[bisect_right(self._keys, key, self._head) :]
