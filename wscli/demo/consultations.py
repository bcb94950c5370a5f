"""``/ws/consultations/{id}``: a chat between the members of a consultation."""

from __future__ import annotations

import itertools

from wscli.demo.client import DemoClient

__all__ = ["Consultation"]


class Consultation:
    """A chat. Text goes to the other members as JSON with a receipt for its sender, bytes go unchanged."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.members: dict[DemoClient, str] = {}
        self._guests = itertools.count(1)
        self._numbers = itertools.count(1)

    async def serve(self, client: DemoClient, name: str | None) -> None:
        """Have a client as a member until its connection ends."""
        self.members[client] = name = name or f"guest-{next(self._guests)}"
        client.push_json(type="welcome", consultation=self._name, you=name, members=list(self.members.values()))
        self._tell_others(client, type="joined", member=name)
        try:
            await client.serve(lambda message: self._say(client, message))
        finally:
            del self.members[client]
            self._tell_others(client, type="left", member=name)

    def _say(self, client: DemoClient, message: str | bytes) -> None:
        if isinstance(message, bytes):
            for member in self.members.keys() - {client}:
                member.push(message)
            return
        number = next(self._numbers)
        self._tell_others(client, type="message", n=number, **{"from": self.members[client]}, text=message)
        client.push_json(type="sent", consultation=self._name, n=number)

    def _tell_others(self, client: DemoClient, *, type: str, **fields: object) -> None:  # noqa: A002 - the key's name
        for member in self.members.keys() - {client}:
            member.push_json(type=type, consultation=self._name, **fields)
