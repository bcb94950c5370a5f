"""A feed that takes subscriptions as JSON, as most market data does."""

from __future__ import annotations

from typing import Any

from tests.presets.servers.base import Dialled, ScriptedServer


class Feed(ScriptedServer):
    def on_open(self, dialled: Dialled) -> None:
        self.subscribed: list[Any] = []

    def on_message(self, message: Any) -> None:
        if message.get("op") == "unsubscribe":
            self.subscribed.remove({**message, "op": "subscribe"})
        else:
            self.subscribed.append(message)
