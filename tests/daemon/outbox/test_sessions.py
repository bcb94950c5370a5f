"""Queued messages go through the session of their channel; one that it can never send holds up no other."""

from __future__ import annotations

from pathlib import Path

from tests.daemon.outbox.test_service import Scene
from tests.daemon.scripted import channel_plan, scripted
from tests.session.declared import session
from tests.waiting import eventually
from wscli.daemon.outbox import Outbox

MERGING = session("""
merge: {id: "{ref.int}"}
""")


async def test_a_message_that_the_session_cannot_send_is_rejected_and_the_next_one_sent(tmp_path: Path) -> None:
    async with scripted(channel_plan("calls", session=MERGING)) as it:
        outbox = Outbox(it.manager, tmp_path / "outbox.db")
        it.manager.observe(outbox)
        scene = Scene(outbox, it.manager.channel("calls"), it)
        await scene.queue(b"no object", b'{"n":1}')
        await eventually(lambda: scene.sent() == [b'{"n":1,"id":1}'])
        await outbox.settle()
        (rejected,) = await outbox.list([])
        assert (rejected["state"], scene.channel.outbox["rejected"]) == ("rejected", 1)
        assert "must be a JSON object" in str(rejected["reason"])
        await it.manager.tasks.close()
        await outbox.close()
