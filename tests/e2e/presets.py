"""What the tests of presets on servers of others share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.processes import Manager, Wscli
from tests.servers.gate import Gate
from tests.waiting import until

__all__ = ["Instance", "fetches_a_refused_token_again", "ready_only_once_answered", "running", "write_token"]

BACKOFF = "backoff: {default: {initial: 20ms, max: 200ms}}\n"


class Instance:
    """A manager on a file of which the preset says all that is not the server's address."""

    def __init__(self, wscli: Wscli, manager: Manager) -> None:
        self.wscli = wscli
        self.manager = manager

    def state(self, channel: str) -> dict[str, Any]:
        """Give the object of ``status --json``."""
        [found] = self.manager.ask("status", channels=[channel])["channels"]
        assert isinstance(found, dict)
        return found

    def until_state(self, channel: str, state: str, reason: str = "") -> None:
        """Wait until a channel is in a state for a reason with these words."""
        until(lambda: (one := self.state(channel))["state"] == state and reason in one["reason"]["text"])

    def messages(self, *channels: str, count: int) -> list[str]:
        """Give so many messages, with those that are in the history already."""
        done = self.wscli("tail", *channels, "--last", "1000", "--count", str(count), "--timeout", "30s")
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{self.manager.shown()}"
        return done.stdout.removesuffix("\n").split("\n")  # a message may hold other ends of lines

    def ask(self, channel: str, message: Any, *options: str) -> Any:
        """Give the reply to a request, parsed."""
        done = self.wscli("request", channel, json.dumps(message), "--timeout", "30s", *options)
        assert done.returncode == 0, f"{done.stderr}\n{self.manager.shown()}"
        return json.loads(done.stdout)

    def connections(self) -> tuple[int, int]:
        """Give the open connections, and the upstreams."""
        counts = self.manager.stats()["connections"]
        return counts["active"], counts["total"]


def ready_only_once_answered(wscli: Wscli, text: str, server: int, *channels: str) -> None:
    """Check that no channel is ready while the server's answers are held back behind an upgrade.

    ``PORT`` in the text becomes the port of a relay to the server.
    """
    with Gate(server) as gate:
        gate.hold()
        with running(wscli, text.replace("PORT", str(gate.port))) as it:
            for channel in channels:
                it.until_state(channel, "handshaking")
            assert wscli("wait", *channels, "--timeout", "300ms").returncode == 124
            gate.release()
            it.manager.wait_for(*channels)


def fetches_a_refused_token_again(
    wscli: Wscli, server: Any, text: str, *, source: str, channel: str, lose: Callable[[], object]
) -> None:
    """Check that a token which the server refuses from now on is fetched again, once ``lose`` ends the connection.

    The server takes the order ``tokens``.
    """
    server.order(tokens=["one"])
    try:
        with running(wscli, f"tokens: {{{source}: {{file: token.txt}}}}\n{text}", token="one") as it:
            it.manager.wait_for(channel)
            server.order(tokens=["two"])
            write_token(wscli, "two")
            lose()
            it.manager.until_stats(lambda stats: stats["channels"][channel]["connects"] > 1)
            assert it.manager.stats()["tokens"][source]["fetches"] == 2
    finally:
        server.order(tokens=[])


@contextmanager
def running(wscli: Wscli, text: str, *, token: str | None = None) -> Iterator[Instance]:
    """Run a manager; a token is what the file ``token.txt`` beside the configuration has."""
    if token is not None:
        write_token(wscli, token)
    with wscli.up(f"version: 1\nname: app\n{BACKOFF}{text}") as manager:
        yield Instance(wscli, manager)


def write_token(wscli: Wscli, token: str) -> Path:
    """Put another token where the next fetch finds it."""
    path = wscli.directory / "token.txt"
    path.write_text(token)
    return path
