"""Programs of others as clients of a mock: websocat, and the npm package ``ws``."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.peers.programs import npm_package
from tests.e2e.peers.test_gateway import websocat
from tests.mock.recorded import message, written
from tests.processes import Process, Wscli

MESSAGES = [f"message {number}" for number in range(3000)]


def started(wscli: Wscli, *options: str) -> str:
    file = wscli.file(written(message(number, text) for number, text in enumerate(MESSAGES)).decode(), "f.ndjson")
    mock = wscli.start("mock", str(file), "--listen", "127.0.0.1:0", "--speed", "max", *options)
    mock.until(lambda: any("ws://" in line for line in mock.err))
    return next(line.split()[0] for line in mock.err if "ws://" in line)


def test_websocat_gets_all_of_it_and_its_end(wscli: Wscli) -> None:
    url = started(wscli, "--close")
    with Process([websocat(), "--exit-on-eof", url], env=wscli.env, cwd=wscli.directory, stdin=True) as cat:
        assert cat.until_lines(len(MESSAGES)) == MESSAGES
        assert cat.wait() == 0


def test_six_clients_of_the_npm_package_get_all_of_it(wscli: Wscli) -> None:
    npm_package("ws")
    script = str(Path(__file__).parent / "client.js")
    command = ["node", script, started(wscli), "any-token", "6"]
    with Process(command, env=wscli.env, cwd=wscli.directory) as node:
        node.until_lines(len(MESSAGES) * 6)
        for client in range(6):
            of_it = [line.partition("\t")[2] for line in node.out if line.startswith(f"{client}\t")]
            assert of_it == MESSAGES
