"""What the commands say and do of a declared session: a log-in, two rooms on one connection, heartbeats, replies."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

from tests.adapter.upstream import serving
from tests.processes import Manager, Wscli
from tests.waiting import until, with_more_time
from wscli import AsyncClient, Client

CONFIG = """
version: 1
endpoints:
  chat:
    url: ws://127.0.0.1:{port}/
    share: {share}
    session:
      hello:
        - expect: {{type: welcome}}
        - send: {{type: login, token: "{{token.me}}"}}
          expect: [{{match: {{type: ok}}}}, {{match: {{type: denied}}, then: stop}}]
          within: 60s
      subscribe:
        - send: {{type: sub, id: "{{ref.int}}", room: "{{with.room}}"}}
          expect:
            - match: {{type: subscribed, id: "{{sent.ref}}"}}
            - {{match: {{type: error, id: "{{sent.ref}}", code: 403}}, then: stop}}
            - {{match: {{type: error, id: "{{sent.ref}}"}}, then: {{retry: 10m}}}}
      unsubscribe: [{{send: {{type: unsub, id: "{{sub.ref}}"}}}}]
      route: {{type: msg, id: "{{sub.ref}}"}}
      show: .body
      merge: {{type: say, room: "{{with.room}}", req: "{{ref.int}}"}}
      reply: {{type: said, req: "{{sent.ref}}"}}
tokens:
  me: {{file: token}}
channels:
  lobby: {{endpoint: chat, with: {{room: lobby}}}}
  hall: {{endpoint: chat, with: {{room: hall}}}}
  vault: {{endpoint: chat, with: {{room: vault}}, critical: false, open: lazy}}
  busy: {{endpoint: chat, with: {{room: busy}}, critical: false, open: lazy}}
"""


class Chat:
    """The server; ``heard`` has what each connection said, its number before it."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, dict[str, Any]]] = []
        self.connections: list[ServerConnection] = []
        self.answers_login = threading.Event()
        self.answers_login.set()

    def serve(self, connection: ServerConnection) -> None:
        number = len(self.connections)
        self.connections.append(connection)
        try:
            connection.send(json.dumps({"type": "welcome"}))
            for message in connection:
                said = json.loads(message)
                self.heard.append((number, said))
                if said["type"] == "login":
                    self.answers_login.wait(60)
                    good = said["token"] == "s3cret-token"
                    connection.send(
                        json.dumps({"type": "ok"} if good else {"type": "denied", "you_said": said["token"]})
                    )
                elif said["type"] == "sub":
                    connection.send(json.dumps(self._subscribed(said)))
                elif said["type"] == "say":
                    connection.send(json.dumps({"type": "said", "req": said["req"], "text": said["text"]}))
        except ConnectionClosed:
            pass

    def _subscribed(self, said: dict[str, Any]) -> dict[str, Any]:
        code = {"vault": 403, "busy": 503}.get(said["room"])
        answer = {"type": "subscribed" if code is None else "error", "id": said["id"]}
        return answer if code is None else {**answer, "code": code}

    def types(self, number: int) -> list[str]:
        """What a connection said, without the log-in."""
        return [said["type"] for which, said in self.heard if which == number and said["type"] != "login"]


class Scene:
    """A manager on the server."""

    def __init__(self, chat: Chat, wscli: Wscli, manager: Manager) -> None:
        self.chat, self.wscli, self.manager = chat, wscli, manager

    def status(self, channel: str) -> dict[str, Any]:
        return self.wscli.json("status", channel, "--json")

    def until(self, channel: str, state: str) -> dict[str, Any]:
        self.manager.wait_for(channel, state=state)
        return self.status(channel)


@contextmanager
def scene(*, token: str = "s3cret-token", answers_login: bool = True, share: bool = True) -> Iterator[Scene]:
    chat = Chat()
    if not answers_login:
        chat.answers_login.clear()
    with serving(chat.serve, compression=None) as port, Wscli() as wscli:
        Path(wscli.directory, "token").write_text(token)
        try:
            with wscli.up(CONFIG.format(port=port, share=str(share).lower())) as manager:
                yield Scene(chat, wscli, manager)
        finally:
            chat.answers_login.set()


@pytest.fixture(scope="module")
def running() -> Iterator[Scene]:
    with scene() as made:
        made.manager.wait_for("lobby", "hall")
        yield made


def test_two_channels_are_subscribed_on_one_connection(running: Scene) -> None:
    stats = running.manager.stats()
    assert stats["connections"] == {"active": 1, "total": 1, "successors": 0, "unrouted": 0}
    assert [stats["channels"][name]["connects"] for name in ("lobby", "hall")] == [1, 1]
    assert sorted(running.chat.types(0)[:2]) == ["sub", "sub"]


def test_request_finds_the_reply_that_the_session_declares(running: Scene) -> None:
    done = running.wscli("request", "lobby", '{"text": "hi"}')
    assert (done.returncode, done.stderr) == (0, "")
    reply = json.loads(done.stdout)
    assert (reply["type"], reply["text"]) == ("said", "hi")
    record = json.loads(running.wscli("request", "hall", '{"text": "x"}', "--json").stdout)
    assert (record["channel"], record["type"], json.loads(record["data"])["text"]) == ("hall", "text", "x")
    said = [said for _, said in running.chat.heard if said["type"] == "say"]
    assert [one["room"] for one in said] == ["lobby", "hall"]
    never = ("request", "lobby", '{"text": "x"}', "--match", '.type == "never"', "--timeout")
    assert with_more_time(lambda seconds: running.wscli(*never, f"{seconds}s").returncode == 124, 0.3)


def test_programs_request_and_look_as_the_commands_do(running: Scene) -> None:
    environ = {"WSCLI_RUNTIME_DIR": str(running.wscli.runtime)}
    client, by_async = Client(environ=environ), AsyncClient(environ=environ)
    before = client.status("lobby")
    replies = [
        client.request("lobby", '{"text": "sync", "mine": {ref.int}}'),
        asyncio.run(by_async.request("lobby", '{"text": "async"}')),
    ]
    assert [reply.json()["text"] for reply in replies] == ["sync", "async"]
    assert [(reply.channel, reply.backfill) for reply in replies] == [("lobby", False)] * 2
    mine = next(said for _, said in running.chat.heard if said.get("text") == "sync")
    assert mine["mine"] == mine["req"]
    for doctor in (client.doctor("lobby"), asyncio.run(by_async.doctor("lobby"))):
        assert doctor["attempt"] is not None
        assert [one["place"] for one in doctor["attempt"]["session"]] == ["hello[0]", "hello[1]", "subscribe[0]"]
    assert client.status("lobby")[0]["since"] == before[0]["since"]


def test_resubscribe_subscribes_one_channel_anew_on_its_connection(running: Scene) -> None:
    running.manager.wait_for("lobby")
    before = len(running.chat.heard)
    done = running.wscli("resubscribe", "lobby")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("lobby: ")
    running.manager.wait_for("lobby")
    heard = [said for _, said in running.chat.heard[before:]]
    assert [(one["type"], one.get("room")) for one in heard] == [("unsub", None), ("sub", "lobby")]
    assert len(running.chat.connections) == 1


def test_rotate_moves_every_channel_of_the_connection_without_a_gap(running: Scene) -> None:
    gaps = {name: one["gaps"] for name, one in running.manager.stats()["channels"].items()}
    assert running.wscli("rotate", "lobby", "hall").returncode == 0
    running.manager.until_stats(lambda stats: stats["channels"]["hall"]["rotations"] == 1)
    stats = running.manager.until_stats(lambda stats: stats["connections"]["successors"] == 0)
    assert stats["channels"]["lobby"]["rotations"] == 1
    assert {name: one["gaps"] for name, one in stats["channels"].items()} == gaps
    assert len(running.chat.connections) == 2
    assert sorted(running.chat.types(1)) == ["sub", "sub"]


def test_a_refused_channel_fails_alone_and_doctor_names_its_step(running: Scene) -> None:
    assert running.wscli("start", "vault").returncode == 0
    status = running.until("vault", "failed")
    assert status["reason"]["code"] == "session:subscribe"
    assert running.status("lobby")["state"] == "ready"
    shown = running.wscli("doctor", "vault").stdout
    assert "failed   step subscribe[0] of vault: send sub" in shown
    assert '"code":403' in shown.replace(" ", "")
    assert "of vault" not in running.wscli("doctor", "lobby").stdout


def test_a_channel_that_waits_on_a_ready_connection_says_when_it_is_subscribed_again(running: Scene) -> None:
    assert running.wscli("start", "busy").returncode == 0
    status = running.until("busy", "waiting")
    assert status["next"]["action"] == "subscribe"
    assert "subscribes again in" in running.wscli("status", "busy").stdout
    stats = running.manager.stats()["channels"]
    assert stats["busy"]["retry_in_s"] > 300
    assert (stats["busy"]["subscription_ends"], stats["lobby"]["subscription_ends"]) == (1, 0)


def test_a_log_in_that_waits_is_named_by_status_and_shows_no_secret() -> None:
    with scene(answers_login=False) as running:
        until(lambda: any(said["type"] == "login" for _, said in running.chat.heard))
        running.manager.wait_for("lobby", state="handshaking")
        status = running.status("lobby")
        assert status["reason"]["code"] == "session"
        assert "hello[1]" in status["reason"]["text"]
        assert "handshaking" in running.wscli("status", "--line").stdout
        running.chat.answers_login.set()
        running.manager.wait_for("lobby", "hall")
        shown = running.wscli("doctor", "lobby")
        assert "hello[1]" in shown.stdout
        assert "s3cret" not in shown.stdout
        session = running.wscli.json("doctor", "lobby", "--json")["attempt"]["session"]
        assert [(one["place"], one["channel"], one["ok"]) for one in session] == [
            ("hello[0]", None, True), ("hello[1]", None, True), ("subscribe[0]", "lobby", True),
        ]  # fmt: skip


def test_a_refused_log_in_is_told_with_its_step_by_doctor_live_as_well() -> None:
    with scene(token="wrong-token") as running:
        status = running.until("lobby", "failed")
        assert status["reason"]["code"] == "session:hello"
        live = running.wscli("doctor", "lobby", "--dial")
        assert live.returncode in (4, 8)
        for shown in (running.wscli("doctor", "lobby").stdout, live.stdout):
            assert "failed   step hello[1]: send login" in shown
            assert "wrong-token" not in shown


def test_doctor_says_why_a_connection_of_one_channel_was_closed_by_us() -> None:
    with scene(share=False) as running:
        assert running.wscli("start", "vault").returncode == 0
        running.until("vault", "failed")
        shown = running.wscli("doctor", "vault").stdout
        assert "failed   step subscribe[0] of vault: send sub\n" in shown
        assert "\nended    subscribe[0] (send sub): " in shown


def test_resubscribe_is_refused_where_no_session_subscribes() -> None:
    with (
        Wscli() as wscli,
        wscli.up('endpoints: {a: {url: "ws://127.0.0.1:1"}}\nchannels: {plain: {endpoint: a, open: lazy}}'),
    ):
        done = wscli("resubscribe", "plain")
    assert done.returncode == 2
    assert "channel 'plain' has no session, and nothing to subscribe" in done.stderr
    assert "hint: `wscli restart plain`" in done.stderr
