"""The answer to ``/metrics``: the samples in the formats of Prometheus and OpenMetrics."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from wscli.gateway.http.samples import METRICS, Sample, measure

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric as Family

    from wscli.daemon.registry.manager import Manager

__all__ = ["expose"]

_VERSIONS = ("", "0.0.1", "0.0.4", "1.0.0")
"""Format versions that are answered; prometheus-client would promise any version, and raises on an invalid one."""

_VERSION = re.compile(r";\s*version\s*=\s*([^;]*)")


def expose(manager: Manager, accept: str = "") -> tuple[bytes, str]:
    """Give the text of all metrics of this moment, and its content type.

    OpenMetrics where ``accept``, the request's Accept header, takes that; else Prometheus' text format 0.0.4.
    """
    from prometheus_client.exposition import choose_encoder

    encode, content_type = choose_encoder(_known(accept))
    return encode(_Collector(measure(manager))), content_type


def _known(accept: str) -> str:
    ranges = accept.split(",")
    return ",".join(one for one in ranges if not (found := _VERSION.search(one)) or found[1].strip() in _VERSIONS)


class _Collector:
    """Gives the metrics to the library, once."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples = samples

    def collect(self) -> Iterable[Family]:
        """Group the samples by metric; a metric without samples is left out."""
        families: dict[str, Family] = {}
        for sample in self._samples:
            if sample.metric not in families:
                families[sample.metric] = _family(sample.metric)
            labels = dict(zip(METRICS[sample.metric].labels, sample.labels, strict=True))
            families[sample.metric].add_sample(sample.metric, labels, sample.value)
        return families.values()


def _family(name: str) -> Family:
    from prometheus_client.metrics_core import Metric

    kind, text, _ = METRICS[name]
    suffix = {"counter": "_total", "info": "_info", "gauge": ""}[kind]
    return Metric(name.removesuffix(suffix), text, kind)
