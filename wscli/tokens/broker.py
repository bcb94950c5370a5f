"""The broker: fetches each token once and serves it to every user.

A token is fetched when it is used. After ``refresh`` of its life a use gets the old token and starts one background
fetch. Users of an expired or missing token wait for one common fetch, which none of them can cancel. Failures are not
cached: retries belong to the backoff.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import traceback
from collections.abc import Mapping
from pathlib import Path

from wscli.clock import Clock
from wscli.control.messages import TokenStats
from wscli.core.events import Failure, FailureKind
from wscli.net.http import HttpClient
from wscli.templates import did_you_mean
from wscli.tokens.cache import CacheEntry
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
    ) -> None:
        """``base`` is the directory that file names are relative to."""
        self._base = base
        self._clock = clock
        self._environ = environ
        self._http = http or HttpClient(base=base, clock=clock, environ=environ)
        # Unique across reloads, so that an old version never matches a new token.
        self._versions = itertools.count(1)
        self._tasks: set[asyncio.Task[Outcome]] = set()
        self._closed = False
        self._entries: dict[str, CacheEntry] = {}
        self.replace(sources)

    async def get(self, name: str) -> BrokerToken:
        """Give a valid token, fetching it if necessary.

        Raises:
            TokenFailed: the fetch failed, or the name is unknown.
        """
        while True:
            entry = self._entry(name)
            alone, now = entry.source.single_use, self._clock.boottime()
            token = None if alone else entry.valid(now)
            if token is None:
                outcome = await (self._unshared(name, entry) if alone else self._outcome(self._start(name, entry)))
                if isinstance(outcome, Failure) and self._entries.get(name) is entry:
                    raise TokenFailed(outcome)
                if not alone or not isinstance(outcome, BrokerToken):
                    # Start over: the token may have been refused, or its source replaced, while this task waited.
                    continue
                token = outcome
            elif entry.refresh_at is not None and now >= entry.refresh_at:
                self._start(name, entry)
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
        """Discard the token; the next use fetches another.

        Raises:
            TokenFailed: the name is unknown.
        """
        self._entry(name).drop()

    async def refresh(self, name: str) -> BrokerToken:
        """Fetch now, or join the fetch in progress; the old token is served until the new one arrives.

        Raises:
            TokenFailed: the fetch failed, or the name is unknown.
        """
        entry = self._entry(name)
        if not entry.source.single_use:
            outcome = await self._outcome(self._start(name, entry))
            if outcome is not None and self._entries.get(name) is entry:
                if isinstance(outcome, Failure):
                    raise TokenFailed(outcome)
                return outcome
        return await self.get(name)

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
        await self.refresh(name)

    def single_use(self, name: str) -> bool:
        """Whether each ``get`` fetches a separate token."""
        entry = self._entries.get(name)
        return entry is not None and entry.source.single_use

    def stats(self) -> dict[str, TokenStats]:
        """Give the ``tokens`` of ``stats --json``, in declared order; ``expires_in_s`` in seconds."""
        now = self._clock.boottime()
        return {name: entry.stats(now) for name, entry in self._entries.items()}

    def replace(self, sources: Mapping[str, TokenSource]) -> None:
        """Apply a reloaded file: an unchanged source keeps its token and counters."""
        old = self._entries
        self._entries = {
            name: old[name] if name in old and old[name].source == source else CacheEntry(source)
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

    def _start(self, name: str, entry: CacheEntry) -> asyncio.Task[Outcome]:
        """Give the fetch in progress, or a new one."""
        task = entry.fetching or self._spawn(name, entry)
        entry.task = task
        return task

    def _spawn(self, name: str, entry: CacheEntry) -> asyncio.Task[Outcome]:
        entry.fetches += 1
        _log.debug("token %r: fetching", name, extra={"event": "token"})
        task = asyncio.create_task(self._fetch(name, entry), name=f"token {name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _outcome(self, task: asyncio.Task[Outcome]) -> Outcome | None:
        """Wait for a fetch without cancelling it; None: it was cancelled by a reload or ``close``."""
        await asyncio.wait((task,))
        return None if task.cancelled() else task.result()

    async def _unshared(self, name: str, entry: CacheEntry) -> Outcome | None:
        task = self._spawn(name, entry)
        try:
            return await self._outcome(task)
        except asyncio.CancelledError:
            task.cancel()  # it has no other waiter
            raise

    async def _fetch(self, name: str, entry: CacheEntry) -> Outcome:
        """Fetch once; every failure is returned as a value, so that no task ends with an exception."""
        began = self._clock.boottime()
        context = FetchContext(self._base, self._environ, self._clock, self._http, self.get, entry.memory)
        try:
            fetched = await entry.source.fetch(context)
            expires_at = self._expiry(began, fetched)
        except SourceFailed as error:
            if error.refused:
                for other, used in context.used.items():
                    self.invalidate(other, used.version)
            return self._failed(entry, f"token {name!r}: {error.text}", error.retry_after)
        except TokenFailed as error:
            return self._failed(entry, f"token {name!r}: needs {error.failure.text}", error.failure.retry_after)
        # A bug of ours becomes the reason of every channel that needs the token, instead of ending the manager.
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
            _log.error("token %r: the source failed unexpectedly: %s", name, where)
            return self._failed(entry, f"token {name!r}: the source failed unexpectedly ({where})", None)
        token = BrokerToken(fetched.text, next(self._versions), expires_at)
        if entry.source.single_use:
            entry.failed = False
        else:
            entry.keep(token, fetched.made_of, began)
        _log.debug("token %r: fetched", name, extra={"event": "token"})
        return token

    def _expiry(self, began: float, fetched: SourceAnswer) -> float | None:
        """Count the life from before the request: the server may have issued the token at once."""
        if fetched.expires_in is None:
            return None
        expires_at = began + fetched.expires_in
        if expires_at <= self._clock.boottime():
            raise SourceFailed("the token expired while it was fetched")
        return expires_at

    def _failed(self, entry: CacheEntry, text: str, retry_after: float | None) -> Failure:
        entry.fail(self._clock.boottime(), retry_after)
        return Failure(FailureKind.TOKEN, text, retry_after=retry_after)
