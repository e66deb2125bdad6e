"""Rows for training: one conversation a row, turns added until the row is full, the loss on what the model says."""

import random
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from bot.conversation.chat_format import LLAMA_2, PromptTurn
from bot.conversation.notes import SUMMARY_PROMPT
from bot.conversation.tokenizer import encode
from training import asking, memories, talking, telling
from training.conversation import Conversation, Drawn
from training.facts import Key
from training.noise import plain
from training.personas import draw_persona
from training.values import display_name, is_spellable, tokenizer

BATCH_TOKENS = 131_072
ROW_LENGTHS = (256, 512, 1024, 4096)
ROW_SHARES = (0.15, 0.23, 0.24, 0.38)
"""The share of the training steps that a row length gets."""
SUMMARY_SHARE, PINS_SHARE, NOTES_SHARE = 0.13, 0.2, 0.42
"""The shares of the rows that ask for a summary, begin with pins, or have questions with notes before them."""
Ids = NDArray[np.int16]
Draw = Callable[[Conversation], Drawn | None]

MIXED: dict[Draw, float] = {
    telling.tell_fact: 19, telling.tell_several: 5, telling.tell_pair: 2.5, telling.tell_about_other: 3.5,
    asking.ask_told: 30, asking.ask_about_other: 8, asking.ask_untold: 14, talking.talk: 20, talking.tell_nothing: 20,
    talking.ask_the_world: 8.6, talking.echo: 3.5, telling.tell_note: 3.5, asking.ask_note: 24,
    asking.ask_summary: 36, asking.ask_said: 7, asking.ask_said_other: 10, asking.ask_who_told: 60,
    talking.style_wish: 2.5, talking.styled_once: 3.5,
}  # fmt: skip
FILLER: dict[Draw, float] = {
    talking.talk: 22, talking.tell_nothing: 15, talking.ask_the_world: 11, talking.echo: 6, asking.ask_untold: 12,
    asking.ask_note: 11, asking.ask_said: 4, asking.ask_said_other: 7, asking.ask_who_told: 24, asking.ask_summary: 9,
}  # fmt: skip


def choose(table: Mapping[Draw, float], rng: random.Random) -> Draw:
    """One kind of turn."""
    return rng.choices(tuple(table), tuple(table.values()))[0]


class WordEncoder:
    """Encodes a turn of the bot's chat format word by word, and remembers each: no piece goes on past a space.

    Several times as fast as the bot's own encoder on what the corpus repeats, and equal to it.
    """

    def __init__(self) -> None:
        self._space = tokenizer().get_vocab()["\u2581"]
        self._word_ids = lru_cache(maxsize=400_000)(partial(encode, tokenizer()))

    def turn(self, question: str, answer: str = "", *, system_message: str = "") -> list[int]:
        """The ids of a turn of these texts, which are cleaned as the bot cleans them."""
        clean = LLAMA_2.tags.clean
        system_message = clean(system_message)
        ids: list[int] = []
        for part in LLAMA_2.parts(PromptTurn(clean(question), clean(answer), system_message)):
            ids += self.encode(part) if isinstance(part, str) else [part]
        return ids

    def encode(self, text: str) -> list[int]:
        """The ids of `text`, nothing put around it. A space at the end is a piece of its own."""
        said = text.split(" ")
        ends_with_space = said[-1] == ""
        if ends_with_space:
            said.pop()
        if "" in said:
            return encode(tokenizer(), text)
        ids = [piece for word in said for piece in self._word_ids(word)]
        return [*ids, self._space] if ends_with_space else ids


class RowWriter:
    """Writes the turns of one conversation until its tokens are used up."""

    def __init__(
        self,
        rng: random.Random,
        encoder: WordEncoder,
        num_tokens: int,
        *,
        held_out: bool = False,
        has_memory: bool | None = None,
    ) -> None:
        self.rng, self.encoder, self.num_tokens, self._has_memory = rng, encoder, num_tokens, has_memory
        self.conversation = Conversation(rng, held_out=held_out, is_group=rng.random() < 0.36)
        self.system = self.conversation.persona.prompt
        self.ids: list[int] = []
        self.learnt: list[int] = []
        self.turns: list[Drawn] = []
        self.learnt_turns: dict[int, Drawn] = {}
        self.is_full = False
        self._paste_share = 0.0 if num_tokens < 500 else rng.choice((0.0, 0.006, 0.015))

    @property
    def tokens_left(self) -> int:
        return self.num_tokens - len(self.ids)

    def turn_ids(self, user: str, answer: str = "") -> list[int]:
        """What a question, or that and its answer, add to the row."""
        return self.encoder.turn(user, answer, system_message="" if self.ids else self.system)

    def add(self, drawn: Drawn | None, *, is_learnt: bool = True) -> bool:
        """Adds a turn; False once one did not fit: what it told stays untold, so that no later turn may rest on it."""
        if drawn is None:
            return True
        asked, turn = len(self.turn_ids(drawn.user)), self.turn_ids(drawn.user, drawn.answer)
        self.is_full |= len(turn) > self.tokens_left
        if self.is_full:
            return False
        if is_learnt:
            self.learnt_turns[len(self.ids)] = drawn
        self.ids += turn
        self.learnt += [0] * asked + [int(is_learnt)] * (len(turn) - asked)
        self.turns.append(drawn)
        return True

    def next_speaker(self) -> None:
        if self.conversation.is_group and self.rng.random() < 0.6:
            self.conversation.speaker = self.rng.choice(self.conversation.speakers)

    def fill(self) -> "RowWriter":
        """Turns until the row is full: mixed, or facts first and questions far away.

        Some rows have what is remembered from before them: the shares say how many, `has_memory` that all or none do.
        """
        roll, share = self.rng.random(), NOTES_SHARE
        if self._has_memory is not None:
            roll, share = (roll, 1.0) if self._has_memory else (1.0, 0.0)
        if roll < SUMMARY_SHARE and self.num_tokens > 400:
            return self._fill(self._summaries())
        if roll < SUMMARY_SHARE + PINS_SHARE and (pins := memories.pin_facts(self.conversation)):
            self.system = f"{self.system}\n\n{pins}".strip()
        elif self.rng.random() < 0.12:
            self.begin_in_the_middle()
        if self.rng.random() < 0.22:
            self._begin_as_another()
        is_far = self.rng.random() < (0.7 if self.num_tokens > 1000 else 0.25)
        turns = self._far() if is_far else self._mixed()
        if self.conversation.pinned:
            turns = self._asking_for_pins(turns)
        return self._fill(self._remembering(turns) if self.rng.random() < share else turns)

    def _fill(self, turns: Iterator[Drawn | None]) -> "RowWriter":
        for drawn in turns:
            if not self.add(drawn) or self.tokens_left < 24:
                break
        return self

    def _summaries(self) -> Iterator[Drawn]:
        """The bot's own requests for pieces of a summary, which have no persona."""
        c = self.conversation
        self.system, c.user_style = SUMMARY_PROMPT, None
        c.speakers = [name for name in c.speakers if is_spellable(name)] or ([display_name(self.rng)] * c.is_group)
        c.speaker = c.speakers[0] if c.is_group else ""
        return memories.summaries(c)

    def _asking_for_pins(self, turns: Iterator[Drawn | None]) -> Iterator[Drawn | None]:
        """Turns, and questions in between for what nothing but a pin tells."""
        c, share = self.conversation, self.rng.choice((0.05, 0.2))
        for drawn in turns:
            yield drawn
            if c.pinned and self.rng.random() < share:
                self.next_speaker()
                yield asking.ask_for(c, c.told[self.rng.choice(sorted(c.pinned))][0])

    def _remembering(self, turns: Iterator[Drawn | None]) -> Iterator[Drawn | None]:
        """Turns, and questions with sections before them in between."""
        rng, longest = self.rng, min(40, self.num_tokens // 40)
        remembered = memories.Memories(self.conversation, rng.randint(2, longest), has_summary=rng.random() < 0.45)
        share = rng.choice((0.3, 0.5, 0.7))
        for drawn in turns:
            yield drawn
            while rng.random() < share:
                self.next_speaker()
                yield remembered.turn(self.tokens_left)

    def _begin_as_another(self) -> None:
        """The persona was changed on the way, once or more: the turns before were answered by another, which shows."""
        c, mine = self.conversation, self.conversation.persona
        for _ in range(self.rng.choice((1, 1, 2, 3))):
            c.persona = draw_persona(c.source) if self.rng.random() < 0.8 else mine
            for _ in range(self.rng.randint(1, 4)):
                self.next_speaker()
                if 2 * self.tokens_left > self.num_tokens:  # the other half of the row is for what is learnt
                    drawn = choose({**FILLER, telling.tell_fact: 25, asking.ask_told: 10}, self.rng)(c)
                    self.add(drawn, is_learnt=False)
        c.persona = mine

    def _mixed(self) -> Iterator[Drawn | None]:
        c = self.conversation
        while True:
            self.next_speaker()
            roll = self.rng.random()
            if roll < 0.025:
                yield talking.long_answer(c, min(self.tokens_left, 300 if self.num_tokens < 1100 else 2600))
            elif roll < 0.025 + self._paste_share and self.tokens_left > 80:
                yield talking.paste(c, min(1500, self.tokens_left // 2))
            else:
                yield choose(MIXED, self.rng)(c)

    def _far(self) -> Iterator[Drawn | None]:
        """Facts at the start, told once; each is asked once, at a distance drawn over the whole row."""
        c, rng = self.conversation, self.rng
        most = min(30, max(2, self.num_tokens // 110))
        for _ in range(rng.randint(1, rng.choice((3, most, most)))):
            self.next_speaker()
            if c.known(key := telling.draw_key(c)) is None:
                yield telling.tell_fact(c, key)
            if rng.random() < 0.25:
                yield choose(FILLER, rng)(c)
        if rng.random() < 0.4:
            yield telling.tell_note(c)
        waiting = self._questions()
        long_share = rng.choice((0.0, 0.01, 0.025))
        between = {**FILLER, telling.tell_fact: rng.choice((0, 0, 12, 30))}
        while True:
            self.next_speaker()
            if rng.random() < long_share:
                yield talking.long_answer(c, min(self.tokens_left, 1200))
            elif rng.random() < self._paste_share and self.tokens_left > 80:
                yield talking.paste(c, min(1500, self.tokens_left // 2))
            if waiting and len(self.ids) > waiting[-1][0]:
                yield asking.ask_for(c, waiting.pop()[1])
            elif not waiting and c.told and rng.random() < 0.3:
                yield asking.ask_for(c, rng.choice(list(c.told.values()))[0])
            else:
                yield choose(between, rng)(c)

    def _questions(self) -> list[tuple[float, Key]]:
        """When each told fact is asked for, the last first; half of the rows ask late."""
        rng, begin = self.rng, len(self.ids)
        is_late = rng.random() < 0.5
        shares = [max(rng.random(), rng.random()) if is_late else rng.random() for _ in self.conversation.told]
        times = [begin + share * (self.num_tokens - 60 - begin) for share in shares]
        keys = [key for key, _ in self.conversation.told.values()]
        return sorted(zip(times, keys, strict=True), key=lambda entry: -entry[0])

    def begin_in_the_middle(self) -> None:
        """The front was trimmed away: what was told there is unknown, unless an answer that stayed repeats it."""
        c, rng = self.conversation, self.rng
        for _ in range(rng.randint(2, 6)):
            self.next_speaker()
            telling.tell_fact(c)
        hidden, c.told, c.said, c.notes = c.told, {}, [], {}
        for key, value in list(hidden.values())[: rng.randint(0, 3)]:
            if key.owner is not None:
                c.speaker = key.owner
            c.told[key.slot] = (key, value)
            drawn = asking.question_about(c, key)
            c.told[key.slot] = (Key(key.kind, key.thing, key.owner, c.asked.thing), value)
            if plain(value).lower() not in f"{drawn.user} {drawn.answer}".lower():
                c.told.pop(key.slot, None)
            self.add(drawn, is_learnt=False)


def make_batch(
    rng: random.Random, encoder: WordEncoder, row_length: int, num_tokens: int = BATCH_TOKENS
) -> tuple[Ids, Ids]:
    """Ids [rows, length + 1] and, of the same shape, 1 where the token is one the model has to say."""
    num_rows = num_tokens // row_length
    ids = np.zeros((num_rows, row_length + 1), dtype=np.int16)
    learnt = np.zeros((num_rows, row_length + 1), dtype=np.int16)
    for row in range(num_rows):
        writer = RowWriter(rng, encoder, row_length + 1).fill()
        ids[row, : len(writer.ids)] = writer.ids
        learnt[row, : len(writer.ids)] = writer.learnt
    return ids, learnt
