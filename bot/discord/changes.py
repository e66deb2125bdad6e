"""Follows edits and deletions, told by the gateway or found later. It knows ids of messages, and no discord.py."""

import asyncio
import logging
from collections.abc import Collection
from datetime import datetime

from bot.chat.chat import Chat, Edit, StopReason
from bot.chat.outage import repeat_while_away
from bot.conversation.messages import Question
from bot.delivery.sender import Sender
from bot.discord.pastes import Pastes
from bot.discord.recent_changes import RecentChanges
from bot.errors import DatabaseBusy, StoreError

log = logging.getLogger(__name__)

MAX_SUSPECTS = 50
"""Messages in one channel that are asked for, the newest of those that seem to have been deleted."""
_STORE_RETRY_SECONDS = 120.0


class Changes:
    """What becomes of messages of one platform after they were taken in."""

    def __init__(self, platform: str, chat: Chat, sender: Sender, pastes: Pastes, tasks: asyncio.TaskGroup) -> None:
        self.recent = RecentChanges()
        self._platform = platform
        self._chat = chat
        self._sender = sender
        self._pastes = pastes
        self._tasks = tasks
        self._deleted: dict[int, bool] = {}  # message id -> whether it is surely one of ours
        self._following: asyncio.Task[None] | None = None
        self._is_followed = asyncio.Event()  # or waits for the database
        self._is_closed = False

    async def edit(
        self, message_id: int, edited_at: datetime | None, question: Question, *, may_answer: bool, is_live: bool = True
    ) -> Edit:
        """Follow the edit of a message; where the database is away, that waits in line with the question it is about.

        Where several are told at once, as after a lost connection, an older one does nothing.
        """
        if self.recent.is_outdated(message_id, edited_at):
            return Edit(is_known=True)

        async def edit() -> Edit:
            return await self._chat.edit(question, edited_at=edited_at if may_answer else None, is_live=is_live)

        try:
            return await edit()
        except DatabaseBusy:
            if self._chat.exchanges.asked_by(self._platform, question.message_id) is None:
                return Edit(is_known=False)  # a new question, which is told that it waits, or one that was answered
        return await self._chat.outlast(edit)

    async def delete(self, message_ids: Collection[int]) -> None:
        """Withdraw deleted messages, whoever wrote them: their content must not be used any more.

        Returns when that is done, or when it waits for a database that is away: it is done before whatever is asked
        from then on, so nobody has to be held up for it.
        """
        self._chat.overheard.forget(message_ids)
        self.recent.note_deleted(message_ids)
        for message_id in map(self._pastes.first_of, message_ids):
            self._pastes.forget(message_id)
            asked = self._chat.exchanges.asked_by(self._platform, message_id)
            shown = self._chat.exchanges.shown_by(self._platform, message_id)
            if shown is not None:
                shown.stop(StopReason.ANSWER_DELETED)
            # A question that is being answered is withdrawn as soon as nothing of its answer is shown any more.
            if asked is None or not asked.stop(StopReason.QUESTION_DELETED):
                self._deleted[message_id] = asked is not None or shown is not None
        if not self._deleted or self._is_closed:
            return
        if self._following is None or self._following.done():
            self._is_followed.clear()
            self._following = self._tasks.create_task(self._follow_deletions())
        await self._is_followed.wait()

    async def delete_missing(self, channel_id: int, page: list[int], *, is_whole_channel: bool) -> None:
        """Find out which known messages were deleted; `page` holds the ids of the channel's newest messages."""
        known = await self._chat.known_messages(
            self._platform, channel_id, 0 if is_whole_channel else page[0], page[-1] if page else None
        )
        suspects = sorted(known.difference(page))[-MAX_SUSPECTS:]
        gone = [message_id for message_id in suspects if not await self._sender.exists(channel_id, message_id)]
        if gone:
            log.info("%d messages were deleted in channel %s while nobody listened", len(gone), channel_id)
            await self.delete(gone)

    def close(self) -> None:
        """Leave what waits for the database to the next start, which finds most of it again."""
        self._is_closed = True
        if self._following is not None:
            self._following.cancel()

    async def _follow_deletions(self) -> None:
        try:
            await repeat_while_away(
                lambda: self._chat.outlast(self._apply_deletions, self._is_followed.set),
                is_ending=lambda: self._is_closed,
                limit_seconds=_STORE_RETRY_SECONDS,
            )
        except StoreError as error:
            log.error("%d deletions were not followed: %s", len(self._deleted), error)
        except Exception:
            log.exception("%d deletions were not followed", len(self._deleted))
        finally:
            self._deleted.clear()
            self._is_followed.set()

    async def _apply_deletions(self) -> None:
        """Withdraw those of our messages that were deleted; those that arrive meanwhile are looked up together."""
        while self._deleted:
            deleted = dict(self._deleted)
            unsure = [message_id for message_id, is_ours in deleted.items() if not is_ours]
            known = await self._chat.known_among(self._platform, unsure) if unsure else set()
            for message_id, is_ours in deleted.items():
                if is_ours or message_id in known:
                    await self._chat.withdraw(self._platform, message_id)
                self._deleted.pop(message_id, None)
