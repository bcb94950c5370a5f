"""The alert rules and the dashboard of configs/: of the shape that Prometheus and Grafana take, of real metrics."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from wscli.core.states import ChannelState
from wscli.gateway.http.samples import METRICS

CONFIGS = Path(__file__).parents[2] / "configs"
GROUPS = yaml.safe_load((CONFIGS / "prometheus" / "alerts.yaml").read_text())["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]
DASHBOARD = json.loads((CONFIGS / "grafana" / "dashboard.json").read_text())
PANELS = DASHBOARD["panels"]

PROMETHEUS_OWN = {"job", "instance"}
DURATION = re.compile(r"([0-9]+(ms|[smhdwy]))+")


def queries() -> Iterator[tuple[str, str]]:
    for rule in RULES:
        yield rule["alert"], rule["expr"]
    for panel in PANELS:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        yield variable["name"], variable["query"]["query"]


QUERIES = pytest.mark.parametrize("expr", [pytest.param(expr, id=name) for name, expr in queries()])


def metrics_of(expr: str) -> list[str]:
    return re.findall(r"\bwscli_\w+", re.sub(r'"[^"]*"', '""', expr))


@QUERIES
def test_a_query_is_about_metrics_that_exist_and_labels_that_they_have(expr: str) -> None:
    found = metrics_of(expr)
    assert found or expr == 'up{job="wscli"} == 0'
    assert set(found) <= set(METRICS)
    for name, selector in re.findall(r"\b(wscli_\w+)\{(.*?)\}", expr):
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', '""', selector)))
        assert labels <= {*METRICS[name].labels, *PROMETHEUS_OWN}
    for states in re.findall(r'\bstate=~?"(.*?)"', expr):
        assert set(states.split("|")) <= set(ChannelState)


@QUERIES
def test_a_counter_is_asked_for_its_increase_and_a_gauge_is_not(expr: str) -> None:
    increased = set(re.findall(r"\b(?:increase|rate)\((wscli_\w+)", expr))
    assert increased == {name for name in metrics_of(expr) if METRICS[name].kind == "counter"}


@QUERIES
def test_its_brackets_match(expr: str) -> None:
    rest = re.sub(r'"[^"]*"|[^(){}\[\]]', "", expr)
    while rest != (less := re.sub(r"\(\)|\{\}|\[\]", "", rest)):
        rest = less
    assert rest == ""


# the rules


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_has_the_shape_that_prometheus_takes_and_tells_of_labels_that_it_keeps(rule: dict[str, Any]) -> None:
    assert {"alert", "expr", "labels", "annotations"} <= set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"Wscli[A-Za-z]+", rule["alert"])
    assert DURATION.fullmatch(rule.get("for", "0s"))
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert set(rule["annotations"]) == {"summary", "description"}
    told = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
    have = {label for name in metrics_of(rule["expr"]) for label in METRICS[name].labels}
    grouped = re.search(r"\bby \((.*?)\)", rule["expr"])
    assert told <= (set(re.findall(r"\w+", grouped[1])) if grouped else have | PROMETHEUS_OWN)


def test_the_groups_and_rules_are_named_once() -> None:
    assert [set(group) for group in GROUPS] == [{"name", "rules"}]
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names)


# the dashboard


def test_the_dashboard_can_be_imported() -> None:
    assert DASHBOARD["uid"] == DASHBOARD["title"] == "wscli"
    assert DASHBOARD["schemaVersion"] >= 36
    (source,) = DASHBOARD["__inputs"]
    assert (source["name"], source["type"], source["pluginId"]) == ("DS_PROMETHEUS", "datasource", "prometheus")
    assert "id" not in DASHBOARD, "Grafana gives one"


def test_all_panels_ask_the_datasource_that_is_chosen_at_the_import() -> None:
    chosen = {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}
    asking = [*PANELS, *(target for panel in PANELS for target in panel["targets"]), *DASHBOARD["templating"]["list"]]
    assert all(one["datasource"] == chosen for one in asking)


def test_panels_have_their_own_numbers_and_places_on_the_grid() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, f"{panel['title']} lies on another"
        taken |= cells


def test_every_metric_has_a_place_on_the_dashboard() -> None:
    assert {name for _, expr in queries() for name in metrics_of(expr)} == set(METRICS)
