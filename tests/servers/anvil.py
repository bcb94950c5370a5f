"""``anvil``, a node of an Ethereum chain of its own: JSON-RPC 2.0 with ``eth_subscribe``.

Its documents: https://www.jsonrpc.org/specification and https://geth.ethereum.org/docs/interacting-with-geth/rpc/pubsub
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tests.e2e.peers.programs import npm_package
from tests.processes import Process
from tests.servers.program import HttpProgram

__all__ = ["Anvil"]


class Anvil(HttpProgram):
    """Makes a block when it is told to; its chain begins anew at each start."""

    def command(self) -> Sequence[str]:
        program = npm_package("@foundry-rs/anvil-linux-amd64") / "bin" / "anvil"
        return [str(program), "--port", str(self.port), "--no-mining", "--accounts", "1"]

    def listening(self, process: Process) -> int:
        found = re.search(r"Listening on 127\.0\.0\.1:(\d+)", "\n".join(process.out))
        return int(found[1]) if found else 0

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"ws://127.0.0.1:{self.port}"

    def mine(self) -> None:
        """Make a block."""
        answer: dict[str, Any] = self.http("", {"jsonrpc": "2.0", "id": 1, "method": "evm_mine", "params": []})
        assert "error" not in answer, answer
