"""The directories of an instance: private, short enough for a socket, or as a unit of systemd made them."""

from __future__ import annotations

from pathlib import Path

from tests.process.owning import own
from tests.process.test_ownership import environ, files, mode, plan, refusal
from wscli.control import paths
from wscli.errors import WscliError

__all__ = ["environ"]


def test_a_directory_that_others_can_enter_is_refused(environ: dict[str, str]) -> None:
    Path(environ["WSCLI_RUNTIME_DIR"]).mkdir(mode=0o755)
    Path(environ["WSCLI_RUNTIME_DIR"]).chmod(0o755)
    refused = refusal(environ, WscliError)
    assert "open to other users" in refused.message
    assert refused.hint == f"chmod 700 {environ['WSCLI_RUNTIME_DIR']}"


def test_a_link_as_runtime_directory_is_refused(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    Path(environ["WSCLI_RUNTIME_DIR"]).symlink_to(tmp_path / "real")
    assert "is not a directory of user" in refusal(environ, WscliError).message


def test_a_directory_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    error = refusal({"WSCLI_RUNTIME_DIR": str(tmp_path / "file" / "run")}, WscliError)
    assert "cannot be made: not a directory" in error.message


def test_a_long_directory_keeps_its_socket_in_the_short_one(tmp_path: Path) -> None:
    environ = {"WSCLI_RUNTIME_DIR": str(tmp_path / ("d" * 100))}
    with own(plan(), environ):
        path = paths.socket_path(environ["WSCLI_RUNTIME_DIR"], "app")
        assert path.startswith(paths.short_directory())
        assert mode(path) == 0o600
        assert mode(paths.short_directory()) == 0o700
        assert files(environ) == ["app.json", "app.lock"]
    assert not Path(path).exists()


def test_the_directories_of_a_service_are_used_as_its_unit_made_them(tmp_path: Path) -> None:
    for name in ("run", "state", "xdg"):
        (tmp_path / name).mkdir(mode=0o755)
    (tmp_path / "link").symlink_to(tmp_path / "run")  # as with DynamicUser=
    environ = {
        "RUNTIME_DIRECTORY": f"{tmp_path}/link:/elsewhere",
        "STATE_DIRECTORY": f"{tmp_path}/state",
        "XDG_RUNTIME_DIR": f"{tmp_path}/xdg",
        "XDG_STATE_HOME": f"{tmp_path}/xdg",
    }
    with own(plan(), environ):
        assert [one.directory for one in paths.registered(environ) if one.name == "app"] == [str(tmp_path / "run")]
        assert (tmp_path / "state" / "app.lock").exists()
        assert list((tmp_path / "xdg").iterdir()) == []
    assert list((tmp_path / "run").iterdir()) == []
