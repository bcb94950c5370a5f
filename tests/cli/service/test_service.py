"""``wscli service``: what it writes where, what it asks of the service manager, and what it leaves alone."""

from __future__ import annotations

import os
import plistlib
import stat
from pathlib import Path

import pytest

from tests.processes import Wscli, wscli
from wscli.cli import main
from wscli.cli.service import read_environment

__all__ = ["wscli"]

GOOD = "endpoints: {api: {url: ws://127.0.0.1:1}}\nchannels: {a: {endpoint: api}}\n"
NEEDS = "endpoints: {api: {url: '${URL}'}}\nchannels: {a: {endpoint: api}}\n"
FAKE = """#!/bin/sh
echo "$(basename "$0") $*" >> "$ASKED"
for word in "$@"; do
    [ ! -e "$FAULTS/$word" ] || { cat "$FAULTS/$word" >&2; exit 1; }
done
[ "$2" != show-environment ] || cat "$FAULTS/../environment"
"""
Printed = pytest.CaptureFixture[str]


class Home:
    """A home directory, and a systemctl and a launchctl that do what the test says."""

    def __init__(self, directory: Path, capsys: Printed) -> None:
        self._capsys = capsys
        self.directory = directory
        self.unit = directory / ".config" / "systemd" / "user" / "wscli-app.service"
        self.agent = directory / "Library" / "LaunchAgents" / "wscli-app.plist"
        self.environment = directory / ".config" / "wscli" / "app.env"
        self.file = directory / "app.yaml"
        self.file.write_text(GOOD)
        (directory / "bin").mkdir()
        (directory / "faults").mkdir()
        (directory / "environment").write_text("")
        for name in ("systemctl", "launchctl"):
            (directory / "bin" / name).write_text(FAKE)
            (directory / "bin" / name).chmod(0o700)
        self.fault("is-active", "")
        self.fault("print", "")

    def asked(self) -> list[str]:
        """What the service manager was asked since the last time, but for questions."""
        file = self.directory / "asked"
        lines = file.read_text().splitlines() if file.exists() else []
        file.write_text("")
        return [line for line in lines if not {"is-active", "show-environment", "print"} & set(line.split())]

    def fault(self, word: str, says: str) -> None:
        (self.directory / "faults" / word).write_text(says)

    def says(self, code: int, *args: str) -> str:
        """Run ``wscli service``, which ends so; give what it says on stderr."""
        self._capsys.readouterr()
        assert main(["service", *args]) == code
        return self._capsys.readouterr().err

    def mend(self, word: str) -> None:
        (self.directory / "faults" / word).unlink()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed) -> Home:
    home = Home(tmp_path, capsys)
    monkeypatch.chdir(tmp_path)
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("WSCLI_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("ASKED", str(tmp_path / "asked"))
    monkeypatch.setenv("FAULTS", str(tmp_path / "faults"))
    return home


@pytest.fixture
def launchd(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr("wscli.cli.service.local", lambda: "launchd")
    return home


def test_install_starts_it_and_uninstall_takes_it_all_back(home: Home, capsys: Printed) -> None:
    assert main(["service", "install", "-c", "app.yaml"]) == 0
    assert home.asked() == ["systemctl --user daemon-reload", "systemctl --user enable --now wscli-app.service"]
    assert f"up -c {home.file}\n" in home.unit.read_text()
    assert list(home.unit.parent.iterdir()) == [home.unit]
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(
        f"wscli-app: {home.unit} is written\n"
        "wscli-app: is up, and starts when you log in\n"
        "hint: `loginctl enable-linger`"
    )
    assert main(["service", "uninstall", "-c", "app.yaml"]) == 0
    assert home.asked()[:2] == ["systemctl --user daemon-reload", "systemctl --user disable --now wscli-app.service"]
    assert not home.unit.exists()
    assert capsys.readouterr().err == f"wscli-app: stopped\nwscli-app: {home.unit} is removed\n"
    assert "error: wscli-app is not installed: " in home.says(1, "uninstall", "-i", "app")


def test_show_prints_what_install_writes(home: Home, capsys: Printed) -> None:
    assert main(["service", "show", "-c", "app.yaml"]) == 0
    shown = capsys.readouterr().out
    assert main(["service", "install", "-c", "app.yaml", "--no-start"]) == 0
    assert home.unit.read_text() == shown
    assert home.asked() == []
    assert "hint: start it with `systemctl --user daemon-reload && systemctl" in capsys.readouterr().err
    assert main(["service", "show", "-c", "app.yaml", "--format", "launchd"]) == 0
    assert plistlib.loads(capsys.readouterr().out.encode())["Label"] == "wscli-app"


def test_an_invalid_file_is_no_service(home: Home) -> None:
    home.file.write_text(GOOD.replace("endpoint: api", "endpoint: apj"))
    assert "unknown endpoint: 'apj'" in home.says(3, "install", "-c", "app.yaml")
    assert main(["service", "install", "-c", "missing.yaml"]) == 3
    assert main(["service", "install", "-c", "-"]) == 2
    assert main(["service", "install"]) == 2
    assert home.asked() == []
    assert not home.unit.exists()


def test_variables_come_from_the_file_of_the_service(home: Home) -> None:
    home.file.write_text(NEEDS)
    assert "${URL} is not set" in home.says(3, "install", "-c", "app.yaml")
    home.environment.parent.mkdir(parents=True)
    home.environment.write_text("# mine\nURL = 'ws://127.0.0.1:1'\n")
    home.environment.chmod(0o600)
    assert "not valid" not in home.says(0, "install", "-c", "app.yaml")


def test_a_variable_that_only_the_shell_has_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.file.write_text(NEEDS)
    monkeypatch.setenv("URL", "ws://s3cret.example")
    printed = home.says(0, "install", "-c", "app.yaml")
    assert "the service will not have this shell's environment" in printed
    assert "${URL} is not set" in printed
    assert f"hint: put the variables into {home.environment}, " in printed
    assert "s3cret" not in printed + home.unit.read_text()
    (home.directory / "environment").write_text("LANG=C\nURL=ws://127.0.0.1:1\n")
    assert "environment" not in home.says(0, "install", "-c", "app.yaml"), "the user manager has it"


def test_without_a_user_manager_it_says_what_to_type(home: Home) -> None:
    home.fault("--user", "Failed to connect to bus: No medium found\n")
    assert home.says(1, "install", "-c", "app.yaml").endswith(
        "error: no user manager of systemd answers to start wscli-app: Failed to connect to bus: No medium found\n"
        "hint: in a login of your own, no su or sudo: `systemctl --user daemon-reload && systemctl --user enable --now"
        " wscli-app`; where there is no systemd, `wscli up -d` runs it\n"
    )
    wants = home.unit.parent / "default.target.wants" / home.unit.name
    wants.parent.mkdir()
    wants.symlink_to(home.unit)
    assert "wscli-app: not stopped, since it does not run\n" in home.says(0, "uninstall", "-c", "app.yaml")
    assert not home.unit.exists()
    assert not wants.is_symlink()


def test_without_systemctl_it_says_so(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(home.directory))
    assert "systemctl is not installed" in home.says(1, "install", "-c", "app.yaml")
    assert home.unit.exists()


def test_a_start_or_a_stop_that_fails_is_told(home: Home) -> None:
    home.fault("enable", "Job for wscli-app.service failed.\n")
    assert home.says(1, "install", "-c", "app.yaml").endswith(
        "error: wscli-app does not start: Job for wscli-app.service failed.\n"
        "hint: `journalctl --user -u wscli-app -n 20` says why\n"
    )
    home.fault("disable", "Access denied\n")
    assert "error: wscli-app cannot be stopped: Access denied\n" in home.says(1, "uninstall", "-i", "app")
    assert home.unit.exists()


def test_what_others_wrote_is_left_alone(home: Home, capsys: Printed) -> None:
    home.unit.parent.mkdir(parents=True)
    for make in (
        lambda: home.unit.write_text("[Service]\nExecStart=/bin/true\n"),
        lambda: home.unit.write_bytes(b"\xff\xfe"),
        lambda: home.unit.symlink_to("/dev/null"),
        lambda: home.unit.mkdir(),
    ):
        make()
        for verb in (["install", "-c", "app.yaml"], ["uninstall", "-i", "app"]):
            assert main(["service", *verb]) == 1
            assert f"error: '{home.unit}' was not written by wscli\n" in capsys.readouterr().err
        assert os.path.lexists(home.unit)
        home.unit.rmdir() if home.unit.is_dir() else home.unit.unlink()
    assert home.asked() == []


def test_installed_anew_it_is_written_once_and_runs_on(home: Home, capsys: Printed) -> None:
    assert main(["service", "install", "-c", "app.yaml"]) == 0
    home.mend("is-active")
    written = home.unit.stat().st_ino
    capsys.readouterr()
    assert main(["service", "install", "-c", "app.yaml"]) == 0
    assert home.unit.stat().st_ino == written
    assert capsys.readouterr().err == f"wscli-app: {home.unit} is up to date\nwscli-app: runs already\n"
    home.file.rename(home.directory / "other.yaml")
    (home.directory / "other.yaml").write_text("name: app\n" + GOOD)
    printed = home.says(0, "install", "-c", "other.yaml")
    assert "wscli-app: runs on as it was started\nhint: `systemctl --user daemon-reload" in printed
    assert "systemctl --user restart wscli-app` applies what changed\n" in printed
    assert main(["service", "uninstall", "-c", "app.yaml"]) == 1, "it is another file's by now"
    assert main(["service", "uninstall", "-c", "other.yaml"]) == 0


def test_a_manager_that_runs_already_is_not_doubled(
    home: Home, wscli: Wscli, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    with wscli.up(GOOD) as manager:
        monkeypatch.setenv("WSCLI_RUNTIME_DIR", str(wscli.runtime))
        assert main(["service", "install", "-c", str(manager.file)]) == 1
        printed = capsys.readouterr().err
        assert f"instance 'app' runs already as pid {manager.pid}, and not as a service" in printed
        assert "hint: stop it with `wscli down -i app`" in printed
        assert not home.unit.exists()
        assert main(["service", "install", "-i", "app", "--no-start"]) == 0
    assert home.unit.exists()


@pytest.mark.parametrize("name", ["../evil", "", "a b", "x" * 33])
def test_no_name_leads_out_of_the_directory(home: Home, name: str) -> None:
    assert main(["service", "uninstall", "-i", name]) == 2


def test_a_directory_that_cannot_be_written_is_told(home: Home) -> None:
    home.unit.parents[1].parent.mkdir()
    home.unit.parents[1].write_text("a file")
    said = home.says(1, "install", "-c", "app.yaml", "--no-start")
    assert "cannot be written: not a directory\nhint: `wscli service show` prints it\n" in said


def test_launchd_is_asked_in_its_own_words(launchd: Home) -> None:
    domain = f"gui/{os.getuid()}"
    assert main(["service", "install", "-c", "app.yaml"]) == 0
    assert launchd.asked() == [f"launchctl bootstrap {domain} {launchd.agent}"]
    agent = plistlib.loads(launchd.agent.read_bytes())
    assert stat.S_IMODE(Path(agent["StandardErrorPath"]).parent.stat().st_mode) == 0o700, "launchd makes none"
    launchd.mend("print")
    assert main(["service", "install", "-c", "app.yaml"]) == 0
    assert launchd.asked() == []
    assert main(["service", "uninstall", "-c", "app.yaml"]) == 0
    assert launchd.asked() == [f"launchctl bootout {domain}/wscli-app"]
    assert not launchd.agent.exists()
    launchd.fault("print", "")
    launchd.fault("bootstrap", "Bootstrap failed: 125: Domain does not support specified action\n")
    printed = launchd.says(1, "install", "-c", "app.yaml")
    assert "error: launchd does not start wscli-app: Bootstrap failed: 125" in printed
    assert f"`launchctl bootstrap {domain} {launchd.agent}`" in printed


def test_a_file_of_variables_is_read_as_systemd_reads_it(tmp_path: Path, capsys: Printed) -> None:
    file = tmp_path / "app.env"
    assert read_environment(file) == {}
    file.write_text("# no\n; no\n\nA=1\nB = two words \nC='x #y' \nD=\"a b\"\nE='open\nF=$A\nnonsense\nG=\n")
    file.chmod(0o644)
    expected = {"A": "1", "B": "two words", "C": "x #y", "D": "a b", "E": "'open", "F": "$A", "G": ""}
    assert read_environment(file) == expected
    assert capsys.readouterr().err == f"others can read {file}; `chmod 600 {file}`\n"
    file.write_bytes(b"\xff")
    assert main(["service", "show", "-c", str(tmp_path)]) == 3
