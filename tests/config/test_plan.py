"""What a valid file comes to."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from tests.config.conftest import Loads
from wscli.config.loading import load
from wscli.config.models.upstream import Keepalive, Rotate
from wscli.core.backoff import BackoffPolicy, GiveUpAttempts
from wscli.core.verdicts import parse_verdicts
from wscli.errors import ConfigError
from wscli.history.limits import HistoryLimits
from wscli.net.proxy import ProxyChoice, ProxySettings
from wscli.net.tls import TlsSettings
from wscli.templates.paths import compile_path_expression
from wscli.values import Rate, Secret

API = "endpoints: {api: {url: ws://h}}\n"


def rendered(templates: Any) -> dict[str, str]:
    scope = {"token": {"t": "T"}, "param": {"id": "7"}}
    return {name: template.render(scope) for name, template in templates.items()}


def test_the_defaults(loads: Loads) -> None:
    plan = loads(API + "channels: {c: {endpoint: api}}\n")
    assert (plan.name, plan.file.name, plan.announce_after, plan.tokens) == ("app", "app.yaml", 5.0, {})
    assert plan.endpoints == {"api": Rate(10, 1.0)}
    channel = plan.channels["c"]
    assert (channel.name, channel.params, channel.upstream.endpoint) == ("c", (), "api")
    assert (channel.eager, channel.critical, channel.linger) == (True, True, 5.0)
    assert channel.upstream.keepalive == Keepalive(ping=20.0, timeout=20.0)
    assert (channel.upstream.verdicts, channel.upstream.backoff) == ((), BackoffPolicy())
    assert channel.history == HistoryLimits()
    dial = channel.upstream.dial
    assert (dial.url, dial.shown_url, dial.path) == (Secret("ws://h"), "ws://h", None)
    assert (dict(dial.query), dict(dial.headers), dial.subprotocols) == ({}, {}, ())
    assert (dial.compression, dial.tls, dial.proxy) == ("deflate", TlsSettings(), "auto")
    assert (dial.max_message, dial.timeout) == (1 << 20, 10.0)


@pytest.mark.parametrize(
    ("url", "channel", "shown"),
    [
        ("ws://h", "", "ws://h"),
        ("ws://h/a/", "path: /b", "ws://h/a/b"),
        ("ws://bob:pw@h/a?x=1&y", "query: {z: '2'}", "ws://h/a?x=***&y=***&z=***"),
        ("ws://${HOST}:8000/a", "path: '/${HOST}/{id}'", "ws://***:8000/a/***/7"),
        ("${URL}", "path: /b", "***/b"),
    ],
)
def test_the_url_is_shown_as_it_is_dialled_without_values(loads: Loads, url: str, channel: str, shown: str) -> None:
    text = f"endpoints: {{api: {{url: '{url}'}}}}\nchannels: {{'c/{{id}}': {{endpoint: api, {channel}}}}}\n"
    plan = loads(text, {"HOST": "h", "URL": "ws://h/a?token=s3cret"})
    assert plan.channels["c/{id}"].upstream.dial.shown_address({"id": "7"}) == shown


@pytest.mark.parametrize(
    ("proxy", "shown"),
    [
        ("auto", None),
        ("none", None),
        ("http://bob:pw@proxy:3128", "http://proxy:3128"),
        ("{url: 'socks5://${HOST}:1', username: bob, password: pw}", "socks5://***:1"),
    ],
)
def test_a_declared_proxy_is_shown_without_its_user(loads: Loads, proxy: str, shown: str | None) -> None:
    text = f"endpoints: {{api: {{url: ws://h, proxy: {proxy}}}}}\nchannels: {{c: {{endpoint: api}}}}\n"
    assert loads(text, {"HOST": "h"}).channels["c"].upstream.dial.shown_proxy == shown


@pytest.mark.parametrize(("silence", "seconds"), [("60s", 60.0), ("none", None)])
def test_silence_is_a_duration_or_none(loads: Loads, silence: str, seconds: float | None) -> None:
    plan = loads(API + f"channels: {{c: {{endpoint: api, silence: {silence}}}}}\n")
    assert plan.channels["c"].upstream.silence == seconds
    with pytest.raises(ConfigError, match=r"channels\.c\.silence: "):
        loads(API + "channels: {c: {endpoint: api, silence: 0s}}\n")


def test_a_template_is_lazy_and_knows_its_parameters(loads: Loads) -> None:
    plan = loads(
        API + "channels:\n  rooms/{room}/users/{id}: {endpoint: api, path: '/{room}/{id}', linger: 30s}\n"
        "  lazy: {endpoint: api, open: lazy, critical: false}\n"
    )
    template = plan.channels["rooms/{room}/users/{id}"]
    assert (template.eager, template.critical, template.linger, template.params) == (False, True, 30.0, ("room", "id"))
    assert template.upstream.dial.path is not None
    assert template.upstream.dial.path.render({"room": "a b", "id": "1"}) == "/a%20b/1"
    assert (plan.channels["lazy"].eager, plan.channels["lazy"].critical) == (False, False)


OVERRIDES = """\
endpoints:
  api:
    url: wss://h/ws?v=1
    query: {token: "{token.t}", lang: de}
    headers: {Origin: https://a, X-Kept: "1"}
    subprotocols: [a, b]
    max_message: 2MiB
    verdicts: {4401: stop}
    backoff: {initial: 2s}
    connect: {timeout: 3s, rate: 300/5m}
    compression: none
tokens: {t: {value: x}}
verdicts: {529: stop}
backoff: {slow: {initial: 5s}, default: {max: 1m, jitter: none}}
channels:
  same: {endpoint: api}
  other/{id}:
    endpoint: api
    query: {lang: en, room: "{param.id}"}
    headers: {origin: https://b}
    subprotocols: [c]
    max_message: 1KiB
    verdicts: {4402: done}
    backoff: {give_up: {attempts: 3}}
  quiet: {endpoint: api, backoff: slow, subprotocols: [], verdicts: {}}
"""


def test_maps_merge_by_key_and_lists_replace(loads: Loads) -> None:
    plan = loads(OVERRIDES)
    dial = plan.channels["other/{id}"].upstream.dial
    assert rendered(dial.query) == {"token": "T", "lang": "en", "room": "7"}
    assert rendered(dial.headers) == {"X-Kept": "1", "origin": "https://b"}
    assert [template.render({}) for template in dial.subprotocols] == ["c"]
    assert plan.channels["quiet"].upstream.dial.subprotocols == ()
    assert dial.max_message == 1024
    assert dial.token_names == {"t"}
    same = plan.channels["same"].upstream.dial
    assert rendered(same.query) == {"token": "T", "lang": "de"}
    assert (same.max_message, same.timeout, same.compression) == (2 << 20, 3.0, "none")
    assert same.url.reveal() == "wss://h/ws?v=1"
    assert same.shown_url == "wss://h/ws"


BOTH_CAUSES = "rotate: {before_expiry: 30s, max_age: 23h}"
BOTH_TIMES = "keepalive: {ping: 7s, timeout: 3s}"


@pytest.mark.parametrize(
    ("part", "endpoint", "channel", "expected"),
    [
        ("upstream.rotate", BOTH_CAUSES, "", Rotate(before_expiry=30.0, max_age=23 * 3600.0)),
        ("upstream.rotate", BOTH_CAUSES, "rotate: {max_age: 1h}", Rotate(before_expiry=30.0, max_age=3600.0)),
        ("upstream.rotate", BOTH_CAUSES, "rotate: none", None),
        ("upstream.rotate", "", "", None),
        ("upstream.rotate", "", "rotate: {before_expiry: 5s}", Rotate(before_expiry=5.0)),
        ("upstream.rotate", "", "rotate: {}", None),
        ("upstream.keepalive", BOTH_TIMES, "", Keepalive(ping=7.0, timeout=3.0)),
        ("upstream.keepalive", BOTH_TIMES, "keepalive: {ping: 5s}", Keepalive(ping=5.0, timeout=3.0)),
        ("upstream.keepalive", BOTH_TIMES, "keepalive: none", Keepalive(ping=None)),
        ("upstream.keepalive", "keepalive: none", "keepalive: {ping: 1s}", Keepalive(ping=1.0, timeout=20.0)),
        ("dedupe", "dedupe: .id", "", compile_path_expression(".id")),
        ("dedupe", "dedupe: .id", "dedupe: '.a[0]'", compile_path_expression(".a[0]")),
        ("dedupe", "dedupe: .id", "dedupe: none", None),
    ],
)
def test_a_channel_keeps_changes_or_cancels_what_its_endpoint_has(
    loads: Loads, part: str, endpoint: str, channel: str, expected: object
) -> None:
    plan = loads(f"endpoints: {{api: {{url: wss://h, {endpoint}}}}}\nchannels: {{c: {{endpoint: api, {channel}}}}}\n")
    assert attrgetter(part)(plan.channels["c"]) == expected


def test_a_failed_channel_is_dialled_again_where_it_is_critical_or_the_file_says_so(loads: Loads) -> None:
    plan = loads(
        "endpoints: {api: {url: ws://h}, often: {url: ws://h, look_again: 1m}}\n"
        "channels:\n  a: {endpoint: api}\n  b: {endpoint: api, critical: false}\n"
        "  c: {endpoint: often, critical: false}\n"
        "  d: {endpoint: often, look_again: never}\n  e/{id}: {endpoint: often, look_again: 2m}\n"
    )
    found = {name: channel.upstream.look_again for name, channel in plan.channels.items()}
    assert found == {"a": (600.0, False), "b": None, "c": (60.0, True), "d": None, "e/{id}": (120.0, True)}


def test_verdicts_come_nearest_first_and_empty_levels_not_at_all(loads: Loads) -> None:
    plan = loads(OVERRIDES)
    own, endpoint, file = (parse_verdicts(table) for table in ({"4402": "done"}, {"4401": "stop"}, {"529": "stop"}))
    assert plan.channels["other/{id}"].upstream.verdicts == (own, endpoint, file)
    assert plan.channels["same"].upstream.verdicts == plan.channels["quiet"].upstream.verdicts == (endpoint, file)


def test_backoff_merges_over_what_would_apply(loads: Loads) -> None:
    """The file's default under all, though it is written last; an endpoint's keys over it; a channel's over those.

    A name stands alone.
    """
    plan = loads(OVERRIDES)
    assert plan.channels["same"].upstream.backoff == BackoffPolicy(initial=2.0, max=60.0, jitter="none")
    assert plan.channels["other/{id}"].upstream.backoff == BackoffPolicy(
        initial=2.0, max=60.0, jitter="none", give_up=GiveUpAttempts(attempts=3)
    )
    assert plan.channels["quiet"].upstream.backoff == BackoffPolicy(initial=5.0, max=60.0, jitter="none")


def test_a_thousand_channels_share_what_they_do_not_change(loads: Loads) -> None:
    lines = "".join(f"  c{n}: {{endpoint: api, path: /{n}}}\n" for n in range(1000))
    plan = loads(
        "endpoints:\n  api:\n    url: ws://h\n    query: {a: b}\n    headers: {X: '{token.t}'}\n"
        "    subprotocols: [s]\n    verdicts: {4401: stop}\n"
        "tokens: {t: {value: x}}\nbackoff: {default: {max: 1m}}\nchannels:\n" + lines
    )
    upstreams = [channel.upstream for channel in plan.channels.values()]
    dials = [upstream.dial for upstream in upstreams]
    for part in ("verdicts", "backoff"):
        assert len({id(getattr(upstream, part)) for upstream in upstreams}) == 1
    for part in ("query", "headers", "subprotocols", "url", "tls"):
        assert len({id(getattr(dial, part)) for dial in dials}) == 1


@pytest.mark.parametrize(
    ("text", "proxy"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("socks5h://p:1080", ProxySettings(url=Secret("socks5h://p:1080"))),
        (
            "{url: 'http://p:3128', username: 'me@x', password: 'a:/b'}",
            ProxySettings(url=Secret("http://me%40x:a%3A%2Fb@p:3128")),
        ),
    ],
)
def test_a_proxy_is_a_word_or_a_url_with_its_credentials_encoded(loads: Loads, text: str, proxy: ProxyChoice) -> None:
    plan = loads(f"endpoints:\n  api: {{url: wss://h, proxy: {text}}}\nchannels: {{c: {{endpoint: api}}}}\n")
    assert plan.channels["c"].upstream.dial.proxy == proxy


def test_files_are_relative_to_the_file(loads: Loads, tmp_path: Path) -> None:
    (tmp_path / "certs").mkdir()
    for name in ("ca.pem", "me.pem", "me.key"):
        (tmp_path / "certs" / name).touch()
    plan = loads(
        "endpoints:\n  api:\n    url: wss://h\n"
        "    tls: {ca: certs/ca.pem, cert: certs/me.pem, key: certs/me.key, key_password: pw, server_name: n}\n"
        "channels: {c: {endpoint: api}}\n"
    )
    base = tmp_path.resolve() / "certs"
    files = {"ca": str(base / "ca.pem"), "cert": str(base / "me.pem"), "key": str(base / "me.key")}
    assert plan.channels["c"].upstream.dial.tls == TlsSettings(**files, key_password=Secret("pw"), server_name="n")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("My App.yaml", "my-app"),
        ("tele.health.yml", "tele-health"),
        ("Clinic/wscli.yaml", "clinic"),
        ("x" * 40, "x" * 32),
    ],
)
def test_the_instance_is_named_after_the_file(loads: Loads, tmp_path: Path, path: str, name: str) -> None:
    (tmp_path / "Clinic").mkdir()
    assert loads(API + "channels: {c: {endpoint: api}}\n", name=path).name == name


def test_a_file_whose_name_makes_none_must_say_one(loads: Loads) -> None:
    with pytest.raises(ConfigError, match=r"1:1: no instance name can be made of 'здоровье'; add 'name:'"):
        loads(API + "channels: {c: {endpoint: api}}\n", name="здоровье.yaml")


def test_a_file_is_one_instance_whatever_link_leads_to_it(tmp_path: Path) -> None:
    """``reload`` reads the real path, which must make the same name."""
    target = tmp_path / "real.yaml"
    target.write_text(API + "channels: {c: {endpoint: api}}\n")
    link = tmp_path / "app.yaml"
    link.symlink_to(target)
    plan = load(link, {})
    assert (plan.name, plan.file) == ("real", target.resolve())
    assert load(plan.file, {}) == plan


def test_a_file_of_tokens_alone_is_a_token_broker(loads: Loads) -> None:
    plan = loads("tokens: {t: {value: x}}\n")
    assert (list(plan.tokens), plan.channels) == (["t"], {})


def test_equal_files_make_equal_plans(loads: Loads) -> None:
    """What ``reload`` compares: nothing changed means nothing is touched."""
    assert loads(OVERRIDES).channels == loads("# a comment\n" + OVERRIDES).channels
    assert loads(OVERRIDES).channels != loads(OVERRIDES.replace("lang: en", "lang: fr")).channels


def test_a_literal_may_stand_beside_a_template_that_fits_it(loads: Loads) -> None:
    plan = loads(API + "channels:\n  rooms/{id}: {endpoint: api}\n  rooms/lobby: {endpoint: api}\n")
    assert list(plan.channels) == ["rooms/{id}", "rooms/lobby"]
