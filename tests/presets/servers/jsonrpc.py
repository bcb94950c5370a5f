"""A node with subscriptions over JSON-RPC 2.0, from jsonrpc.org and geth's pub/sub page."""

from __future__ import annotations

from typing import Any

from tests.presets.servers.base import ScriptedServer


class Node(ScriptedServer):
    def __init__(self) -> None:
        super().__init__()
        self.subscriptions: dict[str, Any] = {}

    def connected(self, line: Any, dialled: Any) -> None:
        self.subscriptions = {}
        super().connected(line, dialled)

    def on_message(self, message: Any) -> None:
        assert message["jsonrpc"] == "2.0"
        number, method, params = message["id"], message["method"], message.get("params")
        if method == "eth_subscribe":
            self._subscribe(number, params)
        elif method == "eth_unsubscribe":
            assert isinstance(params, list)
            self._result(number, self.subscriptions.pop(params[0], None) is not None)
        elif method == "eth_blockNumber":
            self._result(number, "0x10")
        else:
            self._error(number, -32601, "method not found")

    def _subscribe(self, number: Any, params: Any) -> None:
        if params == ["unknown"]:
            self._error(number, -32602, "no such subscription")
        elif params == ["many"]:
            self._error(number, -32005, "limit exceeded")
        elif "mute" not in self.faults:
            name = f"0x{len(self.subscriptions) + 1:x}"
            self.subscriptions[name] = params
            self._result(number, name)

    def _result(self, number: Any, result: Any) -> None:
        self.say({"jsonrpc": "2.0", "id": number, "result": result})

    def _error(self, number: Any, code: int, text: str) -> None:
        self.say({"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": text}})

    def notify(self, name: str, result: Any) -> None:
        self.say({"jsonrpc": "2.0", "method": "eth_subscription", "params": {"subscription": name, "result": result}})
