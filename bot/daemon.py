"""The daemon: Trinity on Discord from start to drain, stopped by signals and watched by systemd."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from urllib.parse import urlsplit

from bot.app import has_abandoned_threads, open_parts
from bot.chat.access import AccessRules
from bot.chat.chat import Chat
from bot.discord.messages import PLATFORM
from bot.discord.proxy import proxy_for
from bot.discord.run import DiscordOptions, check_token, run_discord, wait_for_gateway_limits
from bot.discord.sharding import AllShards, run_sharded
from bot.errors import ConfigError, EngineError, EngineFailed, StoreError
from bot.inference.engine import Engine
from bot.logs import flush_logs
from bot.observer import LogObserver, Observer, Observers
from bot.operations.address import OperationsOptions, Watch, open_operations
from bot.operations.garbage_collection import loaded_objects_frozen
from bot.operations.health import Health, feed_watchdog
from bot.operations.notify import notify_systemd, watchdog_interval_seconds
from bot.operations.overview import Overview
from bot.operations.reexec import reexecute
from bot.operations.reload_report import ReloadReport
from bot.operations.signals import StopRequest, handle_signals
from bot.operations.status import Activity, Status
from bot.settings.live import LiveSettings
from bot.settings.settings import Settings
from bot.store.files.instance import hold_instance
from bot.store.files.server_lock import hold_server
from bot.store.files.server_url import is_server_url
from bot.store.rows.shards import Division, open_shards
from bot.tasks import in_background, keep_running, limit_threads

log = logging.getLogger(__name__)

RUNNING_FILE = "engine.running"
DISCORD_URL = "https://discord.com"


def run_daemon(settings: Settings) -> int:
    """Run on Discord until a signal, then let the running answers finish; returns the exit status.

    `bot.operations.signals` says what each signal does. A lost engine replaces the process, since nothing inside it
    can repair that.

    Raises:
        ConfigError, StoreError, EngineError, DiscordRefused: as the part that refuses says.
        EngineFailed: the process was replaced too often already.
    """
    lost = asyncio.run(_run_on_discord(settings))
    flush_logs()
    if has_abandoned_threads():
        os._exit(0)  # everything is closed; the interpreter's own end would stop a thread in the middle of torch's C++
    if lost is not None:
        notify_systemd("WATCHDOG=1")  # the watchdog's time starts again before the pause
        reexecute(lost)
    return 0


async def _run_on_discord(settings: Settings) -> EngineError | None:
    """Run until a signal, or until the engine is lost: then return its failure too, with everything closed."""
    limit_threads()
    if settings.discord_bot_token is None:
        raise ConfigError("DISCORD_BOT_TOKEN", "is not set; put the bot's token into .env (README.md says how)")
    token = settings.discord_bot_token.get_secret_value()
    access, reloading = AccessRules(settings.access), asyncio.Event()
    options = discord_options(settings, token, access)
    health, stop_request = Health(), StopRequest()
    watch = Watch(Overview(stop_request.stop.is_set))
    observer = Observers(LogObserver(), *watch.observers)
    status = Status(health)
    handle_signals(stop_request, on_stopping=_announce_stopping, on_reload=reloading.set, status=status.line)
    try:
        with hold_instance(settings.effective_database_url, token, settings.data_dir):
            async with (
                asyncio.timeout(None) as opening,
                _watchdog_fed(health),
                open_operations(_operations_options(settings), watch),
                AsyncExitStack() as parts,
            ):
                async with in_background(_end_when(stop_request.signalled, opening)):
                    await _wait_for_sessions(await check_token(options))
                    url, is_shared = settings.effective_database_url, settings.shard_count is not None
                    await parts.enter_async_context(hold_server(url, is_shared=is_shared))
                    chat, engine = await parts.enter_async_context(
                        open_parts(
                            settings,
                            platform=PLATFORM,
                            running_file=settings.data_dir / RUNNING_FILE,
                            certain_now=options.clock.certain_now,
                            observer=observer,
                            turn_limits=settings.turn_limits,
                        )
                    )
                    run = await parts.enter_async_context(_chosen_connections(settings, options))
                health.watch_engine(lambda: engine.failure is not None)
                status.activity = Activity(
                    lambda: chat.queue.num_running, lambda: chat.queue.num_waiting, lambda: watch.overview.step
                )
                live = LiveSettings(settings, chat, access, PLATFORM)
                watch.overview.opened(chat, engine, partial(_reload, live))
                following = partial(_follow_settings, live, reloading, ReloadReport(settings.data_dir))
                await parts.enter_async_context(in_background(keep_running("reading the settings anew", following)))
                with loaded_objects_frozen():
                    lost = await _serve_discord(run, chat, engine, options, stop_request.stop, health, status, observer)
    except TimeoutError:
        if not opening.expired():
            raise
        log.info("stopped while starting")
        return None
    if lost is not None and stop_request.signalled.is_set():
        log.error("the engine was lost while I stopped; what it left is answered after the next start")
        return None
    return lost


async def _wait_for_sessions(seconds: float) -> None:
    if seconds > 0:
        log.warning("Discord allows no more sessions today; the next one begins in %.0f s", seconds)
        await asyncio.sleep(seconds)


async def _end_when(signalled: asyncio.Event, opening: asyncio.Timeout) -> None:
    """Give up opening at a signal: loading the model may take minutes."""
    await signalled.wait()
    opening.reschedule(asyncio.get_running_loop().time())


RunDiscord = Callable[..., Awaitable[None]]
"""`run_discord`, or what stands in its place."""


@asynccontextmanager
async def _chosen_connections(settings: Settings, options: DiscordOptions) -> AsyncIterator[RunDiscord]:
    """How the settings have the bot's guilds divided: not at all, among connections, or also among processes.

    Raises:
        DiscordRefused: Discord won't have the token.
        DatabaseUnusable: other processes divide them in another way.
        StoreError: the database can't be asked.
    """
    if settings.shard_count is None:
        yield run_discord
        return
    limits = await wait_for_gateway_limits(options)
    count, url = settings.shard_count or limits.num_shards, settings.effective_database_url
    if not is_server_url(url):
        leases = AllShards(count, limits.max_concurrency)
        yield partial(run_sharded, leases=leases, sessions_per_day=limits.sessions_per_day)
        return
    division = Division(count, settings.shard_ids, limits.max_concurrency, limits.sessions_per_day)
    async with open_shards(url, division, adopts_count=not settings.shard_count) as shards:
        yield partial(
            run_sharded, leases=shards, max_opening=limits.max_concurrency, sessions_per_day=limits.sessions_per_day
        )


async def _serve_discord(
    run: RunDiscord,
    chat: Chat,
    engine: Engine,
    options: DiscordOptions,
    stop: asyncio.Event,
    health: Health,
    status: Status,
    observer: Observer,
) -> EngineError | None:
    """Serve until `stop`, or until the engine is lost, whether somebody waits for it just then or not."""

    def note_ready() -> None:
        status.note_session()
        notify_systemd("READY=1")

    serving = asyncio.create_task(
        _awaited(run(chat, options, stop=stop, on_ready=note_ready, on_movement=health.note_gateway, observer=observer))
    )
    failing = asyncio.create_task(engine.wait_failed())
    try:
        await asyncio.wait({serving, failing}, return_when=asyncio.FIRST_COMPLETED)
        if failing.done():
            stop.set()
        await serving
    except EngineFailed as error:
        return error
    finally:
        for task in (serving, failing):
            task.cancel()
        await asyncio.gather(serving, failing, return_exceptions=True)
    return engine.failure


async def _awaited(work: Awaitable[None]) -> None:
    await work


def discord_options(settings: Settings, token: str, access: AccessRules) -> DiscordOptions:
    """How the settings have the bot connect to Discord.

    Raises:
        ConfigError: the proxy is of a kind that can't be used.
    """
    proxy = proxy_for(settings.discord_api_url or DISCORD_URL)
    if proxy is not None:
        log.info("going to Discord through the proxy at %s", urlsplit(proxy).netloc.rpartition("@")[2])
    return DiscordOptions(
        token=token,
        api_url=settings.discord_api_url,
        gateway_url=settings.discord_gateway_url,
        reads_all_messages=settings.message_content_intent,
        edit_interval_seconds=settings.edit_interval_seconds,
        drain_seconds=settings.drain_seconds,
        has_buttons=settings.buttons,
        proxy=proxy,
        access=access,
        state_folder=settings.data_dir,
        shard_count=settings.shard_count,
    )


def _operations_options(settings: Settings) -> OperationsOptions:
    token = settings.operator_token
    return OperationsOptions(
        address=settings.operations_at,
        token=None if token is None else token.get_secret_value(),
        secrets=settings.secrets,
    )


def _announce_stopping() -> None:
    notify_systemd("STOPPING=1")


async def _reload(live: LiveSettings) -> str:
    """The same for who asks at the operations address; returns what came of it in words."""
    changes = await live.reload()
    log.info("the settings were read anew; %s", changes.in_words())
    return changes.in_words()


async def _follow_settings(live: LiveSettings, reloading: asyncio.Event, report: ReloadReport) -> None:
    """Whenever it is asked for, take over what has changed in the settings, and say what was and what couldn't be."""
    while True:
        await reloading.wait()
        reloading.clear()
        try:
            changes = await live.reload()
        except (ConfigError, StoreError) as error:
            log.error("the settings can't be taken over, and I go on as I am: %s", error)
            await asyncio.to_thread(report.write, problem=str(error))
        else:
            log.info("the settings were read anew; %s", changes.in_words())
            await asyncio.to_thread(report.write, live=changes.live, after_restart=changes.after_restart)


@asynccontextmanager
async def _watchdog_fed(health: Health) -> AsyncIterator[None]:
    """Feed systemd's watchdog, where there is one, from the loading of the model to the end."""
    interval = watchdog_interval_seconds()
    if interval is None:
        yield
        return
    feeding = partial(feed_watchdog, health, interval, notify_systemd)
    async with in_background(keep_running("feeding systemd's watchdog", feeding)):
        yield
