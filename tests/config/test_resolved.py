"""``config show --resolved``: a file of one channel, with everything that applies to it written out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from wscli.config.loading import load, read_resolved
from wscli.config.plan import ChannelPlan
from wscli.config.redact import redacted
from wscli.errors import UnknownChannel

FILE = """\
version: 1
name: app
endpoints:
  api:
    url: wss://h/ws
    headers: {X-A: a, X-B: b}
    keepalive: {ping: 5s}
    verdicts: {4004: retry}
    backoff: slow
    session:
      hello: [{send: {type: login, token: "{token.t}"}, expect: {type: welcome}}]
      subscribe: [{send: {topic: "{with.topic}"}}]
  chat: {preset: discord, share: {channels: 5}, verdicts: {4010-4019: retry}, connect: {rate: 5/s}}
  unused: {url: wss://other/}
tokens:
  t: {http: {post: https://h/token, json: {other: "{token.u}"}}}
  u: {env: U}
  unused: {env: U}
  discord: {env: U}
verdicts: {503: {retry: 60s}}
backoff: {default: {max: 20s}, slow: {initial: 2s}}
channels:
  news: {endpoint: api, path: /news, with: {topic: news}, headers: {x-b: c}, keepalive: {timeout: 3s}, linger: 9s}
  rooms/{id}: {endpoint: api, with: {topic: "{param.id}"}, keepalive: none, history: {keep: 5}, backoff: {jitter: none}}
  chat: {endpoint: chat, with: {intents: 513}}
  plain: {endpoint: api, with: {topic: x}, critical: false, dedupe: .id, silence: 1m, max_message: 5MiB}
"""


def resolved(tmp_path: Path, channel: str, text: str = FILE) -> str:
    file = tmp_path / "app.yaml"
    file.write_text(text)
    return redacted(read_resolved(file, {}, channel))


def plan_of(tmp_path: Path, text: str, channel: str) -> ChannelPlan:
    file = tmp_path / "app.yaml"
    file.write_text(text)
    plan = load(file, {}).channels[channel]
    return replace(plan, upstream=replace(plan.upstream, dial=replace(plan.upstream.dial, shown_url="")))


@pytest.mark.parametrize("channel", ["news", "rooms/{id}", "chat", "plain"])
def test_it_loads_and_is_the_same_channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channel: str) -> None:
    monkeypatch.setattr("wscli.config.redact._SECRET", set())  # or headers would be other ones
    monkeypatch.setattr("wscli.config.redact._BODIES", set())
    text = resolved(tmp_path, channel)
    same = plan_of(tmp_path, text, channel)
    before = plan_of(tmp_path, FILE, channel)
    levels = [len(one.upstream.verdicts) for one in (before, same)]
    assert replace(same.upstream, verdicts=()) == replace(before.upstream, verdicts=())
    assert replace(same, upstream=before.upstream) == before
    assert levels == ([3, 2] if channel == "chat" else [2, 2])


def test_presets_defaults_and_merged_keys_are_written_out(tmp_path: Path) -> None:
    chat = resolved(tmp_path, "chat")
    for line in ("x-preset: discord", "url: \"{var.resume_url?wss://gateway.discord.gg}\"", "compression: deflate",
                 "4004: stop", "4010-4019: retry", "rate: 5/s", "timeout: 10s", "linger: 5s", "intents: 513",
                 "max_message: 16MiB", "rotate: none", "max: 20s", "store: memory", "retry: 60s"):  # fmt: skip
        assert line in chat, line
    assert "4010-4014" not in chat  # the endpoint's own decides
    news = resolved(tmp_path, "news")
    for line in ('x-b: "***"', 'X-A: "***"', "ping: 5s", "timeout: 3s", "initial: 2s", "max: 20s", "linger: 9s"):
        assert line in news, line
    assert "X-B" not in news


def test_only_what_the_channel_uses_is_there(tmp_path: Path) -> None:
    news = resolved(tmp_path, "news")
    assert "unused" not in news
    assert "chat" not in news
    assert "  t:\n" in news
    assert "  u:\n" in news
    assert "  discord:\n" not in news


def test_a_channel_of_a_template_stands_for_it(tmp_path: Path) -> None:
    assert resolved(tmp_path, "rooms/42") == resolved(tmp_path, "rooms/{id}")


def test_secrets_are_not_in_it(tmp_path: Path) -> None:
    text = FILE.replace("X-A: a", "X-A: s3cret").replace("intents: 513", 'intents: "${KEY:-s3cret}"')
    text = text.replace("post: https://h/token,", "post: https://me:s3cret@h/token?key=s3cret, headers: {A: s3cret},")
    for channel in ("news", "chat"):
        assert "s3cret" not in resolved(tmp_path, channel, text)


def test_an_unknown_channel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownChannel, match="no channel 'nws' in the file") as raised:
        resolved(tmp_path, "nws")
    assert raised.value.hint == "did you mean 'news'?"
