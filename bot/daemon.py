"""The daemon: Trinity on Discord from start to drain, told to stop by signals and watched by systemd."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from bot.app import open_parts
from bot.chat.chat import Chat
from bot.discord.intake import PLATFORM
from bot.discord.run import DiscordOptions, check_token, run_discord
from bot.errors import ConfigError, EngineError, EngineFailed
from bot.inference.local import LocalEngine
from bot.operations.collector import loaded_objects_set_aside
from bot.operations.notify import notify_systemd, watchdog_interval_seconds
from bot.operations.pulse import Pulse, feed_watchdog
from bot.operations.reexec import reexecute
from bot.settings import Settings
from bot.store.instance import hold_instance
from bot.tasks import in_background, keep_running

log = logging.getLogger(__name__)


def run_daemon(settings: Settings) -> int:
    """Be on Discord until SIGTERM or SIGINT, then let the running answers finish; returns the exit status.

    A second signal ends it at once. A lost engine replaces the process, since nothing inside it can mend that.

    Raises:
        ConfigError, StoreError, EngineError, DiscordRefused: as the part that refuses says.
        EngineFailed: the process was replaced too often already.
    """
    lost = asyncio.run(_be_on_discord(settings))
    if lost is not None:
        notify_systemd("WATCHDOG=1")  # its patience begins anew before the pause
        reexecute(lost)
    return 0


async def _be_on_discord(settings: Settings) -> EngineError | None:
    """Run until a signal, or until the engine is lost: then return its failure, with everything closed."""
    if settings.discord_bot_token is None:
        raise ConfigError("DISCORD_BOT_TOKEN", "is not set; put the bot's token into .env (README.md says how)")
    token = settings.discord_bot_token.get_secret_value()
    options = _discord_options(settings, token)
    pulse, told, stop = Pulse(), asyncio.Event(), asyncio.Event()
    _stop_at_signals(told, stop)
    try:
        with hold_instance(settings.effective_database_url, token, settings.data_dir):
            async with asyncio.timeout(None) as opening, _pinging_systemd(pulse), AsyncExitStack() as parts:
                async with in_background(_end_when(told, opening)):
                    await check_token(options)
                    chat, engine = await parts.enter_async_context(open_parts(settings, platform=PLATFORM))
                pulse.watch_engine(engine.failed.is_set)
                with loaded_objects_set_aside():
                    lost = await _serve_discord(chat, engine, options, stop, pulse)
    except TimeoutError:
        if not opening.expired():
            raise
        log.info("stopped while the model was loading")
        return None
    if lost is not None and told.is_set():
        log.error("the engine was lost while I stopped; what it left is answered after the next start")
        return None
    return lost


async def _end_when(told: asyncio.Event, opening: asyncio.Timeout) -> None:
    """Loading may take minutes, in which a signal has to count as well."""
    await told.wait()
    opening.reschedule(asyncio.get_running_loop().time())


async def _serve_discord(
    chat: Chat, engine: LocalEngine, options: DiscordOptions, stop: asyncio.Event, pulse: Pulse
) -> EngineError | None:
    """Serve until `stop`, or until the engine is lost, whether somebody waits for it just then or not."""
    serving = asyncio.create_task(
        run_discord(chat, options, stop, on_ready=_tell_ready, on_movement=pulse.note_gateway)
    )
    failing = asyncio.create_task(engine.failed.wait())
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
    return DiscordOptions(
        token=token,
        api_url=settings.discord_api_url,
        gateway_url=settings.discord_gateway_url,
        edit_interval_seconds=settings.edit_interval_seconds,
        drain_seconds=settings.drain_seconds,
    )


def _stop_at_signals(told: asyncio.Event, stop: asyncio.Event) -> None:
    """Set both at the first SIGTERM or SIGINT; the next one ends the process as if nobody listened."""
    loop = asyncio.get_running_loop()

    def note(signal_number: signal.Signals) -> None:
        log.info("%s: running answers may finish, then I stop; a second signal ends me at once", signal_number.name)
        notify_systemd("STOPPING=1")
        told.set()
        stop.set()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, note, number)


def _tell_ready() -> None:
    notify_systemd("READY=1")


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
