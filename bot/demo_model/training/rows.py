"""Rows for training: one conversation a row, turns added until the row is full, the loss on what the model says."""

import random

import numpy as np

from bot.demo_model.training import turns_ask, turns_facts, turns_recall, turns_talk
from bot.demo_model.training.chat_format import BOS, EOS, WordEncoder, question_text, turn_text, with_system
from bot.demo_model.training.conversation import Conversation, Drawn
from bot.demo_model.training.facts import Key
from bot.demo_model.training.grammar import draw
from bot.demo_model.training.noise import plain
from bot.demo_model.training.styles import Style

BATCH_TOKENS = 131_072
ROW_LENGTHS = (256, 512, 1024, 4096)
ROW_SHARES = (0.14, 0.22, 0.24, 0.40)
"""The share of the training steps that a row length gets."""

ONCE = {
    "caps": "(in capital letters|in capitals|in all caps|in upper case|in uppercase|in caps|IN CAPITAL LETTERS|using capital letters only|written in capitals)",
    "lower": "(in lower case|in lowercase|in small letters|without capital letters|in lower case letters|all lowercase)",
    "pirate": "(like a pirate|in pirate speak|as a pirate would|as a pirate|in the style of a pirate|the pirate way)",
    "short": "(in one word|in a single word|with one word|using one word|in just one word|one word only)",
    "poem": "(in a poem|as a poem|in verse|like a poet|as a poet would|in rhyme)",
    "list": "(as a list|as a bulleted list|in bullet points|with bullet points|as bullet points|in a list)",
}
MIXED = (
    (turns_facts.tell_fact, 19), (turns_facts.tell_several, 5), (turns_facts.tell_about_other, 3.5), (turns_ask.ask_told, 21), (turns_ask.ask_about_other, 8), (turns_ask.ask_untold, 9),
    (turns_talk.talk, 18), (turns_talk.unanswerable, 20), (turns_talk.echo, 3.5), (turns_recall.tell_note, 3), (turns_recall.ask_note, 3), (turns_recall.ask_summary, 13),
    (turns_recall.ask_said, 3), (turns_recall.ask_said_other, 12), (turns_recall.ask_who_told, 11), (turns_talk.style_wish, 1.5),
)  # fmt: skip
FILLER = (
    (turns_talk.talk, 22),
    (turns_talk.unanswerable, 26),
    (turns_talk.echo, 6),
    (turns_ask.ask_untold, 10),
    (turns_recall.ask_note, 2),
    (turns_recall.ask_said, 2),
    (turns_recall.ask_said_other, 8),
    (turns_recall.ask_who_told, 5),
    (turns_recall.ask_summary, 2),
)


def choose(table: tuple, rng: random.Random):
    return rng.choices([entry[0] for entry in table], [entry[1] for entry in table])[0]


def styled_once(c: Conversation) -> Drawn | None:
    """A message that asks for a style for its own answer only."""
    rng = c.rng
    name = rng.choice(tuple(ONCE))
    before, c.user_style = c.user_style, Style(name)
    make = choose(((turns_ask.ask_told, 5), (turns_ask.ask_untold, 1), (turns_talk.talk, 3)), rng)
    drawn = make(c)
    c.user_style = before
    if drawn is None:
        return None
    wish, text = draw(ONCE[name], rng), c.said[-1][1]
    if rng.random() < 0.5:
        text = f"{text.rstrip('?.! ')} {wish}{rng.choice(('', '?', '.', ', please', ' please'))}"
    else:
        text = f"{rng.choice(('', 'Tell me ', 'Answer ', 'Please answer ', 'answer ', 'Say it '))}{wish}{rng.choice((':', ',', ':'))} {text}"
        text = text[:1].upper() + text[1:] if rng.random() < 0.6 else text
    c.said[-1] = (c.speaker, text)
    return Drawn(f"{c.speaker}: {text}" if c.is_group else text, drawn.answer, f"styled {drawn.skill}")


class RowWriter:
    """Writes the turns of one conversation until its tokens are used up."""

    def __init__(self, rng: random.Random, encoder: WordEncoder, num_tokens: int, *, held_out: bool = False) -> None:
        self.rng, self.encoder, self.num_tokens = rng, encoder, num_tokens
        self.conversation = Conversation(rng, held_out=held_out, is_group=rng.random() < 0.36)
        self.ids: list[int] = []
        self.learnt: list[int] = []
        self.turns: list[Drawn] = []
        self.nonsense_share = 0.0 if num_tokens < 500 else rng.choice((0.0, 0.006, 0.015))
        """How often somebody pastes a long text without sense."""

    @property
    def tokens_left(self) -> int:
        return self.num_tokens - len(self.ids)

    def add(self, drawn: Drawn | None) -> bool:
        """Adds a turn; False when it does not fit."""
        if drawn is None:
            return True
        user = with_system(self.conversation.persona.prompt, drawn.user) if not self.ids else drawn.user
        ids = self.encoder.encode(question_text(user))
        answer_at = len(ids)
        ids = ids + self.encoder.encode(f"{drawn.answer} ")
        if len(ids) + 2 > self.tokens_left:
            return False
        self.ids += [BOS, *ids, EOS]
        self.learnt += [0] * (answer_at + 1) + [int(drawn.is_learnt)] * (len(ids) - answer_at + 1)
        self.turns.append(drawn)
        return True

    def next_speaker(self) -> None:
        if self.conversation.is_group and self.rng.random() < 0.6:
            self.conversation.speaker = self.rng.choice(self.conversation.speakers)

    def fill(self) -> None:
        """Turns until the row is full: mixed, or facts first and questions far away."""
        if self.rng.random() < 0.13:
            self._begin_in_the_middle()
        plan = self._far() if self.rng.random() < (0.7 if self.num_tokens > 1000 else 0.25) else self._mixed()
        misses = 0
        for drawn in plan:
            if not self.add(drawn):
                misses += 1
            if misses > 2 or self.tokens_left < 24:
                break

    def _mixed(self):
        c = self.conversation
        while True:
            self.next_speaker()
            roll = self.rng.random()
            if roll < 0.04:
                yield turns_talk.long_answer(c, min(self.tokens_left, 300 if self.num_tokens < 1100 else 2600))
            elif roll < 0.075:
                yield styled_once(c)
            elif roll < 0.075 + self.nonsense_share:
                yield self._nonsense()
            elif roll < 0.16 and c.notes.get(c.speaker):
                yield turns_recall.ask_note(c)
            else:
                yield choose(MIXED, self.rng)(c)

    def _far(self):
        """Facts at the start, told once; each is asked once, at a distance drawn over the whole row."""
        c, rng = self.conversation, self.rng
        most = min(30, max(2, self.num_tokens // 110))
        for _ in range(rng.randint(1, rng.choice((3, most, most)))):
            self.next_speaker()
            key = turns_facts.draw_key(c)
            if c.known(key) is None:
                yield turns_facts.tell_fact(c, key=key)
            if rng.random() < 0.25:
                yield choose(FILLER, rng)(c)
        if rng.random() < 0.4:
            yield turns_recall.tell_note(c)
        waiting = self._questions()
        long_share = rng.choice((0.0, 0.02, 0.05))
        while True:
            self.next_speaker()
            if rng.random() < long_share:
                yield turns_talk.long_answer(c, min(self.tokens_left, 1200))
            elif rng.random() < self.nonsense_share:
                yield self._nonsense()
            if waiting and len(self.ids) > waiting[-1][0]:
                yield self._asked(waiting.pop()[1])
            elif not waiting and c.told and rng.random() < 0.3:
                yield self._asked(rng.choice(list(c.told.values()))[0])
            else:
                yield choose(FILLER, rng)(c)

    def _nonsense(self) -> Drawn | None:
        most = min(1500, self.tokens_left // 2)
        return turns_talk.nonsense(self.conversation, most) if most > 40 else None

    def _questions(self) -> list[tuple[float, Key]]:
        """When each told fact is asked for, the last first; half of the rows ask late."""
        rng, begin = self.rng, len(self.ids)
        is_late = rng.random() < 0.5
        shares = [max(rng.random(), rng.random()) if is_late else rng.random() for _ in self.conversation.told]
        keys = [key for key, _ in self.conversation.told.values()]
        times = [begin + share * (self.num_tokens - 60 - begin) for share in shares]
        return sorted(zip(times, keys, strict=True), key=lambda entry: -entry[0])

    def _asked(self, key: Key) -> Drawn | None:
        c = self.conversation
        if key.owner in c.speakers and self.rng.random() < 0.6:
            c.speaker = str(key.owner)
        return turns_ask.question_about(c, key) if c.is_own(key) or key.kind.has_other else None

    def _begin_in_the_middle(self) -> None:
        """The front was trimmed away: what was told there is unknown, unless an answer that stayed repeats it."""
        c, rng = self.conversation, self.rng
        for _ in range(rng.randint(2, 6)):
            self.next_speaker()
            turns_facts.tell_fact(c)
        hidden, c.told, c.said, c.notes = c.told, {}, [], {}
        for key, value in list(hidden.values())[: rng.randint(0, 3)]:
            if key.owner is not None:
                c.speaker = key.owner
            c.told[key.slot] = (key, value)
            drawn = turns_ask.question_about(c, key)
            if plain(value).lower() not in drawn.answer.lower():
                c.told.pop(key.slot, None)
            self.add(Drawn(drawn.user, drawn.answer, drawn.skill, is_learnt=False))


def make_row(rng: random.Random, encoder: WordEncoder, num_tokens: int) -> RowWriter:
    writer = RowWriter(rng, encoder, num_tokens)
    writer.fill()
    return writer


def make_batch(
    rng: random.Random, encoder: WordEncoder, row_length: int, num_tokens: int = BATCH_TOKENS
) -> tuple[np.ndarray, np.ndarray]:
    """Ids [rows, length + 1] and, of the same shape, 1 where the token is one the model has to say."""
    num_rows = num_tokens // row_length
    ids = np.zeros((num_rows, row_length + 1), dtype=np.int16)
    learnt = np.zeros((num_rows, row_length + 1), dtype=np.uint8)
    for row in range(num_rows):
        writer = make_row(rng, encoder, row_length + 1)
        ids[row, : len(writer.ids)] = writer.ids
        learnt[row, : len(writer.ids)] = writer.learnt
    return ids, learnt


def sample_text(rng: random.Random) -> list[str]:
    """Turn texts for the tokenizer's training, before there is a tokenizer."""
    conversation = Conversation(rng, is_group=rng.random() < 0.36)
    texts = []
    for at in range(12):
        if conversation.is_group:
            conversation.speaker = rng.choice(conversation.speakers)
        drawn = choose(MIXED, rng)(conversation) if rng.random() < 0.97 else turns_talk.long_answer(conversation, 400)
        if drawn is not None:
            user = with_system(conversation.persona.prompt, drawn.user) if at == 0 else drawn.user
            texts.append(turn_text(user, drawn.answer))
    return texts


__all__ = ["BATCH_TOKENS", "ROW_LENGTHS", "ROW_SHARES", "RowWriter", "make_batch", "make_row", "sample_text"]
