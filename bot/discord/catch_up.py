"""Fetches what was said while the bot was away, after a start and whenever Discord lost the gateway's session.

Only channels whose newest message is newer than what was seen there are fetched, and only ten minutes back. The inbox
knows which messages were answered; but it may be older than the channel, since it was restored from a backup, or be
empty. So a finished reply of ours counts as an answer, whatever the inbox says; an unfinished one is continued; and in
a channel that this database has never seen, only messages after our own newest one are taken. A fresh install fetches
nothing.

While the database is away, none of this can be found out. Live messages are then let in, so that people get an answer
or an error, and what was missed is fetched when the database is back.

Discord doesn't say which messages were deleted or edited meanwhile either. A message that the database knows and that
is missing on a fetched page is requested by itself; if it is gone, it is handled like one that is deleted now. One that
stands on the page in other words than the database knows is handled like one that is edited now.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TypeVar

import discord

from bot.chat.chat import Chat
from bot.chat.outage import repeat_while_away
from bot.delivery.parts import is_growing
from bot.delivery.sender import Sender
from bot.discord.clock import EARLIEST_QUESTION
from bot.discord.connection import ConnectedClient
from bot.discord.intake import Intake
from bot.discord.messages import PLATFORM
from bot.discord.rest import DiscordTransport
from bot.discord.seen import Seen
from bot.errors import DatabaseBusy, DiscordError, StoreError

log = logging.getLogger(__name__)

MAX_CHANNELS = 200
MESSAGES_PER_CHANNEL = 100  # as many as Discord gives at once
OLDEST = timedelta(minutes=10)
_MAX_CONCURRENT_FETCHES = 8
_STILL_AWAY = "The database is away again."
_GATHERING_SECONDS = 0.1
_HICCUP_SECONDS = 3.0
_CHANNELS_PER_SLICE = 2_000
_PERMISSIONS_PER_SLICE = 100

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class _Missed:
    """A channel in which something may have been missed: everything behind the id `after`."""

    channel: discord.abc.Messageable
    channel_id: int
    after: int
    newest: int
    """The newest message there, as far as that is known."""
    is_known: bool
    """Whether the database has ever seen the channel."""


class CatchUp:
    """Finds out where messages were missed, fetches them, and hands them to the intake in their order."""

    def __init__(
        self, client: ConnectedClient, chat: Chat, intake: Intake, sender: Sender, transport: DiscordTransport
    ) -> None:
        self._client = client
        self._chat = chat
        self._intake = intake
        self._sender = sender
        self._transport = transport
        self.seen = Seen()
        self._finishing = asyncio.Lock()
        self._returned_guilds: list[discord.Guild] = []
        self._barriers: dict[int, asyncio.Event] = {}  # of the channels of those guilds

    def begin_session(self) -> None:
        """Discord forgot the last session.

        What is still being fetched for the last one is given up, and is fetched for this one.
        """
        self.seen.begin_session()
        self._intake.gate.shut()

    async def run(self) -> None:
        """Fetch what was missed; live messages of the channels concerned wait meanwhile."""
        session, missed, gate, is_found = self.seen.session, [], self._intake.gate, True
        try:
            missed = await self._find_missed(self.seen.before)
        except StoreError as error:
            is_found = False
            log.warning("what was missed is fetched when the database is back: %s", error)
        finally:
            barriers = {}
            if session == self.seen.session:
                barriers = gate.open_but_for(place.channel_id for place in missed)
        is_fetched = await self._fetch_all(missed, barriers, session)
        self.seen.is_caught_up = is_found and is_fetched and session == self.seen.session

    async def finish(self) -> None:
        """Fetch what could not be fetched while the database was away; only what is recent is worth the wait."""
        session = self.seen.session

        async def try_again() -> None:
            if self.seen.is_caught_up or session != self.seen.session:
                return
            is_fetched = await self._fetch_all(await self._find_missed(self.seen.before), {}, session)
            if not is_fetched:
                raise DatabaseBusy(_STILL_AWAY)
            self.seen.is_caught_up = session == self.seen.session

        try:
            async with self._finishing:
                await repeat_while_away(
                    try_again,
                    is_ending=lambda: self._client.is_draining or self._client.is_closed(),
                    limit_seconds=OLDEST.total_seconds(),
                )
        except StoreError as error:
            log.error("what was missed is not fetched: %s", error)

    async def run_for(self, guild: discord.Guild) -> None:
        """The same for a guild that was not there when the session began, or is back from an outage.

        An outage ends for thousands of guilds at once: those that come within a moment are looked at together.
        """
        session, missed, gate = self.seen.session, [], self._intake.gate
        self._barriers |= gate.shut_channels(channel.id for channel in (*guild.channels, *guild.threads))
        self._returned_guilds.append(guild)
        if len(self._returned_guilds) > 1:
            return
        seen_before = self.seen.newest  # before anything that is said from now on
        await asyncio.sleep(_GATHERING_SECONDS)
        guilds, self._returned_guilds = self._returned_guilds, []
        barriers, self._barriers = self._barriers, {}
        try:
            missed = await self._find_missed(seen_before, guilds)
        except StoreError as error:
            self.seen.begin_missing()
            log.warning("what was missed is fetched when the database is back: %s", error)
        finally:
            places = {place.channel_id for place in missed}
            for channel_id in barriers.keys() - places:
                gate.open_channel(channel_id, barriers[channel_id])
        if not await self._fetch_all(missed, barriers, session):
            self.seen.begin_missing()
        await self.finish()

    async def _fetch_all(self, missed: list[_Missed], barriers: Mapping[int, asyncio.Event], session: int) -> bool:
        """Fetch what was missed; False if the database was away, and something has to be fetched once more."""
        fetch_slots = asyncio.Semaphore(_MAX_CONCURRENT_FETCHES)
        async with asyncio.TaskGroup() as tasks:
            fetching = [
                tasks.create_task(self._fetch(place, fetch_slots, barriers.get(place.channel_id), session))
                for place in missed
            ]
        return all(each.result() for each in fetching)

    async def _find_missed(
        self, seen_before: Mapping[int, int], guilds: Collection[discord.Guild] | None = None
    ) -> list[_Missed]:
        """Where there may be something newer than what the inbox knows and the gateway sent, the newest first.

        Looked for in these `guilds`, by default everywhere.
        """
        known = {known.key.channel_id: known for known in await self._chat.known_channels(PLATFORM, self._client.part)}
        if not known and not seen_before and not await self._is_anything_known():
            return []
        last = {channel_id: known.last_message_id for channel_id, known in known.items()}
        earliest = discord.utils.time_snowflake(EARLIEST_QUESTION)
        do_ids_hold_the_time = min([*last.values(), *seen_before.values()], default=earliest) >= earliest
        seen = self.seen.read_until(seen_before, last)
        floor = discord.utils.time_snowflake(self._client.clock.now() - OLDEST) if do_ids_hold_the_time else 0
        # In a lost session pending questions may have been deleted; at a start each of them is requested anyway.
        busy = self._intake.busy_channels() if seen_before or self.seen.session > 1 else set()
        missed = []
        places = _channels(list(self._client.guilds) if guilds is None else guilds)
        async for channel in _sliced(places, _CHANNELS_PER_SLICE):
            newest, after = channel.last_message_id, max(floor, seen.get(channel.id, 0))
            is_newest_unknown = newest is None and channel.id in known  # there was a message at least
            if is_newest_unknown or channel.id in busy or (newest or 0) > after:
                missed.append(_Missed(channel, channel.id, after, newest or 0, channel.id in known))
        # Discord doesn't tell of direct messages at the start, so those that were used lately are asked.
        for channel_id, each in known.items():
            if each.key.guild_id is None and guilds is None:
                direct = self._client.get_partial_messageable(channel_id, type=discord.ChannelType.private)
                after = max(floor, seen.get(channel_id, 0))
                missed.append(_Missed(direct, channel_id, after, each.last_message_id, is_known=True))
        missed.sort(key=lambda place: place.newest, reverse=True)
        return await self._first_readable(missed)

    async def _is_anything_known(self) -> bool:
        """Whether this is no fresh install: a shard in which nothing was asked yet is none."""
        return self._client.shard is not None and bool(await self._chat.known_channels(PLATFORM))

    async def _first_readable(self, missed: list[_Missed]) -> list[_Missed]:
        """As many as are fetched. What may be read is computed for these alone: in many guilds it takes a second."""
        readable: list[_Missed] = []
        async for place in _sliced(missed, _PERMISSIONS_PER_SLICE):
            if len(readable) == MAX_CHANNELS:
                break
            if self._may_read(place.channel):
                readable.append(place)
        return readable

    def _may_read(self, channel: discord.abc.Messageable) -> bool:
        if not isinstance(channel, discord.abc.GuildChannel | discord.Thread):
            return True
        parent_id = channel.parent_id if isinstance(channel, discord.Thread) else None
        if not self._client.events.hidden_channels.isdisjoint({channel.id, parent_id}):
            return False
        me = channel.guild.me
        try:
            allowed = channel.permissions_for(me) if me else None
        except discord.ClientException:  # a thread whose channel isn't known
            return False
        return allowed is None or (allowed.view_channel and allowed.read_message_history)

    async def _fetch(
        self, place: _Missed, fetch_slots: asyncio.Semaphore, barrier: asyncio.Event | None, session: int
    ) -> bool:
        """Fetch what was missed in one channel; False if the database was away."""
        try:
            async with fetch_slots:
                if session != self.seen.session:
                    return True
                messages = await self._sender.read(
                    place.channel_id, lambda: self._transport.newest_messages(place.channel, MESSAGES_PER_CHANNEL)
                )
                ids, is_whole = [message.id for message in messages], len(messages) < MESSAGES_PER_CHANNEL
                find = partial(self._intake.changes.delete_missing, place.channel_id, ids, is_whole_channel=is_whole)
                await self._outlast_hiccup(find)
            own = [message for message in messages if self._client.user and message.author.id == self._client.user.id]
            shown = {message.reference.message_id: is_growing(message.content) for message in own if message.reference}
            # Where no question was ever committed, what stands before a reply was answered; no reply is what tells
            # that the database is away.
            replies = [] if place.is_known else [message.id for message in own if message.reference]
            after = max([place.after, *replies])
            for message in messages:
                if message.id > after:
                    await self._take(message, shown.get(message.id))
                elif message.edited_at is not None:
                    await self._intake.take_edit(message, is_live=False)
        except StoreError:
            return False
        except DiscordError as error:
            log.info("missed messages in channel %s are not fetched: %s", place.channel_id, error)
        except Exception:
            log.exception("missed messages in channel %s are not fetched", place.channel_id)
        finally:
            if barrier is not None:
                self._intake.gate.open_channel(place.channel_id, barrier)
        return True

    async def _outlast_hiccup(self, step: Callable[[], Awaitable[None]]) -> None:
        """Try a moment longer what a database refuses: who is let in meanwhile is committed before what was missed.

        A death before that is fetched again would lose it, for what is fetched is what lies behind the newest question.
        """
        await repeat_while_away(
            step,
            is_ending=lambda: self._client.is_draining or self._client.is_closed(),
            limit_seconds=_HICCUP_SECONDS,
        )

    async def _take(self, message: discord.Message, is_growing_reply: bool | None) -> None:
        """Take one message; what can't be taken doesn't cost those behind it.

        Args:
            message: as Discord has it.
            is_growing_reply: whether our own reply to it isn't finished; None where there is none.
        """
        try:
            if is_growing_reply is False:
                await self._intake.take_answered(message)
            else:
                await self._intake.take(message, is_live=False, is_begun=is_growing_reply is not None)
        except (DiscordError, StoreError):
            raise
        except Exception:
            log.exception("message %s in channel %s is not taken", message.id, message.channel.id)


_Readable = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.Thread


def _channels(guilds: Iterable[discord.Guild]) -> Iterator[_Readable]:
    """The channels that can hold messages."""
    for guild in guilds:
        for channel in (*guild.channels, *guild.threads):
            if isinstance(channel, _Readable):
                yield channel


async def _sliced(items: Iterable[_Item], size: int) -> AsyncIterator[_Item]:
    """The same items; after each `size` of them, whatever else runs gets its turn."""
    for index, item in enumerate(items):
        if index % size == size - 1:
            await asyncio.sleep(0)
        yield item
