"""What becomes of a guild that the bot has left: it is kept for some weeks, in case it comes back, and then deleted.

That it was left is never concluded from its absence: an outage hides guilds, and so does a connection that is only just
made. The platform says so, with the event or when it is asked; and it is asked once more before anything is deleted.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime, timedelta

from bot.chat.retention import HOURLY
from bot.conversation.messages import ConversationKey
from bot.conversation.shard import WHOLE, Shard
from bot.errors import DiscordError
from bot.store.rows.guilds import Guilds

log = logging.getLogger(__name__)

_GUILDS_AT_ONCE = 20


class Departures:
    """Notes which guilds the bot is in and has left, and deletes those that it left long ago.

    Args:
        guilds: the guilds in the database.
        platform: whose guilds they are.
        days: how long a guild that was left is kept.
        now: the present moment; None as long as it isn't certain, and then nothing is deleted.
        monotonic: what the pause between two runs is measured by.
    """

    def __init__(
        self,
        guilds: Guilds,
        platform: str,
        days: int,
        now: Callable[[], datetime | None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.is_gone: Callable[[int], Awaitable[bool]] | None = None
        """Asks the platform whether the bot is in a guild no more; until somebody sets it, nothing is deleted."""
        self._guilds = guilds
        self._platform = platform
        self._kept = timedelta(days=days)
        self._now = now
        self._monotonic = monotonic
        self._next_run = float("-inf")

    async def note_present(self, guild_ids: Collection[int], shard: Shard = WHOLE) -> set[int]:
        """These are a shard's guilds; returns those of it in which the bot was as well, and that aren't among them."""
        return {each for each in await self._guilds.note_present(self._platform, guild_ids) if shard.has(each)}

    async def note_joined(self, guild_id: int) -> None:
        """The bot is in a guild, again or for the first time."""
        await self._guilds.note_joined(self._platform, guild_id)

    async def note_left(self, guild_id: int) -> None:
        """The bot was removed from a guild, or the guild was deleted."""
        await self._guilds.note_left(self._platform, guild_id, self._now() or datetime.now(UTC))
        log.info("guild %s was left; what was said there is deleted in %d days", guild_id, self._kept.days)

    async def run_if_due(self) -> list[ConversationKey]:
        """Delete what was left too long ago, a few guilds at most; returns the conversations that are gone.

        Raises:
            StoreError: the database can't be used just now.
        """
        now, is_gone = self._now(), self.is_gone
        if now is None or is_gone is None or self._monotonic() < self._next_run:
            return []
        self._next_run = self._monotonic() + HOURLY
        deleted: list[ConversationKey] = []
        for guild_id in (await self._guilds.left_before(self._platform, now - self._kept))[:_GUILDS_AT_ONCE]:
            try:
                if not await is_gone(guild_id):
                    await self.note_joined(guild_id)
                    continue
            except DiscordError as error:
                log.info("guild %s isn't deleted yet: it can't be asked for (%s)", guild_id, error)
                continue
            deletion = await self._guilds.delete(self._platform, guild_id)
            log.info(
                "guild %s was left %d days ago: its %d conversations are deleted",
                guild_id, self._kept.days, len(deletion.conversations),
            )  # fmt: skip
            deleted += deletion.conversations
        return deleted
