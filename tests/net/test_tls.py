"""Contexts are made once for the same settings and files, invalid files are explained, and HTTP is checked by them."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from tests.net.test_http import failure, raw, request
from tests.transport.certificates import Certificates
from wscli.errors import ConfigError
from wscli.net.http import HttpClient
from wscli.net.tls import TlsSettings, lowered, make_tls, tls_words
from wscli.values import Scalar, Secret


def test_contexts_are_shared_until_a_file_changes(certs: Certificates, tmp_path: Path) -> None:
    copy = tmp_path / "ca.pem"
    copy.write_bytes(certs.ca.read_bytes())
    settings = TlsSettings(ca="ca.pem")
    first = make_tls(settings, tmp_path)
    assert make_tls(settings, tmp_path) is first
    assert make_tls(TlsSettings(ca="ca.pem", insecure=True), tmp_path) is not first
    os.utime(copy, ns=(1, 1))
    assert make_tls(settings, tmp_path) is not first
    assert make_tls(TlsSettings()).verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize(
    ("text", "within_a_sentence"),
    [
        ("IP address mismatch, certificate is not valid for '127.0.0.1'.", None),
        ("CA cert does not include key usage extension", None),
        ("Hostname mismatch", "hostname mismatch"),
        ("certificate has expired", "certificate has expired"),
        ("", ""),
    ],
)
def test_a_text_of_openssl_begins_in_lower_case_unless_it_begins_with_an_abbreviation(
    text: str, within_a_sentence: str | None
) -> None:
    expected = text.rstrip(".") if within_a_sentence is None else within_a_sentence
    assert lowered(text) == expected
    error = ssl.SSLCertVerificationError(1, "s3cret")
    error.verify_message = text
    assert tls_words(error) == expected


def test_the_oldest_version_is_declared() -> None:
    assert make_tls(TlsSettings()).minimum_version is ssl.TLSVersion.TLSv1_2
    assert make_tls(TlsSettings(min_version="1.3")).minimum_version is ssl.TLSVersion.TLSv1_3


ENCRYPTED = {"cert": "client.pem", "key": "key.pem"}


def encrypted_key(certs: Certificates, tmp_path: Path) -> Path:
    key = serialization.load_pem_private_key(certs.client.read_bytes(), None)
    pem, encryption = serialization.Encoding.PEM, serialization.BestAvailableEncryption(b"0pen")
    path = tmp_path / "key.pem"
    path.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, encryption))
    return path


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"ca": "gone.pem"}, "tls.ca: cannot read 'gone.pem': no such file or directory"),
        ({"ca": "."}, "tls.ca: cannot read '.': is a directory"),
        ({"ca": "a\0b"}, "tls.ca: cannot read 'a\\x00b': invalid path"),
        ({"ca": Scalar("gone.pem", redacted="***.pem")}, "tls.ca: cannot read '***.pem': no such file or directory"),
        ({"ca": "junk.pem"}, "tls.ca: 'junk.pem' holds no certificate"),
        ({"cert": "gone.pem"}, "tls.cert: cannot read 'gone.pem': no such file or directory"),
        ({"cert": "junk.pem"}, "tls.cert: 'junk.pem' and 'junk.pem' hold no certificate with its key"),
        ({"cert": "ca.pem"}, "tls.cert: 'ca.pem' and 'ca.pem' hold no certificate with its key"),
        ({"cert": "good.pem", "key": "client.pem"}, "tls.key: 'client.pem' does not match 'good.pem'"),
        (ENCRYPTED, "tls.key: 'key.pem' needs a password"),
        *(
            ({**ENCRYPTED, "key_password": Secret(wrong)}, "tls.key_password: wrong password for 'key.pem'")
            for wrong in ("wr0ng", "x" * 2000)
        ),
    ],
)
def test_an_invalid_file_is_one_line_without_secrets(
    certs: Certificates, tmp_path: Path, settings: dict[str, str], text: str
) -> None:
    """OpenSSL never asks for a password on the terminal."""
    encrypted_key(certs, tmp_path)
    (tmp_path / "junk.pem").write_text("hello")
    for name in ("ca", "good", "client"):
        (tmp_path / f"{name}.pem").write_bytes(getattr(certs, name).read_bytes())
    with pytest.raises(ConfigError) as caught:
        make_tls(TlsSettings.model_validate(settings), tmp_path)
    assert str(caught.value) == text


TOKEN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ntoken"


@pytest.mark.parametrize(
    ("chain", "settings", "trusted"),
    [
        ("good", {"ca": "ca.pem"}, True),
        ("good", {}, False),
        ("good", {"insecure": True}, True),
        ("other_host", {"ca": "ca.pem"}, False),
        ("other_host", {"ca": "ca.pem", "server_name": "elsewhere.example"}, True),
    ],
)
async def test_a_certificate_is_trusted_by_its_authority_and_its_name(
    http: HttpClient, tmp_path: Path, certs: Certificates, chain: str, settings: dict[str, Any], trusted: bool
) -> None:
    (tmp_path / "ca.pem").symlink_to(certs.ca)
    async with raw(TOKEN, ssl=certs.serving(getattr(certs, chain))) as (host, _):
        made = request(f"https://{host}/", tls=TlsSettings(**settings))
        if trusted:
            assert (await http.fetch(made)).text("") == "token"
        else:
            assert (await failure(http, made)).startswith("the certificate is refused: ")


async def test_our_own_certificate_is_shown(http: HttpClient, tmp_path: Path, certs: Certificates) -> None:
    key, password = str(encrypted_key(certs, tmp_path)), Secret("0pen")
    settings = TlsSettings(ca=str(certs.ca), cert=str(certs.client), key=key, key_password=password)
    async with raw(TOKEN, ssl=certs.serving(certs.good, client_ca=certs.ca)) as (host, _):
        assert (await http.fetch(request(f"https://{host}/", tls=settings))).text("") == "token"


async def test_an_invalid_tls_file_is_a_failure_of_the_request(http: HttpClient) -> None:
    wrong = request("https://127.0.0.1:1/", tls=TlsSettings(ca="gone.pem"))
    assert await failure(http, wrong) == "tls.ca: cannot read 'gone.pem': no such file or directory"


async def test_speaking_tls_to_a_plain_server_is_a_tls_failure(http: HttpClient, endpoint: Any) -> None:
    endpoint.say("x")
    text = await failure(http, request(endpoint.url.replace("http:", "https:")))
    assert text.startswith("TLS failed: ")
