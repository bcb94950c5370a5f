"""Units and agents: what systemd and launchd read in them is what was meant, whatever the paths hold."""

from __future__ import annotations

import os
import plistlib
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.e2e.peers.programs import absent
from tests.examples import SOME
from wscli.cli.service.units import Service, file_in, is_ours, launchd_agent, systemd_unit
from wscli.errors import WscliError

NASTY = ["plain", "a space", "100%h", "$HOME", "${X}", "it's", 'say "so"', "back\\slash", "\u00e9\u00a0", ";", "x=y#z"]


def service(directory: Path, name: str = "app", python: str = sys.executable) -> Service:
    return Service(name, directory / "app.yaml", python, directory / "app.env", directory / "app.log")


def test_the_level_of_the_log_is_in_the_command_where_it_is_not_the_default(tmp_path: Path) -> None:
    loud = service(tmp_path)._replace(log_level="debug")
    assert loud.up()[-2:] == ["--log-level", "debug"]
    assert f"up -c {loud.file} --log-level debug" in systemd_unit(loud)
    assert "--log-level" in plistlib.loads(launchd_agent(loud).encode())["ProgramArguments"]
    assert "--log-level" not in service(tmp_path).up()


def verified(runtime: Path, *files: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Have systemd read units."""
    analyze = shutil.which("systemd-analyze") or absent("systemd-analyze is not installed")
    env = {**os.environ, "XDG_RUNTIME_DIR": str(runtime), **environ}
    command = [analyze, "verify", "--user", "--man=no", *files]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_systemd_accepts_the_unit_and_reads_the_paths_that_were_meant(tmp_path: Path) -> None:
    meant, environments, files = {}, {}, []
    for number, word in enumerate(NASTY):
        directory = tmp_path / word
        directory.mkdir()
        python = directory / "python"
        python.symlink_to(sys.executable)
        one = service(directory, f"app{number}", str(python))
        files.append(tmp_path / f"{one.title}.service")
        files[-1].write_text(systemd_unit(one))
        environments[one.title] = one.environment
        meant[one.title] = [one.wscli("up", "-c", str(one.file)), one.wscli("reload", "-i", one.name)]
    done = verified(tmp_path, *files, SYSTEMD_LOG_LEVEL="debug", SYSTEMD_COLORS="0")
    assert done.returncode == 0, done.stderr
    assert not re.findall(rf"^.*({re.escape(str(tmp_path))}.*\.service:\d+: .*)$", done.stderr, re.MULTILINE)
    read = {}
    for part in done.stdout.split("-> Unit ")[1:]:
        title = part.partition(".service:")[0]
        lines = re.findall(r"Command Line: (.*)", part)
        read[title] = [shlex.split(re.sub(r"\\([$`])", r"\1", line)) for line in lines]
        assert re.findall(r"EnvironmentFile: -(.*)", part) == [str(environments[title])]
        for words in read[title]:
            assert (words[0] == "/usr/bin/env") == bool(set(words[1]) & set("'\"\\"))
            del words[: words[0] == "/usr/bin/env"]
    assert {title: read[title] for title in meant} == meant


def test_systemd_says_nothing_against_the_unit(tmp_path: Path) -> None:
    file = tmp_path / "wscli-app.service"
    file.write_text(systemd_unit(service(tmp_path)))
    done = verified(tmp_path, file)
    said = [line for line in (done.stdout + done.stderr).splitlines() if "wscli-app" in line]  # not of other units
    assert (done.returncode, said) == (0, [])


@pytest.mark.parametrize("word", NASTY)
def test_launchd_starts_the_manager_with_the_variables_of_the_file(tmp_path: Path, word: str) -> None:
    directory = tmp_path / word
    directory.mkdir()
    program = directory / "python"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$TOKEN" "$@"\n')
    program.chmod(0o700)
    one = service(directory, python=str(program))
    agent = plistlib.loads(launchd_agent(one).encode())
    assert agent["Label"] == "wscli-app"
    assert agent["KeepAlive"] == {"SuccessfulExit": False}
    assert agent["StandardErrorPath"] == str(one.log)
    words = [*one.wscli("up", "-c", str(one.file), "--log-file", str(one.log))[1:], ""]

    def started() -> list[str]:
        return subprocess.check_output(agent["ProgramArguments"], env={}, text=True).split("\n")

    assert started() == ["", *words], "the file of variables need not exist"
    one.environment.write_text("TOKEN='a $b'\n")
    assert started() == ["a $b", *words]


@settings(max_examples=SOME)
@given(st.text(st.characters(exclude_characters="\0/", codec="utf-8"), min_size=1, max_size=40))
def test_any_path_is_written_in_one_line_and_found_again_or_refused(word: str) -> None:
    one = service(Path("/srv", word))
    for write in (systemd_unit, launchd_agent):
        if re.search("[\0-\x1f\x7f-\x9f]", word):
            with pytest.raises(WscliError, match="cannot be written in a unit file"):
                write(one)
            continue
        text = write(one)
        assert is_ours(text)
        assert file_in(text) == str(one.file)
        if write is systemd_unit:
            assert len(text.split("\n")) == len(systemd_unit(service(Path("/srv"))).split("\n"))


def test_a_path_that_is_no_utf_8_is_refused() -> None:
    with pytest.raises(WscliError, match="cannot be written"):
        systemd_unit(service(Path(os.fsdecode(b"/srv/\xff"))))


def test_no_variable_of_the_environment_is_written_in_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "s3cret")
    for text in (systemd_unit(service(tmp_path)), launchd_agent(service(tmp_path))):
        assert "s3cret" not in text
        assert "Environment=" not in text
        assert "EnvironmentVariables" not in text
    assert f"EnvironmentFile=-{tmp_path}/app.env" in systemd_unit(service(tmp_path))


def test_what_others_wrote_is_not_ours() -> None:
    assert not is_ours("[Unit]\nDescription=mine\n")
    assert not is_ours("")
