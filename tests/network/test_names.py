"""The addresses of a name."""

from __future__ import annotations

import pytest

from wscli.network import resolve


@pytest.mark.parametrize(
    ("host", "addresses"),
    [("192.0.2.1", ("192.0.2.1",)), ("::1", ("::1",)), ("no such name", ()), ("a" * 64 + ".example", ())],
)
async def test_a_name_has_addresses_or_none(host: str, addresses: tuple[str, ...]) -> None:
    assert await resolve(host) == addresses


async def test_the_name_of_this_machine_is_known() -> None:
    assert set(await resolve("localhost")) <= {"127.0.0.1", "::1"}
