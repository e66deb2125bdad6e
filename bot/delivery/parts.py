"""The messages of ours that belong to one question: each is created once, recorded at once, and found again later.

What a message is for is part of its nonce and of its record: so a notice never hides an answer,
and a restarted Trinity edits what she finds rather than saying it twice.

An answer's first message ends with an invisible mark for as long as the answer grows, and the mark goes last of all. So
whether an answer is finished is known from the message alone, whatever the database knows: after a crash, with an older
backup, or with none. A message of which it is recorded that it never bore the mark says nothing about that.
"""

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum

from bot.chat.chat import Chat
from bot.conversation.messages import Question
from bot.delivery.limits import Urgency
from bot.delivery.refusals import MessageGone, Rejected
from bot.delivery.sender import Sender
from bot.delivery.split import utf16_length
from bot.delivery.transport import Draft, Posted
from bot.store.rows.message_deletion import ANSWER

_CLOSING = "\n```"
_GROWING = "\u2060"
"""A word joiner: nobody sees it, it is no white space that Discord would strip, and no answer has it."""
_MAX_UNITS = 2000  # Discord's limit


class Purpose(StrEnum):
    """What a message of ours is for."""

    ANSWER = ANSWER
    FILE = "file"
    """The whole of a very long answer."""
    NOTICE = "notice"
    """Why there is no answer."""
    AWAY = "memory away"
    """That the database is away."""
    HINT = "hint"
    """How to ask."""


Place = tuple[str, int]
"""A message's purpose, and its number among those of one purpose."""


def nonce(question_id: int, purpose: str, generation: int, part: int) -> str:
    """The nonce of a create, at most 25 characters: a repeated attempt has the same one, also after a restart."""
    return f"{question_id:x}{purpose[0]}{generation % 0x1000:x}.{part % 0x1000:x}"


def is_growing(content: str) -> bool:
    """Whether a message of ours is the beginning of an answer that isn't finished."""
    return content.endswith(_GROWING)


@dataclass(slots=True)
class _Post:
    """A message that exists; `content` is None where it isn't known what it says."""

    message_id: int
    content: str | None


@dataclass(slots=True)
class Posts:
    """Shows texts at their places: creates, edits or deletes whatever that takes."""

    chat: Chat
    sender: Sender
    question: Question
    on_first: Callable[[], None] = lambda: None
    """Called when the first message exists."""
    on_shown: Callable[[int], object] = lambda _: None
    """Called with the id of each message that exists from now on."""
    on_gone: Callable[[int], object] = lambda _: None
    """Called with the id of each message that is about to be deleted."""
    is_finished: bool = False
    """Whether `take_up` found a finished reply to the question."""
    _posts: dict[Place, _Post] = field(default_factory=dict)
    _generation: int | None = None
    _is_discarded: bool = False
    _is_taken_up: bool = False

    @property
    def _channel_id(self) -> int:
        return self.question.conversation.channel_id

    def __bool__(self) -> bool:
        """Whether anything is shown."""
        return bool(self._posts)

    def message_ids(self) -> set[int]:
        """The ids of these messages."""
        return {post.message_id for post in self._posts.values()}

    async def take_up(self) -> None:
        """Find what exists since before a restart, also a message whose id could not be recorded any more.

        Twice does no harm.
        """
        if self._is_taken_up:
            return
        recorded = await self.chat.parts(self.question)
        for part in recorded:
            self._put((part.purpose, part.index), _Post(part.message_id, None))
        own = await self.sender.own_messages(self._channel_id, self.question.message_id)
        contents = {posted.message_id: posted.content for posted in own}
        for post in self._posts.values():
            post.content = contents.get(post.message_id)
        first = self._posts.get((Purpose.ANSWER, 0))
        replies = [posted.content for posted in own if posted.reply_to == self.question.message_id]
        replies += [first.content] if first and first.content is not None else []
        is_told_by_mark = all(part.is_marked for part in recorded if (part.purpose, part.index) == (Purpose.ANSWER, 0))
        self.is_finished = bool(replies) and is_told_by_mark and not any(map(is_growing, replies))
        orphan = self._unrecorded(own)
        if orphan is not None:
            await self._keep((Purpose.ANSWER, self._num_answers()), orphan)
        self._is_taken_up = True
        if self._posts:
            self.on_first()

    async def show(
        self,
        place: Place,
        latest: Callable[[], str],
        *,
        is_final: bool = True,
        file_text: str | None = None,
    ) -> None:
        """Make the message at `place` say what `latest` returns when the request leaves.

        While an answer grows (`is_final` False), a message that already says more than that stays as it is, and the
        answer's first one bears the mark.
        """
        mark = "" if is_final or place != (Purpose.ANSWER, 0) else _GROWING
        post = self._posts.get(place)
        if post is None:
            await self._create(place, latest() + mark, file_text)
            return
        is_marked = post.content is not None and is_growing(post.content)
        says_enough = not is_final and _says_more(post.content, latest()) and (is_marked or not mark)
        if post.content == latest() + mark or says_enough:
            return
        urgency = Urgency.FIRST if is_final else Urgency.EDIT
        post.content = await self.sender.edit(self._channel_id, post.message_id, lambda: latest() + mark, urgency)

    async def keep_only(self, places: Collection[Place]) -> None:
        """Delete every message at another place."""
        for place in [place for place in self._posts if place not in places]:
            # Committed first, so that Discord's event isn't taken for a person's deletion of the answer; forgotten
            # last, so that a restart in between finds what is still to be deleted.
            await self.chat.mark_surplus(self.question, *place)
            post = self._posts.pop(place)
            self.on_gone(post.message_id)
            with suppress(MessageGone):
                await self.sender.delete(self._channel_id, post.message_id)
            await self.chat.remove_part(self.question, *place)

    async def replace_by(self, sentence: str) -> None:
        """Say only this: in the answer's first message where there is one, else in a notice of its own."""
        first: Place = (Purpose.ANSWER, 0)
        place: Place = first if first in self._posts else (Purpose.NOTICE, 0)
        await self.show(place, lambda: sentence)
        await self.keep_only([place])

    async def end_with(self, sentence: str) -> None:
        """Leave what Discord took of the answer, and say `sentence` below it; for words that it doesn't take.

        Where that is refused too, only the sentence stays, and where even that is refused, nothing.
        """
        for way in (self._say_below, self.replace_by):
            try:
                await way(sentence)
            except Rejected:
                continue
            return
        await self.discard()

    async def discard(self) -> None:
        """Take everything out of the channel, what is being created just now included."""
        self._is_discarded = True
        await self.keep_only(())

    async def _say_below(self, sentence: str) -> None:
        answers = sorted(place for place in self._posts if place[0] == Purpose.ANSWER)
        shown = [(self._posts[place].content or "").removesuffix(_GROWING).rstrip() for place in answers]
        if not answers or not all(shown):  # it isn't known what they say
            await self.replace_by(sentence)
            return
        kept = [*answers]
        if utf16_length(below := f"{shown[-1]}\n-# {sentence}") <= _MAX_UNITS:
            shown[-1] = below
        else:
            kept.append((Purpose.NOTICE, 0))
            await self.show(kept[-1], lambda: sentence)
        for place, text in reversed([*zip(answers, shown, strict=True)]):  # the first one's mark goes last
            await self.show(place, lambda text=text: text)  # type: ignore[misc]
        await self.keep_only(kept)

    async def _create(self, place: Place, content: str, file_text: str | None) -> None:
        if self._generation is None:
            self._generation = await self.chat.generation(self.question)
        purpose, part = place
        is_reply = part == 0 and purpose != Purpose.FILE
        draft = Draft(
            channel_id=self._channel_id,
            guild_id=self.question.conversation.guild_id,
            content=content,
            nonce=nonce(self.question.message_id, purpose, self._generation, part),
            after=max((post.message_id for post in self._posts.values()), default=self.question.message_id),
            reply_to=self.question.message_id if is_reply else None,
            file_text=file_text,
        )
        await self.sender.create(draft, lambda posted: self._keep(place, posted))

    async def _keep(self, place: Place, posted: Posted) -> None:
        """Record a message that exists now; not to be cancelled."""
        self._put(place, _Post(posted.message_id, posted.content))
        self.on_first()
        is_marked = is_growing(posted.content)
        await self.chat.record_part(self.question, *place, posted.message_id, is_marked=is_marked)
        if self._is_discarded:
            await self.keep_only(())

    def _put(self, place: Place, post: _Post) -> None:
        self._posts[place] = post
        self.on_shown(post.message_id)

    def _num_answers(self) -> int:
        return sum(purpose == Purpose.ANSWER for purpose, _ in self._posts)

    def _unrecorded(self, own: list[Posted]) -> Posted | None:
        """A message that has to be the next part of the answer: if unsure, it is edited rather than another created."""
        unknown = [posted for posted in own if posted.message_id not in self.message_ids()]
        if self._num_answers() == 0:
            return next((posted for posted in unknown if posted.reply_to == self.question.message_id), None)
        last = max(post.message_id for post in self._posts.values())
        following = [posted for posted in unknown if posted.message_id > last]
        return following[0] if following and following[0].reply_to is None else None


def _says_more(shown: str | None, text: str) -> bool:
    """Whether a message says all of `text` already; one that isn't known is taken to."""
    return shown is None or (
        shown.removesuffix(_GROWING).removesuffix(_CLOSING).startswith(text.removesuffix(_CLOSING))
    )
