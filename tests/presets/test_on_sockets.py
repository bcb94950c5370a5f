"""Every preset over real sockets, by a whole manager: ready, a message, the connection cut, and the same again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.live import all_in, gaps, live
from tests.presets.cases import CASES, Case
from tests.presets.files import preset_file
from tests.presets.servers.graphql_transport_ws import GraphqlServer
from tests.presets.sockets import served
from tests.waiting import eventually
from wscli.core.states import ChannelState


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.preset)
async def test_a_channel_is_ready_gets_a_message_and_comes_back(case: Case, tmp_path: Path) -> None:
    server = case.server()
    async with served(server) as address:
        server.base = f"127.0.0.1:{address.port}"
        async with live(tmp_path, address.file(case)) as manager:
            (channel,) = manager.channels()
            await all_in(manager, ChannelState.READY)
            before = channel.counters.received
            case.publish(server)
            await eventually(lambda: channel.counters.received > before)
            for socket in address.links:
                socket._req.transport.abort()
            await eventually(lambda: channel.counters.connects == 2)
            await all_in(manager, ChannelState.READY)
            before = channel.counters.received
            case.publish(server)
            await eventually(lambda: channel.counters.received > before)


async def test_the_reason_of_a_refusal_quotes_the_server_without_secrets(tmp_path: Path) -> None:
    server = GraphqlServer(needs_token=True)
    values = {"query": "subscription { unknown }"}
    async with served(server) as address:
        url = f"ws://127.0.0.1:{address.port}/"
        text = preset_file("graphql-transport-ws", {"main": values}, url=url, tokens=("graphql",))
        async with live(tmp_path, text) as manager:
            await all_in(manager, ChannelState.FAILED)
            (channel,) = manager.channels()
            assert '"no such field, bearer ***"' in channel.snapshot.reason.text


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.preset in ("slack", "twitch")], ids=lambda case: case.preset
)
async def test_a_server_that_will_go_is_left_for_the_next_without_a_gap(case: Case, tmp_path: Path) -> None:
    server = case.server()
    async with served(server) as address, live(tmp_path, address.file(case)) as manager:
        await all_in(manager, ChannelState.READY)
        (channel,) = manager.channels()
        case.publish(server)
        await eventually(lambda: channel.counters.received == 1)
        server.ask_to_go(*(["refresh_requested"] if case.preset == "slack" else []))
        await eventually(lambda: len(server.dialled) == 2 and len(address.links) == 1)
        case.publish(server)
        await eventually(lambda: channel.counters.received == 2)
        assert channel.state is ChannelState.READY
        assert gaps(channel) == []
        if case.preset == "twitch":
            assert server.made == 1
