"""Messages of channels: held until the channel is subscribed, given out in batches, acknowledged once committed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wscli.session.actions import Deliver, Keep, RecordGap
from wscli.session.engine.core import Core
from wscli.session.engine.outgoing import OutgoingMessage
from wscli.session.engine.parts import ChannelPart, HeldGap, HeldMessage, Part, Phase
from wscli.session.plan import Rule

__all__ = ["Delivery", "MOST_BYTES", "MOST_HELD", "Outcome", "TOO_MUCH_HELD"]

MOST_BYTES, MOST_HELD = 1 << 20, 1 << 16
"""Of the messages that are held for a channel, or until ``hello`` is over: bytes, and how many."""
_READY, _LEAVING = Phase.READY, Phase.LEAVING  # a member of an enum takes a look-up of 0.1 us
_MOST_ACKS = 100_000
"""Acknowledgements that wait; of more the oldest is never sent."""
TOO_MUCH_HELD = "over 1MiB of messages, or over 65536, arrived before the channel was subscribed"


class Outcome:
    """What the rules say of one message."""

    __slots__ = ("acks", "dropped", "dropped_for", "gaps", "judge")

    def __init__(self) -> None:
        self.dropped = False
        self.dropped_for: list[Part] = []
        """The channels for which it is dropped."""
        self.acks: list[OutgoingMessage] = []
        """To be sent once the message is committed."""
        self.gaps: list[Part] = []
        """Where a gap is recorded before it."""
        self.judge: Rule | None = None
        """The rule whose ``then`` counts."""


class Delivery:
    """Gives channels their messages."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._touched: list[ChannelPart] = []
        self._acks: dict[int, tuple[list[int], list[OutgoingMessage]]] = {}

    # messages

    def give(self, part: ChannelPart, payload: bytes, binary: bool, key: str | None, ack: int | None) -> None:
        """Give a channel a message; called for every message."""
        if part.phase is not _READY:
            if part.phase is not _LEAVING:
                self._hold(part, HeldMessage(payload, binary, key, ack))
            return
        batch = part.batch
        if batch is None:
            batch = part.batch = Deliver(part.of, [payload], None)
            self._touched.append(part)
        else:
            batch.payloads.append(payload)
        if binary or ack is not None or not part.plain:
            part.note(batch, binary=binary, key=key, ack=ack)

    def give_parts(
        self, part: ChannelPart, units: Sequence[tuple[bytes, bool]], key: str | None, ack: int | None
    ) -> None:
        """Give a channel what one message of the server became."""
        last = len(units) - 1
        for at, (payload, binary) in enumerate(units):
            mine = key if at == 0 or key is None else f"{key}#{at}"
            self.give(part, payload, binary, mine, ack if at == last else None)

    def give_all(self, part: ChannelPart, payloads: Sequence[bytes], kinds: bytes | None) -> None:
        """Give a channel a whole batch as it is."""
        if part.phase is _READY and kinds is None and part.plain:
            if part.batch is None:
                part.batch = Deliver(part.of, [*payloads], None)
                self._touched.append(part)
            else:
                part.batch.payloads += payloads
        else:
            for at, payload in enumerate(payloads):
                self.give(part, payload, kinds is not None and kinds[at] == _BINARY, None, None)

    def gap(self, part: ChannelPart, reason: str, missed: int | None) -> None:
        """Record a gap after the messages so far."""
        if part.phase is _READY:
            if (batch := part.take_batch()) is not None:
                self._core.actions.append(batch)
            self._core.actions.append(RecordGap(part.of, reason, missed))
        elif part.phase is not _LEAVING:
            part.held.append(HeldGap(reason, missed))

    def admit(self, part: ChannelPart) -> None:
        """Give a channel that is subscribed now what was held for it."""
        held, part.held, part.held_bytes = part.held, [], 0
        self._core.now.undelivered.discard(part.of.name)
        for one in held:
            if isinstance(one, HeldGap):
                self.gap(part, one.reason, one.missed)
            else:
                self.give(part, *one)

    def _hold(self, part: ChannelPart, message: HeldMessage) -> None:
        part.held_bytes += len(message.payload)
        if part.held_bytes > MOST_BYTES or len(part.held) >= MOST_HELD:
            part.held.clear()
            self._core.fail(part, "subscribe", TOO_MUCH_HELD)
            return
        part.held.append(message)
        self._core.now.undelivered.add(part.of.name)

    # acknowledgements

    def acknowledge(self, messages: list[OutgoingMessage]) -> int:
        """Begin to count who commits a message; ``logged`` ends what this begins."""
        number = next(self._core.numbers)
        self._acks[number] = ([1], messages)
        if len(self._acks) > _MOST_ACKS:  # of channels that left, or whose history could not commit
            del self._acks[next(iter(self._acks))]
        return number

    def await_commit(self, number: int) -> None:
        """Count one channel more that commits it."""
        if number in self._acks:
            self._acks[number][0][0] += 1

    def logged(self, number: int) -> None:
        """Count a commit, and acknowledge after the last."""
        if number not in self._acks:
            return
        left, messages = self._acks[number]
        left[0] -= 1
        if not left[0]:
            del self._acks[number]
            for message in messages:
                self._core.send(message)

    # batches

    def finish(self) -> None:
        """Hand out the batches, and what is to be kept."""
        core = self._core
        for part in self._touched:
            part.heard = core.heard
            if (batch := part.take_batch()) is not None:
                if core.changes:
                    batch.kept = self._kept_with(part)
                core.actions.append(batch)
        self._touched.clear()
        if core.changes:
            core.changes[:] = [part for part in core.changes if not self._keep(part)]

    def _kept_with(self, part: ChannelPart) -> Mapping[str, Any] | None:
        """Give the kept values for the commit of a channel's batch; None: they did not change."""
        core = self._core
        with_upstream = not core.shared and core.owns_memory
        if not part.kept_changed and not (with_upstream and core.upstream.kept_changed):
            return None
        part.kept_changed = False
        kept = {"sub": dict(part.kept)}
        if with_upstream:
            core.upstream.kept_changed = False
            kept["var"] = dict(core.upstream.kept)
        return kept

    def _keep(self, part: Part) -> bool:
        """Keep what no message is committed with; say whether that is done."""
        core = self._core
        if not part.kept_changed:
            return True
        whose, space = (part, "sub") if isinstance(part, ChannelPart) else (None, "var")
        if whose is None and core.owns_memory:  # the upstream's are written with its channel's history
            whose = next(iter(core.channels.values()), None)
        if whose is None or core.held_bytes or whose.held:
            return False
        part.kept_changed = False
        core.actions.append(Keep(whose.of, {space: dict(part.kept)}))
        return True


_BINARY = ord("b")
