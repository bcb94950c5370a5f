"""docs/gateway.md, "A channel over HTTP": its commands print what the page says; docs/json.md has the records' keys."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.backend.process import BackendProcess
from tests.docs.test_json import keys
from tests.e2e.peers.programs import program
from tests.gateway.faced import BAD
from tests.gateway.http.asking import asked
from tests.processes import Wscli

TOKEN = "a-token/for+docs"
CONFIG = """
version: 1
endpoints: {{api: {{url: "{ws}", query: {{token: t}}}}}}
gateway: {{listen: "127.0.0.1:0", auth: {{token: "{token}"}}}}
channels: {{notifications: {{endpoint: api, path: /notifications}}}}
"""
PAGE = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text()
SECTION = PAGE.partition("## A channel over HTTP\n")[2].partition("\n## ")[0]
EXAMPLES = [
    (command, printed.splitlines())
    for block in re.findall(r"```console\n(.*?)```", SECTION, re.DOTALL)
    for command, printed in re.findall(r"^\$ (.*?)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A gateway whose channel has 17 messages."""
    with (
        BackendProcess(require_token=False) as demo,
        Wscli() as command,
        command.up(CONFIG.format(ws=demo.ws_url, token=TOKEN)) as manager,
    ):
        manager.wait_for("notifications")
        demo.order("make_notifications", count=17)
        manager.until_stats(lambda stats: stats["channels"]["notifications"]["received"] == 17)
        [address] = manager.stats()["gateway"]["listen"]
        yield address


def shape(line: str) -> list[str]:
    """What a line has in common with the same of another day: the keys of an object, or the beginning."""
    start, brace, rest = line.partition("{")
    if brace:
        found = json.loads(brace + rest)
        return [start, *found, str(found.get("type")), str(found.get("outcome"))]
    return [re.sub(r"[a-z0-9]+:[0-9]+$", "CURSOR", line)]


@pytest.mark.parametrize(("command", "printed"), EXAMPLES, ids=lambda one: one[-60:] if isinstance(one, str) else "")
def test_a_command_prints_what_the_page_says(command: str, printed: list[str], address: str) -> None:
    program("curl")
    done = subprocess.run(
        ["bash", "-c", command.replace("127.0.0.1:8787", address)],
        env={"API_KEY": TOKEN, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "error" not in done.stdout.replace('"error":null', "")
    if printed:
        assert [shape(line) for line in done.stdout.splitlines()] == [shape(line) for line in printed]


def test_the_page_has_a_command_for_each_kind_of_request() -> None:
    commands = " ".join(command for command, _ in EXAMPLES)
    assert len(EXAMPLES) >= 6
    assert all(word in commands for word in ("wait=", "text/event-stream", "--data-binary", "?queue", "/restart"))


def test_the_records_have_the_keys_of_the_page(address: str) -> None:
    url, headers = f"http://{address}/channels/notifications", {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(headers=headers, trust_env=False, timeout=30) as http:
        stream = http.get(url, params={"limit": "1", "last": "1"}, headers={"Accept": "text/event-stream"}).text
        (cursor,) = re.findall("event: cursor\n.*\ndata: (.*)", stream)
        assert list(json.loads(cursor)) == keys("The gateway's channels")
        refused = http.get(url, params={"last": "x"}).json()
        assert list(refused) == [key for key in keys("The gateway's channels", 2) if key not in ("channel", "outcome")]
        assert list(http.post(url, content=b"\xff").json()) == keys("The gateway's channels", 2)
        sent = http.post(url, content="hello").json()
        assert list(sent) == [key for key in keys("send --json") if key != "id"]
        assert list(http.post(url, params={"queue": ""}, content="hello").json()) == keys("send --json")


async def test_the_end_of_a_stream_has_the_keys_of_the_page() -> None:
    async with asked() as it, it.stream() as stream:
        it.server.link.end(BAD)
        (end,) = await stream.records()
        assert list(end) == keys("The gateway's channels", 1)
