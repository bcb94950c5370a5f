"""A client of ``mqtt_like.py`` that reconnects as its library does: ``python mqtt_client.py URL NAME [adapter]``.

It tells each message as a line of JSON; a line of its stdin is a message that it sends.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from wscli import adapter


def say(**what: object) -> None:
    """Tell what happens."""
    print(json.dumps(what), flush=True)  # noqa: T201


async def send_lines(client: ClientConnection, lines: asyncio.Queue[str]) -> None:
    """Send what waits, line by line."""
    while True:
        await client.send(await lines.get())


async def main(url: str, name: str, opens: type[connect]) -> None:
    """Connect for ever."""
    lines: asyncio.Queue[str] = asyncio.Queue()

    def read() -> None:
        for line in os.read(0, 4096).decode().splitlines():
            lines.put_nowait(line)

    asyncio.get_running_loop().add_reader(0, read)
    async for client in opens(url, subprotocols=[Subprotocol("mqtt")]):
        sending = asyncio.ensure_future(send_lines(client, lines))
        try:
            await client.send(f"CONNECT {name}")
            await client.send(f"SUB {name}")
            async for message in client:
                if str(message).startswith(f"{name} "):
                    say(got=str(message).removeprefix(f"{name} "))
                else:
                    say(**{"connected" if message == f"SUBACK {name}" else "said": message})
        except ConnectionClosed as error:
            say(closed=error.rcvd.code if error.rcvd else 1006)
        finally:
            sending.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], adapter.connect if "adapter" in sys.argv else connect))
