"""The broker: fetches each token once and serves it to every user.

A token is fetched when it is used. After ``refresh`` of its life a use gets the old token and starts one background
fetch. Users of an expired or missing token wait for one common fetch, which none of them can cancel.

A source that failed is not asked again before the backoff's wait is over, or the endpoint's ``Retry-After``: until then
every user gets the failure at once, with the time that is left. A file, a variable and a text are looked at each time.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import random
import traceback
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from wscli.clock import Clock
from wscli.control.messages import TokenStats
from wscli.core.backoff import BackoffPolicy, delay_for
from wscli.core.failures import Failure, FailureKind
from wscli.net.http import HttpClient
from wscli.templates import did_you_mean
from wscli.tokens.cache import CacheEntry, make_entry
from wscli.tokens.errors import SourceFailed, TokenFailed
from wscli.tokens.fetcher import BrokerToken, FetchContext, SourceAnswer
from wscli.tokens.models import TokenSource

__all__ = ["Broker"]

_log = logging.getLogger(__name__)

Outcome = BrokerToken | Failure


class Broker:
    """Caches and refreshes the tokens of all sources."""

    def __init__(
        self,
        sources: Mapping[str, TokenSource],
        *,
        base: Path,
        clock: Clock,
        environ: Mapping[str, str] = os.environ,
        http: HttpClient | None = None,
        backoff: BackoffPolicy,
        chance: random.Random,
        state: Path | None = None,
    ) -> None:
        """``base`` is the directory of relative files, ``state`` that of what outlives the manager; None: unknown."""
        self._base = base
        self._state = state
        self._clock = clock
        self._environ = environ
        self._chance = chance
        self._http = http or HttpClient(base=base, clock=clock, environ=environ)
        # Unique across reloads, so that an old version never matches a new token.
        self._versions = itertools.count(1)
        self._tasks: set[asyncio.Task[Outcome]] = set()
        self._closed = False
        self._entries: dict[str, CacheEntry] = {}
        self.replace(sources, backoff)

    async def get(self, name: str, *, by_hand: bool = False) -> BrokerToken:
        """Give a valid token, fetching it if necessary; ``by_hand`` asks a source even during its backoff.

        Raises:
            TokenFailed: the fetch failed, or failed not long ago, or the name is unknown.
        """
        while True:
            entry = self._entry(name)
            now = self._clock.boottime()
            token = None if entry.source.single_use else entry.valid(now)
            if token is not None:
                if entry.refresh_at is not None and now >= entry.refresh_at and not entry.wait(now):
                    self._start(name, entry)
                break
            self._refuse(name, entry, by_hand=by_hand)
            if not entry.source.single_use:
                outcome = await self._outcome(self._start(name, entry, by_hand=by_hand))
            elif entry.fetching is None or entry.proven:
                outcome = await self._unshared(name, entry, by_hand=by_hand)
                if isinstance(outcome, BrokerToken):
                    token = outcome
                    break
            else:  # one user tries out a source that may fail, and the others wait for that
                await self._outcome(entry.fetching)
                continue
            if isinstance(outcome, Failure) and self._entries.get(name) is entry:
                raise entry.error(name, outcome, self._clock.boottime())
            # start over: the token may have been refused, or its source replaced, while this task waited
        entry.served += 1
        return token

    def peek(self, name: str) -> BrokerToken | None:
        """Give the token if it is valid, without fetching or counting."""
        entry = self._entries.get(name)
        return None if entry is None else entry.valid(self._clock.boottime())

    def invalidate(self, name: str, version: int) -> bool:
        """Discard a refused token, unless a newer version is stored; say whether it was discarded.

        Twenty channels that were refused with one version thus cause one fetch. The tokens that it contains
        (``value: "{token.other}"``) are discarded as well.
        """
        entry = self._entries.get(name)
        if entry is None or entry.token is None or entry.token.version != version:
            return False
        made_of = entry.made_of
        entry.drop()
        for other, its_version in made_of.items():
            self.invalidate(other, its_version)
        return True

    def forget(self, name: str) -> None:
        """Discard the token, a remembered refresh token, and a wait of its source; the next use fetches another.

        Raises:
            TokenFailed: the name is unknown.
        """
        self._entry(name).forget()

    async def refresh(self, name: str, *, by_hand: bool = True) -> BrokerToken:
        """Fetch now, or join the fetch in progress; the old token is served until the new one arrives.

        Raises:
            TokenFailed: the fetch failed, its source must not be asked now, or the name is unknown.
        """
        entry = self._entry(name)
        if not entry.source.single_use:
            self._refuse(name, entry, by_hand=by_hand)
            outcome = await self._outcome(self._start(name, entry, by_hand=by_hand))
            if outcome is not None and self._entries.get(name) is entry:
                if isinstance(outcome, Failure):
                    raise entry.error(name, outcome, self._clock.boottime())
                return outcome
        return await self.get(name, by_hand=by_hand)

    async def renew(self, name: str, until: float) -> None:
        """Refresh the token if it expires before ``until``, and first the tokens that it contains.

        Raises:
            TokenFailed: the fetch failed, or the name is unknown.
        """
        entry = self._entry(name)
        token = entry.valid(self._clock.boottime())
        if token is None or token.expires_at is None or token.expires_at > until:
            return
        for other in tuple(entry.made_of):
            await self.renew(other, until)
        await self.refresh(name, by_hand=False)

    def single_use(self, name: str) -> bool:
        """Whether each ``get`` fetches a separate token."""
        entry = self._entries.get(name)
        return entry is not None and entry.source.single_use

    def stats(self) -> dict[str, TokenStats]:
        """Give the ``tokens`` of ``stats --json``, in declared order; ``expires_in_s`` in seconds."""
        now = self._clock.boottime()
        return {name: entry.stats(now) for name, entry in self._entries.items()}

    def network_changed(self) -> None:
        """End the waits that no source asked for: the network may have been the cause."""
        for entry in self._entries.values():
            entry.retry_at = entry.asked_until

    def replace(self, sources: Mapping[str, TokenSource], backoff: BackoffPolicy) -> None:
        """Apply a reloaded file: an unchanged source keeps its token, its counters and its wait."""
        self._backoff = backoff
        old = self._entries
        self._entries = {
            name: old[name] if name in old and old[name].source == source else make_entry(name, source, self._state)
            for name, source in sources.items()
        }
        for name, entry in old.items():
            if self._entries.get(name) is not entry and entry.fetching is not None:
                entry.fetching.cancel()

    async def close(self) -> None:
        """Cancel all fetches and close the HTTP session; current and later requests fail with TokenFailed."""
        self._closed = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._http.close()

    def _entry(self, name: str) -> CacheEntry:
        if self._closed:
            raise TokenFailed(Failure(FailureKind.TOKEN, f"token {name!r}: the manager is stopping"))
        if name not in self._entries:
            known = ", ".join(self._entries) or "none"
            hint = did_you_mean(name, self._entries).removeprefix("; ") or f"declared: {known}"
            raise TokenFailed(Failure(FailureKind.TOKEN, f"unknown token: {name!r}"), hint)
        return self._entries[name]

    def _refuse(self, name: str, entry: CacheEntry, *, by_hand: bool) -> None:
        """Raise the failure of a source that must not be asked yet."""
        now = self._clock.boottime()
        if entry.failure is not None and entry.wait(now, by_hand=by_hand):
            raise entry.error(name, entry.failure, now)

    def _start(self, name: str, entry: CacheEntry, *, by_hand: bool = False) -> asyncio.Task[Outcome]:
        """Give the fetch in progress, or a new one."""
        return entry.fetching or self._spawn(name, entry, by_hand=by_hand)

    def _spawn(self, name: str, entry: CacheEntry, *, by_hand: bool) -> asyncio.Task[Outcome]:
        entry.fetches += 1
        _log.debug("token %r: fetching", name, extra={"event": "token"})
        entry.task = task = asyncio.create_task(self._fetch(name, entry, by_hand=by_hand), name=f"token {name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(partial(_trace, name))
        return task

    async def _outcome(self, task: asyncio.Task[Outcome]) -> Outcome | None:
        """Wait for a fetch without cancelling it; None: it was cancelled by a reload or ``close``."""
        await asyncio.wait((task,))
        return None if task.cancelled() else task.result()

    async def _unshared(self, name: str, entry: CacheEntry, *, by_hand: bool) -> Outcome | None:
        task = self._spawn(name, entry, by_hand=by_hand)
        try:
            return await self._outcome(task)
        except asyncio.CancelledError:
            task.cancel()  # it has no other waiter
            raise

    async def _fetch(self, name: str, entry: CacheEntry, *, by_hand: bool) -> Outcome:
        """Fetch once; every failure is returned as a value, so that no task ends with an exception."""
        began = self._clock.boottime()
        ask = partial(self.get, by_hand=by_hand)
        context = FetchContext(self._base, self._environ, self._clock, self._http, ask, entry.memory)
        try:
            fetched = await entry.source.fetch(context)
            expires_at = self._expiry(began, fetched)
        except SourceFailed as error:
            if error.refused:
                for other, used in context.used.items():
                    self.invalidate(other, used.version)
            if not entry.source.local:
                self._back_off(entry, began, error.retry_after)
            return self._failed(name, entry, error.text, refused=error.refused)
        except TokenFailed as error:  # the other source is the one to be spared
            entry.retry_at = self._clock.boottime() + (error.failure.retry_after or 0.0)
            return self._failed(name, entry, f"needs {error.failure.text}", refused=error.failure.refused)
        # A bug of ours becomes the reason of every channel that needs the token, instead of ending the manager.
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
            self._back_off(entry, began, None)
            return self._failed(name, entry, f"the source failed unexpectedly ({where})")
        if entry.failure is not None:
            _log.info("token %r is fetched again", name, extra={"event": "token-fetched"})
        entry.succeed()
        token = BrokerToken(fetched.text, next(self._versions), expires_at)
        if not entry.source.single_use:
            entry.keep(token, fetched.made_of, began)
        return token

    def _expiry(self, began: float, fetched: SourceAnswer) -> float | None:
        """Count the life from before the request: the server may have issued the token at once."""
        if fetched.expires_in is None:
            return None
        expires_at = began + fetched.expires_in
        if expires_at <= self._clock.boottime():
            raise SourceFailed("the token expired while it was fetched")
        return expires_at

    def _back_off(self, entry: CacheEntry, began: float, retry_after: float | None) -> None:
        delay = delay_for(self._backoff, entry.attempts + 1, self._chance)
        entry.back_off(self._clock.boottime(), began, delay, retry_after)

    def _failed(self, name: str, entry: CacheEntry, text: str, *, refused: bool = False) -> Failure:
        failure = Failure(FailureKind.TOKEN, f"token {name!r}: {text}", refused=refused)
        if entry.failure != failure:
            _log.warning("%s", failure.text, extra={"event": "token-failed"})
        entry.fail(failure, self._clock.boottime())
        return failure


def _trace(name: str, fetch: asyncio.Task[Outcome]) -> None:
    """Log how a fetch ended, without the token."""
    outcome = None if fetch.cancelled() else fetch.result()
    text = f"token {name!r}: fetched" if isinstance(outcome, BrokerToken) else outcome and outcome.text
    _log.debug("%s", text or f"token {name!r}: the fetch was cancelled", extra={"event": "token"})
