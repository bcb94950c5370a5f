"""Awareness of the network: routes that come and go, judged for each destination by itself."""

from __future__ import annotations

from wscli.network.monitor import NetworkMonitor
from wscli.network.routes import reachable

__all__ = ["NetworkMonitor", "reachable"]
