"""What a session asks of others than its server: tokens, HTTP calls and commands; each ends with its attempt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

from wscli.child import Child
from wscli.core.failures import Failure, FailureKind
from wscli.daemon.upstream.dial.dialer import AttemptRecord
from wscli.daemon.upstream.services import Services
from wscli.net.http import HttpRequest, RequestFailed
from wscli.net.retry_after import capped
from wscli.net.scrub import cleaned, forms_of
from wscli.session.actions import AskTokens, Call, CallFailed, ChannelSession, CommandCall, Fetch
from wscli.timing import Timer
from wscli.tokens.errors import TokenFailed
from wscli.values import format_duration

__all__ = ["Answer", "SessionCalls"]

MOST_OUTPUT = 1 << 20
"""Bytes that a command may write to stdout, and an HTTP answer may have."""
_LONGEST_QUOTE = 200

Answer = Mapping[str, str] | bytes | CallFailed
"""Tokens by name, the body of an HTTP answer, the output of a command, or why there is none."""


class _Failed(Exception):
    """A call failed."""

    def __init__(self, failure: Failure, body: bytes | None = None) -> None:
        super().__init__(failure.text)
        self.answer = CallFailed(failure) if body is None else CallFailed(failure, body)


class SessionCalls:
    """The calls of one connection's session that are under way.

    ``answered`` is called once for each call, unless it is ended before. The versions of tokens go into the record, or
    where a channel asked into the mapping that ``tokens_of`` gives for it.
    """

    def __init__(
        self,
        services: Services,
        record: AttemptRecord,
        answered: Callable[[int, Answer], None],
        tokens_of: Callable[[ChannelSession], dict[str, int]],
        *,
        retry_after_max: float | None,
    ) -> None:
        self._services = services
        self._record = record
        self._answered = answered
        self._tokens_of = tokens_of
        self._retry_after_max = retry_after_max
        self._running: dict[int, tuple[asyncio.Task[None], Timer]] = {}
        self._secrets: dict[str, str] = {}
        """The tokens that were given, which remote text may quote."""
        record.keepers += (lambda: tuple(forms_of(self._secrets.values())),)

    def start(self, call: Call) -> None:
        """Do it, within its time."""
        number = call.number
        crashed = Failure(FailureKind.SESSION, "an error of wscli itself; `wscli logs` has more")
        task = self._services.tasks.spawn(
            self._run(call), name=f"call {number}", on_crash=lambda error: self._end(number, CallFailed(crashed))
        )
        late = Failure(FailureKind.SESSION, f"no answer within {format_duration(call.within)}")
        timer = self._services.schedule(call.within, lambda: self._end(number, CallFailed(late)))
        self._running[number] = task, timer

    def end(self) -> None:
        """Stop all of them; none is answered any more."""
        for task, timer in self._running.values():
            task.cancel()
            timer.cancel()
        self._running.clear()

    async def _run(self, call: Call) -> None:
        try:
            match call.what:
                case AskTokens(names=names):
                    answer: Answer = await self._tokens(names, call.channel)
                case Fetch() as fetch:
                    answer = await self._fetch(fetch, call.within)
                case CommandCall() as command:
                    answer = await self._command(command)
        except _Failed as error:
            answer = error.answer
        self._end(call.number, answer)

    def _end(self, number: int, answer: Answer) -> None:
        running = self._running.pop(number, None)
        if running is not None:
            task, timer = running
            timer.cancel()
            if task is not asyncio.current_task():
                task.cancel()  # it took too long
            self._answered(number, answer)

    async def _tokens(self, names: frozenset[str], channel: ChannelSession | None) -> dict[str, str]:
        found = {}
        for name in sorted(names):
            try:
                token = await self._services.broker.get(name)
            except TokenFailed as error:
                raise _Failed(error.failure) from None
            used = self._record.tokens if channel is None else self._tokens_of(channel)
            used[name] = token.version
            ends = (token.expires_at, self._record.expires_at)
            self._record.expires_at = min((one for one in ends if one is not None), default=None)
            self._secrets[name] = found[name] = token.value.reveal()
        return found

    async def _fetch(self, fetch: Fetch, within: float) -> bytes:
        request: HttpRequest = replace(fetch.request, timeout=min(fetch.request.timeout, within), max_size=MOST_OUTPUT)
        try:
            answer = await self._services.http.fetch(request, read_errors=True)
        except RequestFailed as error:
            failure = Failure(FailureKind.SESSION, error.text, refused=error.refused)
            raise _Failed(failure) from None
        if 200 <= answer.status <= 299 or answer.status in fetch.accept:
            return answer.body
        after = capped(answer.retry_after, self._retry_after_max)
        text = f"HTTP {answer.status} from {request.shown}"
        raise _Failed(Failure(FailureKind.STATUS, text, code=answer.status, retry_after=after), answer.body)

    async def _command(self, command: CommandCall) -> bytes:
        """Run until the program has exited and its stdout is closed, as ``$(...)`` in a shell does.

        Too much output, or a cancellation, kills its process group.
        """
        name, child = self._without_secrets(command.argv[0]), Child(most_output=MOST_OUTPUT)
        stdin = None if command.stdin is None else command.stdin.encode()
        try:
            await child.start(command.argv, cwd=self._services.base, environ=self._services.environ, stdin=stdin)
        except (OSError, ValueError) as error:
            why = (error.strerror or "").lower() if isinstance(error, OSError) else "NUL in an argument"
            raise _Failed(Failure(FailureKind.SESSION, f"cannot run the command {name!r}: {why}")) from None
        ended = False
        try:
            await child.over
            ended = not child.overflowed
        finally:
            await child.end(kill=not ended)
        if child.overflowed:
            text = f"the command {name!r} printed more than {MOST_OUTPUT >> 20} MiB and was killed"
            raise _Failed(Failure(FailureKind.SESSION, text))
        if child.code:
            how = f"exited with {child.code}" if child.code > 0 else f"was killed by signal {-child.code}"
            errors = child.errors.decode(errors="replace").splitlines()
            last = next(filter(None, map(str.strip, reversed(errors))), "")
            said = self._without_secrets(last, command.stdin or "")[:_LONGEST_QUOTE]
            text = f"the command {name!r} {how}{f': {said}' if said else ''}"
            raise _Failed(Failure(FailureKind.SESSION, text))
        return bytes(child.output)

    def _without_secrets(self, text: str, *more: str) -> str:
        return cleaned(text, [*forms_of((*self._secrets.values(), *more)), *self._record.find_secrets()])
