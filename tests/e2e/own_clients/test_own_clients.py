"""Two clients of a protocol with a state for each connection, on one channel: each is served as if it were alone.

The server is killed in between, and each client comes back by the rules of its own library.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from websockets.sync.client import connect

from tests.e2e.peers.programs import npm_package
from tests.processes import Manager, Process, Wscli
from tests.servers.devtools import Devtools
from tests.servers.graphql_ws import GraphqlWs
from tests.servers.program import Program
from tests.servers.rabbitmq import RabbitMq
from tests.waiting import until

HERE = Path(__file__).parent
FEW = 20


def config(url: str, **keys: str) -> str:
    """Give a file with one channel, ``c``; ``keys`` are of its endpoint, ``path`` of the channel."""
    path = keys.pop("path", "")
    name = "c/{id}" if path else "c"
    endpoint = "".join(f", {key}: {value}" for key, value in keys.items())
    return (
        f'version: 1\nname: app\nendpoints: {{e: {{url: "{url}"{endpoint}}}}}\n'
        f'gateway: {{listen: "127.0.0.1:0", auth: none}}\n'
        f'channels: {{"{name}": {{endpoint: e{f", path: {path}" if path else ""}}}}}\n'
    )


def gateway(manager: Manager, channel: str = "c") -> str:
    (listening,) = manager.stats()["gateway"]["listen"]
    return f"ws://{listening}/ws/{channel}"


class Client(Process):
    """A program that tells what happens as lines of JSON."""

    def told(self, kind: str) -> list[object]:
        return [record[kind] for record in self.records() if kind in record]

    def until_told(self, kind: str, times: int) -> list[object]:
        self.until(lambda: len(self.told(kind)) >= times)
        return self.told(kind)


@contextmanager
def clients(*commands: Sequence[str], env: Mapping[str, str] | None = None) -> Iterator[list[Client]]:
    with ExitStack() as stack:
        yield [
            stack.enter_context(Client(command, stdin=True, env=env or os.environ, cwd=HERE)) for command in commands
        ]


def own(manager: Manager, channel: str = "c") -> dict[str, int]:
    counts: dict[str, int] = manager.stats()["channels"][channel]["own"]
    return counts


def each_gets_its_own(
    manager: Manager,
    server: Program,
    one: Client,
    two: Client,
    publish: Callable[[Client, str], None],
    *,
    subscribed: Callable[[int], None] = lambda times: None,
) -> None:
    """Check it, before and after a kill of the server; ``subscribed`` waits until both have subscribed again."""
    expected: dict[Client, list[str]] = {one: [], two: []}
    for round_ in (1, 2):
        for client in (one, two):
            client.until_told("connected", round_)
        subscribed(round_)
        for number in range(FEW):
            for client in (one, two):
                text = f"{'one' if client is one else 'two'} {round_} {number}"
                expected[client].append(text)
                publish(client, text)
        for client, texts in expected.items():
            assert client.until_told("got", len(texts)) == texts
            assert client.told("failed") == []
        assert own(manager)["clients"] == 2
        if round_ == 1:
            server.kill()
            for client in (one, two):
                assert client.until_told("closed", 1)[0] == 1014
            server.start()


def test_two_graphql_clients(wscli: Wscli, tmp_path: Path) -> None:
    npm_package("graphql-ws")
    with GraphqlWs(tmp_path) as server, wscli.up(config(server.url, subprotocols="[graphql-transport-ws]")) as manager:
        script, url = str(HERE / "graphql_client.js"), gateway(manager)
        with clients(["node", script, url, "one"], ["node", script, url, "two"]) as (one, two):

            def publish(client: Client, text: str) -> None:
                server.order(publish={"room": "one" if client is one else "two", "text": text})

            def subscribed(_: int) -> None:
                server.until("subscribed", "one")
                server.until("subscribed", "two")

            each_gets_its_own(manager, server, one, two, publish, subscribed=subscribed)


def test_two_stomp_clients(wscli: Wscli, tmp_path: Path) -> None:
    npm_package("@stomp/stompjs")
    with RabbitMq(tmp_path) as server, wscli.up(config(server.url, subprotocols="[v12.stomp]")) as manager:
        script, url = str(HERE / "stomp_client.js"), gateway(manager)
        with clients(["node", script, url, "one"], ["node", script, url, "two"]) as (one, two):

            def publish(client: Client, text: str) -> None:
                client.write(json.dumps({"send": text}) + "\n")

            each_gets_its_own(manager, server, one, two, publish)


class MqttLike(Program):
    """The broker of ``mqtt_like.py``."""

    def command(self) -> Sequence[str]:
        return [sys.executable, str(HERE / "mqtt_like.py"), str(self.port)]

    def listening(self, process: Process) -> int:
        return int(json.loads(process.out[0])["port"]) if process.out else 0


def test_two_clients_of_a_protocol_as_mqtt_one_of_them_of_the_adapter(wscli: Wscli, tmp_path: Path) -> None:
    with MqttLike(tmp_path) as server:
        direct = f"ws://127.0.0.1:{server.port}/"
        with wscli.up(config(direct)) as manager:
            script, env = str(HERE / "mqtt_client.py"), {**wscli.env, "WSCLI_FALLBACK": "error"}
            through = [sys.executable, script, gateway(manager), "one"]
            with clients(through, [sys.executable, script, direct, "two", "adapter"], env=env) as (one, two):

                def publish(client: Client, text: str) -> None:
                    name = "one" if client is one else "two"
                    client.write(f"PUB {name} {text}\n")

                each_gets_its_own(manager, server, one, two, publish)


def test_two_devtools_clients(wscli: Wscli, tmp_path: Path) -> None:
    with Devtools(tmp_path) as server:
        text = config(f"ws://127.0.0.1:{server.port}", clients="own", path='"/devtools/page/{id}"')
        with wscli.up(text) as manager:
            for _ in range(2):
                channel = f"c/{server.page()['id']}"
                url = gateway(manager, channel)
                with connect(url, proxy=None) as one, connect(url, proxy=None) as two:
                    for number in range(FEW):
                        for client, name in ((one, "one"), (two, "two")):
                            expression = {"expression": f"'{name} {number}'"}
                            request = {"id": number, "method": "Runtime.evaluate", "params": expression}
                            client.send(json.dumps(request))
                    for client, name in ((one, "one"), (two, "two")):
                        answers = [json.loads(client.recv(30)) for _ in range(FEW)]
                        assert [answer["id"] for answer in answers] == list(range(FEW))
                        values = [answer["result"]["result"]["value"] for answer in answers]
                        assert values == [f"{name} {number}" for number in range(FEW)]
                    two.send('{"id": 1, "method": "Page.enable"}')
                    assert json.loads(two.recv(30))["id"] == 1
                    one.send('{"id": 1, "method": "Page.navigate", "params": {"url": "about:blank#x"}}')
                    assert json.loads(one.recv(30))["id"] == 1, "the events of a domain that it did not enable"
                    assert own(manager, channel)["clients"] == 2
                until(lambda channel=channel: own(manager, channel)["clients"] == 0)
                server.restart()
