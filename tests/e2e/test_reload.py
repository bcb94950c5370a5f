"""``up -d --wait``, ``reload`` and ``down`` with real channels: what is waited for, what is kept, what is freed."""

from __future__ import annotations

import json
import re
import signal

import psutil
import pytest

from tests.backend.process import BackendProcess
from tests.processes import Wscli
from tests.waiting import until


def config(backend: BackendProcess) -> str:
    channels = ("feed: {path: /notifications}", "calls: {path: /calls}")
    return backend.config("real", *channels, more="backoff:\n  default: {initial: 100ms, max: 1s}\n")


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (("", ""), 0, ""),
        (('query: {token: "{token.session}"}', "subprotocols: []"), 4, "HTTP 401"),
        (("/ws-token}", "/nowhere}"), 124, "not ready within 10ms: feed is "),
        (("path: /calls", "path: /nowhere, critical: false"), 0, ""),
        (("path: /calls", "path: /nowhere, open: lazy"), 0, ""),
        (("path: /calls", "path: /nowhere, verdicts: {404: stop}"), 8, "HTTP 404"),
    ],
)
def test_up_waits_for_what_is_eager_and_critical(
    wscli: Wscli, backend: BackendProcess, change: tuple[str, str], code: int, words: str
) -> None:
    timeout = "10ms" if code == 124 else "60s"  # the start takes longer, and is told of nevertheless

    def says_so() -> bool:
        with wscli.detached(config(backend).replace(*change), "--wait", "--timeout", timeout) as done:
            assert done.returncode == code, done.stderr
            assert "real is up as pid " in done.stderr
            assert wscli("stats").returncode == 0, "whatever came of the channels, the manager is up"
        return words in done.stderr

    # a manager that does not say in half a second how the channels are is not quoted
    assert says_so() or (code == 124 and until(says_so, 60))


def test_up_names_the_channel_that_was_not_ready_in_time_and_its_state(wscli: Wscli, backend: BackendProcess) -> None:
    text = config(backend).replace("path: /calls", "path: /nowhere")
    text = text.replace("initial: 100ms, max: 1s", "initial: 1h, max: 1h, jitter: none")
    with wscli.detached(text) as up:
        assert up.returncode == 0
        assert wscli("wait", "calls", "--for", "waiting", "--timeout", "60s").returncode == 0
        assert wscli("wait", "feed", "--timeout", "60s").returncode == 0
        done = wscli("up", "-d", "-c", "app.yaml", "--wait", "--timeout", "300ms")
        assert done.returncode == 124
        assert re.search("not ready within 300ms: calls is waiting (60|5.) min: ", done.stderr)
        assert "HTTP 404" in done.stderr


def test_a_reload_disturbs_only_what_changed(wscli: Wscli, backend: BackendProcess) -> None:
    text = config(backend)
    with wscli.detached(text, "--wait") as up:
        assert up.returncode == 0
        pid = wscli.json("ls", "--json")["pid"]
        tail = wscli.start("tail", "feed")
        until(lambda: wscli.json("stats", "--json")["channels"]["feed"]["readers"] == 1)
        before = wscli.json("stats", "--json")["channels"]

        wscli.file(text.replace("/calls}", "/calls, backof: x}"))
        refused = wscli("reload")
        assert refused.returncode == 3
        assert "did you mean 'backoff'?" in refused.stderr
        assert wscli("up", "-d", "-c", "app.yaml").returncode == 3
        after = wscli.json("stats", "--json")["channels"]
        assert {name: one["connects"] for name, one in after.items()} == {"feed": 1, "calls": 1}
        assert [one["since"] for one in after.values()] == [one["since"] for one in before.values()]

        changed = text.replace("path: /calls", "path: /consultations/7").replace("max: 1s", "max: 2s")
        wscli.file(changed + "  more: {endpoint: api, path: /calls}\n")
        assert wscli("up", "-d", "-c", "app.yaml", "--wait", "--timeout", "60s").returncode == 0
        stats = wscli.json("stats", "--json")["channels"]
        assert {one["state"] for one in stats.values()} == {"ready"}
        assert {name: one["connects"] for name, one in stats.items()} == {"feed": 1, "calls": 2, "more": 1}
        assert wscli.json("ls", "--json")["pid"] == pid
        assert backend.stats()["token_requests"] == 1

        wscli.file(text)
        psutil.Process(pid).send_signal(signal.SIGHUP)
        assert wscli("wait", "more", "--for", "idle", "--timeout", "60s").returncode == 6, "it is gone"
        assert tail.popen.poll() is None, "its channel never changed"
        backend.order("make_notifications")
        tail.until_lines(1)
        backend.until(lambda seen: seen["connections"]["now"] == 2)
    assert tail.wait() == 5
    backend.until(lambda seen: seen["connections"]["now"] == 0)
    assert list(wscli.runtime.iterdir()) == []


def test_pause_and_stop_outlast_a_reload_until_resume_and_start(wscli: Wscli, backend: BackendProcess) -> None:
    with wscli.up(config(backend)) as manager:
        manager.wait_for("feed", "calls")
        for hold, state, back in (("pause", "paused", "resume"), ("stop", "stopped", "start")):
            assert wscli(hold, "feed").returncode == 0
            assert wscli("status", "--check").returncode == 8
            backend.until(lambda seen: seen["connections"]["now"] == 1)
            assert wscli("reload").returncode == 0
            states = [json.loads(line) for line in wscli("status", "--json").stdout.splitlines()]
            assert [one["state"] for one in states] == [state, "ready"], "a reload leaves it so"
            assert wscli(back, "feed").returncode == 0
            manager.wait_for("feed")
            assert wscli("status", "--check").returncode == 0
        assert wscli("restart", "feed").returncode == 0
        manager.wait_for("feed")
        assert manager.stats()["channels"]["feed"]["connects"] == 4
        token = wscli("token", "get", "session").stdout.strip()
        assert wscli("token", "get", "session").stdout.strip() == token
        assert wscli("token", "refresh", "session").returncode == 0
        assert wscli("token", "get", "session").stdout.strip() != token
        assert wscli("token", "forget", "session").returncode == 0
        assert wscli.json("token", "ls", "--json")["session"]["state"] == "empty"
        assert backend.stats()["token_requests"] == 2
        backend.until(lambda seen: seen["connections"]["now"] == 2)
        assert backend.stats()["connections"]["total"] == 5, "a fresh token disturbs no connection"
