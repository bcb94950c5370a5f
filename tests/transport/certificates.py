"""Certificates for the tests, of an authority that exists for one run."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import trustme

__all__ = ["Certificates", "certificates"]


@dataclass(frozen=True, slots=True)
class Certificates:
    ca: Path
    good: Path
    """For localhost, 127.0.0.1 and ::1."""
    other_host: Path
    expired: Path
    self_signed: Path
    """Of another authority, which is not trusted."""
    client: Path

    def serving(self, chain: Path, *, client_ca: Path | None = None) -> ssl.SSLContext:
        """A server's context; ``client_ca`` makes it ask for a client's certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        if client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(client_ca)
        return context


@cache
def certificates(directory: Path) -> Certificates:
    ours, theirs = trustme.CA(), trustme.CA()
    loopback = ("localhost", "127.0.0.1", "::1")
    past = datetime(2019, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)

    def write(name: str, leaf: trustme.LeafCert) -> Path:
        path = directory / f"{name}.pem"
        leaf.private_key_and_cert_chain_pem.write_to_path(path)
        return path

    ca = directory / "ca.pem"
    ours.cert_pem.write_to_path(ca)
    return Certificates(
        ca=ca,
        good=write("good", ours.issue_cert(*loopback)),
        other_host=write("other", ours.issue_cert("elsewhere.example")),
        expired=write("expired", ours.issue_cert(*loopback, not_before=past[0], not_after=past[1])),
        self_signed=write("self", theirs.issue_cert(*loopback)),
        client=write("client", ours.issue_cert("client@example.org")),
    )
