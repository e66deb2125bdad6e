import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace

from bot.chat.chat import Part
from bot.delivery.outcomes import MEMORY_AWAY
from bot.delivery.parts import Parts, Purpose
from bot.delivery.refusals import Unreachable
from bot.delivery.sender import open_sender
from bot.delivery.transport import Draft, Posted
from bot.words import LANGUAGES

QUESTION, CHANNEL = 7, 1
FIRST, SECOND = (Purpose.ANSWER, 0), (Purpose.ANSWER, 1)
GROWING = "\u2060"


class Recorded(dict):
    """What the inbox has of one question's messages; `of_others` are those of other questions."""

    def __init__(self, *parts: Part, of_others: tuple[int, ...] = ()) -> None:
        super().__init__({(part.purpose, part.index): part for part in parts})
        self._of_others = set(of_others)

    async def load(self) -> tuple[Part, ...]:
        return tuple(self.values())

    async def recorded_among(self, message_ids: list[int]) -> set[int]:
        return self._of_others.intersection(message_ids)

    async def record(self, part: Part) -> None:
        self[part.purpose, part.index] = part

    async def mark_surplus(self, place: tuple[str, int]) -> Part:
        return self.pop(place)

    async def remove(self, place: tuple[str, int]) -> None:
        self.pop(place, None)


@dataclass
class Channel:
    """A transport that creates a message once it may, and then answers or doesn't."""

    there: list[Posted] = field(default_factory=list)
    deleted: list[int] = field(default_factory=list)
    may_create: asyncio.Event = field(default_factory=asyncio.Event)
    is_created: asyncio.Event = field(default_factory=asyncio.Event)
    loses_answers: bool = False

    async def create(self, draft: Draft) -> Posted:
        await self.may_create.wait()
        self.there.append(Posted(100 + len(self.there), draft.content, draft.reply_to))
        self.is_created.set()
        if self.loses_answers:
            raise Unreachable("reset")
        return self.there[-1]

    async def delete(self, _channel_id: int, message_id: int) -> None:
        self.deleted.append(message_id)

    async def own_messages(self, _channel_id: int, after: int) -> list[Posted]:
        return [posted for posted in self.there if posted.message_id > after]

    def language_of(self, _channel_id: int) -> str:
        return "en"


def exchange(recorded: Recorded, *, resumed: object = None) -> SimpleNamespace:
    question = SimpleNamespace(conversation=SimpleNamespace(guild_id=None))
    return SimpleNamespace(
        message_id=QUESTION, channel_id=CHANNEL, generation=0, question=question, parts=recorded, resumed=resumed
    )


async def test_what_is_being_created_when_its_asker_is_stopped_is_found_and_taken_back() -> None:
    channel = Channel()
    async with open_sender(channel) as sender:
        parts = Parts(exchange(Recorded()), sender)
        showing = asyncio.create_task(parts.show(FIRST, lambda: "Half an", is_final=False))
        await asyncio.sleep(0.01)
        showing.cancel()
        settling = asyncio.create_task(parts.settle())
        await asyncio.sleep(0.01)
        assert not settling.done()

        channel.may_create.set()
        await settling
        await parts.discard()

    assert channel.deleted == [100]


async def test_what_was_created_without_an_answer_is_searched_for_and_taken_back() -> None:
    channel = Channel(loses_answers=True)
    channel.may_create.set()
    async with open_sender(channel) as sender:
        parts = Parts(exchange(Recorded()), sender)
        showing = asyncio.create_task(parts.show(FIRST, lambda: "Half an", is_final=False))
        await channel.is_created.wait()
        showing.cancel()

        await parts.settle()
        await parts.discard()

    assert channel.deleted == [100]


async def test_an_answer_does_not_go_on_in_a_message_of_anothers() -> None:
    own, anothers = Posted(100, f"Half an{GROWING}", QUESTION), Posted(101, "another's second message")
    parts_of_it = Part(*FIRST, 100, is_marked=True)
    for of_others, is_taken in (((101,), False), ((), True)):
        recorded = Recorded(parts_of_it, of_others=of_others)
        async with open_sender(Channel([own, anothers])) as sender:
            await Parts(exchange(recorded, resumed=object()), sender).resume()

        assert (SECOND in recorded) == is_taken


async def test_a_line_that_tells_to_wait_is_no_beginning_of_an_answer() -> None:
    line = Posted(100, f"-# You are next.\u2063{GROWING}", QUESTION)
    recorded = Recorded(Part(*FIRST, 100, is_marked=True))
    async with open_sender(Channel([line, Posted(101, "another's second message")])) as sender:
        await Parts(exchange(recorded, resumed=object()), sender).resume()

    assert SECOND not in recorded


async def test_what_is_said_of_an_outage_is_no_part_of_an_answer() -> None:
    for language in LANGUAGES:
        own = Posted(100, f"Half an{GROWING}", QUESTION)
        recorded = Recorded(Part(*FIRST, 100, is_marked=True))
        channel = Channel([own, Posted(101, MEMORY_AWAY.to(language)), Posted(102, "answer")])
        async with open_sender(channel) as sender:
            await Parts(exchange(recorded, resumed=object()), sender).resume()

        assert recorded[SECOND].message_id == 102


async def test_the_beginning_of_an_answer_to_a_deleted_question_is_found_without_a_reference() -> None:
    anothers, lost = Posted(100, f"Half of another{GROWING}"), Posted(101, f"Half an{GROWING}")
    channel = Channel([anothers, Posted(102, "all of a third one"), lost])
    async with open_sender(channel) as sender:
        parts = Parts(exchange(Recorded(of_others=(100,)), resumed=object()), sender)

        await parts.resume(is_question_gone=True)
        await parts.discard()

    assert channel.deleted == [101]


async def test_a_message_that_an_earlier_process_created_a_moment_ago_gets_the_whole_answer() -> None:
    class Repeating(Channel):
        """Knows the nonce already, and gives the message that it created first."""

        def __init__(self) -> None:
            super().__init__()
            self.edits: list[str] = []

        async def create(self, draft: Draft) -> Posted:
            return Posted(100, f"Half an{GROWING}", draft.reply_to)

        async def edit(self, _channel_id: int, _message_id: int, content: str, _buttons: object) -> None:
            self.edits.append(content)

    channel = Repeating()
    async with open_sender(channel) as sender:
        parts = Parts(exchange(Recorded()), sender)

        await parts.show(FIRST, lambda: "Half an answer, and the rest.")

    assert channel.edits == ["Half an answer, and the rest."]
