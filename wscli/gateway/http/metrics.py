"""The answer to ``/metrics``: the samples in the formats of Prometheus and OpenMetrics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from wscli.gateway.http.samples import METRICS, Sample, measure

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric as Family

    from wscli.daemon.registry.manager import Manager

__all__ = ["expose"]

_VERSIONS = ("", "0.0.1", "0.0.4", "1.0.0")
"""Format versions that are answered; prometheus-client would promise any version, and raises on an invalid one."""


def expose(manager: Manager, accept: str = "") -> tuple[bytes, str]:
    """Give the text of all metrics of this moment, and its content type.

    OpenMetrics where ``accept``, the request's Accept header, takes that; else Prometheus' text format 0.0.4.
    """
    from prometheus_client.exposition import choose_encoder
    from prometheus_client.registry import CollectorRegistry

    encode, content_type = choose_encoder(_known(accept))
    registry = CollectorRegistry(auto_describe=False)  # without the library's own metrics of the process
    registry.register(_Collector(measure(manager)))
    return encode(registry), content_type


def _known(accept: str) -> str:
    return ",".join(one for one in accept.split(",") if _version(one) in _VERSIONS)


def _version(media_range: str) -> str:
    for parameter in media_range.split(";")[1:]:
        key, _, value = parameter.partition("=")
        if key.strip() == "version":
            return value.strip()
    return ""


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
