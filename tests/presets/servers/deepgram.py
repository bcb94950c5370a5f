"""Deepgram's live transcription, from developers.deepgram.com."""

from __future__ import annotations

import json
from typing import Any

from tests.presets.servers.base import Dialled, ScriptedServer


class DeepgramServer(ScriptedServer):
    def split(self, message: str | bytes) -> list[Any]:
        return [message if isinstance(message, bytes) else json.loads(message)]

    def on_open(self, dialled: Dialled) -> None:
        assert dialled.headers["Authorization"] == "Token good"
        self.audio = b""
        self.kept: list[float] = []

    def on_message(self, message: Any) -> None:
        if isinstance(message, bytes):
            self.audio += message
        elif message["type"] == "KeepAlive":
            self.kept.append(self.line.now())
        elif message["type"] == "Finalize":
            self.result("so far", finalized=True)
        else:
            assert message["type"] == "CloseStream"
            self.result("the end")
            self.say({"type": "Metadata", "request_id": "r", "duration": 1.5})
            self.line.close(1000)

    def result(self, text: str, **more: Any) -> None:
        self.say({"type": "Results", "channel": {"alternatives": [{"transcript": text}]}, **more})
