"""The daemon: Trinity on Discord from start to drain, told to stop by signals and watched by systemd."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from urllib.parse import urlsplit

from bot.app import has_abandoned_threads, open_parts
from bot.chat.chat import Chat
from bot.discord.intake import PLATFORM
from bot.discord.proxy import proxy_for
from bot.discord.run import DiscordOptions, check_token, run_discord
from bot.errors import ConfigError, EngineError, EngineFailed
from bot.inference.engine import Engine
from bot.logs import flush_logs
from bot.observer import LatestStep, LogObserver, Observer, Observers
from bot.operations.collector import loaded_objects_set_aside
from bot.operations.notify import notify_systemd, watchdog_interval_seconds
from bot.operations.pulse import Pulse, feed_watchdog
from bot.operations.reexec import begin_anew, reexecute
from bot.operations.signals import Orders, listen
from bot.operations.state import State, Work
from bot.settings.settings import Settings, load_settings
from bot.store.files.instance import hold_instance
from bot.tasks import in_background, keep_running

log = logging.getLogger(__name__)

RUNNING_FILE = "engine.running"
DISCORD_URL = "https://discord.com"


def run_daemon(settings: Settings) -> int:
    """Be on Discord until a signal, then let the running answers finish; returns the exit status.

    `bot.operations.signals` says which signal asks for what. A lost engine replaces the process, since nothing inside
    it can mend that.

    Raises:
        ConfigError, StoreError, EngineError, DiscordRefused: as the part that refuses says.
        EngineFailed: the process was replaced too often already.
    """
    orders, lost = asyncio.run(_be_on_discord(settings))
    flush_logs()
    if orders.begins_anew:
        notify_systemd("WATCHDOG=1")
        begin_anew()
    if has_abandoned_threads():
        os._exit(0)  # everything is closed; the interpreter's own end would stop a thread in the middle of torch's C++
    if lost is not None:
        notify_systemd("WATCHDOG=1")  # its patience begins anew before the pause
        reexecute(lost)
    return 0


async def _be_on_discord(settings: Settings) -> tuple[Orders, EngineError | None]:
    """Run until a signal, or until the engine is lost: then return its failure too, with everything closed."""
    if settings.discord_bot_token is None:
        raise ConfigError("DISCORD_BOT_TOKEN", "is not set; put the bot's token into .env (README.md says how)")
    token = settings.discord_bot_token.get_secret_value()
    options = _discord_options(settings, token)
    pulse, orders, step = Pulse(), Orders(), LatestStep()
    observer = Observers(LogObserver(), step)
    state = State(pulse)
    listen(orders, on_stopping=_tell_stopping, why_not_anew=_why_not_anew, state=state.line)
    try:
        with hold_instance(settings.effective_database_url, token, settings.data_dir):
            async with asyncio.timeout(None) as opening, _pinging_systemd(pulse), AsyncExitStack() as parts:
                async with in_background(_end_when(orders.told, opening)):
                    await check_token(options)
                    chat, engine = await parts.enter_async_context(
                        open_parts(
                            settings,
                            platform=PLATFORM,
                            running_file=settings.data_dir / RUNNING_FILE,
                            certain_now=options.clock.certain_now,
                            observer=observer,
                        )
                    )
                pulse.watch_engine(lambda: engine.failure is not None)
                state.work = Work(lambda: chat.turns.num_running, lambda: chat.turns.num_waiting, lambda: step.record)
                with loaded_objects_set_aside():
                    lost = await _serve_discord(chat, engine, options, orders.stop, pulse, state, observer)
    except TimeoutError:
        if not opening.expired():
            raise
        log.info("stopped while the model was loading")
        return orders, None
    if lost is not None and orders.told.is_set():
        log.error("the engine was lost while I stopped; what it left is answered after the next start")
        return orders, None
    return orders, lost


async def _end_when(told: asyncio.Event, opening: asyncio.Timeout) -> None:
    """Loading may take minutes, in which a signal has to count as well."""
    await told.wait()
    opening.reschedule(asyncio.get_running_loop().time())


async def _serve_discord(
    chat: Chat,
    engine: Engine,
    options: DiscordOptions,
    stop: asyncio.Event,
    pulse: Pulse,
    state: State,
    observer: Observer,
) -> EngineError | None:
    """Serve until `stop`, or until the engine is lost, whether somebody waits for it just then or not."""

    def note_ready() -> None:
        state.note_session()
        notify_systemd("READY=1")

    serving = asyncio.create_task(
        run_discord(chat, options, stop, on_ready=note_ready, on_movement=pulse.note_gateway, observer=observer)
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


def _discord_options(settings: Settings, token: str) -> DiscordOptions:
    proxy = proxy_for(settings.discord_api_url or DISCORD_URL)
    if proxy is not None:
        log.info("going to Discord through the proxy at %s", urlsplit(proxy).netloc.rpartition("@")[2])
    return DiscordOptions(
        token=token,
        api_url=settings.discord_api_url,
        gateway_url=settings.discord_gateway_url,
        edit_interval_seconds=settings.edit_interval_seconds,
        drain_seconds=settings.drain_seconds,
        proxy=proxy,
        state_folder=settings.data_dir,
    )


def _tell_stopping() -> None:
    notify_systemd("STOPPING=1")


def _why_not_anew() -> str | None:
    """What is wrong with the settings as they are now; the environment is the one that this process began with."""
    try:
        settings = load_settings()
    except ConfigError as error:
        return str(error)
    return None if settings.discord_bot_token is not None else "DISCORD_BOT_TOKEN is not set any more"


@asynccontextmanager
async def _pinging_systemd(pulse: Pulse) -> AsyncIterator[None]:
    """Feed systemd's watchdog, where there is one, from the loading of the model to the end."""
    interval = watchdog_interval_seconds()
    if interval is None:
        yield
        return
    feeding = partial(feed_watchdog, pulse, interval, notify_systemd)
    async with in_background(keep_running("feeding systemd's watchdog", feeding)):
        yield
