"""docs/metrics.md: its table holds exactly the metrics that exist, with types and labels; its pages are the pages."""

from __future__ import annotations

import re
from pathlib import Path

from wscli.daemon.channel.counters import MAX_REASONS, OTHER
from wscli.gateway.pages import PAGES
from wscli.gateway.samples import METRICS

TEXT = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()


def test_every_metric_is_documented_and_no_other() -> None:
    rows = re.findall(r"^\| `(wscli_\w+)` \| (\w+) \| (.*?) ?\| \S", TEXT, re.MULTILINE)
    assert [name for name, _, _ in rows] == list(METRICS)
    assert {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows} == {
        name: (metric.kind, metric.labels) for name, metric in METRICS.items()
    }


def test_every_page_for_machines_is_documented_with_whether_it_needs_the_token() -> None:
    rows = dict(re.findall(r"^\| `(/\w+)` \| .* \| (yes|no) \|$", TEXT, re.MULTILINE))
    machines = {path: page for path, page in PAGES.items() if path != "/" and "." not in path}
    assert {path: answer == "yes" for path, answer in rows.items()} == {
        path: page.needs_token for path, page in machines.items()
    }


def test_the_bound_on_reasons_is_documented() -> None:
    assert f"has {MAX_REASONS} reasons at most" in TEXT
    assert f"`{OTHER}`" in TEXT
