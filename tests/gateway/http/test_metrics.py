"""The answer to ``/metrics``: its format, and that prometheus-client's parsers accept it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.daemon.scripted import Scripted, channel_plan, closed, scripted, with_token
from tests.examples import EXAMPLES
from wscli.config.plan import ChannelPlan
from wscli.daemon.registry.observer import Observer
from wscli.gateway.http.metrics import expose
from wscli.gateway.http.samples import METRICS
from wscli.tokens.models import TokenSource

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
"""The Accept header of Prometheus 3."""

Labels = frozenset[tuple[str, str]]
Samples = dict[tuple[str, Labels], float]


def samples_of(families: Iterable[Family]) -> Samples:
    found = [(one.name, frozenset(one.labels.items()), one.value) for family in families for one in family.samples]
    assert len({(name, labels) for name, labels, _ in found}) == len(found), "a sample was given twice"
    return {(name, labels): value for name, labels, value in found}


def scrape(it: Scripted) -> Samples:
    """Give the samples, which are the same in both formats."""
    text = samples_of(parse_text(expose(it.manager)[0].decode()))
    assert samples_of(parse_openmetrics(expose(it.manager, OPENMETRICS)[0].decode())) == text
    return text


def value(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((name, frozenset(labels.items())))


def apply(it: Scripted, *plans: ChannelPlan) -> None:
    it.manager.apply(replace(it.manager.plan, channels={plan.name: plan for plan in plans}))


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/html,text/plain;version=0.0.4", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text; version=9.9.9", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text; version=nine, text/plain", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        (OPENMETRICS, "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"),
        (PROMETHEUS, "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8"),
    ],
)
async def test_the_format_is_the_one_that_is_accepted(accept: str, content_type: str, it: Scripted) -> None:
    body, given_type = expose(it.manager, accept)
    assert given_type == content_type
    assert body.endswith(b"# EOF\n") is content_type.startswith("application/openmetrics-text")


MEDIA = ["application/openmetrics-text", "text/plain", "*/*", ";", ",", "=", "version", "version=", "1.0.0", "q=x", "é"]


@settings(max_examples=max(100, EXAMPLES // 10), deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(MEDIA), max_size=12).map("".join)))
def test_any_accept_header_gets_an_answer(accept: str) -> None:
    body, content_type = expose(Scripted().manager, accept)
    assert content_type.isascii()
    assert body.startswith(b"# HELP")


@settings(max_examples=max(100, EXAMPLES // 10), deadline=None)
@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_a_name_with_quotes_line_ends_and_other_letters_comes_through(name: str) -> None:
    it = Scripted(replace(channel_plan(), name=name))
    assert value(scrape(it), "wscli_connected", channel=name) == 0


class AddsStats(Observer):
    def __init__(self, added: dict[str, Any]) -> None:
        self.added = added

    def stats(self) -> dict[str, Any]:
        return self.added


async def test_exactly_the_declared_metrics_are_exposed() -> None:
    async with scripted(
        with_token(channel_plan()), tokens={"session": TokenSource.model_validate({"value": "t"})}
    ) as it:
        it.server.link.say("hello")
        it.server.link.end(closed(1006))
        await it.time.advance(30)
        it.manager.observe(AddsStats({"gateway": {"listen": [], "clients": 2, "refused": 5, "dropped": 1}}))
        families = list(parse_openmetrics(expose(it.manager, OPENMETRICS)[0].decode()))
        suffix = {"counter": "_total", "info": "_info"}
        assert {one.name + suffix.get(one.type, ""): (one.type, one.documentation) for one in families} == {
            name: (metric.kind, metric.help)
            for name, metric in METRICS.items()
            if name != "wscli_token_expiry_timestamp_seconds"  # this token never expires
            if name != "wscli_consumer_lag"  # there is no consumer
        }
        for family in families:
            for sample in family.samples:
                assert set(sample.labels) == set(METRICS[sample.name].labels)
                assert "instance" not in sample.labels, "Prometheus' own label"
