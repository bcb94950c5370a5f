"""Where managers are found."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wscli.control import paths
from wscli.errors import WscliError


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


def register(directory: Path, name: str, content: str | None = None) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    facts = json.dumps({"file": f"/srv/{name}.yaml", "pid": 4711}) if content is None else content
    Path(paths.registration_path(str(directory), name)).write_text(facts)


def test_the_rule_of_instance_names() -> None:
    names = ("app", "a-b_9", "a" * 32, "a" * 33, "", "App", "a/b", "..", "ä")
    assert [name for name in names if paths.is_instance_name(name)] == ["app", "a-b_9", "a" * 32]


def test_the_directories_are_tried_in_the_order_of_their_likelihood() -> None:
    uid = os.geteuid()
    assert paths.candidate_directories({"XDG_RUNTIME_DIR": "/x", "TMPDIR": "/t"}) == [
        "/x/wscli",
        f"/run/user/{uid}/wscli",
        f"/t/wscli-{uid}",
        f"/tmp/wscli-{uid}",
    ]
    assert paths.candidate_directories({"RUNTIME_DIRECTORY": "/run/a:/run/b", "XDG_RUNTIME_DIR": "/x"})[:3] == [
        "/run/a",
        "/run/b",
        "/x/wscli",
    ]
    relative = dict.fromkeys(("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR", "TMPDIR"), "relative")
    assert paths.candidate_directories(relative) == paths.candidate_directories({})
    assert paths.candidate_directories({}) == [f"/run/user/{uid}/wscli", f"/tmp/wscli-{uid}"]


def test_a_chosen_directory_is_the_only_one() -> None:
    assert paths.candidate_directories({"WSCLI_RUNTIME_DIR": "/mine", "XDG_RUNTIME_DIR": "/x"}) == ["/mine"]
    assert paths.runtime_directory({"WSCLI_RUNTIME_DIR": "/mine/wscli", "XDG_RUNTIME_DIR": "/x"}) == "/mine/wscli"


def test_a_manager_takes_the_first_directory_that_can_exist(tmp_path: Path) -> None:
    present = {"XDG_RUNTIME_DIR": str(tmp_path), "TMPDIR": "/t"}
    assert paths.runtime_directory(present) == str(tmp_path / "wscli")
    elsewhere = {"RUNTIME_DIRECTORY": str(tmp_path / "gone"), "XDG_RUNTIME_DIR": str(tmp_path)}
    assert paths.runtime_directory(elsewhere) == str(tmp_path / "wscli")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o775)
    shared = {"RUNTIME_DIRECTORY": str(tmp_path / "shared"), "XDG_RUNTIME_DIR": str(tmp_path)}
    assert paths.runtime_directory(shared) == str(tmp_path / "wscli")
    absent = {"XDG_RUNTIME_DIR": str(tmp_path / "gone"), "TMPDIR": str(tmp_path)}
    if not Path(f"/run/user/{os.geteuid()}").exists():
        assert paths.runtime_directory(absent) == str(tmp_path / f"wscli-{os.geteuid()}")


def test_a_path_that_is_too_long_for_a_socket_goes_to_the_short_directory_apart_from_others() -> None:
    short = paths.socket_path("/run/wscli", "app")
    assert short == "/run/wscli/app.sock"
    first, second = (paths.socket_path(f"/{letter * 100}", "app") for letter in "ab")
    assert first.startswith(f"/tmp/wscli-{os.geteuid()}/app-")
    assert first != second
    assert len(os.fsencode(first)) <= paths.SOCKET_PATH_LIMIT
    limit = paths.SOCKET_PATH_LIMIT - len("/" + "/app.sock")
    assert paths.socket_path("/" + "a" * limit, "app").startswith("/aaa")
    assert paths.socket_path("/" + "ä" * limit, "app").startswith("/tmp/")


def test_only_a_directory_that_nobody_else_can_write_to_is_trusted(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir(mode=0o700)
    assert paths.is_trusted(str(mine), {})
    mine.chmod(0o777)
    assert not paths.is_trusted(str(mine), {})
    mine.chmod(0o700)
    (tmp_path / "link").symlink_to(mine)
    assert not paths.is_trusted(str(tmp_path / "link"), {})
    (tmp_path / "file").touch()
    assert not paths.is_trusted(str(tmp_path / "file"), {})
    assert not paths.is_trusted(str(tmp_path / "absent"), {})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_another_users_directory_is_trusted_only_where_root_names_it(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o700)
    os.chown(theirs, 12345, 12345)
    assert not paths.is_trusted(str(theirs), {"TMPDIR": str(tmp_path)})
    assert paths.is_trusted(str(theirs), {"WSCLI_RUNTIME_DIR": str(theirs)})


BROKEN = {
    "torn": '{"file": "/srv/',
    "odd": '{"file": 7, "pid": "x"}',
    "list": "[]",
    "empty": "",
    "nested": "[" * 60_000,
    "objects": '{"a":' * 12_000,
    "endless": "[" * 200_000,
    "huge": '{"file": "/srv/huge.yaml", "pid": 4711}' + " " * (1 << 20),
    "binary": "\udcff\udcfe\x00",
    "digits": '{"file": "/srv/a.yaml", "pid": ' + "9" * 5000 + "}",
    "no-pid": '{"file": "/srv/a.yaml", "pid": 99999999999}',
    "negative": '{"file": "/srv/a.yaml", "pid": -1}',
}


def test_registrations_are_found_in_all_directories_and_broken_ones_passed_over_with_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = tmp_path / "xdg" / "wscli", tmp_path / f"wscli-{os.geteuid()}"
    register(first, "app")
    register(second, "other")
    for name, content in BROKEN.items():
        (first / f"{name}.json").write_bytes(content.encode(errors="surrogateescape"))
    (first / "directory.json").mkdir()
    os.mkfifo(first / "fifo.json")
    (first / "link.json").symlink_to("/dev/zero")
    (first / "NotAName.json").write_text("{}")
    (first / "app.json.4711").write_text("{}")
    environ = {"XDG_RUNTIME_DIR": str(tmp_path / "xdg"), "TMPDIR": str(tmp_path)}
    found = [one for one in paths.registered(environ) if one.directory.startswith(str(tmp_path))]
    assert found == [
        paths.Instance("app", "/srv/app.yaml", 4711, str(first)),
        paths.Instance("other", "/srv/other.yaml", 4711, str(second)),
    ]
    paths.registered(environ)
    said = [message for message in caplog.messages if str(tmp_path) in message]
    assert sorted(said) == said
    assert [message.split("/")[-1] for message in said] == sorted(
        f"{name}.json` removes it" for name in [*BROKEN, "directory", "fifo", "link"]
    )
    assert f"broken registration '{first}/nested.json' is passed over: it is not JSON; `rm -r" in caplog.text


@given(
    content=st.binary(max_size=100)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps).map(str.encode)
)
def test_whatever_a_registration_holds_it_is_read_or_passed_over(directory: Path, content: bytes) -> None:
    Path(paths.registration_path(str(directory), "any")).write_bytes(content)
    assert paths.read_registration(str(directory), "any") is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_registration_or_directory_is_passed_over_with_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    register(tmp_path / "run", "app")
    (tmp_path / "run" / "app.json").chmod(0)
    environ = {"WSCLI_RUNTIME_DIR": str(tmp_path / "run")}
    assert paths.registered(environ) == []
    (tmp_path / "run").chmod(0o300)
    assert paths.registered(environ) == []
    (tmp_path / "run").chmod(0o700)
    assert ["permission denied" in message for message in caplog.messages] == [True, True]


def test_files_that_a_service_keeps_in_its_own_directory_are_not_called_broken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    register(tmp_path, "settings", "{}")
    register(tmp_path, "app", "")
    (tmp_path / "app.lock").touch()
    assert [one for one in paths.registered({"RUNTIME_DIRECTORY": str(tmp_path)}) if one.name == "app"] == []
    assert [f"'{tmp_path}/app.json'" in message for message in caplog.messages] == [True]


def test_registrations_in_a_directory_of_others_are_ignored(tmp_path: Path) -> None:
    register(tmp_path / "open", "app")
    (tmp_path / "open").chmod(0o777)
    assert paths.registered({"WSCLI_RUNTIME_DIR": str(tmp_path / "open")}) == []


def test_what_outlives_a_manager_goes_to_the_state_directory() -> None:
    everything = {"STATE_DIRECTORY": "/var/lib/a:/var/lib/b", "XDG_STATE_HOME": "/s", "HOME": "/h"}
    assert paths.state_directory(everything) == "/var/lib/a"
    assert paths.state_directory({"XDG_STATE_HOME": "/s", "HOME": "/h"}) == "/s/wscli"
    assert paths.state_directory({"XDG_STATE_HOME": "s", "HOME": "/h"}) == "/h/.local/state/wscli"
    with pytest.raises(WscliError, match="HOME is not set"):
        paths.state_directory({})
    assert paths.find_state_directory({}) is None
