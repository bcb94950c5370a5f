"""Ownership: one manager a name, private files, and nothing of a crashed one that blocks the next."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from tests.process.owning import own
from wscli.config.plan import Plan
from wscli.control import paths
from wscli.errors import WscliError
from wscli.process import ownership
from wscli.process import ownership as instance_module
from wscli.process.ownership import InstanceHeld


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"WSCLI_RUNTIME_DIR": str(tmp_path / "run")}


@pytest.fixture
def directory(environ: dict[str, str]) -> Path:
    """The runtime directory, which is there already."""
    path = Path(environ["WSCLI_RUNTIME_DIR"])
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def lock(directory: Path) -> Iterator[int]:
    """The file of the lock, open as another process has it."""
    descriptor = os.open(directory / "app.lock", os.O_CREAT | os.O_RDWR, 0o600)
    yield descriptor
    os.close(descriptor)


def plan(file: str = "/srv/app.yaml", name: str = "app") -> Plan:
    return Plan(name=name, file=Path(file), endpoints={}, channels={}, tokens={})


@pytest.fixture
def with_state(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment of a user who has a home."""
    return {**environ, "XDG_STATE_HOME": str(tmp_path / "state")}


def refusal(environ: dict[str, str], kind: type[WscliError] = InstanceHeld, **of: str) -> WscliError:
    with pytest.raises(kind) as caught, own(plan(**of), environ):
        pass
    return caught.value


def files(environ: dict[str, str]) -> list[str]:
    return sorted(entry.name for entry in Path(environ["WSCLI_RUNTIME_DIR"]).iterdir())


def mode(path: str | Path) -> int:
    return stat.S_IMODE(Path(path).stat().st_mode)


def test_everything_is_private_and_nothing_is_left(environ: dict[str, str]) -> None:
    umask = os.umask(0o022)
    try:
        with own(plan(), environ):
            directory = Path(environ["WSCLI_RUNTIME_DIR"])
            assert mode(directory) == 0o700
            assert files(environ) == ["app.json", "app.lock", "app.sock"]
            assert all(mode(directory / name) == 0o600 for name in files(environ))
            assert os.umask(0o022) == 0o022
    finally:
        os.umask(umask)
    assert files(environ) == []


def test_it_registers_its_file_and_its_process_and_listens(environ: dict[str, str]) -> None:
    with own(plan(), environ) as instance:
        directory = environ["WSCLI_RUNTIME_DIR"]
        assert paths.registered(environ) == [paths.Instance("app", "/srv/app.yaml", os.getpid(), directory)]
        assert instance.listener.getblocking() is False
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(paths.socket_path(directory, "app"))
        assert not os.get_inheritable(instance.listener.fileno())


def test_a_second_manager_of_a_file_is_told_which_process_runs_it(environ: dict[str, str]) -> None:
    with own(plan(), environ):
        held = refusal(environ)
        assert held.message == f"instance 'app' is already running as pid {os.getpid()}"
        assert "wscli reload" in str(held.hint)
        assert files(environ) == ["app.json", "app.lock", "app.sock"]


def test_a_name_held_by_another_file_is_an_error_that_names_it(environ: dict[str, str]) -> None:
    with own(plan(), environ):
        held = refusal(environ, file="/srv/other.yaml")
    assert f"pid {os.getpid()}, which runs '/srv/app.yaml'" in held.message
    assert "'name:'" in str(held.hint)


def test_two_names_live_side_by_side(environ: dict[str, str]) -> None:
    with own(plan(), environ), own(plan("/srv/b.yaml", "b"), environ):
        assert [one.name for one in paths.registered(environ)] == ["app", "b"]


CRASHING = """
import os, signal, sys
sys.path.append(sys.argv[1])
from tests.process.test_ownership import plan
from tests.process.owning import own
with own(plan(), os.environ):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_files_of_a_killed_manager_are_replaced(environ: dict[str, str]) -> None:
    crashed = subprocess.run(
        [sys.executable, "-c", CRASHING, str(Path(__file__).parents[2])], env={**os.environ, **environ}, check=False
    )
    assert crashed.returncode == -signal.SIGKILL
    assert files(environ) == ["app.json", "app.lock", "app.sock"]
    with own(plan("/srv/other.yaml"), environ):
        assert [one.file for one in paths.registered(environ)] == ["/srv/other.yaml"]
    assert files(environ) == []


def test_the_registration_of_a_dead_manager_never_leads_to_a_new_socket(
    environ: dict[str, str], directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (directory / "app.json").write_text('{"file": "/srv/app.yaml", "pid": 4711}')
    bound, listen = [], instance_module.listen_at_path

    def listen_alone(path: Path) -> socket.socket:
        bound.append(files(environ))
        return listen(path)

    monkeypatch.setattr(instance_module, "listen_at_path", listen_alone)
    with own(plan(), environ):
        assert [names.count("app.json") for names in bound] == [0]


def test_a_socket_that_answers_is_never_replaced(environ: dict[str, str], directory: Path) -> None:
    with socket.socket(socket.AF_UNIX) as alive:
        alive.bind(str(directory / "app.sock"))
        alive.listen()
        assert "a process without the lock listens" in refusal(environ).message
        assert (directory / "app.sock").exists()


def test_a_lock_that_is_held_for_a_moment_is_waited_for(
    environ: dict[str, str], lock: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``wscli down`` takes the lock to learn that it is free: that must not fail an ``up`` at the same time."""
    fcntl.flock(lock, fcntl.LOCK_SH)
    tried = threading.Event()
    sleep = instance_module.time.sleep

    def release(seconds: float) -> None:
        tried.set()
        fcntl.flock(lock, fcntl.LOCK_UN)
        sleep(0)

    monkeypatch.setattr(instance_module.time, "sleep", release)
    with own(plan(), environ):
        assert tried.is_set()


def test_a_held_lock_without_a_registration_is_an_error_after_a_while(
    environ: dict[str, str], lock: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl.flock(lock, fcntl.LOCK_EX)
    monkeypatch.setattr(instance_module, "LOCK_PATIENCE", 0.0)
    assert "held by another manager" in refusal(environ).message


def _contend(environ: dict[str, str], start: Any, said: Connection, end: Any) -> None:
    instance_module.LOCK_PATIENCE = 60.0  # however long the winner takes to say who it is
    start.wait()
    try:
        with own(plan(), environ):
            said.send("won")
            end.wait()
    except InstanceHeld as error:
        said.send(error.message)


def test_of_many_at_once_one_wins_and_the_others_name_it(environ: dict[str, str]) -> None:
    """Repeated, since it is a race: the winner of each round removes its files while the next round begins."""
    spawn = multiprocessing.get_context("spawn")
    for _ in range(3):
        start, end = spawn.Barrier(4), spawn.Event()
        pipes = [spawn.Pipe(duplex=False) for _ in range(4)]
        contenders = [spawn.Process(target=_contend, args=(environ, start, theirs, end)) for _, theirs in pipes]
        for one in contenders:
            one.start()
        said = [ours.recv() for ours, _ in pipes]
        end.set()
        for one in contenders:
            one.join()
        for ours, theirs in pipes:
            ours.close()
            theirs.close()
        winner = contenders[said.index("won")].pid
        assert said.count("won") == 1
        assert {word for word in said if word != "won"} == {f"instance 'app' is already running as pid {winner}"}
    assert files(environ) == []


def test_a_name_that_runs_in_another_directory_of_the_user_is_held(tmp_path: Path) -> None:
    elsewhere = {"XDG_RUNTIME_DIR": str(tmp_path / "xdg"), "TMPDIR": str(tmp_path)}
    (tmp_path / "xdg").mkdir()
    there = {"WSCLI_RUNTIME_DIR": f"{tmp_path}/wscli-{os.geteuid()}"}
    with own(plan(name="elsewhere-test"), there):
        refusal(elsewhere, file="/srv/b.yaml", name="elsewhere-test")


# the lock in the state directory


def test_a_second_manager_of_the_same_state_is_refused_wherever_it_would_register(
    with_state: dict[str, str], tmp_path: Path
) -> None:
    elsewhere = {**with_state, "WSCLI_RUNTIME_DIR": str(tmp_path / "other run")}
    with own(plan(), with_state):
        held = refusal(elsewhere)
        assert held.message == f"instance 'app' is already running as pid {os.getpid()}"
        assert f"`WSCLI_RUNTIME_DIR={with_state['WSCLI_RUNTIME_DIR']} wscli down -i app` stops it" in str(held.hint)
        other = refusal(elsewhere, file="/srv/other.yaml")
        assert f"held by pid {os.getpid()}, which runs '/srv/app.yaml'" in other.message
        assert files(elsewhere) == []
    with own(plan(), elsewhere):
        pass
    assert list((tmp_path / "state" / "wscli").iterdir()) == []


def test_a_second_manager_is_refused_after_the_runtime_directory_was_cleared(with_state: dict[str, str]) -> None:
    with own(plan(), with_state):
        shutil.rmtree(with_state["WSCLI_RUNTIME_DIR"])
        assert refusal(with_state).message == f"instance 'app' is already running as pid {os.getpid()}"
        assert files(with_state) == []


def test_a_state_directory_that_cannot_be_used_is_no_reason_to_refuse(
    environ: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    with own(plan(), {**environ, "XDG_STATE_HOME": str(tmp_path / "file")}) as owned:
        owned.restore()
    [record] = caplog.records
    assert "app.lock': not a directory; only the runtime directory is locked" in record.getMessage()


def test_no_client_finds_an_instance_before_it_is_published_but_no_other_manager_can_have_it(
    environ: dict[str, str],
) -> None:
    with ownership.own(plan(), environ):
        assert (paths.registered(environ), files(environ)) == ([], ["app.lock"])
        with pytest.raises(InstanceHeld), ownership.own(plan(), environ):
            pass
