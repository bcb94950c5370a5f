"""What a client asks for: every channel is found at its own path, and nothing else anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wscli.mock.requests import channel_path, is_own_page, requested_channel


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=2, unique=True), st.data())
def test_every_channel_is_at_its_path_whatever_its_name(channels: list[str], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(channels))
    path = channel_path(name)
    assert path.isascii()
    assert not set(path) & set(" ?#")
    assert requested_channel(path, channels) == name
    assert requested_channel(f"{path}?token=x&last=5", channels) == name


@given(st.text())
def test_no_path_raises(path: str) -> None:
    assert requested_channel(path, ["news", "calls"]) in (None, "news", "calls")


@pytest.mark.parametrize(
    ("path", "channels", "found"),
    [
        ("/news", ["news", "calls"], "news"),
        ("/ws/news", ["news", "calls"], "news"),
        ("/ws/news", ["news", "ws/news"], "ws/news"),
        ("/rooms/4%202", ["rooms/4 2", "news"], "rooms/4 2"),
        ("/", ["news"], "news"),
        ("/?token=x", ["news"], "news"),
        ("/", ["news", "calls"], None),
        ("/new", ["news"], None),
        ("/NEWS", ["news"], None),
        ("/ws/", ["news"], None),
        ("/%ff", ["news"], None),
    ],
)
def test_which_channel_a_path_means(path: str, channels: list[str], found: str | None) -> None:
    assert requested_channel(path, channels) == found


@pytest.mark.parametrize(
    ("origin", "own"),
    [
        ("http://localhost:3000", True),
        ("https://LOCALHOST", True),
        ("http://127.0.0.1:8000", True),
        ("http://[::1]:8000", True),
        ("http://app.localhost:3000", True),
        ("null", False),
        ("https://example.com", False),
        ("http://localhost.example.com", False),
        ("http://127.0.0.1.example.com", False),
        ("http://localhost@example.com", False),
        ("http://localhost:3000\n", False),
    ],
)
def test_only_pages_of_this_machine_are_its_own(origin: str, own: bool) -> None:
    assert is_own_page(origin) == own
