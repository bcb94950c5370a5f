"""Where managers are found."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from wscli.control import paths
from wscli.errors import WscliError


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
    assert paths.candidate_directories({}) == [f"/run/user/{uid}/wscli", f"/tmp/wscli-{uid}"]


def test_a_chosen_directory_is_the_only_one() -> None:
    assert paths.candidate_directories({"WSCLI_RUNTIME_DIR": "/mine", "XDG_RUNTIME_DIR": "/x"}) == ["/mine"]
    assert paths.runtime_directory({"WSCLI_RUNTIME_DIR": "/mine/wscli", "XDG_RUNTIME_DIR": "/x"}) == "/mine/wscli"


def test_a_manager_takes_the_first_directory_that_can_exist(tmp_path: Path) -> None:
    present = {"XDG_RUNTIME_DIR": str(tmp_path), "TMPDIR": "/t"}
    assert paths.runtime_directory(present) == str(tmp_path / "wscli")
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


def test_registrations_are_found_in_all_directories_and_rubbish_is_passed_over(tmp_path: Path) -> None:
    first, second = tmp_path / "xdg" / "wscli", tmp_path / f"wscli-{os.geteuid()}"
    register(first, "app")
    register(second, "other")
    register(first, "torn", '{"file": "/srv/')
    register(first, "odd", '{"file": 7, "pid": "x"}')
    register(first, "list", "[]")
    (first / "NotAName.json").write_text("{}")
    (first / "app.json.4711").write_text("{}")
    environ = {"XDG_RUNTIME_DIR": str(tmp_path / "xdg"), "TMPDIR": str(tmp_path)}
    found = [one for one in paths.registered(environ) if one.directory.startswith(str(tmp_path))]
    assert found == [
        paths.Instance("app", "/srv/app.yaml", 4711, str(first)),
        paths.Instance("other", "/srv/other.yaml", 4711, str(second)),
    ]


def test_registrations_in_a_directory_of_others_are_ignored(tmp_path: Path) -> None:
    register(tmp_path / "open", "app")
    (tmp_path / "open").chmod(0o777)
    assert paths.registered({"WSCLI_RUNTIME_DIR": str(tmp_path / "open")}) == []


def test_the_log_goes_to_the_state_directory() -> None:
    assert paths.state_directory({"XDG_STATE_HOME": "/s", "HOME": "/h"}) == "/s/wscli"
    assert paths.state_directory({"HOME": "/h"}) == "/h/.local/state/wscli"
    with pytest.raises(WscliError, match="HOME is not set"):
        paths.state_directory({})
