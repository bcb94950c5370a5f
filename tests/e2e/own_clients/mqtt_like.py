"""A broker with a state for each connection, as MQTT has: ``python mqtt_like.py PORT``.

The first message of a connection must be ``CONNECT NAME``; another one closes it, and one of the same name takes over.
``SUB TOPIC`` subscribes, ``PUB TOPIC TEXT`` publishes, and ``TOPIC TEXT`` arrives.
"""

from __future__ import annotations

import asyncio
import sys

from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.typing import Subprotocol

CLIENTS: dict[str, ServerConnection] = {}
TOPICS: dict[str, set[ServerConnection]] = {}


async def handle(client: ServerConnection) -> None:
    """Serve one connection."""
    name = ""
    async for message in client:
        verb, _, rest = str(message).partition(" ")
        if verb == "CONNECT" and not name:
            name = rest
            if name in CLIENTS:
                await CLIENTS[name].close(4000, "taken over")
            CLIENTS[name] = client
            await client.send("CONNACK")
        elif verb == "SUB" and name:
            TOPICS.setdefault(rest, set()).add(client)
            await client.send(f"SUBACK {rest}")
        elif verb == "PUB" and name:
            topic, _, text = rest.partition(" ")
            broadcast(TOPICS.get(topic, ()), f"{topic} {text}")
        else:
            await client.close(1002, "a second CONNECT" if verb == "CONNECT" else "CONNECT comes first")
    for subscribers in TOPICS.values():
        subscribers.discard(client)
    if CLIENTS.get(name) is client:
        del CLIENTS[name]


async def main(port: int) -> None:
    """Serve for ever."""
    async with serve(handle, "127.0.0.1", port, subprotocols=[Subprotocol("mqtt")]) as server:
        print(f'{{"port": {server.sockets[0].getsockname()[1]}}}', flush=True)  # noqa: T201
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
