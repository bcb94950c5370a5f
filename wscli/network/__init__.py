"""Network changes, names, and whether a route leads to a destination."""

from __future__ import annotations

from wscli.network.monitor import NetworkMonitor
from wscli.network.names import resolve
from wscli.network.reachability import reachable, source_address

__all__ = ["NetworkMonitor", "reachable", "resolve", "source_address"]
