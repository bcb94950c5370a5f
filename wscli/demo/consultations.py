"""``/ws/consultations/{id}``: a chat between the members of a consultation."""

from __future__ import annotations

import itertools
from collections import defaultdict

from wscli.demo.clients import Client

__all__ = ["Consultations"]


class _Room:
    """One consultation; it lasts as long as it has members."""

    def __init__(self) -> None:
        self.members: dict[Client, str] = {}
        self.guests = itertools.count(1)
        self.numbers = itertools.count(1)

    def tell(self, *, but: Client, **fields: object) -> None:
        for member in self.members:
            if member is not but:
                member.push_json(**fields)


class Consultations:
    """All rooms, by their id."""

    def __init__(self) -> None:
        self._rooms: defaultdict[str, _Room] = defaultdict(_Room)

    def join(self, room_id: str, client: Client, name: str | None) -> None:
        """Let a client in: it is told who is there, the others that it came."""
        room = self._rooms[room_id]
        name = name or f"guest-{next(room.guests)}"
        room.members[client] = name
        client.push_json(type="welcome", consultation=room_id, you=name, members=list(room.members.values()))
        room.tell(but=client, type="joined", consultation=room_id, member=name)

    def say(self, room_id: str, client: Client, message: str | bytes) -> None:
        """Pass a message on: text to the others as JSON, with a receipt for its sender; bytes as they came."""
        room = self._rooms[room_id]
        if isinstance(message, bytes):
            for member in room.members:
                if member is not client:
                    member.push(message)
            return
        number = next(room.numbers)
        name = room.members[client]
        room.tell(but=client, type="message", consultation=room_id, n=number, **{"from": name}, text=message)
        client.push_json(type="sent", consultation=room_id, n=number)

    def leave(self, room_id: str, client: Client) -> None:
        """Let a client go, and tell the others."""
        room = self._rooms[room_id]
        name = room.members.pop(client)
        room.tell(but=client, type="left", consultation=room_id, member=name)
        if not room.members:
            del self._rooms[room_id]
