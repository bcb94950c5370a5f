"""A browser with DevTools, from chromedevtools.github.io/devtools-protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.presets.servers.base import Dialled, ScriptedServer


class Browser(ScriptedServer):
    def __init__(self) -> None:
        super().__init__()
        self.guid = "first"
        self.targets = [("worker", "service_worker"), ("tab", "page")]
        self.sessions: dict[str, str] = {}
        self.enabled: set[tuple[str, str]] = set()
        self.base = "127.0.0.1:9222"
        """Where it is found."""

    @property
    def url(self) -> str:
        return f"ws://{self.base}/devtools/browser/{self.guid}"

    def on_http(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> tuple[int, Any]:
        assert method == "GET"
        host, _, path = url.removeprefix("http://").partition("/")
        assert host == self.base, url
        if path == "json/version":
            return 200, {"Browser": "Chrome/140", "webSocketDebuggerUrl": self.url}
        assert path == "json/list", url
        return 200, [{"id": name, "type": kind, "url": "about:blank"} for name, kind in self.targets]

    def on_open(self, dialled: Dialled) -> None:
        self.sessions, self.enabled = {}, set()
        if dialled.url != self.url:
            self.line.close(1006)

    def on_message(self, message: Any) -> None:
        number, method, params = message["id"], message["method"], message.get("params", {})
        session = message.get("sessionId")
        extra = {} if session is None else {"sessionId": session}
        if session is not None and session not in self.sessions:
            self.say({"id": number, "error": {"code": -32001, "message": "Session with given id not found."}})
            return
        result = self._result(method, params, session)
        if result is None:
            self.say({"id": number, "error": {"code": -32000, "message": "No target with given id found"}, **extra})
        else:
            self.say({"id": number, "result": result, **extra})

    def _result(self, method: str, params: Any, session: str | None) -> Any:
        if method == "Target.createTarget":
            self.targets.append((f"new{len(self.targets)}", "page"))
            return {"targetId": self.targets[-1][0]}
        if method in ("Target.attachToTarget", "Target.attachToBrowserTarget"):
            target = params.get("targetId", "browser")
            assert "targetId" not in params or params["flatten"] is True
            if target != "browser" and target not in dict(self.targets):
                return None
            name = f"S{len(self.sessions) + 1}"
            self.sessions[name] = target
            return {"sessionId": name}
        if method == "Target.detachFromTarget":
            del self.sessions[params["sessionId"]]
        elif method == "Target.closeTarget":
            self.targets = [one for one in self.targets if one[0] != params["targetId"]]
        elif method.endswith(".enable"):
            assert session is not None
            self.enabled.add((session, method))
        return {}

    def event(self, session: str, method: str, **params: Any) -> None:
        self.say({"method": method, "params": params, "sessionId": session})

    def close_tab(self, session: str) -> None:
        self.targets = [one for one in self.targets if one[0] != self.sessions[session]]
        del self.sessions[session]
        self.say({"method": "Target.detachedFromTarget", "params": {"sessionId": session}})
