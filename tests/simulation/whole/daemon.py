"""One life of the whole daemon: below Discord's library as in the first depth, and all of `bot/discord` above it."""

import asyncio
from dataclasses import dataclass

from bot.chat.chat import Chat
from bot.discord.run import DiscordOptions, check_token, run_discord
from bot.errors import EngineFailed
from tests.simulation.daemon import DRAIN_SECONDS, Daemon


@dataclass(eq=False)
class WholeDaemon(Daemon):
    """As `bot/daemon.py` runs it."""

    async def run(self) -> None:
        try:
            await super().run()
        finally:
            await _end_the_rest()

    async def _serve(self, chat: Chat) -> None:
        options = DiscordOptions(
            self.discord.loopback.token,  # type: ignore[attr-defined]
            drain_seconds=DRAIN_SECONDS,
            state_folder=self.disk.folder,
        )
        try:
            await check_token(options)
            await run_discord(chat, options, self.stop, on_ready=self.on_ready)
        except EngineFailed:
            pass  # the process is replaced
        finally:
            self.chat = None


async def _end_the_rest() -> None:
    """As `asyncio.run` ends whatever is left: discord.py doesn't wait for the tasks of its events."""
    this = asyncio.current_task()
    left = [each for each in asyncio.all_tasks() if each.life is this.life and each is not this]  # type: ignore[attr-defined,union-attr]
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
