"""`python -m benchmarks.memory --demo`: what each mode of memory recalls with the demo model, and at what cost.

In a channel of three people, six facts are told, of which three are corrected half-way; between that and the questions
lie other turns, which `training` draws as it draws what the model learns from, among them facts that nobody asks for.
Its values are of the sixteenth that training never sees. Facts are told and asked for in the same plain words, or (with
`--words other`) in any that `training` has for them, with typing errors, so that a question often shares no word with
what it is about. The turns are put into the history as they would stand there; the questions go the bot's whole way, so
that the window is fitted, notes are found, the summary is written and pins are pinned by its own code. A fact is found
where its newest value stands in the prompt, and recalled where it stands in the answer. What the first words of an
answer cost is this process's time from the question on, looking up included.
"""

import random
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean, median
from typing import Any

from bot.app import DEMO_MODEL
from bot.chat.chat import Chat, InboxState, SamplingChoice, Scope
from bot.chat.recollection import LEAST_SHARE, MAX_NOTES
from bot.conversation.chat_format import TurnEncoder
from bot.conversation.messages import ConversationKey, Question
from bot.conversation.recall import Passage, RecallIndex
from bot.conversation.tokenizer import load_tokenizer, read_tokenizer
from bot.conversation.window import TokenBudget
from bot.inference.engine import BACKGROUND, Delta, FinishReason, Request
from bot.inference.loading.build import build_runner
from bot.inference.local import LocalEngine, open_local_engine
from bot.inference.messages import LoadedModel
from bot.observer import AnswerRecord, Observer
from bot.store.files.database import open_database
from bot.store.rows.chosen_settings import ChosenSettings
from bot.store.rows.history import History
from bot.store.rows.inbox import Inbox
from bot.store.rows.personas import Personas
from bot.store.rows.turns import Answer
from training import asking, talking, telling
from training.conversation import Conversation, Drawn
from training.facts import Key
from training.noise import plain
from training.personas import TRINITY
from training.rows import choose
from training.values import is_spellable

MODES = ("window", "recall", "summary", "pins")
NUM_FACTS = 6
NUM_CORRECTED = 3
_NUM_PEOPLE = 3
PLAIN, OTHER = "plain", "other"
_PLAIN = {"favourite": "", "property": "", "relative": " called"}
_MAX_NEW_TOKENS = 256
_WINDOW_TOKENS = 2900
_LOOKED_UP = 1000
"""The first case that is only looked up."""
_BEGAN_AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
_BETWEEN = {
    talking.talk: 22, talking.tell_nothing: 16, talking.ask_the_world: 11, talking.echo: 6, asking.ask_untold: 12,
    telling.tell_fact: 16,
}  # fmt: skip


@dataclass(frozen=True)
class Said:
    """One turn of a case."""

    speaker: str
    user: str
    answer: str


@dataclass(frozen=True)
class Asked:
    """A question for a fact, and its newest value; `stale` is what was told first, where that was corrected."""

    speaker: str
    user: str
    value: str
    stale: str | None


@dataclass
class Case:
    """What was said, oldest first; what stands pinned where pins are kept; and the questions."""

    people: list[str]
    turns: list[Said] = field(default_factory=list)
    pinned: list[Said] = field(default_factory=list)
    questions: list[Asked] = field(default_factory=list)


def draw_case(seed: int, num_between: int, words: str) -> Case:
    """A case of its own for each seed, of values that training never sees."""
    rng = random.Random(f"{seed} {num_between}")
    c = Conversation(rng, held_out=True, is_group=True)
    while len(c.speakers) < _NUM_PEOPLE or not all(map(is_spellable, c.speakers[:_NUM_PEOPLE])):
        c = Conversation(rng, held_out=True, is_group=True)
    c.speakers, c.persona = c.speakers[:_NUM_PEOPLE], TRINITY
    is_plain = words == PLAIN
    case, first, keys = Case(c.speakers), {}, []
    while len(keys) < NUM_FACTS:
        c.speaker = rng.choice(c.speakers)
        key = telling.draw_key(c)
        is_kind = key.kind.name in _PLAIN if is_plain else not (key.kind.adds or key.kind.shared)
        if c.known(key) is None and is_kind and key.kind.name != "pet":
            _say(case, c, _told_plainly(c, key) if is_plain else telling.tell_fact(c, key))
            keys.append(key)
            first[key.slot] = str(c.known(key)), len(case.turns) - 1
    corrected = rng.sample(keys, NUM_CORRECTED)
    correct_at = sorted(rng.randrange(num_between // 3, 2 * num_between // 3 + 1) for _ in corrected)
    pins = {key.slot: case.turns[first[key.slot][1]] for key in keys}
    while len(case.turns) < NUM_FACTS + num_between:
        while correct_at and len(case.turns) - NUM_FACTS >= correct_at[0]:
            correct_at.pop(0)
            key = corrected[len(correct_at)]
            c.speaker = str(key.owner)
            _say(case, c, _told_plainly(c, key) if is_plain else telling.tell_fact(c, key))
            pins[key.slot] = case.turns[-1]
        c.speaker = rng.choice(c.speakers)
        _say(case, c, _between(c, {key.slot for key in keys}))
    case.pinned = list(pins.values())
    for key in keys:
        c.speaker = str(key.owner) if rng.random() < 0.7 else rng.choice(c.speakers)
        if not asking.can_ask(c, key):
            c.speaker = str(key.owner)
        if is_plain:
            whose = "my" if c.is_own(key) else f"{key.owner}'s"
            c.said.append((c.speaker, f"What is {whose} {key.thing}{_PLAIN[key.kind.name]}?"))
        else:
            asking.question_about(c, key)
        value, told = plain(str(c.known(key))), plain(first[key.slot][0])
        case.questions.append(Asked(c.speaker, c.said[-1][1], value, told if key in corrected else None))
    return case


def _told_plainly(c: Conversation, key: Key) -> Drawn:
    value = telling.draw_value(c, key)
    c.tell(key, value)
    return c.finish(f"My {key.thing} is{_PLAIN[key.kind.name]} {value}.", c.acknowledge(key, value), "")


def _between(c: Conversation, asked: set[tuple[str, str, str]]) -> Drawn | None:
    draw = choose(_BETWEEN, c.rng)
    if draw is not telling.tell_fact:
        return draw(c)
    key: Key = telling.draw_key(c)
    return telling.tell_fact(c, key) if key.slot not in asked and c.known(key) is None else None


def _say(case: Case, c: Conversation, drawn: Drawn | None) -> None:
    if drawn is not None:
        case.turns.append(Said(c.speaker, c.said[-1][1], drawn.answer))


class _Records(Observer):
    def __init__(self) -> None:
        self.answers: list[AnswerRecord] = []

    def on_answer(self, record: AnswerRecord) -> None:
        self.answers.append(record)


class _Counting:
    """An engine that counts what is asked of it in the background."""

    def __init__(self, engine: LocalEngine) -> None:
        self._engine = engine
        self.num_tokens = 0
        self.prompt: tuple[int, ...] = ()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def generate(self, request: Request) -> AsyncGenerator[Delta, None]:
        is_background = request.priority == BACKGROUND
        self.prompt = request.prompt_token_ids
        self.num_tokens += is_background * len(request.prompt_token_ids)
        async with aclosing(self._engine.generate(request)) as deltas:
            async for delta in deltas:
                self.num_tokens += is_background * len(delta.token_ids)
                yield delta


@dataclass
class Bench:
    """A bot with the demonstration model."""

    chat: Chat
    history: History
    engine: _Counting
    encoder: TurnEncoder
    records: _Records
    last_id: int = 0
    first_token_ms: float = 0.0

    def question(self, key: ConversationKey, person: int, name: str, text: str) -> Question:
        self.last_id += 1
        return Question(key, self.last_id, person, name, text, _BEGAN_AT + timedelta(minutes=self.last_id))

    async def ask(self, question: Question) -> str:
        """The answer; what its first words cost in processor time is in `first_token_ms`."""
        text, began = "", time.process_time()
        async with self.chat.open(question) as exchange:
            async for event in exchange.events():
                if not text:
                    self.first_token_ms = 1000 * (time.process_time() - began)
                text += getattr(event, "text", "")
            await exchange.finish(InboxState.ANSWERED)
        return text


@asynccontextmanager
async def open_bench(folder: Path, model: Path) -> AsyncGenerator[Bench, None]:
    tokenizer = load_tokenizer(model)
    encoder = TurnEncoder(tokenizer)

    def load(_report: object) -> LoadedModel:
        runner = build_runner(model, "cpu", max_num_sequences=4)
        return LoadedModel(runner, read_tokenizer(model), runner.model_hash)

    async with open_database(f"sqlite:///{folder / 'memory.db'}") as database, open_local_engine(load) as local:
        history, engine, records = History(database), _Counting(local), _Records()
        budget = TokenBudget(4096, local.max_sequence_tokens, _MAX_NEW_TOKENS)
        chat = Chat(
            history, Inbox(database), Personas(database), ChosenSettings(database), engine, encoder, budget,
            sampling=SamplingChoice(seed=7), observer=records,
        )  # fmt: skip
        yield Bench(chat, history, engine, encoder, records)


async def run_case(bench: Bench, case: Case, mode: str, channel_id: int) -> list[dict[str, Any]]:
    """Ask all of a case's questions in a channel of its own; what came of each."""
    key = ConversationKey("bench", channel_id, guild_id=1)
    people = {name: 100 + number for number, name in enumerate(case.people)}
    for said in case.turns:
        question = bench.question(key, people[said.speaker], said.speaker, said.user)
        answer = Answer(said.answer, {}, None, "drawn", FinishReason.STOP)
        await bench.history.save_turn(question, answer, epoch=0)
    await bench.chat.settings.set(key, Scope.CHANNEL, "memory", mode if mode != "pins" else "window", by=1)
    if mode == "pins":
        for said in case.pinned:
            await bench.chat.pins.add(key, people[said.speaker], said.speaker, said.user)
    await bench.ask(bench.question(key, people[case.people[0]], case.people[0], "Hello"))
    before, began = bench.engine.num_tokens, time.process_time()
    while await bench.chat.summaries.write_next():
        pass
    background, seconds = bench.engine.num_tokens - before, time.process_time() - began
    rows = []
    for asked in case.questions:
        answer = await bench.ask(bench.question(key, people[asked.speaker], asked.speaker, asked.user))
        record = bench.records.answers[-1]
        said, prompt = answer.lower(), bench.encoder.tokenizer.decode([*bench.engine.prompt]).lower()
        is_right = asked.value.lower() in said
        is_stale = asked.stale is not None and asked.stale.lower() in said and not is_right
        rows.append(
            {
                "question": asked.user, "wanted": asked.value, "answer": answer, "corrected": asked.stale is not None,
                "found": asked.value.lower() in prompt, "right": is_right, "stale": is_stale,
                "prompt_tokens": record.num_prompt_tokens, "cached_tokens": record.num_cached_tokens,
                "first_token_ms": bench.first_token_ms,
                "background_tokens": background / len(case.questions), "background_seconds": seconds,
            }
        )  # fmt: skip
    await bench.chat.settings.set(key, Scope.CHANNEL, "memory", "window", by=1)  # nothing more is summed up of it
    await bench.engine.forget(key.cache_owner)
    return rows


def summed_up(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    corrected = [row for row in rows if row["corrected"]]
    prompt, cached = (sum(row[name] for row in rows) for name in ("prompt_tokens", "cached_tokens"))
    return {
        "questions": len(rows),
        "found": round(mean(row["found"] for row in rows), 3),
        "recall": round(mean(row["right"] for row in rows), 3),
        "recall_corrected": round(mean(row["right"] for row in corrected), 3) if corrected else None,
        "stale": round(mean(row["stale"] for row in corrected), 3) if corrected else None,
        "prompt_tokens": round(prompt / len(rows)),
        "reused": round(cached / prompt, 3),
        "computed_tokens": round((prompt - cached) / len(rows)),
        "first_token_ms": round(median(row["first_token_ms"] for row in rows), 1),
        "background_tokens": round(mean(row["background_tokens"] for row in rows)),
    }


async def run(
    distances: Sequence[int],
    num_cases: int,
    modes: Sequence[str] = MODES,
    words: str = PLAIN,
    model: Path = DEMO_MODEL,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The table, a row for each mode and distance, and every question that was answered wrong."""
    table, wrong, channel_id = [], [], 0
    with tempfile.TemporaryDirectory() as folder:
        async with open_bench(Path(folder), model) as bench:
            for distance, mode in _cells(distances, modes):
                rows = []
                for seed in range(num_cases):
                    channel_id += 1
                    rows += await run_case(bench, draw_case(seed, distance, words), mode, channel_id)
                table.append({"words": words, "mode": mode, "turns_between": distance, **summed_up(rows)})
                wrong += [{"mode": mode, "turns_between": distance, **row} for row in rows if not row["right"]]
                print(line(table[-1]), flush=True)
    return table, wrong


def looked_up(distances: Sequence[int], num_cases: int, words: str) -> list[dict[str, Any]]:
    """How often a fact's newest value is in the window or in its question's notes, by no more than looking it up."""
    encoder, table = TurnEncoder(load_tokenizer(DEMO_MODEL)), []
    for distance in distances:
        found: list[bool] = []
        for seed in range(_LOOKED_UP, _LOOKED_UP + num_cases):
            case = draw_case(seed, distance, words)
            costs = [encoder.num_added_tokens(f"{said.speaker}: {said.user}{said.answer}") + 10 for said in case.turns]
            first = next((at for at in range(len(costs)) if sum(costs[at:]) <= _WINDOW_TOKENS), len(costs))
            index = RecallIndex(_passages(case.turns[:first]))
            window = " ".join(f"{said.user} {said.answer}" for said in case.turns[first:]).lower()
            for asked in case.questions:
                notes = index.find(asked.user, MAX_NOTES, asker=asked.speaker, least_share=LEAST_SHARE)
                texts = [(case.turns[at // 2].user, case.turns[at // 2].answer)[at % 2].lower() for at in notes]
                found.append(any(asked.value.lower() in text for text in [window, *texts]))
        table.append({"words": words, "turns_between": distance, "questions": len(found), "found": mean(found)})
        print(f"{distance:>6} turns, {words} words: {mean(found):.1%} of {len(found)}", flush=True)
    return table


def _passages(turns: Sequence[Said]) -> Iterator[Passage]:
    for number, said in enumerate(turns):
        at = _BEGAN_AT + timedelta(minutes=number)
        yield Passage(2 * number, said.speaker, said.user, at)
        yield Passage(2 * number + 1, "", said.answer, at, addressee=said.speaker)


def _cells(distances: Sequence[int], modes: Sequence[str]) -> Iterator[tuple[int, str]]:
    for distance in distances:
        for mode in modes:
            yield distance, mode


HEAD = (
    f"{'turns':>6} {'mode':<8} {'found':>6} {'recall':>7} {'corrected':>9} {'stale':>6} {'prompt':>7} {'reused':>7} "
    f"{'computed':>8} {'background':>10} {'first token':>11}"
)


def line(row: dict[str, Any]) -> str:
    quality = f"{row['found']:>6.1%} {row['recall']:>7.1%} {row['recall_corrected']:>9.1%} {row['stale']:>6.1%}"
    tokens = f"{row['prompt_tokens']:>7,} {row['reused']:>7.1%} {row['computed_tokens']:>8,}"
    background = f"{row['background_tokens']:>10,}"
    return (
        f"{row['turns_between']:>6} {row['mode']:<8} {quality} {tokens} {background} {row['first_token_ms']:>8,.0f} ms"
    )
