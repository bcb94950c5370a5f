"""``wscli request`` as a process, against a real manager: the reply, and what each exit code promises."""

from __future__ import annotations

import json
from subprocess import CompletedProcess

import pytest

from tests.client.scene import Scene, running
from tests.waiting import with_more_time

__all__ = ["running"]

ASK = '{"id": {ref.int}, "say": ["no json", "[1]"]}'
MINE = ".reply == $ref"


def test_the_reply_is_printed_as_a_tail_prints_it(running: Scene) -> None:
    done = running.command("request", "echo", ASK, "--match", MINE)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["reply"] >= 1
    no_json = '{"say": ["a\\tb", "gr\u00fc\u00dfe"]}'
    ask = ("request", "echo", no_json, "--match", "true", "--timeout")
    assert with_more_time(lambda seconds: running.command(*ask, f"{seconds}s").returncode == 124, 1.0)
    done = running.command("request", "echo", '{"say": ["\\"gr\u00fc\u00dfe\\""]}', "--match", "true")
    assert done.stdout == '"gr\u00fc\u00dfe"\n'


def test_with_json_it_is_the_record_that_a_tail_prints(running: Scene) -> None:
    done = running.command("request", "echo", ASK, "--match", MINE, "--json")
    assert done.returncode == 0, done.stderr
    kept = running.command("tail", "echo", "--json", "--last", "1", "--no-follow")
    assert done.stdout == kept.stdout


def test_a_message_of_stdin_is_all_of_it(running: Scene) -> None:
    done = running.command("request", "echo", "-", "--match", MINE, input=b'{"id":\n "{ref.uuid}"}\n')
    assert len(json.loads(done.stdout)["reply"]) == 36
    done = running.command("request", "echo", "-", "--match", MINE, input=b"{ref.int}\xff")
    assert (done.returncode, "byte 9 of 10 is 0xff" in done.stderr) == (7, True)


def test_a_reply_of_a_text_protocol_is_found_by_a_regex(running: Scene) -> None:
    ask = '{"say": ["PING 1", "PONG {ref.str}", "PONG 0"]}'
    done = running.command("request", "echo", ask, "--raw-match", "^PONG {ref.str}$")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("PONG ")
    assert done.stdout != "PONG 0\n"


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["echo", "x"], 2, "--match"),
        (["echo"], 2, "MESSAGE"),
        (["echo", "x", "--match", ".id =="], 2, "does not compile"),
        (["echo", "x", "--match", ".id == $ref"], 2, "{ref.int}"),
        (["echo", "x", "--raw-match", "(a"], 2, "invalid regex: '(a'"),
        (["echo", "x", "--raw-match", "{ref.int}"], 2, "has a reference, and the message has none"),
        (["echo", "x", "--raw-match", "a", "--match", "."], 2, "exclude each other"),
        (["echo", '{"say": ["1"]}', "--raw-match", "2"], 124, "no reply on 'echo' within "),
        (["echo", "{ref.int} {ref.uuid}", "--match", MINE], 2, "one only"),
        (["echo", "{ref.in}", "--match", MINE], 2, "'{ref.in}'"),
        (["ecko", "x", "--match", "."], 6, "'ecko'"),
        (["lost", "x", "--match", "."], 7, "not ready"),
        (["echo", '{"say": ["1"]}', "--match", ". == 2"], 124, "no reply on 'echo' within "),
    ],
)
def test_each_failure_has_its_code_and_a_way_out(running: Scene, args: list[str], code: int, says: str) -> None:
    def ends(seconds: float) -> CompletedProcess[str] | None:
        done = running.command("request", *args, "--timeout", f"{seconds}s")
        return done if done.returncode == code and says in done.stderr else None

    done = with_more_time(ends, 1.0)
    assert done is not None
    assert done.stdout == ""
    assert "\nhint: " in done.stderr


def test_a_channel_of_no_use_ends_it_while_it_waits(running: Scene) -> None:
    waiting = running.command.start("request", "held", '{"id": 1}', "--match", "false", "--timeout", "60s")
    running.until_readers(1, "held")
    running.manager.until_stats(lambda stats: bool(stats["channels"]["held"]["received"] == 1))
    try:
        assert running.command("stop", "held").returncode == 0
        assert waiting.wait() == 8
        assert running.command("request", "held", "x", "--match", ".").returncode == 8
    finally:
        assert running.command("start", "held").returncode == 0
