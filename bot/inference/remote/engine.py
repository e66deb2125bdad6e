"""An engine that is a server: requests go there over HTTP, deltas come back as it streams them.

Only a finish reason ends an answer: servers close streams, send their end mark or send nothing at all where one broke
off. What broke off goes on behind what was said already, on the server that comes back, so that a restart of it is a
pause and not an error. A request is always streamed: only then does leaving it stop the server.
"""

import asyncio
import hashlib
import logging
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import aiohttp
from tokenizers import Tokenizer

from bot.conversation.chat_format import ChatFormat, PromptTurn
from bot.conversation.tokenizer import encode
from bot.errors import ConfigError, EngineError, EngineUnavailable, RequestFailed
from bot.inference.engine import Delta, FinishReason, Request
from bot.inference.remote.answer import BrokenOff, RemoteAnswer, parsed, refusal
from bot.inference.remote.events import END_OF_STREAM, UnreadableStream, read_events
from bot.inference.remote.line import Line, Place
from bot.inference.remote.requests import RequestWriter, num_left
from bot.inference.remote.server import (
    PASSING_STATUS,
    Probe,
    Server,
    ServerAway,
    ServerClient,
    Wanted,
    away_in_words,
    listing_of,
    survey,
    wait_for_server,
)
from bot.inference.scheduling.core import Totals, check_request
from bot.observer import Observer, Observers, StepRecord
from bot.tasks import in_background, keep_running

log = logging.getLogger(__name__)

START_PATIENCE_SECONDS = 600.0
"""A server may load its model for minutes."""
OUTAGE_PATIENCE_SECONDS = 30.0
"""So long an answer waits for a server that went away, and the next questions as long for one that is away."""
SILENCE_SECONDS = 150.0
"""After so long without a byte a request is given up; the server may have had it in a line of its own."""
LOOK_SECONDS = 5.0
"""How often it is asked whether it is there, while nobody is answered."""
MAX_WAITING = 128
_MAX_PAUSE_SECONDS = 4.0
_USAGE_SECONDS = 1.0
_PROBE_QUESTIONS = ("Ab, 12\n\tß ☃ \U0001f98a", "the end?")


@dataclass(frozen=True, slots=True)
class RemoteOptions:
    """Where the server is, and what is to be said there."""

    wanted: Wanted
    key: str | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)
    start_patience_seconds: float = START_PATIENCE_SECONDS
    outage_patience_seconds: float = OUTAGE_PATIENCE_SECONDS
    silence_seconds: float = SILENCE_SECONDS
    look_seconds: float = LOOK_SECONDS


class _Yielded(Exception):
    """The place at the server was wanted for somebody who waits."""


class RemoteEngine:
    """An `Engine` over a server that completes prompts. Made by `open_remote_engine`; it lives on the event loop."""

    def __init__(
        self,
        options: RemoteOptions,
        session: aiohttp.ClientSession,
        tokenizer: Tokenizer,
        chat_format: ChatFormat,
        observer: Observer | None = None,
    ) -> None:
        self._options = options
        self._client = ServerClient(session, options.wanted.url, options.proxy)
        self._tokenizer = tokenizer
        self._format = chat_format
        self._observer = observer or Observers()
        self._requests = RequestWriter(tokenizer, chat_format)
        self._probe = _probe(tokenizer, chat_format)
        self._end_tokens = [chat_format.control_tokens[each] for each in chat_format.stop_ids]
        self._server: Server | None = None
        self._line = Line(1, MAX_WAITING)
        self._problem: str | None = None
        self._lost_at = 0.0
        self._has_refused = False
        self._surveying = asyncio.Lock()
        self._salt = secrets.token_hex(16)
        self._generations: dict[str, int] = {}
        self._totals = Totals()
        self._is_closed = False

    @property
    def max_sequence_tokens(self) -> int:
        """The most tokens, prompt plus completion, that one request may take."""
        return self._known.max_sequence_tokens

    @property
    def model_hash(self) -> str:
        """Identifies what the server says that it runs."""
        return self._known.model_hash

    @property
    def is_asleep(self) -> bool:
        """Never: what the server does with its card is its own."""
        return False

    @property
    def failure(self) -> EngineError | None:
        """None: a server that is away may come back, and no new process here would mend it."""
        return None

    @property
    def problem(self) -> str | None:
        """Why the server can't answer just now."""
        return self._problem

    @property
    def step_seconds(self) -> float:
        """0: its steps are the server's own; silence ends a request."""
        return 0.0

    async def wait_failed(self) -> None:
        """Never returns."""
        await asyncio.Event().wait()

    async def start(self) -> None:
        """Find out what the server can.

        Raises:
            ConfigError: it can't be used like this.
            EngineUnavailable: it wasn't there for ten minutes.
        """
        patience = self._options.start_patience_seconds
        try:
            self._server = await wait_for_server(self._client, self._options.wanted, self._probe, patience)
        except ServerAway as problem:
            raise EngineUnavailable(f"The model's server can't be used: {problem}.") from problem
        self._line = Line(self._known.max_running, MAX_WAITING)
        self._announce()

    def close(self) -> None:
        """Take nothing more in."""
        self._is_closed = True

    async def generate(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Stream the completion of `request`; leaving the iterator in any way ends it at the server, too.

        Raises as `Engine` says.
        """
        if self._is_closed:
            raise EngineUnavailable("The engine is shutting down.")
        check_request(request, self.max_sequence_tokens)
        answer, is_done = RemoteAnswer(request, self._tokenizer, self._end_tokens), False
        self._totals.requests += 1
        try:
            async with self._line.place(request) as place:
                self._report()
                answer.begin()
                async with aclosing(self._answer(place, answer)) as deltas:
                    async for delta in deltas:
                        is_done = delta.finish_reason is not None
                        yield delta
        except (RequestFailed, EngineUnavailable):
            self._totals.failed += 1
            raise
        except (asyncio.CancelledError, GeneratorExit):
            self._totals.aborted += not is_done
            raise
        finally:
            self._report()

    async def forget(self, cache_owner: str) -> None:
        """Never find again what the server keeps of `cache_owner`; it drops that itself in time."""
        self._generations[cache_owner] = self._generations.get(cache_owner, 0) + 1

    async def look(self) -> None:
        """See now and then whether the server is there, while nobody finds out by being answered."""
        while True:
            await asyncio.sleep(self._options.look_seconds)
            if self._problem is None and not self._line.num_running and (problem := await self._changed()) is not None:
                self._lose(problem)
            if self._problem is not None:
                with suppress(BrokenOff):
                    async with self._surveying:
                        await self._survey_again(0.0)

    async def _changed(self) -> str | None:
        """Why the server has to be surveyed anew; None where it seems to be what it was."""
        if self._has_refused:
            return "it refuses what it should take"
        try:
            status, listed = await self._client.ask("/v1/models")
        except ServerAway as away:
            return str(away)
        if status in PASSING_STATUS:
            return f"it isn't ready ({status})"
        is_other = status == HTTPStatus.OK and listing_of(listed, self._known.model) != self._known.listing
        return "what it says of its model has changed" if is_other else None

    @property
    def _known(self) -> Server:
        if self._server is None:
            raise EngineUnavailable("The engine is not running.")
        return self._server

    async def _answer(self, place: Place, answer: RemoteAnswer) -> AsyncGenerator[Delta, None]:
        """The deltas of one answer, over as many streams as it takes."""
        broken_since: float | None = None
        pause = 0.25
        while True:
            num_before = answer.num_new_tokens
            try:
                if self._problem is not None:
                    await self._find_again(self._options.outage_patience_seconds + self._lost_at - time.monotonic())
                async with aclosing(self._stream(place, answer)) as deltas:
                    async for delta in deltas:
                        yield delta
                return
            except _Yielded:
                await self._line.wait_again(place)
            except BrokenOff as broken:
                if answer.num_new_tokens > num_before:
                    broken_since, pause = None, 0.25
                self._lose(str(broken))
                now = time.monotonic()
                broken_since = now if broken_since is None else broken_since
                if num_left(self._known, answer) < 1:  # it broke off behind its last word
                    yield answer.last(None, FinishReason.LENGTH)
                    return
                if now + pause > min(broken_since, self._lost_at) + self._options.outage_patience_seconds:
                    raise EngineUnavailable(f"The model's server can't be used: {broken}.") from broken
                await asyncio.sleep(pause)
                pause = min(2 * pause, _MAX_PAUSE_SECONDS)

    async def _stream(self, place: Place, answer: RemoteAnswer) -> AsyncGenerator[Delta, None]:
        """One stream of an answer, behind what was said before.

        Raises:
            BrokenOff: it ended before the answer did.
            _Yielded: the place is wanted.
            RequestFailed: the server refuses this request, or fell silent.
        """
        request = place.request
        session = self._session_of(request)
        body = self._requests.body(self._known, answer, session)
        headers = {"X-Session-ID": session}
        reading: AsyncGenerator[dict[str, Any], None]
        async with aclosing(self._events(body, headers)) as reading:
            next_event = None
            yielding = asyncio.ensure_future(place.must_yield.wait())
            try:
                finish_reason = None
                while finish_reason is None:
                    next_event = asyncio.ensure_future(anext(reading, None))
                    await asyncio.wait({next_event, yielding}, return_when=asyncio.FIRST_COMPLETED)
                    if yielding.done() and not next_event.done():
                        raise _Yielded
                    event = next_event.result()
                    if event is None:
                        raise BrokenOff("the stream ended before the answer did")
                    delta, finish_reason = answer.read(event)
                    if delta is not None and finish_reason is None:
                        yield delta
                with suppress(BrokenOff, RequestFailed, TimeoutError):  # what it took comes behind the end, if at all
                    async with asyncio.timeout(_USAGE_SECONDS):
                        async for event in reading:
                            answer.note_usage(event)
                self._totals.new_tokens += answer.num_new_tokens
                self._totals.prompt_tokens += len(request.prompt_token_ids)
                self._totals.cached_tokens += answer.num_cached_tokens
                yield answer.last(delta, finish_reason)
            finally:
                waiting = {each for each in (yielding, next_event) if each is not None and not each.done()}
                for each in waiting:
                    each.cancel()
                if waiting:
                    await asyncio.wait(waiting)  # a stream that is read can't be closed

    async def _events(
        self, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> AsyncGenerator[dict[str, Any], None]:
        """The events of one stream, as they are, until it ends."""
        try:
            async with self._client.post(
                "/v1/completions", body, headers=headers, silence_seconds=self._options.silence_seconds
            ) as response:
                if response.status != HTTPStatus.OK:
                    self._has_refused = True  # perhaps since its window is smaller than it was
                    raise refusal(response.status)
                async with aclosing(read_events(response.content.iter_any())) as events:
                    async for data in events:
                        if data.strip() == END_OF_STREAM:
                            return
                        yield parsed(data)
        except aiohttp.SocketTimeoutError:
            log.warning("the model's server was silent for %g s", self._options.silence_seconds)
            raise RequestFailed from None
        except (aiohttp.ClientError, OSError, TimeoutError, UnreadableStream) as error:
            raise BrokenOff(away_in_words(error)) from error

    def _session_of(self, request: Request) -> str:
        """The conversation's name at the server: always the same, and nobody's id."""
        generation = self._generations.get(request.cache_owner, 0)
        named = f"{self._salt}\n{request.cache_owner}\n{generation}".encode()
        return hashlib.sha256(named).hexdigest()[:32]

    def _lose(self, problem: str) -> None:
        if self._problem is None:
            self._lost_at = time.monotonic()
            log.warning("the model's server can't be used: %s", problem)
        self._problem = problem

    async def _find_again(self, patience_seconds: float) -> None:
        """Wait for a server that went away, and make sure that it is what it was.

        Raises:
            BrokenOff: it doesn't come back in time, or is another one.
        """
        give_up_at = time.monotonic() + patience_seconds
        async with self._surveying:  # one asks, and the others wait for what comes of it
            left = give_up_at - time.monotonic()
            if self._problem is not None and left < 0:
                raise BrokenOff(self._problem)
            await self._survey_again(left)

    async def _survey_again(self, patience_seconds: float) -> None:
        """As `_find_again`, by whoever's turn it is to ask; at least once, however little patience is left."""
        if self._problem is None:
            return
        try:
            found = await wait_for_server(self._client, self._options.wanted, self._probe, patience_seconds)
        except (ServerAway, ConfigError) as problem:
            self._problem = str(problem)
            raise BrokenOff(self._problem) from problem
        before = self._known
        if found.max_sequence_tokens < before.max_sequence_tokens:
            self._problem = (
                f"it takes {found.max_sequence_tokens} tokens now, and took {before.max_sequence_tokens} when this "
                "process began; restart this process"
            )
            raise BrokenOff(self._problem)
        if found.model_hash != before.model_hash:
            log.warning("the model's server runs something else than before")
        self._server, self._problem, self._has_refused = found, None, False
        log.info("the model's server is there again")

    def _announce(self) -> None:
        server = self._known
        log.info(
            "%s at %s runs %s: %d tokens at a time, %d requests at once, prompts as %s", server.kind,
            self._options.wanted.url, server.model, server.window, server.max_running,
            "token ids" if server.takes_token_ids else "text",
        )  # fmt: skip
        if not server.takes_token_ids:
            log.warning(
                "the server takes no token ids, so that it makes them of a text itself: prompts may differ a little "
                "from what the model was trained on, and %d tokens are kept free",
                server.window - server.max_sequence_tokens,
            )  # fmt: skip
        self._report()

    def _report(self) -> None:
        totals = self._totals
        self._observer.on_step(
            StepRecord(
                num_waiting=self._line.num_waiting,
                num_running=self._line.num_running,
                total_requests=totals.requests,
                total_failed=totals.failed,
                total_aborted=totals.aborted,
                total_prompt_tokens=totals.prompt_tokens,
                total_cached_tokens=totals.cached_tokens,
                total_new_tokens=totals.new_tokens,
            )
        )


@asynccontextmanager
async def open_remote_engine(
    options: RemoteOptions,
    tokenizer: Tokenizer,
    chat_format: ChatFormat,
    observer: Observer | None = None,
) -> AsyncIterator[RemoteEngine]:
    """Use a server as the engine for as long as the block lasts.

    Args:
        options: where it is.
        tokenizer: of the model that it runs.
        chat_format: of that model.
        observer: hears of requests that begin and end.

    Raises:
        ConfigError: the server can't be used like this.
        EngineUnavailable: it isn't there.
    """
    async with _session(options) as session:
        engine = RemoteEngine(options, session, tokenizer, chat_format, observer)
        await engine.start()
        async with in_background(keep_running("looking at the model's server", engine.look)):
            try:
                yield engine
            finally:
                engine.close()


async def ask_server(options: RemoteOptions, tokenizer: Tokenizer, chat_format: ChatFormat) -> Server:
    """What stands at the address, without waiting for it.

    Raises:
        ConfigError: it can't be used like this.
        EngineUnavailable: it isn't there.
    """
    async with _session(options) as session:
        client = ServerClient(session, options.wanted.url, options.proxy)
        try:
            return await survey(client, options.wanted, _probe(tokenizer, chat_format))
        except ServerAway as problem:
            raise EngineUnavailable(f"The model's server can't be used: {problem}.") from problem


def _session(options: RemoteOptions) -> aiohttp.ClientSession:
    headers = {} if options.key is None else {"Authorization": f"Bearer {options.key}"}
    # A cookie by which a router keeps whoever comes back on one replica would keep all conversations there.
    cookies = aiohttp.DummyCookieJar()
    return aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=0), cookie_jar=cookies)


def _probe(tokenizer: Tokenizer, chat_format: ChatFormat) -> Probe:
    first, second = _PROBE_QUESTIONS
    token_ids: list[int] = []
    system_message = "Be kind."
    for parts in (
        chat_format.parts(PromptTurn(first, "Yes.", system_message, is_last=False)),
        chat_format.parts(PromptTurn(second, system_message=system_message, is_first=False)),
    ):
        for part in parts:
            token_ids += encode(tokenizer, part) if isinstance(part, str) else [part]
    return Probe(tuple(token_ids), first, len(encode(tokenizer, first)))
