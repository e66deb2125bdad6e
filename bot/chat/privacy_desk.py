"""What the bot has of one person, over all conversations: shown to them, given to them, and erased with a receipt."""

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bot.chat.memory_desk import MAX_EXPORT_BYTES, Copy, copied, pin_record
from bot.conversation.messages import ConversationKey
from bot.conversation.quotes import opening_of
from bot.inference.engine import Engine
from bot.store.rows.own_words import OwnPlace, OwnTraces, OwnWords
from bot.store.rows.pins import Pins
from bot.store.rows.transcripts import SaidTurn

log = logging.getLogger(__name__)

_QUOTE_LENGTH = 24
"""So many letters in a row, blanks and marks aside, are a quote and no coincidence."""
_MAX_COMPARED = 500
"""How many of the answers after a person's first question are compared, in each conversation."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What is kept of a person."""

    places: tuple[OwnPlace, ...]
    traces: OwnTraces

    @property
    def num_turns(self) -> int:
        """Questions with their answers."""
        return sum(place.num_turns for place in self.places)


@dataclass(frozen=True, slots=True)
class Repeated:
    """An answer to somebody else, or their question, that quotes what is being erased: where it stands."""

    key: ConversationKey
    message_id: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was erased, and what of it stands in answers to others and in their questions, which stay."""

    erased: Holdings
    repeated: tuple[Repeated, ...]
    quoted: tuple[Repeated, ...]
    """Questions that quote the person, or somebody of their name."""


class PrivacyDesk:
    """A person's own words."""

    def __init__(
        self, own_words: OwnWords, pins: Pins, engine: Engine, withdraw: Callable[[str, int, Iterable[int]], None]
    ) -> None:
        self._own_words = own_words
        self._pins = pins
        self._engine = engine
        self._withdraw = withdraw
        """Stops what is being answered: by platform, person and the questions that were withdrawn."""

    async def show(self, platform: str, person_id: int) -> Holdings:
        """What is kept of a person, counted by place."""
        places = await self._own_words.places(platform, person_id)
        return Holdings(tuple(places), await self._own_words.traces(platform, person_id))

    async def copy(self, platform: str, person_id: int) -> Copy:
        """A person's questions with the answers to them, and their pins, of all places, as JSON.

        As many of the newest turns of each place as one file holds of all: what a place doesn't need is for the others.
        """
        texts: dict[str, list[object]] = {}
        num_turns, is_whole, max_bytes = 0, True, MAX_EXPORT_BYTES
        places = sorted(await self._own_words.places(platform, person_id), key=lambda place: place.num_turns)
        for num_left, place in zip(range(len(places), 0, -1), places, strict=True):
            turns = self._own_words.turns(place, person_id)
            part = await copied(turns, as_json=True, max_bytes=max_bytes // num_left)
            texts[f"channel {place.key.channel_id}"] = json.loads(part.text)
            num_turns, is_whole = num_turns + part.num_turns, is_whole and part.is_whole
            max_bytes = max(0, max_bytes - len(part.text.encode("utf-8", "replace")))
        pins = await self._pins.by(platform, person_id)
        for key, pin in pins:
            texts.setdefault(f"pinned in channel {key.channel_id}", []).append(pin_record(pin))
        return Copy(json.dumps(texts, ensure_ascii=False, indent=2), num_turns, is_whole, len(pins))

    async def erase(self, platform: str, person_id: int, *, name: str = "", guild_id: int | None = None) -> Receipt:
        """Erase what a person said everywhere. What was repeated of it is looked for before.

        A quotation bears no more than a name. So it is looked for under every name that the person has asked with and
        under `name`, the present one; in the guilds where they have asked something and in `guild_id`, where they are.
        """
        held = await self.show(platform, person_id)
        pinned_in = {key.cache_owner for key, _ in await self._pins.by(platform, person_id)}
        repeated: list[Repeated] = []
        quoted = await self._quoted(held, platform, person_id, name, guild_id)
        for place in held.places:
            answers, questions = await self._repeated(place, person_id)
            repeated += answers
            quoted += [each for each in questions if each not in quoted]
        withdrawn = await self._own_words.erase(platform, person_id)
        self._withdraw(platform, person_id, withdrawn)
        for owner in sorted(pinned_in.union(place.key.cache_owner for place in held.places)):
            await self._engine.forget(owner)
        log.info("a person's words were erased: %d turns in %d places", held.num_turns, len(held.places))
        return Receipt(held, tuple(repeated), tuple(quoted))

    async def _quoted(
        self, held: Holdings, platform: str, person_id: int, name: str, guild_id: int | None
    ) -> list[Repeated]:
        """The questions in which others quote the person by name."""
        guild_ids = {place.key.guild_id for place in held.places} | {guild_id}
        names = {name, *await self._own_words.names(platform, person_id)} - {""}
        found = await self._own_words.questions_of_others(
            platform, person_id, [each for each in guild_ids if each is not None],
            [f"{opening_of(each)}\n> " for each in names],
        )  # fmt: skip
        return [Repeated(key, message_id) for key, message_id in found]

    async def _repeated(self, place: OwnPlace, person_id: int) -> tuple[list[Repeated], list[Repeated]]:
        """The answers to others, and the questions of others, that have the person's words in them."""
        quotable: set[str] = set()
        first_id: int | None = None
        async for turn in self._own_words.turns(place, person_id):
            quotable.update(_runs(turn.question))
            first_id = turn.id
        answers: list[Repeated] = []
        questions: list[Repeated] = []
        if first_id is None or not quotable:
            return answers, questions
        num_compared = 0
        async for turn in self._own_words.others_turns(place, person_id, first_id):
            num_compared += 1
            if any(run in quotable for run in _runs(turn.answer)):
                answers.append(Repeated(place.key, await self._shown_at(turn)))
            if any(run in quotable for run in _runs(turn.question)):
                questions.append(Repeated(place.key, turn.message_id))
            if num_compared == _MAX_COMPARED:
                break
        return answers, questions

    async def _shown_at(self, turn: SaidTurn) -> int:
        return await self._own_words.answer_message(turn.id) or turn.message_id


def _runs(text: str) -> Iterable[str]:
    """Every run of letters and digits of a quote's length, in one case."""
    letters = "".join(filter(str.isalnum, text.casefold()))
    return (letters[start : start + _QUOTE_LENGTH] for start in range(len(letters) - _QUOTE_LENGTH + 1))
