"""Awareness of the network: routes that come and go, judged for each destination by itself."""

from __future__ import annotations

from wscli.daemon.network.monitor import NetworkMonitor
from wscli.daemon.network.routes import reachable

__all__ = ["NetworkMonitor", "reachable"]
