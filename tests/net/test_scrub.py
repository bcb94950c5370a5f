"""What is removed from remote text: our secrets in whatever form they are quoted, and some of the server's own."""

from __future__ import annotations

import base64
import json

import pytest

from wscli.net.scrub import cleaned, forms_of, in_header, in_url

SECRETS = forms_of(
    [
        *in_url("wss://bob:hunter%2F22@api.example.com/ws?token=tok%2Fen+1&v=2"),
        *in_header("Basic " + base64.b64encode(b"alice:pa$$w0rd").decode()),
        *in_header("Bearer s3cr&t"),
    ]
)


@pytest.mark.parametrize(
    "secret",
    [
        "tok%2Fen+1", "tok/en 1", r"tok\/en 1", "hunter/22", "hunter%2F22", "bob:hunter%2F22", "pa$$w0rd", "s3cr&t",
        "s3cr&amp;t", "s3cr%26t", base64.b64encode(b"bob:hunter/22").decode(),
    ],
)  # fmt: skip
def test_a_secret_is_hidden_in_every_form(secret: str) -> None:
    assert cleaned(f"no {secret}, sorry", SECRETS) == "no ***, sorry"


def test_a_secret_in_json_is_hidden() -> None:
    quoted = 'with "quotes" and \\ and \u00fc'
    assert cleaned(json.dumps({"token": quoted}), forms_of([quoted])) == '{"token": "***"}'


@pytest.mark.parametrize(("cut", "shown"), [("no hunt", "no ***"), ("no hun", "no hun"), ("hunt no", "hunt no")])
def test_a_secret_that_was_cut_is_hidden(cut: str, shown: str) -> None:
    assert cleaned(cut, SECRETS) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("bad token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_x!", "bad token ***!"),
        ("see https://bob:x@help.example.com/a?ticket=1#y now", "see https://***@help.example.com/a?*** now"),
        ('{"url":"wss://a/b?c"}', '{"url":"wss://a/b?***"}'),
        ("closed by the server: 1012 v2 restarts", "closed by the server: 1012 v2 restarts"),
        ("is it so? yes", "is it so? yes"),
        ("Bearer realm", "Bearer realm"),
    ],
)
def test_of_the_servers_own_secrets_those_that_are_easily_told_are_hidden(text: str, shown: str) -> None:
    assert cleaned(text, SECRETS) == shown
