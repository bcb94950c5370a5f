"""Which instance a command means."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wscli.control import paths
from wscli.control.selection import Busy, Selection, find_file, running, select
from wscli.errors import NoInstance, UsageError, WscliError

NOTHING = Selection()


class Runtime:
    """A runtime directory with listeners that never answer, which is all that choosing needs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environ = {"WSCLI_RUNTIME_DIR": str(directory)}
        self.sockets: list[socket.socket] = []
        directory.mkdir(mode=0o700)

    def register(self, name: str, file: Path | str) -> None:
        facts = {"file": str(file), "pid": os.getpid()}
        Path(paths.registration_path(str(self.directory), name)).write_text(json.dumps(facts))

    def run(self, name: str, file: Path | str) -> None:
        self.register(name, file)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(paths.socket_path(str(self.directory), name))
        listener.listen()
        self.sockets.append(listener)

    def chosen(self, selection: Selection = NOTHING, **environ: str) -> str:
        instance, sock = select(selection, {**self.environ, **environ})
        sock.close()
        return instance.name


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    (tmp_path / "nowhere").mkdir()
    monkeypatch.chdir(tmp_path / "nowhere")
    made = Runtime(tmp_path / "run")
    yield made
    for sock in made.sockets:
        sock.close()


def test_the_only_one_running_is_meant_and_a_crashed_one_does_not_count(runtime: Runtime) -> None:
    runtime.register("crashed", "/srv/crashed.yaml")
    runtime.run("app", "/srv/app.yaml")
    assert runtime.chosen() == "app"
    assert [one.name for one in running(runtime.environ)] == ["app"]


def test_none_running_is_5_and_says_how_to_start_one(runtime: Runtime) -> None:
    with pytest.raises(NoInstance, match="no instance is running") as caught:
        runtime.chosen()
    assert caught.value.exit_code == 5
    assert "wscli up -d -c FILE" in str(caught.value.hint)


def test_several_running_are_2_and_are_listed(runtime: Runtime) -> None:
    runtime.run("app", "/srv/app.yaml")
    runtime.run("other", "/srv/other.yaml")
    with pytest.raises(UsageError, match=r"app \(/srv/app.yaml\), other \(/srv/other.yaml\)") as caught:
        runtime.chosen()
    assert caught.value.exit_code == 2


def test_each_way_of_choosing_beats_those_after_it(runtime: Runtime, tmp_path: Path) -> None:
    here = tmp_path / "nowhere" / "wscli.yaml"
    there = tmp_path / "there.yaml"
    here.touch()
    there.touch()
    runtime.run("by-name", "/srv/1.yaml")
    runtime.run("by-file", there)
    runtime.run("by-variable", "/srv/3.yaml")
    runtime.run("by-directory", here)
    assert runtime.chosen() == "by-directory"
    assert runtime.chosen(WSCLI_INSTANCE="by-variable") == "by-variable"
    assert runtime.chosen(Selection(file=str(there)), WSCLI_INSTANCE="by-variable") == "by-file"
    assert runtime.chosen(Selection(name="by-name"), WSCLI_INSTANCE="by-variable") == "by-name"


def test_a_file_is_known_by_its_real_path(runtime: Runtime, tmp_path: Path) -> None:
    (tmp_path / "app.yaml").touch()
    (tmp_path / "link.yaml").symlink_to(tmp_path / "app.yaml")
    runtime.run("app", tmp_path / "app.yaml")
    runtime.run("other", "/srv/other.yaml")
    assert runtime.chosen(Selection(file="../link.yaml")) == "app"


def test_a_file_that_is_gone_still_finds_its_instance(runtime: Runtime, tmp_path: Path) -> None:
    runtime.run("app", tmp_path / "gone.yaml")
    assert runtime.chosen(Selection(file=str(tmp_path / "gone.yaml"))) == "app"
    with pytest.raises(NoInstance, match="there is no such file"):
        runtime.chosen(Selection(file="missing.yaml"))


def test_a_file_in_a_parent_is_found_and_another_instance_is_never_taken_for_it(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "nowhere" / "wscli.yaml"
    file.touch()
    deep = tmp_path / "nowhere" / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert find_file(".") == str(file)
    runtime.run("other", "/srv/other.yaml")
    with pytest.raises(NoInstance) as caught:
        runtime.chosen()
    assert f"wscli up -d -c {file}" in str(caught.value.hint)
    runtime.run("app", file)
    assert runtime.chosen() == "app"


def test_contradictions_and_impossible_names_are_usage_errors(runtime: Runtime) -> None:
    with pytest.raises(UsageError, match="-i and -c"):
        runtime.chosen(Selection("app", "app.yaml"))
    with pytest.raises(UsageError, match="invalid instance name"):
        runtime.chosen(Selection("../app"))


def test_a_name_that_does_not_run_says_what_does(runtime: Runtime) -> None:
    runtime.run("app", "/srv/app.yaml")
    with pytest.raises(NoInstance, match="'apq'") as caught:
        runtime.chosen(Selection("apq"))
    assert caught.value.hint == "running: app"


def test_a_socket_that_cannot_be_reached_is_told_apart_from_none(runtime: Runtime) -> None:
    runtime.register("app", "/srv/app.yaml")
    loop = Path(paths.socket_path(str(runtime.directory), "app"))
    loop.symlink_to(loop)
    with pytest.raises(WscliError, match="cannot reach the manager of 'app'"):
        runtime.chosen(Selection("app"))
    runtime.run("other", "/srv/other.yaml")
    assert runtime.chosen() == "other"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a queue that is full refuses at once")
def test_without_patience_a_manager_whose_queue_is_full_is_busy_and_still_running(runtime: Runtime) -> None:
    runtime.run("app", "/srv/app.yaml")
    runtime.sockets[0].listen(0)
    path = paths.socket_path(str(runtime.directory), "app")
    with socket.socket(socket.AF_UNIX) as first:
        first.connect(path)
        for selection in (Selection("app"), Selection(file="/srv/app.yaml"), NOTHING):
            with pytest.raises(Busy, match="'app' takes no connection"):
                select(selection, runtime.environ, patience=0)
        assert [one.name for one in running(runtime.environ)] == ["app"]
        with pytest.raises(NoInstance) as caught:
            select(Selection("apq"), runtime.environ, patience=0)
        assert caught.value.hint == "running: app"
        runtime.sockets[0].accept()[0].close()
        _, sock = select(Selection("app"), runtime.environ, patience=0)
        with sock:
            assert not sock.getblocking()
