"""From a plan to one dial: what is appended, what is encoded, and what is not shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from wscli.config.dial_plan import DialPlan
from wscli.core.failures import Failure, FailureKind
from wscli.daemon.upstream.dial.scrub import scrubbed, secrets_of_variables
from wscli.daemon.upstream.dial.target import make_target, redirected
from wscli.templates import compile_path, compile_template
from wscli.transport.connection import DialTarget
from wscli.values import Secret

DIAL = DialPlan(url=Secret("ws://h.example/ws"), shown_url="ws://h.example/ws")


@pytest.mark.parametrize(
    ("url", "path", "whole"),
    [
        ("ws://h.example", None, "ws://h.example/"),
        ("ws://h.example", "/a", "ws://h.example/a"),
        ("ws://h.example/ws", "/a", "ws://h.example/ws/a"),
        ("ws://h.example/ws/", "a", "ws://h.example/ws/a"),
        ("ws://h.example/ws?v=2", "/a", "ws://h.example/ws/a?v=2"),
        ("ws://[::1]:8080/ws", "/a", "ws://[::1]:8080/ws/a"),
        ("ws://h.example/ws", "/c/{id}/x", "ws://h.example/ws/c/4%202/x"),
    ],
)
def test_the_path_is_appended_to_the_endpoints(url: str, path: str | None, whole: str) -> None:
    dial = replace(DIAL, url=Secret(url), path=None if path is None else compile_path(path))
    assert make_target(dial, {"param": {"id": "4 2"}}).url == whole


def test_queries_merge_and_are_encoded() -> None:
    query = {"token": compile_template("{token.session}", ("token",)), "a b": compile_template("x&y=1", ())}
    dial = replace(DIAL, url=Secret("ws://h.example/ws?v=2"), query=query)
    target = make_target(dial, {"token": {"session": "s/e+c?ret"}})
    assert target.url == "ws://h.example/ws?v=2&token=s%2Fe%2Bc%3Fret&a%20b=x%26y%3D1"


def test_a_token_with_braces_is_not_expanded_again() -> None:
    dial = replace(DIAL, headers={"X": compile_template("{token.a}", ("token",))})
    assert make_target(dial, {"token": {"a": "{token.b}", "b": "other"}}).headers == (("X", "{token.b}"),)


def test_what_came_from_the_environment_is_called_by_its_stars() -> None:
    dial = replace(DIAL, url=Secret("ws://10.0.0.7:8790/ws"), shown_url="ws://***:***/ws")
    assert make_target(dial, {}).label == "***:***"
    assert make_target(DIAL, {}).label is None
    there = replace(DIAL, connect_to=Secret("unix:/run/7/app.sock"), shown_connect_to="unix:/run/***/app.sock")
    assert (make_target(there, {}).label, make_target(there, {}).connect_to) == (
        "unix:/run/***/app.sock",
        "unix:/run/7/app.sock",
    )


def test_a_target_shows_nothing_of_itself() -> None:
    assert "h.example" not in repr(make_target(DIAL, {}))


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_within_the_origin_is_followed(code: int) -> None:
    failure = Failure(FailureKind.STATUS, "moved", code=code, location="other?x=1")
    assert redirected(DialTarget("ws://h.example/a/b"), failure) == "ws://h.example/a/other?x=1"


@pytest.mark.parametrize(
    "failure",
    [
        Failure(FailureKind.STATUS, "moved", code=307),
        Failure(FailureKind.STATUS, "no", code=403, location="/x"),
        Failure(FailureKind.STATUS, "moved", code=307, location="https://h.example/x"),
        Failure(FailureKind.STATUS, "moved", code=307, location="ws://user@other.example/x"),
    ],
)
def test_nothing_else_is(failure: Failure) -> None:
    assert redirected(DialTarget("ws://h.example/a"), failure) is None


def test_a_redirect_is_shown_with_the_urls_host_wherever_the_connection_leads() -> None:
    there = replace(DIAL, connect_to=Secret("10.0.0.7:1"), shown_connect_to="10.0.0.7:1")
    assert make_target(there, {}, url="ws://h.example/else?a=s3cret").shown == "ws://h.example/else?a=***"
    unix = replace(DIAL, shown_url="unix:/run/a.sock", connect_to=Secret("unix:/run/a.sock"))
    assert make_target(unix, {}, url="ws://localhost/else").shown == "ws://localhost/else"


def test_the_path_of_a_request_to_a_unix_socket_is_shown_behind_a_colon() -> None:
    dial = replace(DIAL, shown_url="unix:/run/a.sock", path=compile_path("/feed"))
    assert dial.shown_address({}) == "unix:/run/a.sock:/feed"
    assert replace(dial, path=None).shown_address({}) == "unix:/run/a.sock"


# placeholders of the URL


def with_url(text: str, *hosts: str, **changes: Any) -> DialPlan:
    template = compile_template(text, ("token", "with", "param", "var"))
    return replace(DIAL, url=Secret(text), shown_url=text, url_template=template, url_hosts=hosts, **changes)


def test_a_value_in_a_url_is_encoded_and_one_that_is_the_whole_url_is_not() -> None:
    scope = {"var": {"url": "wss://h.example/a%2Fb?t=x%20y", "room": "a/b?c"}, "token": {"t": "p&q"}}
    assert make_target(with_url("{var.url}"), scope).url == "wss://h.example/a%2Fb?t=x%20y"
    inside = with_url("wss://h.example/{var.room}/x?t={token.t}")
    assert make_target(inside, scope).url == "wss://h.example/a%2Fb%3Fc/x?t=p%26q"
    assert make_target(with_url("{var.url}", path=compile_path("/more")), scope).url == (
        "wss://h.example/a%2Fb/more?t=x%20y"
    )


def test_the_path_has_variables_each_of_which_is_one_segment() -> None:
    dial = replace(DIAL, path=compile_path("/kernels/{var.kernel}/{id}", ("var",)))
    scope = {"var": {"kernel": "a b"}, "param": {"id": "7"}}
    assert make_target(dial, scope).url == "ws://h.example/ws/kernels/a%20b/7"
    with pytest.raises(ValueError, match=r"bad '\{var.kernel\}' of a path: it contains '/'"):
        make_target(dial, {**scope, "var": {"kernel": "s3cret/../x"}})
    assert dial.shown_address({"id": "7"}) == "ws://h.example/ws/kernels/{var.kernel}/7"


def test_a_list_in_the_query_repeats_its_key() -> None:
    query = {
        "c": compile_template("{with.topics}", ("with",)),
        "d": (compile_template("1", ()), compile_template("{var.x}", ("var",))),
    }
    target = make_target(replace(DIAL, query=query), {"with": {"topics": ["a", 2, True]}, "var": {"x": "y"}})
    assert target.url == "ws://h.example/ws?c=a&c=2&c=true&d=1&d=y"
    assert make_target(replace(DIAL, query=query), {"with": {"topics": []}, "var": {"x": "y"}}).url.endswith("?d=1&d=y")


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("wss://a.b.slack.com/x", True),
        ("wss://slack.com/x", False),
        ("wss://slack.com.evil.example/x", False),
        ("wss://wss.slack.com@evil.example/x", False),
        ("wss://evil.example#.slack.com", False),
        ("ws://a.slack.com/", False),
        ("ws://127.0.0.1:8080/", True),
        ("ws://localhost:8080/", True),
        ("https://a.slack.com/", False),
        ("wss://a.slack.com:0/", False),
        ("not a url", False),
    ],
)
def test_a_variable_leads_only_to_the_hosts_that_are_declared(url: str, allowed: bool) -> None:
    dial = with_url("{var.url}", "*.slack.com", "127.0.0.1", "localhost")
    if allowed:
        assert make_target(dial, {"var": {"url": url}}).url.startswith(url)
    else:
        with pytest.raises(ValueError, match="the filled url"):
            make_target(dial, {"var": {"url": url}})


def test_of_a_url_that_a_server_gave_nothing_but_the_host_is_shown() -> None:
    url = "wss://me:pw@wss.slack.com/link/s3cretticket?ticket=s3cret2"
    target = make_target(with_url("{var.url}", "*.slack.com"), {"var": {"url": url}})
    assert target.shown == "wss://wss.slack.com/***"
    failure = scrubbed(
        Failure(FailureKind.CLOSE, "no session s3cretticket of s3cret2 at /link/s3cretticket"),
        secrets_of_variables([url, 12345]),
    )
    assert failure.text == "no session *** of *** at ***"


def test_a_header_of_a_variable_cannot_break_its_line() -> None:
    dial = replace(DIAL, headers={"X": compile_template("{var.x}", ("var",))})
    with pytest.raises(ValueError, match="the filled value of the header 'X' holds a character"):
        make_target(dial, {"var": {"x": "a\r\nHost: evil"}})
