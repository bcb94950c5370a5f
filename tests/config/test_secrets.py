"""No secret of a file or of the environment is in anything that is printed, whatever is wrong with the file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.config.conftest import said
from wscli.config.loading import read_plan
from wscli.config.plan import Plan
from wscli.config.redact import redacted

FULL = """\
version: 1
endpoints:
  api:
    url: wss://USER-s3c00:PASS-s3c01@h/ws?key=QUERY-s3c02
    query: {token: QUERY-s3c03, other: "${ENV_QUERY}"}
    headers: {Cookie: HEADER-s3c04, X-Env: "Bearer ${ENV_HEADER}"}
    subprotocols: ["${ENV_SUB}"]
    tls: {ca: "${ENV_FILE}", cert: here.pem, key: here.pem, key_password: KEYPW-s3c05}
    proxy: {url: "http://proxy:3128", username: PUSER-s3c06, password: PPASS-s3c07}
    connect: {timeout: "${ENV_DURATION}"}
  other:
    url: ws://${ENV_HOST}/ws
    proxy: http://PUSER-s3c08:PPASS-s3c09@proxy:3128
tokens:
  a: {value: VALUE-s3c10}
  b:
    http:
      post: https://TUSER-s3c11:TPASS-s3c12@h/token?k=TQUERY-s3c13
      headers: {X-Api-Key: THEADER-s3c14}
      json: {password: BODY-s3c15, deep: [{pin: BODY-s3c16}]}
      proxy: {url: "http://proxy:1", username: TPUSER-s3c17, password: TPPASS-s3c18}
      tls: {cert: here.pem, key_password: TKEYPW-s3c19}
  c: {http: {post: "https://h", form: {password: FORM-s3c20, token: FORM-s3c21, file: FORM-s3c22, url: FORM-s3c32}}}
  d:
    oauth2:
      token_url: https://h/token
      client_id: me
      client_secret: CLIENT-s3c23
      refresh_token: REFRESH-s3c24
      parameters: {assertion: PARAM-s3c25, read: PARAM-s3c26}
  e: {command: {run: [prog], environment: {PASSWORD: CENV-s3c27, file: CENV-s3c28}, stdin: CIN-s3c29}}
channels:
  one: {endpoint: api, path: "/x/${ENV_PATH}", query: {q: QUERY-s3c30}, headers: {H: HEADER-s3c31}}
"""
ENVIRON = {
    "ENV_QUERY": "env-s3c40",
    "ENV_HEADER": "env-s3c41",
    "ENV_SUB": "env-s3c42",
    "ENV_FILE": "here.pem",
    "ENV_DURATION": "1s",
    "ENV_HOST": "env-s3c43.example",
    "ENV_PATH": "env-s3c45",
}
SECRET = re.compile(r"s3c[0-9]")


@pytest.fixture(autouse=True)
def _files(tmp_path: Path) -> None:
    (tmp_path / "here.pem").touch()


def test_a_plan_prints_none(loads: Callable[..., object]) -> None:
    assert not SECRET.search(repr(loads(FULL, ENVIRON)))


def test_the_url_and_the_proxy_as_they_are_shown_hold_none(loads: Callable[..., Plan]) -> None:
    dial = loads(FULL, ENVIRON).channels["one"].upstream.dial
    assert dial.shown_address({}) == "wss://h/ws/x/***?key=***&token=***&other=***&q=***"
    assert dial.shown_proxy == "http://proxy:3128"


@pytest.mark.parametrize("as_json", [False, True])
def test_show_prints_none(tmp_path: Path, as_json: bool) -> None:
    file = tmp_path / "app.yaml"
    file.write_text(FULL)
    printed = redacted(read_plan(file, ENVIRON)[0], as_json=as_json)
    assert not SECRET.search(printed)
    urls = ("wss://***@h/ws?key=***", "ws://***/ws", "https://***@h/token?k=***")
    assert [kept for kept in (*urls, "client_id", "proxy:3128", "/x/***") if kept not in printed] == []


def shown(tmp_path: Path, text: str, environ: dict[str, str]) -> str:
    error = said(tmp_path / "app.yaml", text, environ)
    return "" if error is None else f"{error}\n{error.hint}"


HOSTILE = [
    *("{s3c90}", "{token.s3c90}", "{tokn.s3c90}", "{param.s3c90", "{{token.s3c90}", "$s3c90", "[s3c90]", "*s3c90"),
    *("s3c90 blank", "s3c90\r\nX: y", "é-s3c90-→", "", "s3c90" * 100, "null-s3c90", "s3c90: s3c91", "'s3c90'"),
    *("ftp://u:s3c90@h", "ws://u:s3c90@h/#x", "ws://[s3c90]/", "ws://h:s3c90/", "http://u:s3c90/x@h"),
    *("/s3c90/{x}", "s3c90?a=b#c"),
]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("name", sorted(ENVIRON))
def test_a_value_of_the_environment_that_cannot_be_used_is_not_quoted(tmp_path: Path, name: str, value: str) -> None:
    assert not SECRET.search(shown(tmp_path, FULL, ENVIRON | {name: value}))


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(
    "place",
    [
        "endpoints: {{api: {{url: '{}'}}}}\nchannels: {{c: {{endpoint: api}}}}",
        "channels: {{c: {{endpoint: '{}'}}}}",
        "endpoints: {{api: {{url: ws://h, proxy: '{}'}}}}\nchannels: {{c: {{endpoint: api, path: '{}'}}}}",
        "endpoints: {{api: {{url: ws://h, max_message: '{}', compression: '{}', keepalive: '{}'}}}}",
        "endpoints: {{api: {{url: ws://h, verdicts: {{4401: '{}', 4402: {{retry: '{}'}}, 4403: ['{}']}}}}}}",
        "channels: {{c: {{endpoint: api, critical: '{}', open: '{}', linger: '{}', history: '{}', backoff: '{}'}}}}",
        "backoff: {{default: {{give_up: '{}', max: '{}', multiplier: '{}', jitter: ['{}']}}}}",
        "name: '{}'\nversion: '{}'\nannounce_after: '{}'",
        "tokens: {{t: {{http: '{}'}}, u: {{http: {{post: '{}', timeout: '{}', proxy: '{}', json: '{}'}}}}}}",
        "tokens: {{t: {{read: '{}', env: '{}'}}, u: {{command: '{}'}}, v: {{command: ['{}', '{}']}}}}",
        "tokens: {{t: {{oauth2: {{token_url: '{}', client_id: '{}', grant: '{}', scopes: '{}'}}}}}}",
        "tokens: {{t: {{value: '{}', refresh: '{}', expires_in: '{}', single_use: '{}'}}}}",
        "tokens: {{t: {{http: {{post: http://h}}, read: {{token: '{}', expires_in: '{}'}}}}}}",
    ],
)
def test_a_variable_is_quoted_nowhere_in_the_file(tmp_path: Path, place: str, value: str) -> None:
    text = place.format(*["${V}"] * place.count("'{}'")) + "\n"
    assert not SECRET.search(shown(tmp_path, text, {"V": value}))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.integers(0, len(FULL) - 1),
    st.integers(0, 3),
    st.sampled_from(["", "x", "\n", "  ", "{", "'", ":", "[", "$", "\t"]),
)
def test_no_slip_of_the_hand_prints_the_environment(tmp_path: Path, at: int, gone: int, put: str) -> None:
    assert "env-s3c4" not in shown(tmp_path, FULL[:at] + put + FULL[at + gone :], ENVIRON)
