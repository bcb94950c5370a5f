"""A channel over HTTP, for clients that others wrote: curl, Python's own, requests, sseclient and Node's fetch."""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
from sseclient import SSEClient

from tests.backend.process import BackendProcess
from tests.e2e.peers.programs import program
from tests.processes import Manager, Process, Wscli

TOKEN = "a-token-for-peers"
CONFIG = """
version: 1
name: http
gateway: {{listen: "127.0.0.1:0", auth: {{token: {token}}}}}
endpoints:
  api: {{url: "{ws}", query: {{token: t}}, backoff: quick}}
backoff: {{quick: {{initial: 50ms, max: 100ms}}}}
channels:
  feed: {{endpoint: api, path: /notifications, history: {{store: disk}}}}
"""


class Scene(NamedTuple):
    """A manager with a gateway, and the server of its channel."""

    wscli: Wscli
    manager: Manager
    demo: BackendProcess
    address: str

    @property
    def url(self) -> str:
        return f"http://{self.address}/channels/feed"

    def say(self, *messages: str) -> None:
        for message in messages:
            self.demo.order("say", message=message, path="/ws/notifications")

    def cursor(self) -> str:
        """Where the channel is now."""
        with session().get(self.url, params={"last": "0"}) as answer:
            return answer.headers["Wscli-Cursor"]

    def read_by(self, count: int) -> None:
        """Wait until so many read the channel."""
        self.manager.until_stats(lambda stats: stats["channels"]["feed"]["readers"] == count)


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with (
        BackendProcess(require_token=False) as demo,
        Wscli() as command,
        command.up(CONFIG.format(ws=demo.ws_url, token=TOKEN)) as manager,
    ):
        manager.wait_for("feed")
        [address] = manager.stats()["gateway"]["listen"]
        yield Scene(command, manager, demo, address)


def session() -> requests.Session:
    made = requests.Session()
    made.trust_env = False
    made.headers["Authorization"] = f"Bearer {TOKEN}"
    return made


def curl(*args: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [program("curl"), "-sS", "--noproxy", "*", "--oauth2-bearer", TOKEN, *args]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False)


def data(body: bytes) -> list[Any]:
    return [json.loads(line).get("data") for line in body.splitlines() if line]


def test_curl_reads_waits_and_sends(scene: Scene) -> None:
    cursor = scene.cursor()
    scene.say("a", "b")
    done = curl("--fail", f"{scene.url}?after={cursor}&limit=1&wait=1h")
    assert (done.returncode, data(done.stdout)) == (0, ["a"]), done.stderr
    big = b"x" * 300_000  # for which curl asks first: Expect: 100-continue
    for more in ((), ("-H", "Transfer-Encoding: chunked"), ("-H", "Expect: 100-continue")):
        done = curl("--fail", "--data-binary", "@-", *more, scene.url, stdin=big)
        assert json.loads(done.stdout)["outcome"] == "sent", done.stderr
    done = curl("-w", "%{http_code}", "--data-binary", "@-", scene.url, stdin=b"x" * 2_000_000)
    assert done.stdout.endswith(b"413"), done.stderr
    done = curl("-w", "%{http_code}", "--data-binary", "x", "-H", "Authorization: Bearer wrong", scene.url)
    assert done.stdout.endswith(b"401"), done.stderr


def test_curl_follows_a_stream_that_the_end_of_the_manager_ends_cleanly(scene: Scene, tmp_path: Path) -> None:
    config = CONFIG.format(ws=scene.demo.ws_url, token=TOKEN)
    with Wscli() as command, command.up(config) as manager:
        manager.wait_for("feed")
        [address] = manager.stats()["gateway"]["listen"]
        arguments = ["-sSN", "--noproxy", "*", "--oauth2-bearer", TOKEN, f"http://{address}/channels/feed?follow=1"]
        with Process([program("curl"), *arguments], env={}, cwd=tmp_path) as following:
            manager.until_stats(lambda stats: stats["channels"]["feed"]["readers"] == 1)
            scene.say("a")
            following.until(lambda: any('"data":"a"' in line for line in following.out))
            assert command("down").returncode == 0
            assert following.wait() == 0, following.stderr
            assert json.loads(following.out[-1])["type"] == "end"


def test_the_standard_library_reads_and_sends(scene: Scene) -> None:
    cursor = scene.cursor()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    scene.say("a", "b")
    with opener.open(urllib.request.Request(f"{scene.url}?after={cursor}&wait=1h", headers=headers)) as answer:
        first = data(answer.read())
        assert first[0] == "a"
        after = answer.headers["Wscli-Cursor"]
    if len(first) == 1:
        with opener.open(urllib.request.Request(f"{scene.url}?after={after}&wait=1h", headers=headers)) as answer:
            first += data(answer.read())
    assert first == ["a", "b"]
    with opener.open(urllib.request.Request(scene.url, b"hello", headers)) as answer:
        assert json.load(answer)["outcome"] == "sent"
    with pytest.raises(urllib.error.HTTPError, match="400") as refused:
        opener.open(urllib.request.Request(f"{scene.url}?last=x", headers=headers))
    assert json.load(refused.value)["error"] == "invalid last: 'x'"
    connection = http.client.HTTPConnection(scene.address, timeout=60)
    try:
        connection.request("POST", "/channels/feed", iter([b"a", b"b"]), headers, encode_chunked=True)
        assert json.load(connection.getresponse())["outcome"] == "sent"
    finally:
        connection.close()


def test_an_answer_that_the_manager_breaks_off_is_seen_to_be_incomplete(scene: Scene) -> None:
    with Wscli() as command:
        manager = command.up(CONFIG.format(ws=scene.demo.ws_url, token=TOKEN))
        with manager, session() as http_session:
            manager.wait_for("feed")
            [address] = manager.stats()["gateway"]["listen"]
            with http_session.get(f"http://{address}/channels/feed?follow=1", stream=True, timeout=60) as answer:
                manager.kill()
                with pytest.raises(requests.exceptions.ChunkedEncodingError):
                    list(answer.iter_lines())


def test_an_event_source_of_python_resumes(scene: Scene) -> None:
    def events(**headers: str) -> tuple[requests.Response, Iterator[Any]]:
        accept = {"Accept": "text/event-stream"}
        answer = http_session.get(scene.url, headers=accept | headers, stream=True, timeout=60)
        return answer, iter(SSEClient(answer.iter_content(1)).events())

    with session() as http_session:
        answer, found = events()
        assert next(found).event == "cursor"
        scene.say("line\nline", "b")
        first = next(found)
        assert (first.event, json.loads(first.data)["data"]) == ("message", "line\nline")
        answer.close()
        scene.say("c")
        answer, found = events(**{"Last-Event-ID": first.id})
        seen = [json.loads(next(found).data) for _ in range(3)]
        assert [one.get("data") for one in seen] == [None, "b", "c"]
        answer.close()
    scene.read_by(0)


NODE = """
const [url, token] = process.argv.slice(2);
const headers = {Authorization: `Bearer ${token}`};
const sent = await fetch(url, {method: "POST", headers, body: "hello"});
console.log((await sent.json()).outcome);
const binary = await fetch(url, {method: "POST", headers: {...headers, "Content-Type": "application/octet-stream"},
  body: new Uint8Array([255, 0])});
console.log((await binary.json()).outcome);
const refused = await fetch(`${url}?last=x`, {headers});
console.log(refused.status, (await refused.json()).error);
const answer = await fetch(`${url}?follow=1&limit=2`, {headers});
console.log(answer.headers.get("Wscli-Cursor"));
let rest = "";
for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
  rest += piece;
  const lines = rest.split("\\n");
  rest = lines.pop();
  for (const line of lines) if (line) console.log(JSON.parse(line).data);
}
"""


def test_fetch_of_node_sends_and_follows(scene: Scene, tmp_path: Path) -> None:
    script = tmp_path / "client.mjs"
    script.write_text(NODE)
    cursor = scene.cursor()
    with Process([program("node"), str(script), scene.url, TOKEN], env={}, cwd=tmp_path) as node:
        node.until(lambda: cursor in node.out)
        scene.say("a", "b")
        assert node.wait() == 0, node.stderr
        assert node.out == ["sent", "sent", "400 invalid last: 'x'", cursor, "a", "b"]


def test_twenty_pollers_by_pages_of_any_size_get_every_message_once(scene: Scene) -> None:
    messages = [f"message {number}" for number in range(200)]
    start = scene.cursor()
    got: list[list[str]] = [[] for _ in range(20)]

    def poll(number: int) -> None:
        cursor, mine = start, got[number]
        with session() as http_session:
            while len(mine) < len(messages):
                params = {"after": cursor, "limit": str(1 + number), "wait": "1h"}
                with http_session.get(scene.url, params=params, timeout=60) as answer:
                    mine += data(answer.content)
                    cursor = answer.headers["Wscli-Cursor"]

    pollers = [threading.Thread(target=poll, args=(number,)) for number in range(len(got))]
    for poller in pollers:
        poller.start()
    scene.say(*messages)
    for poller in pollers:
        poller.join(timeout=60)
    assert [mine == messages for mine in got] == [True] * len(got)


def test_a_cursor_outlives_the_manager_where_the_history_is_on_disk(scene: Scene) -> None:
    config, cursor, found = CONFIG.format(ws=scene.demo.ws_url, token=TOKEN), "", []
    with Wscli() as command, session() as http_session:
        for message in ("before", "after"):
            with command.up(config) as manager:
                manager.wait_for("feed")
                [address] = manager.stats()["gateway"]["listen"]
                scene.say(message)
                params = {"wait": "1h", **({"after": cursor} if cursor else {})}
                with http_session.get(f"http://{address}/channels/feed", params=params, timeout=60) as answer:
                    found += [json.loads(line) for line in answer.content.splitlines()]
                    cursor = answer.headers["Wscli-Cursor"]
                assert command("down").returncode == 0
    assert [one["data"] for one in found if one["type"] == "text"] == ["before", "after"]
    assert "reset" not in [one.get("reason") for one in found]
    assert len({one["epoch"] for one in found if one["type"] == "text"}) == 1
