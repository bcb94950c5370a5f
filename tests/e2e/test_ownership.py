"""Who owns an instance, and who may speak to it: races, crashes, other users, other versions, nonsense."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.inline import Here, here
from tests.processes import Wscli, wscli
from tests.waiting import until
from wscli.control.protocol import LINE_LIMIT, PROTOCOL

__all__ = ["here", "wscli"]

CONFIG = """
version: 1
name: one
endpoints:
  api: {url: "ws://127.0.0.1:9/"}
channels:
  feed: {endpoint: api, open: lazy}
"""
RIVALS = 5
NOBODY = 65534


@pytest.mark.parametrize("crashed", [False, True])
def test_of_several_managers_started_at_once_exactly_one_runs(wscli: Wscli, crashed: bool) -> None:
    file = str(wscli.file(CONFIG))
    if crashed:
        with wscli.up(CONFIG) as first:
            first.kill()
        assert sorted(path.name for path in wscli.runtime.iterdir()) == ["one.json", "one.lock", "one.sock"]
    rivals = [wscli.start("up", "-c", file) for _ in range(RIVALS)]
    losers = []
    while len(losers) < RIVALS - 1:
        losers = [rival for rival in rivals if rival.popen.poll() is not None]
    winner = next(rival for rival in rivals if rival not in losers)
    winner.until(lambda: any(" is up;" in line for line in winner.err))
    for loser in losers:
        assert loser.wait() == 1
        assert loser.err == [
            f"error: instance 'one' is already running as pid {winner.pid}",
            "hint: `wscli reload -i one` applies changes of its file, `wscli down -i one` stops it",
        ]
    assert [json.loads(line)["pid"] for line in wscli("ls", "--json").stdout.splitlines()] == [winner.pid]
    assert winner.stop(signal.SIGTERM) == 0
    assert list(wscli.runtime.iterdir()) == []


def test_a_crash_between_two_detached_managers_blocks_nothing(wscli: Wscli) -> None:
    wscli.file(CONFIG)
    for _ in range(2):
        assert wscli("up", "-d", "-c", "app.yaml").returncode == 0
        os.kill(json.loads(wscli("ls", "--json").stdout)["pid"], signal.SIGKILL)
        until(lambda: wscli("ls", "--json").stdout == "")
    assert wscli("up", "-d", "-c", "app.yaml").returncode == 0
    assert wscli("down").returncode == 0
    assert list(wscli.runtime.iterdir()) == []
    assert wscli("ls", "--json").stdout == ""


# Cleaners.


@pytest.mark.parametrize("gone", ["one.lock", "one.sock", "one.json", "*"])
def test_a_manager_whose_files_are_removed_is_reached_again_within_seconds(wscli: Wscli, gone: str) -> None:
    with wscli.up(CONFIG) as manager:
        for path in wscli.runtime.glob(gone):
            path.unlink()
        if gone == "*":
            with suppress(OSError):  # it has made a file anew already
                wscli.runtime.rmdir()
        assert wscli("up", "-c", str(manager.file)).returncode == 1
        manager.until(lambda: "made anew" in manager.stderr)
        assert wscli("status").returncode == 0
        assert wscli("down").returncode == 0
        assert manager.wait() == 0


def test_down_stops_a_manager_whose_lock_was_removed_or_replaced(wscli: Wscli) -> None:
    for replaced in (False, True):
        with wscli.up(CONFIG) as manager:
            (wscli.runtime / "one.lock").unlink()
            if replaced:
                (wscli.runtime / "one.lock").touch()
            assert wscli("down").returncode == 0
            assert manager.wait() == 0
            (wscli.runtime / "one.lock").unlink(missing_ok=True)


# Other users.

AS_NOBODY = """
import os, shlex, socket, sys
import encodings.idna, wscli.cli.root, wscli.cli.stats, wscli.cli.tables, wscli.control.client
os.setgroups([]); os.setgid({user}); os.setuid({user})
from wscli.cli.root import run_command_line as run
code = run(["stats"])
with socket.socket(socket.AF_UNIX) as sock:
    try:
        sock.connect(sys.argv[1])
    except OSError as error:
        print(type(error).__name__)
    else:
        print(sock.recv(65536).decode())  # who is refused need not ask first
sys.exit(code)
"""
"""What it needs is imported before it may not read it any more."""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_another_user_is_refused_by_the_directory_and_by_the_manager(wscli: Wscli) -> None:
    sock = wscli.runtime / "one.sock"

    def as_nobody() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", AS_NOBODY.format(user=NOBODY), str(sock)]
        return subprocess.run(command, env=wscli.env, cwd="/", capture_output=True, text=True, timeout=60, check=False)

    wscli.directory.chmod(0o755)
    with wscli.up(CONFIG):
        assert (wscli.runtime.stat().st_mode & 0o777, sock.stat().st_mode & 0o777) == (0o700, 0o600)
        kept_out = as_nobody()
        assert (kept_out.returncode, kept_out.stdout.strip()) == (5, "PermissionError"), kept_out
        wscli.runtime.chmod(0o755)
        sock.chmod(0o666)
        refused = as_nobody()
        assert refused.returncode == 5, "a client trusts no directory of another's"
        error = json.loads(refused.stdout)["error"]
        assert error["message"] == f"this manager belongs to user {os.geteuid()}, and you are user {NOBODY}"
        assert wscli("stats").returncode == 0
        wscli.runtime.chmod(0o700)


# Other versions, and nonsense.

BAD_REQUESTS = {
    "a newer client": b'{"v":%d,"wscli":"9.9","verb":"stats","args":{}}\n' % (PROTOCOL + 1),
    "an older client": b'{"v":0,"wscli":"0.0","verb":"stats","args":{}}\n',
    "no version": b'{"verb":"stats"}\n',
    "no JSON": b"GET / HTTP/1.1\n",
    "bytes": b"\xff\xfe\x00\n",
    "a list": b"[]\n",
    "deep": b"[" * 60_000 + b"\n",
    "long": b"x" * (LINE_LIMIT + 1),
    "a long number": b'{"v":' + b"9" * 5000 + b',"verb":"stats"}\n',
    "no such verb": b'{"v":%d,"verb":"frob"}\n' % PROTOCOL,
    "a verb that is no text": b'{"v":%d,"verb":{}}\n' % PROTOCOL,
    "arguments that are no object": b'{"v":%d,"verb":"stats","args":[]}\n' % PROTOCOL,
    "names that are no list": b'{"v":%d,"verb":"stats","args":{"channels":"feed"}}\n' % PROTOCOL,
    "a surrogate": b'{"v":%d,"verb":"wait","args":{"channels":["\\ud800"]}}\n' % PROTOCOL,
    "too much to send": b'{"v":%d,"verb":"send","args":{"channel":"feed","bytes":99999999999}}\n' % PROTOCOL,
    "less than nothing": b'{"v":%d,"verb":"send","args":{"channel":"feed","bytes":-1}}\n' % PROTOCOL,
    "no time": b'{"v":%d,"verb":"tail","args":{"channels":["feed"],"since":NaN}}\n' % PROTOCOL,
}


def test_invalid_requests_are_refused_and_the_manager_lives(wscli: Wscli) -> None:
    with wscli.up(CONFIG) as manager:
        for name, request in BAD_REQUESTS.items():
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(60)
                sock.connect(str(wscli.runtime / "one.sock"))
                with suppress(BrokenPipeError, ConnectionResetError):
                    sock.sendall(request)
                answer = json.loads(sock.makefile().readline())
            assert answer["ok"] is False, name
            assert answer["error"]["message"], name
            if "client" in name:
                side = "client" if "older" in name else "manager"
                assert answer["error"]["hint"].startswith(f"the {side} is the older one"), name
        for data in (b"", b"{", b'{"v":%d,"verb":"send","args":{"channel":"feed","bytes":1000}}\nabc' % PROTOCOL):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(str(wscli.runtime / "one.sock"))
                sock.sendall(data)  # and hangs up in the middle of it
        assert manager.stats()["channels"]["feed"]["state"] in ("idle", "connecting", "waiting")
        assert manager.popen.poll() is None
        assert "Traceback" not in manager.stderr


@contextmanager
def impostor(wscli: Wscli, answer: bytes) -> Iterator[None]:
    """Something that stands where a manager would, and says one thing."""
    with socket.socket(socket.AF_UNIX) as listener, (wscli.runtime / "old.lock").open("w"):
        listener.bind(str(wscli.runtime / "old.sock"))
        listener.listen(8)
        registration = {"v": 9, "wscli": "9.0", "name": "old", "file": "/old.yaml", "pid": os.getpid()}
        (wscli.runtime / "old.json").write_text(json.dumps(registration))

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    with client, suppress(OSError):
                        client.recv(65536)
                        client.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for path in Path(wscli.runtime).iterdir():
                path.unlink()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b'{"v":%d,"wscli":"9.0","ok":true,"result":{}}\n' % (PROTOCOL + 1), "the client is the older one"),
        (b'{"v":0,"wscli":"0.0.1","ok":true,"result":{}}\n', "the manager is the older one"),
        (b"hello\n", "is it wscli that listens there?"),
        (b'{"v":%d,"wscli":"0.1.0","ok":"yes"}\n' % PROTOCOL, "is it wscli that listens there?"),
        (b"", "`wscli ls` lists it if it runs; "),
    ],
)
def test_a_client_tells_what_is_wrong_with_its_manager(wscli: Wscli, here: Here, answer: bytes, words: str) -> None:
    with impostor(wscli, answer):
        for verb in (["stats"], ["tail", "x"], ["status", "--watch"], ["wait", "x"], ["connect", "x"], ["reload"]):
            done = here(wscli, *verb)
            assert done.returncode in (1, 5), verb
            error, hint = done.stderr.splitlines()
            assert error.startswith("error: "), verb
            assert hint.startswith("hint: ")
            assert words in hint, verb
        listed = here(wscli, "ls")
        assert listed.returncode == 0
        assert "old" in listed.stdout


def test_a_manager_that_hangs_is_told_apart_from_none(wscli: Wscli) -> None:
    with wscli.up(CONFIG) as manager:
        os.kill(manager.pid, signal.SIGSTOP)
        try:
            assert wscli("wait", "feed", "--timeout", "300ms").returncode == 124
            assert "not answering" in wscli("ls").stdout
            down = wscli("down", "--timeout", "300ms")
            assert (down.returncode, f"kill -9 {manager.pid}" in down.stderr) == (124, True)
            rival = wscli("up", "-c", str(manager.file))
            assert (rival.returncode, f"pid {manager.pid}" in rival.stderr) == (1, True)
        finally:
            os.kill(manager.pid, signal.SIGCONT)
        assert manager.wait() == 0, "it was told to go meanwhile"


def test_a_name_that_another_file_holds_is_refused_with_the_others(wscli: Wscli) -> None:
    with wscli.up(CONFIG) as manager:
        other = wscli.file(CONFIG, "other.yaml")
        done = wscli("up", "-c", str(other))
        assert done.returncode == 1
        assert f"the name 'one' is held by pid {manager.pid}, which runs '{manager.file}'" in done.stderr
