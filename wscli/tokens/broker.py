"""The broker: one token for everybody, fetched once however many ask.

Nothing runs without a user: a token is fetched when somebody asks for it. Past ``refresh`` of its life an asker gets
the old one, and one fetch runs in the background; only an expired or missing token makes askers wait, all of them for
the same fetch, which none of them can cancel. Failures are not cached: when to try again is the backoff's to say.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wscli.clock import Clock
from wscli.core.events import Failure, FailureKind
from wscli.net.http import HttpClient
from wscli.templates import did_you_mean
from wscli.tokens.entry import Entry
from wscli.tokens.failed import SourceFailed, TokenFailed
from wscli.tokens.fetch import FetchContext, Fetched, Token
from wscli.tokens.models import TokenSource, find_cycle

__all__ = ["Broker", "Token", "TokenFailed"]

_log = logging.getLogger(__name__)

Outcome = Token | Failure


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
        # Unique over all tokens, so that a version from before a reload names nothing after it.
        self._versions = itertools.count(1)
        self._tasks: set[asyncio.Task[Outcome]] = set()
        self._closed = False
        self._entries: dict[str, Entry] = {}
        self.replace(sources)

    async def get(self, name: str) -> Token:
        """Give a token that is valid now, fetching it if need be.

        Raises:
            TokenFailed: it could not be had, or no source has that name.

        """
        while True:
            entry = self._entry(name)
            alone, now = entry.source.single_use, self._clock.boottime()
            token = None if alone else entry.valid(now)
            if token is None:
                outcome = await (self._unshared(name, entry) if alone else self._outcome(self._start(name, entry)))
                if isinstance(outcome, Failure) and self._entries.get(name) is entry:
                    raise TokenFailed(outcome)
                if not alone or not isinstance(outcome, Token):
                    # From the top: it may have been refused, or its source replaced, before this waiter's turn came.
                    continue
                token = outcome
            elif entry.due(now):
                self._start(name, entry)
            entry.served += 1
            return token

    def peek(self, name: str) -> Token | None:
        """Give the token if it is valid now, without fetching or counting."""
        entry = self._entries.get(name)
        return None if entry is None else entry.valid(self._clock.boottime())

    def invalidate(self, name: str, version: int) -> bool:
        """Drop a token that was refused, if it is still the one that is held.

        Twenty channels that were refused with one version thus cost one fetch. What a token was put together from
        (``value: "{token.other}"``) is dropped with it.
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
        """Drop the token, whatever its version; the next use fetches another.

        Raises:
            TokenFailed: no source has that name.

        """
        self._entry(name).drop()

    async def refresh(self, name: str) -> Token:
        """Fetch now, or join the fetch under way; a valid token is served until the new one is there.

        Raises:
            TokenFailed: it could not be had, or no source has that name.

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
        """See that the next ``get`` gives a token that outlasts ``until``, where one that does can be had.

        What it is put together from is renewed first. The old one is served until the new one is there.

        Raises:
            TokenFailed: it could not be had, or no source has that name.

        """
        entry = self._entry(name)
        token = entry.valid(self._clock.boottime())
        if token is None or token.expires_at is None or token.expires_at > until:
            return
        for other in tuple(entry.made_of):
            await self.renew(other, until)
        await self.refresh(name)

    def single_use(self, name: str) -> bool:
        """Whether each ``get`` fetches a token of its own."""
        entry = self._entries.get(name)
        return entry is not None and entry.source.single_use

    def stats(self) -> dict[str, dict[str, Any]]:
        """The ``tokens`` of ``stats --json``, in declared order; ``expires_in_s`` in seconds."""
        now = self._clock.boottime()
        return {name: entry.stats(now) for name, entry in self._entries.items()}

    def replace(self, sources: Mapping[str, TokenSource]) -> None:
        """Take over a reloaded file: an unchanged source keeps its token and counters; others start anew."""
        cycle = find_cycle(sources)
        if cycle is not None:
            raise ValueError(f"tokens need one another in a circle: {' -> '.join(cycle)}")
        old = self._entries
        self._entries = {
            name: old[name] if name in old and old[name].source == source else Entry(source)
            for name, source in sources.items()
        }
        for name, entry in old.items():
            if self._entries.get(name) is not entry and entry.fetching is not None:
                entry.fetching.cancel()

    async def close(self) -> None:
        """End all fetches and close the HTTP session; whoever waits, or asks from now on, gets TokenFailed."""
        self._closed = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._http.close()

    def _entry(self, name: str) -> Entry:
        if self._closed:
            raise TokenFailed(Failure(FailureKind.TOKEN, f"token {name!r}: the manager is stopping"))
        if name not in self._entries:
            known = ", ".join(self._entries) or "none"
            hint = did_you_mean(name, self._entries).removeprefix("; ") or f"declared: {known}"
            raise TokenFailed(Failure(FailureKind.TOKEN, f"no token is called {name!r}"), hint)
        return self._entries[name]

    def _start(self, name: str, entry: Entry) -> asyncio.Task[Outcome]:
        """The one fetch under way, or a new one."""
        task = entry.fetching or self._spawn(name, entry)
        entry.task = task
        return task

    def _spawn(self, name: str, entry: Entry) -> asyncio.Task[Outcome]:
        entry.fetches += 1
        task = asyncio.create_task(self._fetch(name, entry), name=f"token {name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _outcome(self, task: asyncio.Task[Outcome]) -> Outcome | None:
        """Wait for a fetch; the caller's own cancellation does not reach it. None: a reload or the end cancelled it."""
        await asyncio.wait((task,))
        return None if task.cancelled() else task.result()

    async def _unshared(self, name: str, entry: Entry) -> Outcome | None:
        task = self._spawn(name, entry)
        try:
            return await self._outcome(task)
        except asyncio.CancelledError:
            task.cancel()  # nobody else waits for it
            raise

    async def _fetch(self, name: str, entry: Entry) -> Outcome:
        """Fetch once; every way of failing comes back as a value, so that no task ends with an exception."""
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
        # A fault of ours: stated as the reason of every channel that needs the token, instead of ending them all.
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
            _log.error("token %r: the source failed unexpectedly: %s", name, where)
            return self._failed(entry, f"token {name!r}: the source failed unexpectedly ({where})", None)
        token = Token(fetched.token, next(self._versions), expires_at)
        if entry.source.single_use:
            entry.failed = False
        else:
            entry.keep(token, fetched.made_of, began)
        return token

    def _expiry(self, began: float, fetched: Fetched) -> float | None:
        """Count the life from before the request, since the server may have made the token at once."""
        if fetched.expires_in is None:
            return None
        expires_at = began + fetched.expires_in
        if expires_at <= self._clock.boottime():
            raise SourceFailed("the token expired while it was fetched")
        return expires_at

    def _failed(self, entry: Entry, text: str, retry_after: float | None) -> Failure:
        entry.fail(self._clock.boottime(), retry_after)
        return Failure(FailureKind.TOKEN, text, retry_after=retry_after)
