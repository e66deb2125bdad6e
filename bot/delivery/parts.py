"""The messages of ours that belong to one question: each is created once, recorded at once, and found again later.

What a message is for is part of its key and of its record: so a notice never hides an answer,
and after a restart what is found is edited rather than said twice.

An answer's first message ends with an invisible mark for as long as the answer grows, and the mark goes last of all. So
whether an answer is finished is known from the message alone, whatever the database knows: after a crash, with an older
backup, or with none. A message of which it is recorded that it never bore the mark says nothing about that.

Its buttons belong to what a message shows, as its text does: whoever shows a text says which buttons stand below it.
"""

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from bot.chat.chat import Exchange, Part
from bot.delivery.limits import Urgency
from bot.delivery.refusals import ContentRefused, MessageGone, NoAccess, Rejected
from bot.delivery.sender import Sender
from bot.delivery.split import CLOSING, split, utf16_length
from bot.delivery.transport import Button, ButtonKind, Draft, DraftKey, Posted
from bot.store.rows.deletion import ANSWER
from bot.words import LANGUAGES, in_language, phrase

_GROWING = "\u2060"
"""A word joiner: nobody sees it, it is no white space that Discord would strip, and no answer has it."""
_WAITING = f"\u2063{_GROWING}"
"""What a line ends with that stands where the answer will be."""
_ASIDES = frozenset(phrase("memory_away").to(language) for language in LANGUAGES)
"""What is said of an outage: it is recorded nowhere and replies to nothing, as later parts of an answer do."""
_MAX_UNITS = 2000  # Discord's limit


class Purpose(StrEnum):
    """What a message of ours is for, in the order in which those of one question are created."""

    ANSWER = ANSWER
    FILE = "file"
    """The whole of a very long answer."""
    DONE = "done"
    """That an answer which took long is there: it mentions who asked."""
    NOTICE = "notice"
    """Why there is no answer."""
    AWAY = "memory away"
    """That the database is away."""
    HINT = "hint"
    """How to ask."""


Place = tuple[str, int]
"""A message's purpose, and its number among those of one purpose."""
_FIRST: Place = (Purpose.ANSWER, 0)
_NOTICE: Place = (Purpose.NOTICE, 0)


class Shown(NamedTuple):
    """What a message of ours shows."""

    content: str
    buttons: tuple[Button, ...]


def is_growing(content: str) -> bool:
    """Whether a message of ours is the beginning of an answer that isn't finished."""
    return content.endswith(_GROWING)


def is_waiting(content: str) -> bool:
    """Whether a message of ours only says that the answer is still to come."""
    return content.endswith(_WAITING)


@dataclass(slots=True)
class Parts:
    """The messages that show one exchange, by their places: creates, edits or deletes whatever a text takes."""

    exchange: Exchange
    sender: Sender
    on_first: Callable[[], None] = lambda: None
    """Called when the first message exists."""
    is_finished: bool = False
    """Whether `resume` found a finished reply to the question."""
    _shown: dict[Place, Shown | None] = field(default_factory=dict)
    """The messages that exist; None where it isn't known what one shows."""
    _created: set[Place] = field(default_factory=set)
    """Those that were created for this very answer, in this process."""
    _unsure: set[Place] = field(default_factory=set)
    """Those that may have been created: nobody waited for that, or Discord gave no answer."""
    _is_discarded: bool = False
    _is_resumed: bool = False
    _language: str = ""

    @property
    def language(self) -> str:
        """What is said about the answer is said in; it stays the same for as long as the answer is shown."""
        self._language = self._language or self.sender.language_of(self._channel_id)
        return self._language

    @property
    def _channel_id(self) -> int:
        return self.exchange.channel_id

    def __bool__(self) -> bool:
        """Whether anything is shown."""
        return bool(self._shown)

    async def resume(self, *, is_question_gone: bool = False) -> None:
        """Find what exists of it, after a restart also a message whose id could not be recorded any more.

        Where the question is gone, that may reply to nothing. Twice does no harm.
        """
        if self._is_resumed:
            return
        recorded = await self.exchange.parts.load()
        own = await self.sender.own_messages(self._channel_id, self.exchange.message_id)
        shown = {posted.message_id: Shown(posted.content, posted.buttons) for posted in own}
        for part in recorded:
            self._shown[part.purpose, part.index] = shown.get(part.message_id)
        first = self._shown.get(_FIRST)
        # Of a question that is asked anew, what was said of the first time is no answer.
        notices = {part.message_id for part in recorded if self.exchange.generation and part.purpose == Purpose.NOTICE}
        said = [posted for posted in own if posted.message_id not in notices]
        replies = [posted.content for posted in said if posted.reply_to == self.exchange.message_id]
        replies += [first.content] if first is not None else []
        has_marked_first = all(part.is_marked for part in recorded if (part.purpose, part.index) == _FIRST)
        self.is_finished = bool(replies) and has_marked_first and not any(map(is_growing, replies))
        orphan = await self._unrecorded(own) if self.exchange.resumed or not recorded else None
        if orphan is None and is_question_gone and not recorded:
            orphan = await self._beginning_without_question(own)
        if orphan is not None:
            await self._keep((Purpose.ANSWER, self._num_answers()), orphan)
        self._is_resumed = True
        if self._shown:
            self.on_first()

    async def settle(self) -> None:
        """Find what was created although nobody waited for that: who asked for it was stopped, or has failed."""
        if not self._unsure:
            return
        await self.sender.wait_created(self.exchange.message_id)
        if self._unsure:
            own = await self.sender.own_messages(self._channel_id, self.exchange.message_id)
            if (orphan := await self._unrecorded(own)) is not None:
                await self._keep((Purpose.ANSWER, self._num_answers()), orphan)
            self._unsure.clear()

    async def show(
        self,
        place: Place,
        latest: Callable[[], str],
        *,
        is_final: bool = True,
        file_text: str | None = None,
        pings: int | None = None,
        buttons: Collection[ButtonKind] = (),
    ) -> None:
        """Make the message at `place` say what `latest` returns when the request leaves, in the channel's language.

        While an answer grows (`is_final` False), a message that already says more than that stays as it is, and the
        answer's first one bears the mark. Other buttons below the same text take an edit, too.
        """
        mark = "" if is_final or place != _FIRST else _GROWING
        borne = self._buttons(buttons)

        def said() -> str:
            return in_language(latest(), self.language)

        if place not in self._shown:
            # Half a sentence rings nobody, nor does what comes below the first message.
            is_silent = not is_final or place[1] > 0 or place[0] == Purpose.FILE
            draft = self._draft(place, Shown(said() + mark, borne), file_text, is_silent=is_silent, pings=pings)
            self._created.add(place)
            self._unsure.add(place)
            try:
                await self.sender.create(draft, lambda posted: self._keep(place, posted))
            except (Rejected, NoAccess):
                self._unsure.discard(place)
                raise
            created = self._shown.get(place)
            # It may be what an earlier process, or try, created with other words a moment ago.
            if not is_final or created is None or created.content == draft.content.strip():
                return
        shown = self._shown[place]
        if shown == Shown(said() + mark, borne):
            return
        is_as_marked = not mark or (shown is not None and is_growing(shown.content))
        has_other_buttons = shown is not None and shown.content == said() + mark
        if not is_final and _says_more(shown, said()) and is_as_marked and not has_other_buttons:
            return
        urgency, message_id = Urgency.FIRST if is_final else Urgency.EDIT, self.exchange.parts[place].message_id
        try:
            content = await self.sender.edit(self._channel_id, message_id, lambda: said() + mark, urgency, borne)
        except ContentRefused:
            raise
        except Rejected:
            if place in self._created:
                raise
            # Of an older answer, which Discord lets nobody edit any more: what replaces it is in new messages.
            await self.keep_only([each for each in self._shown if _order_of_creation(each) < _order_of_creation(place)])
            await self.show(place, latest, is_final=is_final, file_text=file_text, pings=pings, buttons=buttons)
            return
        if place in self._shown:
            self._shown[place] = Shown(content, borne)

    @property
    def with_buttons(self) -> int | None:
        """The message that bears buttons."""
        bearing = (place for place, shown in self._shown.items() if shown is not None and shown.buttons)
        return next((self.exchange.parts[place].message_id for place in bearing), None)

    @property
    def may_show_wait(self) -> bool:
        """Whether nothing of an answer is shown, nor anything else."""
        return not self._shown or self.shows_wait

    @property
    def shows_wait(self) -> bool:
        """Whether all that is shown is that the answer is still to come."""
        return len(self._shown) == 1 and is_waiting(_said(self._shown.get(_FIRST)))

    @property
    def shows_notice(self) -> bool:
        """Whether all that is shown is why there was no answer."""
        return [*self._shown] == [_NOTICE]

    async def show_wait(self, sentence: str) -> None:
        """Say, where the answer will be, that it is still to come."""
        wanted = Shown(f"-# {in_language(sentence, self.language)}{_WAITING}", self._buttons((ButtonKind.STOP,)))
        if not self._shown:
            draft = self._draft(_FIRST, wanted, None, is_silent=True)
            self._unsure.add(_FIRST)
            await self.sender.create(draft, lambda posted: self._keep(_FIRST, posted))
        elif self._shown.get(_FIRST) != wanted:
            message_id = self.exchange.parts[_FIRST].message_id
            await self.sender.edit(self._channel_id, message_id, lambda: wanted.content, Urgency.EDIT, wanted.buttons)
            if _FIRST in self._shown:
                self._shown[_FIRST] = wanted

    async def keep_only(self, places: Collection[Place]) -> None:
        """Delete every message at another place."""
        for place in [place for place in self._shown if place not in places]:
            # Committed first, so that Discord's event isn't taken for a person's deletion of the answer; forgotten
            # last, so that a restart in between finds what is still to be deleted.
            part = await self.exchange.parts.mark_surplus(place)
            del self._shown[place]
            with suppress(MessageGone):
                await self.sender.delete(self._channel_id, part.message_id)
            await self.exchange.parts.remove(place)

    async def replace_by(self, sentence: str) -> None:
        """Say only this: in the answer's first message where there is one, else in a notice of its own."""
        place = _FIRST if _FIRST in self._shown else _NOTICE
        await self.show(place, lambda: sentence)
        await self.keep_only([place])

    async def end_with(self, sentence: str) -> None:
        """Leave what Discord took of the answer, and say `sentence` below it; for words that it doesn't take.

        Where that is refused too, only the sentence stays, in a new message if need be; where even that is refused,
        nothing.
        """
        for way in (self._say_below, self.replace_by, self._say_apart):
            try:
                await way(sentence)
            except Rejected:
                continue
            return
        await self.discard()

    async def end_in_place(self, sentence: str) -> None:
        """Say `sentence` below what is shown of the answer, where nothing new can be written: by edits alone."""
        sentence = in_language(sentence, self.language)
        answers = sorted(place for place in self._shown if place[0] == Purpose.ANSWER)
        shown = [] if self.shows_wait else [_text(self._shown[place]).rstrip() for place in answers]
        if not answers or not all(shown):
            return
        room = _MAX_UNITS - utf16_length(below := f"\n-# {sentence}")
        kept = split(shown[-1], room)[0] if shown else ""
        shown[-1:] = [(kept + below).strip()]
        for place, text in reversed([*zip(answers, shown, strict=True)]):  # the first one's mark goes last
            await self.show(place, lambda text=text: text)  # type: ignore[misc]

    async def discard(self) -> None:
        """Take everything out of the channel, what is being created just now included."""
        self._is_discarded = True
        await self.keep_only(())

    async def _say_below(self, sentence: str) -> None:
        sentence = in_language(sentence, self.language)
        answers = sorted(place for place in self._shown if place[0] == Purpose.ANSWER)
        shown = [_text(self._shown[place]).rstrip() for place in answers]
        if not answers or not all(shown) or self.shows_wait:  # it isn't known what they say
            await self.replace_by(sentence)
            return
        kept = [*answers]
        if utf16_length(below := f"{shown[-1]}\n-# {sentence}") <= _MAX_UNITS:
            shown[-1] = below
        else:
            kept.append(_NOTICE)
            await self.say_beside(sentence)
        for place, text in reversed([*zip(answers, shown, strict=True)]):  # the first one's mark goes last
            await self.show(place, lambda text=text: text)  # type: ignore[misc]
        await self.keep_only(kept)

    async def say_beside(self, sentence: str) -> None:
        """Say something in a notice of its own, and leave what is shown as it is."""
        await self.show(_NOTICE, lambda: sentence)

    async def _say_apart(self, sentence: str) -> None:
        await self.say_beside(sentence)
        await self.keep_only([_NOTICE])

    def _buttons(self, kinds: Collection[ButtonKind]) -> tuple[Button, ...]:
        if not self.sender.has_buttons:
            return ()
        return tuple(Button(kind, self.exchange.message_id, self.exchange.generation) for kind in kinds)

    def _draft(
        self, place: Place, shown: Shown, file_text: str | None, *, is_silent: bool, pings: int | None = None
    ) -> Draft:
        purpose, index = place
        is_reply = index == 0 and purpose not in (Purpose.FILE, Purpose.DONE)
        last = self._last_message_id()
        return Draft(
            channel_id=self._channel_id,
            guild_id=self.exchange.question.conversation.guild_id,
            content=shown.content,
            key=DraftKey(self.exchange.message_id, purpose, self.exchange.generation, index),
            after=self.exchange.message_id if last is None else last,
            reply_to=self.exchange.message_id if is_reply else None,
            file_text=file_text,
            is_silent=is_silent,
            pings=pings,
            buttons=shown.buttons,
        )

    async def _keep(self, place: Place, posted: Posted) -> None:
        """Record a message that exists now; not to be cancelled."""
        self._unsure.discard(place)
        self._shown[place] = Shown(posted.content, posted.buttons)
        self.on_first()
        await self.exchange.parts.record(Part(*place, posted.message_id, is_marked=is_growing(posted.content)))
        if self._is_discarded:
            await self.keep_only(())

    def _num_answers(self) -> int:
        return sum(purpose == Purpose.ANSWER for purpose, _ in self._shown)

    def _last_message_id(self) -> int | None:
        """The message of ours that was created last."""
        if not self._shown:
            return None
        return self.exchange.parts[max(self._shown, key=_order_of_creation)].message_id

    async def _unrecorded(self, own: list[Posted]) -> Posted | None:
        """A message that has to be the next part of the answer: if unsure, it is edited rather than another created."""
        known = {part.message_id for part in self.exchange.parts.values()}
        if self._num_answers() == 0:
            unknown = (posted for posted in own if posted.message_id not in known)
            return next((posted for posted in unknown if posted.reply_to == self.exchange.message_id), None)
        if self.shows_wait:
            return None  # there is no second part before there is a first one
        last, ids = self._last_message_id(), [posted.message_id for posted in own]
        later = own[ids.index(last) + 1 :] if last in ids else []
        # Those who wait are told so in messages that may have come in between.
        said = [each for each in later if not is_waiting(each.content) and each.content not in _ASIDES]
        following = [each for each in said if each.message_id not in known]
        if not following or following[0].reply_to is not None:
            return None
        # It may be a part of another's answer: its first one came before this one's.
        is_anothers = await self.exchange.parts.recorded_among([following[0].message_id])
        return None if is_anothers else following[0]

    async def _beginning_without_question(self, own: list[Posted]) -> Posted | None:
        """A beginning that belongs to no question that is there: Discord drops a reference to what was deleted."""
        nameless = [posted for posted in own if posted.reply_to is None and is_growing(posted.content)]
        of_others = await self.exchange.parts.recorded_among([posted.message_id for posted in nameless])
        return next((posted for posted in nameless if posted.message_id not in of_others), None)


def _order_of_creation(place: Place) -> tuple[int, int]:
    return [*Purpose].index(Purpose(place[0])), place[1]


def _says_more(shown: Shown | None, text: str) -> bool:
    """Whether a message says all of `text` already; one that isn't known is taken to."""
    return shown is None or _text(shown).removesuffix(CLOSING).startswith(text.removesuffix(CLOSING))


def _said(shown: Shown | None) -> str:
    """What a message says, with its mark; nothing where that isn't known."""
    return "" if shown is None else shown.content


def _text(shown: Shown | None) -> str:
    """What a message says, without its mark."""
    return _said(shown).removesuffix(_GROWING)
