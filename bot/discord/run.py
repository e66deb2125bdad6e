"""Runs the bot on Discord until `stop` is set: log in, connect, answer, drain; and again after a failure.

Each login gets a client of its own. Questions that one leaves unfinished are resumed by the next, as after a restart.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import discord
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bot.chat.access import AccessRules
from bot.chat.chat import Chat
from bot.conversation.shard import Shard
from bot.delivery.answers import Answers
from bot.delivery.limits import Pacer
from bot.delivery.refusals import TokenRefused, Unreachable
from bot.delivery.sender import Sender, growing_pauses, open_sender
from bot.discord.attachments import AttachmentReader
from bot.discord.client import TrinityClient, invite_url
from bot.discord.clock import DiscordClock
from bot.discord.connection import LOGIN_REFUSED
from bot.discord.gateway_limits import GatewayLimits, ask_gateway_limits
from bot.discord.identify_turns import IdentifyTurns
from bot.discord.presence import CHANGE_SECONDS, Presence
from bot.discord.receivers import build_receivers
from bot.discord.registration import register_commands
from bot.discord.rest import DiscordTransport, translated
from bot.discord.session_starts import SessionStarts
from bot.errors import DiscordError, DiscordRefused, EngineFailed
from bot.observer import Observer
from bot.tasks import keep_running

log = logging.getLogger(__name__)

_MIN_PAUSE_SECONDS = 1.0
_CHECK_SECONDS = 5.0
_TOKEN_CHECK_SECONDS = 60.0
_CLOSING_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class DiscordOptions:
    """How the bot connects to Discord: to its own servers, unless both URLs name others."""

    token: str = field(repr=False)
    api_url: str | None = None
    gateway_url: str | None = None
    reads_all_messages: bool = False
    """Whether to ask for the message content intent, which takes Discord's consent."""
    edit_interval_seconds: float = 1.0
    drain_seconds: float = 20.0
    has_buttons: bool = True
    """Whether there are buttons below answers."""
    guild_ready_seconds: float = 2.0
    """All guilds are taken to be known when none has come for so long."""
    identify_pause_seconds: float = 5.0
    """What Discord wants between two new sessions."""
    shard_count: int | None = None
    """Into how many parts the bot's guilds are divided; 0 is as many as Discord recommends, None is one."""
    proxy: str | None = field(default=None, repr=False)
    """The URL of the proxy that everything goes through."""
    access: AccessRules = field(default_factory=AccessRules)
    """Who may talk to the bot, and where."""
    state_folder: Path | None = None
    """Where the number of today's sessions is kept; without it, each process counts from zero."""
    presence_seconds: float = CHANGE_SECONDS
    """The least time between two changes of what stands below the bot's name."""
    clock: DiscordClock = field(default_factory=DiscordClock, repr=False)
    """Learns Discord's time, from the check of the token on; each session goes on with it."""


@dataclass(slots=True)
class Ending:
    """When a connection is to end, and how long its running answers may take then."""

    stop: asyncio.Event
    drain_seconds: float


@dataclass(frozen=True, slots=True)
class Connection:
    """What one connection of several needs to know."""

    shard: Shard | None = None
    """What comes by it; None is everything."""
    identify_turns: IdentifyTurns | None = None
    """When it may log in."""
    pacer: Pacer | None = None
    """The pace that it shares with the others."""
    may_act: Callable[[], bool] = lambda: True
    """Whether its shard is certainly still this process's."""


ALONE = Connection()
"""The only connection of a bot."""


async def check_token(options: DiscordOptions) -> float:
    """Find out early, before a model is downloaded and loaded, that Discord refuses the token.

    Whatever else keeps Discord from answering is left to `run_discord`, which keeps trying. Returns for how many
    seconds no session may be begun, since all of the day's are used up: the count kept here may be lost, or not be all.

    Raises:
        DiscordRefused: the token was refused.
    """
    try:
        async with (
            asyncio.timeout(_CHECK_SECONDS),
            TrinityClient(proxy=options.proxy, clock=options.clock) as client,
        ):
            with pointed_at(options), _only_once():
                await log_in(client, options.token)
                return (await ask_gateway_limits(client)).wait_seconds
    except TimeoutError:
        log.info("Discord doesn't say yet whether it takes the token")
    except DiscordRefused:
        raise
    except DiscordError as error:
        log.info("Discord doesn't say yet whether it takes the token: %s", error)
    return 0.0


async def wait_for_gateway_limits(options: DiscordOptions) -> GatewayLimits:
    """Ask until Discord says so.

    Raises:
        DiscordRefused: the token was refused.
    """
    for seconds in growing_pauses():
        try:
            async with TrinityClient(proxy=options.proxy, clock=options.clock) as client:
                with pointed_at(options):
                    await log_in(client, options.token)
                    return await ask_gateway_limits(client)
        except DiscordRefused:
            raise
        except DiscordError as error:
            log.warning("Discord doesn't say how many shards there may be (%s); asked again in %.0f s", error, seconds)
        await asyncio.sleep(seconds)
    raise AssertionError("pauses never end")


@contextmanager
def _only_once() -> Iterator[None]:
    """Keep discord.py from logging here that it logs in: it says so again when it does so for good."""
    logger = logging.getLogger("discord.client")

    def is_no_login(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING

    logger.addFilter(is_no_login)
    try:
        yield
    finally:
        logger.removeFilter(is_no_login)


async def run_discord(
    chat: Chat,
    options: DiscordOptions,
    stop: asyncio.Event,
    *,
    on_ready: Callable[[], None] = lambda: None,
    on_movement: Callable[[], None] = lambda: None,
    observer: Observer | None = None,
) -> None:
    """Answer on Discord until `stop` is set, then let the running answers finish for `drain_seconds`.

    `on_ready` is called whenever the bot has (again) become able to answer; `on_movement` at each event of the
    gateway's and each attempt to reach it, so that a hang shows as silence.

    Raises:
        DiscordRefused: Discord won't have the bot as it is: its token, its intents, or the number of its guilds.
        EngineFailed: the engine is lost, and with it the process.
    """
    with pointed_at(options):
        await stay_on_discord(
            chat, options, SessionStarts(options.state_folder), Ending(stop, options.drain_seconds),
            on_ready=on_ready, on_movement=on_movement, observer=observer,
        )  # fmt: skip


async def stay_on_discord(
    chat: Chat,
    options: DiscordOptions,
    starts: SessionStarts,
    ending: Ending,
    *,
    on_ready: Callable[[], None],
    on_movement: Callable[[], None],
    observer: Observer | None,
    connection: Connection = ALONE,
) -> None:
    """`run_discord`, for one connection of several; discord.py points to where `options` say already."""
    pauses = growing_pauses(_MIN_PAUSE_SECONDS)
    while not ending.stop.is_set():
        on_movement()
        run = _ClientRun(chat, options, starts, ending, on_ready, on_movement, observer, connection)
        problem = await run.run()
        if isinstance(problem, DiscordRefused | EngineFailed):
            raise problem
        if problem is not None and not ending.stop.is_set():
            if run.was_ready:
                pauses = growing_pauses(_MIN_PAUSE_SECONDS)
            await _pause(max(next(pauses), _MIN_PAUSE_SECONDS), problem, ending.stop)


async def _pause(seconds: float, problem: Exception, stop: asyncio.Event) -> None:
    is_expected = isinstance(problem, Unreachable)
    log.warning(
        "Discord can't be used (%s); trying again in %.0f s",
        problem,
        seconds,
        exc_info=None if is_expected else problem,
    )
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


class _ClientRun:
    """One client, from its login to its end."""

    def __init__(
        self,
        chat: Chat,
        options: DiscordOptions,
        starts: SessionStarts,
        ending: Ending,
        on_ready: Callable[[], None],
        on_movement: Callable[[], None],
        observer: Observer | None,
        connection: Connection,
    ) -> None:
        self.was_ready = False
        self._chat = chat
        self._options = options
        self._starts = starts
        self._ending = ending
        self._connection = connection
        self._on_ready = on_ready
        self._on_movement = on_movement
        self._observer = observer

    async def run(self) -> Exception | None:
        """Serve until the end; returns what ended it, None for `stop`."""
        client = TrinityClient(
            guild_ready_seconds=self._options.guild_ready_seconds,
            identify_pause_seconds=self._options.identify_pause_seconds,
            proxy=self._options.proxy,
            session_starts=self._starts,
            clock=self._options.clock,
            reads_all_messages=self._options.reads_all_messages,
            observer=self._observer,
            shard=self._connection.shard,
            identify_turns=self._connection.identify_turns,
            may_act=self._connection.may_act,
        )
        client.when_ready = self._note_ready
        client.when_moved = self._on_movement
        async with client, asyncio.TaskGroup() as tasks:
            stopping = tasks.create_task(self._ending.stop.wait())
            login = tasks.create_task(_problem(self._log_in(client)))
            await asyncio.wait({login, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if login.done():
                problem = login.result() or await self._serve(client, stopping)
            else:
                problem = None
                login.cancel()
            stopping.cancel()
            return problem

    async def _serve(self, client: TrinityClient, stopping: "asyncio.Task[bool]") -> Exception | None:
        transport = DiscordTransport(client, client.clock.now, client.languages)
        client.pacer = self._connection.pacer or client.pacer
        opened = open_sender(
            transport,
            self._options.edit_interval_seconds,
            self._observer,
            has_buttons=self._options.has_buttons,
            pacer=client.pacer,
        )
        async with opened as sender, asyncio.TaskGroup() as tasks:
            answers = Answers(self._chat, sender, tasks, client.clock.now, client.part)
            rules, reader = self._options.access, AttachmentReader(self._options.api_url, self._options.proxy)
            client.receivers = build_receivers(client, self._chat, sender, transport, answers, tasks, rules, reader)
            registering = partial(register_commands, client, client.tree)
            presence = Presence(client, self._chat, self._options.presence_seconds)
            showing = tasks.create_task(keep_running("showing what I do", presence.keep))
            has_commands = client.part.has(None)  # they are all guilds', and one connection registers them
            syncing = tasks.create_task(
                keep_running("registering the slash commands", registering) if has_commands else asyncio.sleep(0)
            )
            connection = tasks.create_task(_problem(client.connect()))
            token = tasks.create_task(_problem(_watch_token(transport, sender)))
            lost = tasks.create_task(self._chat.wait_engine_failed())
            ends: set[asyncio.Future[Any]] = {connection, stopping, lost, token}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            client.is_draining = True
            await answers.drain(self._ending.drain_seconds if stopping.done() else 0.0)
            client.receivers.intake.close()
            problem = token.result() if token.done() else None
            syncing.cancel()
            showing.cancel()
            token.cancel()
            lost.cancel()
            await client.close()
            await asyncio.wait({connection}, timeout=_CLOSING_SECONDS)
            connection.cancel()
        problem = problem or (None if connection.cancelled() else connection.result())
        return problem or self._chat.engine_failure

    async def _log_in(self, client: TrinityClient) -> None:
        await log_in(client, self._options.token)
        if client.part.has(None):
            log.info("invite Trinity with %s", invite_url(client.application_id or 0))

    def _note_ready(self) -> None:
        self.was_ready = True
        self._on_ready()


async def log_in(client: TrinityClient, token: str) -> None:
    """Log in over HTTP.

    Raises:
        DiscordRefused: the token was refused.
        DiscordError: Discord can't be asked.
    """
    try:
        async with translated():
            await client.login(token)
    except discord.LoginFailure as error:
        raise DiscordRefused(LOGIN_REFUSED) from error


async def _watch_token(transport: DiscordTransport, sender: Sender) -> None:
    """Wait until Discord refuses the token for good: a request may be refused for it by mistake, so it is asked again.

    Raises:
        DiscordRefused: it is.
    """
    while True:
        await sender.token_doubted.wait()
        try:
            await transport.check_token()
        except TokenRefused as error:
            raise DiscordRefused(LOGIN_REFUSED) from error
        except DiscordError as error:
            log.info("Discord doesn't say whether it still takes the token: %s", error)
        else:
            sender.breaker.succeeded()
        await asyncio.sleep(_TOKEN_CHECK_SECONDS)
        sender.token_doubted.clear()


async def _problem(work: Coroutine[Any, Any, None]) -> Exception | None:
    """What `work` raised, if it did."""
    try:
        await work
    except Exception as error:
        return error
    return None


@contextmanager
def pointed_at(options: DiscordOptions) -> Iterator[None]:
    """Point discord.py at other servers, where the options name some; it only has globals for that."""
    if options.api_url is None or options.gateway_url is None:
        yield
        return
    api, gateway = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
    Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = options.api_url.rstrip("/"), yarl.URL(options.gateway_url)
    try:
        yield
    finally:
        Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = api, gateway
