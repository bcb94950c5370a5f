"""Comparing the environment of a command with the manager's, without a value that leaves either.

The manager says which variables its file names, with a keyed digest of each value; the command digests its own values
with the same key.
"""

import os
from collections.abc import Mapping
from typing import TypedDict

__all__ = ["EnvironmentDigests", "differing_variables", "digest_variables"]


class EnvironmentDigests(TypedDict):
    """A random key, in hexadecimal digits, and the BLAKE2b digest (RFC 7693) of each variable's value by its name."""

    key: str
    digests: dict[str, str]


def digest_variables(variables: Mapping[str, str]) -> EnvironmentDigests:
    """Digest the values of variables with a new key; one that is not set counts as empty."""
    key = os.urandom(32)
    return {"key": key.hex(), "digests": {name: _digest(key, value) for name, value in variables.items()}}


def differing_variables(
    theirs: EnvironmentDigests, environ: Mapping[str, str], *, ignore_unset: bool = False
) -> list[str]:
    """Give the names of the variables whose values differ here; ``ignore_unset``: of those that are set here."""
    key = bytes.fromhex(theirs["key"])
    return sorted(
        name
        for name, digest in theirs["digests"].items()
        if not (ignore_unset and name not in environ) and _digest(key, environ.get(name, "")) != digest
    )


def _digest(key: bytes, value: str) -> str:
    from hashlib import blake2b

    return blake2b(os.fsencode(value), key=key, digest_size=32).hexdigest()
