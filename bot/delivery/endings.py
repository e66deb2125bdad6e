"""The last of a question: say what has to be said, then commit what became of it."""

import asyncio
import logging

from bot.chat.chat import Chat
from bot.conversation.messages import Question
from bot.delivery.limits import NoticeLimiter
from bot.delivery.outcomes import ONE_BY_ONE, REFUSALS, WITHDRAWN, Outcome
from bot.delivery.running import Running
from bot.delivery.sender import growing_pauses
from bot.errors import DiscordError, StoreError
from bot.store.rows.questions import InboxState

log = logging.getLogger(__name__)

_STORE_PATIENCE_SECONDS = 120.0


class Endings:
    """Ends questions, each with its outcome, and counts the notices that nobody gets."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._limiters = {limit: NoticeLimiter(*limit) for limit in (REFUSALS, ONE_BY_ONE)}

    async def close(self, running: Running, outcome: Outcome) -> None:
        """Say what has to be said, then commit what became of the question."""
        # An outage while we apologise for another error leaves nothing more to be said.
        try:
            await self._say(running, outcome)
        except (DiscordError, StoreError) as error:
            log.debug("question %s: nothing more can be said (%s)", running.question.message_id, error)
        except Exception as error:
            # A notice can't take the session with it.
            log.error("question %s: its end could not be said", running.question.message_id, exc_info=error)
        if outcome.state is not None and running.is_committed:
            await self._commit(running.question, outcome, outcome.state)

    async def _say(self, running: Running, outcome: Outcome) -> None:
        posts, sentence = running.reply.posts, outcome.sentence
        is_unknown = running.is_taken_up and not running.has_begun
        if is_unknown and (sentence or outcome.discards):
            await posts.take_up()
        if outcome.discards:
            await posts.discard()
        elif outcome.refuses and posts:
            await posts.end_with(sentence)
        elif sentence and is_unknown:
            await posts.replace_by(sentence)
        elif sentence and posts:
            running.reply.note(sentence)
            await running.reply.show_final()
        elif sentence and self._may_say(running, outcome):
            await posts.replace_by(sentence)

    def _may_say(self, running: Running, outcome: Outcome) -> bool:
        if outcome.limit is None:
            return True
        # Who has waited for the database hears what became of it, however many others did.
        limiter = self._limiters[ONE_BY_ONE if running.was_held else outcome.limit]
        may_say = limiter.allows(running.question.author_id, running.channel_id)
        if not may_say and (num_untold := limiter.num_to_log()):
            log.info("%d questions got no notice, since there were others of late", num_untold)
        return may_say

    async def _commit(self, question: Question, outcome: Outcome, state: InboxState) -> None:
        """Commit the outcome; while the database is locked or full, try again for a while.

        A deleted question is withdrawn only now that nothing of its answer is shown: a crash before leaves that to the
        next process.
        """
        give_up_at = asyncio.get_running_loop().time() + _STORE_PATIENCE_SECONDS
        for pause in growing_pauses():
            try:
                if outcome is WITHDRAWN:
                    await self._chat.withdraw(question.conversation.platform, question.message_id)
                await self._chat.finish(question, state, outcome.reason, keeps_answer=not outcome.refuses)
            except StoreError as error:
                if asyncio.get_running_loop().time() + pause > give_up_at:
                    log.error("question %s stays unfinished: %s", question.message_id, error)
                    return
                await asyncio.sleep(pause)
            else:
                return
