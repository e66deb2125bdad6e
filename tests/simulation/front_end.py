"""What `bot/discord` is to the daemon, without Discord's library: messages become questions, edits and deletions.

It follows bot/discord/intake.py, catch_up.py and client.py step by step, for plain messages. What knows nothing of the
library is the daemon's own: the gate, pastes, how far each channel was read, and what becomes of messages later.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from bot.chat.chat import Chat, Edit, StopReason
from bot.chat.outage import repeat_while_away
from bot.conversation.messages import ConversationKey, Question
from bot.delivery.answers import Answers
from bot.delivery.parts import is_growing
from bot.delivery.sender import Sender
from bot.delivery.transport import Button, ButtonKind
from bot.discord.changes import Changes
from bot.discord.gate import Gate
from bot.discord.pastes import Pastes
from bot.discord.seen import Seen
from bot.errors import DatabaseBusy, DiscordError, StoreError, UserError
from tests.simulation.discord import BOT_ID, Channel, Discord, Message, Wire
from tests.simulation.universe import universe

log = logging.getLogger(__name__)

PLATFORM = "discord"
OLDEST = timedelta(minutes=10)
PER_CHANNEL = 100
NAMES = dict(enumerate(("Anna", "Daniel", "Maya", "Sofia", "Ben"), start=100))
_STORE_SECONDS = 120.0
_HICCUP_SECONDS = 3.0
LATEST_EDIT = timedelta(minutes=10)


def key_of(channel: Channel) -> ConversationKey:
    """The conversation of a channel."""
    return ConversationKey(PLATFORM, channel.id, channel.guild_id, channel.parent_id)


def question_in(message: Message) -> Question:
    """What a message asks."""
    channel = message.channel
    return Question(
        key_of(channel), message.id, message.author_id, NAMES[message.author_id], message.content, message.created_at,
        is_direct=channel.guild_id is None,
    )  # fmt: skip


@dataclass(eq=False)
class FrontEnd:
    """Takes what Discord tells, in one life of the daemon."""

    discord: Discord
    wire: Wire
    chat: Chat
    sender: Sender
    answers: Answers
    tasks: asyncio.TaskGroup
    is_draining: bool = False
    gate: Gate = field(default_factory=Gate)
    heard: Callable[[str, Message], None] = lambda _kind, _message: None
    """Called with what was followed to its end."""
    fetched: Callable[[Channel, list[Message]], None] = lambda _channel, _page: None
    """Called with the newest messages of a channel, as they were found."""
    _context: Context = field(default_factory=copy_context)
    _is_first: bool = True
    seen: Seen = field(default_factory=Seen)
    _changes: Changes = field(init=False)

    def __post_init__(self) -> None:
        self._changes = Changes(PLATFORM, self.chat, self.sender, Pastes(), self.tasks)

    # --- the connection

    def connect(self) -> None:
        """Connect, and go on with the session or begin another."""
        if self.is_draining:
            return
        is_resumed = self.discord.connect(self._receive)
        if is_resumed and not self._is_first:
            return
        self.seen.begin_session()
        self.gate.shut()
        self.tasks.create_task(self._begin_session())

    def lose_connection(self, *, is_resumable: bool) -> None:
        """The connection is lost; it comes back after a while."""
        self.discord.disconnect(is_resumable=is_resumable)

    async def _begin_session(self) -> None:
        is_first, self._is_first = self._is_first, False
        is_resumed = not is_first or await self._resume_unfinished(_HICCUP_SECONDS)
        if not self.is_draining:
            await self._catch_up()
        if not is_resumed:
            await self._resume_unfinished(_STORE_SECONDS)
        await self._finish_catching_up()

    async def _resume_unfinished(self, limit_seconds: float) -> bool:
        try:
            for exchange in await self._outlast(lambda: self.chat.resume(PLATFORM), limit_seconds):
                self.answers.begin(exchange)
        except StoreError:
            return False
        return True

    async def _outlast(self, step, limit_seconds):  # type: ignore[no-untyped-def]
        return await repeat_while_away(step, is_ending=lambda: self.is_draining, limit_seconds=limit_seconds)

    # --- what was missed

    async def _catch_up(self) -> None:
        session, missed, is_found, barriers = self.seen.session, [], True, {}
        try:
            missed = await self._find_missed()
        except StoreError:
            is_found = False
        finally:
            if session == self.seen.session:
                barriers = self.gate.open_but_for(channel.id for channel, _ in missed)
        is_fetched = await self._fetch_all(missed, barriers, session)
        self.seen.is_caught_up = is_found and is_fetched and session == self.seen.session

    async def _finish_catching_up(self) -> None:
        session = self.seen.session

        async def try_again() -> None:
            if self.seen.is_caught_up or session != self.seen.session:
                return
            if not await self._fetch_all(await self._find_missed(), {}, session):
                raise DatabaseBusy("The database is away again.")
            self.seen.is_caught_up = session == self.seen.session

        try:
            await self._outlast(try_again, OLDEST.total_seconds())
        except StoreError as error:
            log.warning("what was missed is not fetched: %s", error)

    async def _find_missed(self) -> list[tuple[Channel, int]]:
        known = {each.key.channel_id: each.last_message_id for each in await self.chat.known_channels(PLATFORM)}
        if not known and not self.seen.before:
            return []
        seen = self.seen.read_until(self.seen.before, known)
        floor = _id_at(universe.true_time - OLDEST.total_seconds())
        busy = {exchange.channel_id for exchange in self.chat.exchanges}
        busy = busy if self.seen.before or self.seen.session > 1 else set()
        missed = []
        for channel in self.discord.channels.values():
            newest, after = max((each.id for each in channel.messages), default=0), max(floor, seen.get(channel.id, 0))
            if channel.id in busy or newest > after:
                missed.append((channel, after))
        return missed

    async def _fetch_all(self, missed, barriers, session) -> bool:  # type: ignore[no-untyped-def]
        known = [self._fetch(channel, after, barriers.get(channel.id), session) for channel, after in missed]
        async with asyncio.TaskGroup() as tasks:
            fetching = [tasks.create_task(each) for each in known]
        return all(each.result() for each in fetching)

    async def _fetch(self, channel: Channel, after: int, barrier: asyncio.Event | None, session: int) -> bool:
        try:
            if session != self.seen.session:
                return True
            page = await self.sender.read(channel.id, lambda: self.wire.newest(channel.id, PER_CHANNEL))
            self.fetched(channel, page)
            ids, is_whole = [message.id for message in page], len(page) < PER_CHANNEL
            find = partial(self._changes.delete_missing, channel.id, ids, is_whole_channel=is_whole)
            await self._outlast(find, _HICCUP_SECONDS)
            own = [message for message in page if message.author_id == BOT_ID]
            shown = {message.reply_to: is_growing(message.content) for message in own if message.reply_to}
            for message in page:
                if message.author_id == BOT_ID:
                    continue
                if message.id > after:
                    if shown.get(message.id) is False:
                        await self.chat.note_answered(question_in(message))
                    else:
                        await self._take(message, is_live=False, is_begun=message.id in shown)
                elif message.edited_at is not None:
                    await self._take_edit(message, is_live=False)
        except StoreError:
            return False
        except DiscordError as error:
            log.info("missed messages in channel %s are not fetched: %s", channel.id, error)
        finally:
            if barrier is not None:
                self.gate.open_channel(channel.id, barrier)
        return True

    # --- events

    def _receive(self, kind: str, message: Message) -> None:
        self.begin(self._follow(kind, message))

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin something in this life, for somebody outside."""
        self.tasks.create_task(work, context=self._context.copy())

    async def _follow(self, kind: str, message: Message) -> None:
        self.discord.journal.note("event", kind, message.id)
        try:
            if kind == "delete":
                await self._changes.delete([message.id])
            elif message.author_id != BOT_ID and kind == "edit":
                await self._take_edit(message)
            elif kind == "create" and not self.is_draining:
                self.seen.note(message.channel.id, message.id)
                if message.author_id != BOT_ID:
                    await self._take(message)
        except StoreError as error:
            log.warning("an event was not followed: %s", error)
        else:
            self.heard(kind, message)

    async def _take(self, message: Message, *, is_live: bool = True, is_begun: bool = False) -> None:
        if is_live:
            await self.gate.passage(message.channel.id)
        if self._changes.recent.is_deleted(message.id):
            return
        if not self.sender.closed_channels.is_closed(message.channel.id):
            self.answers.begin(self.chat.open(question_in(message)), is_begun=is_begun)

    async def _take_edit(self, message: Message, *, is_live: bool = True) -> None:
        self._changes.recent.note_edit(message.id, message.edited_at)
        edit = await self._edit(message, is_live=is_live)
        if edit.exchange is not None:
            self.answers.begin(edit.exchange)
            if self._changes.recent.is_deleted(message.id):
                edit.exchange.stop(StopReason.QUESTION_DELETED)
        if not edit.is_known and is_live and message.edited_at is not None:
            await self._take(message)

    async def _edit(self, message: Message, *, is_live: bool) -> Edit:
        now = datetime.fromtimestamp(universe.true_time, UTC)
        is_recent = message.edited_at is not None and now - message.edited_at < LATEST_EDIT
        may_answer = is_recent and not self.sender.closed_channels.is_closed(message.channel.id)
        question, edited_at = question_in(message), message.edited_at
        return await self._changes.edit(message.id, edited_at, question, may_answer=may_answer, is_live=is_live)

    def close(self) -> None:
        """Leave what waits to the next start."""
        self._changes.close()

    # --- buttons

    async def click(self, button: Button, channel: Channel, person_id: int, act_id: int) -> None:
        """Somebody clicks on a button below an answer."""
        exchange = self.chat.exchanges.asked_by(PLATFORM, button.question_id)
        if button.kind is ButtonKind.STOP:
            is_it = exchange is not None and exchange.generation == button.generation
            if is_it and exchange is not None and exchange.can_stop:
                exchange.stop(StopReason.ASKED, keep=True)
            return
        key = key_of(channel)
        try:
            await self.chat.take_turn(key, person_id, act_id)
            begin = self.chat.again if button.kind is ButtonKind.AGAIN else self.chat.continue_answer
            self.answers.begin(await begin(key, button.question_id, person_id, generation=button.generation))
        except (UserError, StoreError) as error:
            log.info("a click came to nothing: %s", error)


def _id_at(seconds: float) -> int:
    return int((seconds - 1_420_070_400.0) * 1000) << 22
