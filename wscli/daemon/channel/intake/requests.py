"""Request the messages that a channel missed in a gap."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from wscli.backfill.answers import parse_messages
from wscli.backfill.gaps import captured, facts_of
from wscli.backfill.models import BackfillModel
from wscli.config.plan import ChannelPlan
from wscli.core.backoff import delay_for
from wscli.daemon.channel.intake.dedupe import Dedupe
from wscli.daemon.channel.intake.scan import messages_before
from wscli.daemon.upstream.services import Services
from wscli.history.memory import History
from wscli.history.records import Batch
from wscli.net.http import RequestFailed
from wscli.problems import Problems
from wscli.templates import TemplateError
from wscli.tokens.errors import SourceFailed, TokenFailed
from wscli.values import format_duration

__all__ = ["BackfillRequests"]

logger = logging.getLogger("wscli.channel")

ATTEMPTS = 5
"""Attempts of one call before a gap is given up."""
LONGEST_WAIT = 600.0
"""Seconds of Retry-After that are waited for; a longer wait gives the gap up, since later gaps wait behind it."""
COMPARED = 1000
"""Messages before a gap that are compared with the missed ones and searched for captured values."""
MAX_FOUND = 64 << 20
"""Bytes of messages that fill one gap, at most."""
LARGEST_ANSWER = 16 << 20
"""Bytes of one answer, at most."""
LARGE = 256 << 10
"""Characters of an answer from which it is parsed in a thread, so that other channels go on."""
AT_ONCE = 1000
"""Messages compared in one turn of the loop."""


@dataclass(slots=True, eq=False)
class BackfillRequests:
    """The HTTP calls for one gap, as ``declared``, the backfill of the channel's plan, says.

    Failures are stated among the ``problems``; ``not_held`` leaves out those of some messages that are held behind the
    gap.
    """

    _name: str
    _plan: ChannelPlan
    _declared: BackfillModel
    _params: Mapping[str, str]
    _services: Services
    _problems: Problems
    _not_held: Callable[[list[bytes]], list[bytes]]
    found: list[bytes] = field(default_factory=list)
    """The missed messages found so far, oldest first, without those the history has."""

    async def find(self, history: History, after: int, start: float, end: float, seen: Dedupe) -> bool:
        """Find the missed messages; False where some may still be missing.

        Args:
            history: with the messages before the gap.
            after: the number of the last of them.
            start: when the gap began, and ``end`` when it ended: seconds since the epoch.
            seen: given the last messages of the history, then the missed ones.
        """
        before = await messages_before(history, after, COMPARED)
        since = await messages_before(history, history.last, COMPARED) if history.last > after else []
        for batch in (*before, *since):
            seen.fresh(batch.payloads, batch.kinds)
        gap = facts_of(after=after, last_at=before[-1].ts if before else None, start=start, end=end)
        last = self._last(before)
        if last is None:
            paths = ", ".join(path.source for path in self._declared.capture.values())
            logger.warning(
                "%s: backfill: nothing to begin from: none of the messages up to %d has %s", self._name, after, paths,
                extra={"event": "backfill"},
            )  # fmt: skip
            return False
        fresh: list[bytes] = []
        for _ in range(self._declared.calls):
            messages = await self._insist({**gap, **last}, after)
            if messages is None:
                return False
            fresh = []
            for at in range(0, len(messages), AT_ONCE):
                if at:
                    await asyncio.sleep(0)
                some = seen.fresh(messages[at : at + AT_ONCE], None)
                self.found += some
                fresh += some
            further = captured(self._declared.capture, reversed(messages)) if self._declared.capture else None
            if further is None or further == last or self._declared.order == "newest":
                self._done()
                return True
            last = further
            if sum(map(len, self.found)) > MAX_FOUND:
                break
        if not self._not_held(fresh):  # the answers overlap the live messages
            self._done()
            return True
        count = len(self.found)
        self._problems.state("backfill", f"found {count} messages missed after {after}; there may be more")
        return False

    def _done(self) -> None:
        path = self._declared.id
        if self.found and captured({"id": path}, self.found) is None:
            text = f"no message of the answer has {path.source}, the declared id"
            self._problems.state("backfill", text)
        else:
            self._problems.mended("backfill")

    def _last(self, before: list[Batch]) -> dict[str, Any] | None:
        if not self._declared.capture:
            return {}
        texts = (
            payload
            for batch in reversed(before)
            for at, payload in reversed(list(enumerate(batch.payloads)))
            if batch.kinds is None or batch.kinds[at] == ord("t")
        )
        return captured(self._declared.capture, texts)

    async def _insist(self, gap: Mapping[str, Any], after: int) -> list[bytes] | None:
        """Make one call, and retry it; None, with the problem stated, once it is given up."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = await self._call(gap)
                if len(answer) < LARGE:
                    return parse_messages(answer, self._declared)
                return await asyncio.to_thread(parse_messages, answer, self._declared)
            except (RequestFailed, SourceFailed) as error:
                text, retry_after = error.text, error.retry_after or 0.0
            except TokenFailed as error:
                text, retry_after = error.message, error.failure.retry_after or 0.0
            except TemplateError as error:
                text, retry_after = str(error), math.inf  # a retry has the same values
            if retry_after > LONGEST_WAIT or attempt == ATTEMPTS:
                if LONGEST_WAIT < retry_after < math.inf:
                    text += f", which asks to wait for {format_duration(retry_after)}"
                self._problems.state("backfill", f"{text}; messages missed after {after} were given up")
                return None
            self._problems.state("backfill", f"{text}; messages missed after {after} are requested again")
            await self._sleep(max(delay_for(self._plan.upstream.backoff, attempt, self._services.chance), retry_after))
        return None

    async def _call(self, gap: Mapping[str, Any]) -> str:
        http, broker = self._declared.http, self._services.broker
        tokens = {name: await broker.get(name) for name in sorted(http.references())}
        values = {name: token.value.reveal() for name, token in tokens.items()}
        scope = {"token": values, "param": self._params, "gap": gap}
        request = http.request(scope, encoded=("param", "gap"), max_size=LARGEST_ANSWER)
        try:
            return (await self._services.http.fetch(request)).text(request.shown)
        except RequestFailed as error:
            if error.refused:
                for name, token in tokens.items():
                    broker.invalidate(name, token.version)
            raise

    async def _sleep(self, delay: float) -> None:
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = self._services.schedule(delay, lambda: None if over.done() else over.set_result(None))
        try:
            await over
        finally:
            timer.cancel()
