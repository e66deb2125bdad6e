"""Conversations stay apart: in prompts, in replies, in SQL, and in the KV cache of the real engine.

What others asked must not even show in how much of a prompt was cached, which is what its timing depends on; so that
is counted here, not timed (CVE-2025-46570 is an attack by timing on vLLM's shared cache).
"""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine as SqlEngine
from sqlalchemy import event

from bot.conversation.tokenizer import load_tokenizer
from bot.errors import RequestFailed
from bot.inference.engine import Counters, Request, SamplingParams
from bot.inference.loading.build import build_runner
from bot.inference.local import LocalEngine, open_local_engine
from bot.inference.messages import LoadedModel
from bot.inference.model.kv_cache import BLOCK_SIZE
from tests.checkpoints import random_model, save_checkpoint, tiny_config
from tests.discord.conftest import OpenHouse
from tests.discord.house import House
from tests.engines import EchoEngine
from tests.groups import with_transformers
from tests.inference.runs import random_prompt
from tests.loopback import Channel, LoopbackDiscord, Message, Permission, judge

VOCABULARY = 320
PERSONA = random_prompt(2 * BLOCK_SIZE, VOCABULARY, seed=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Llama on the disk."""
    return save_checkpoint(tmp_path_factory.mktemp("llama"), random_model(tiny_config()))


@pytest.fixture
async def engine(folder: Path) -> AsyncIterator[LocalEngine]:
    """The real engine on that Llama."""
    model = LoadedModel(build_runner(folder, "cpu", num_blocks=96), load_tokenizer(folder), "tiny", frozenset())
    async with open_local_engine(lambda _: model) as opened:
        yield opened


def conversation(seed: int, num_blocks: int = 3) -> list[int]:
    """The persona, and what was said in some conversation."""
    return PERSONA + random_prompt(num_blocks * BLOCK_SIZE + 5, VOCABULARY, seed)[1:]


@dataclass
class Completion:
    """What came back."""

    token_ids: list[int]
    counters: Counters


async def ask(engine: LocalEngine, prompt: Sequence[int], owner: str, *, shared: int = len(PERSONA)) -> Completion:
    """Generate some tokens after `prompt` for `owner`."""
    request = Request(tuple(prompt), SamplingParams(max_new_tokens=8), owner, shared)
    token_ids: list[int] = []
    async with aclosing(engine.generate(request)) as deltas:
        async for delta in deltas:
            token_ids += delta.token_ids
    return Completion(token_ids, delta.counters)


@with_transformers
async def test_a_guessed_foreign_history_counts_like_a_wrong_guess(engine: LocalEngine) -> None:
    for seed in range(2, 22):
        await ask(engine, conversation(seed), f"victim {seed}")

    right = [(await ask(engine, conversation(seed), f"spy {seed}")).counters.num_cached_tokens for seed in range(2, 22)]
    wrong = [
        (await ask(engine, conversation(seed), f"spy {seed}")).counters.num_cached_tokens for seed in range(102, 122)
    ]

    assert set(right) == set(wrong) == {len(PERSONA)}


@with_transformers
async def test_ones_own_history_is_reused_until_it_is_forgotten(engine: LocalEngine) -> None:
    prompt = conversation(2)
    await ask(engine, prompt, "channel")

    again = await ask(engine, prompt, "channel")
    await engine.forget("channel")
    after = await ask(engine, prompt, "channel")

    assert again.counters.num_cached_tokens == 5 * BLOCK_SIZE
    assert after.counters.num_cached_tokens == len(PERSONA)


@with_transformers
async def test_a_prefix_that_is_not_shared_is_nobodys_but_its_owners(engine: LocalEngine) -> None:
    await ask(engine, conversation(2), "channel", shared=0)

    foreign = await ask(engine, conversation(2), "other channel", shared=0)

    assert foreign.counters.num_cached_tokens == 0


@with_transformers
async def test_answers_with_reuse_equal_those_without(engine: LocalEngine) -> None:
    for seed in range(2, 8):
        first = await ask(engine, conversation(seed), f"channel {seed}")
        prompt = conversation(seed) + first.token_ids + conversation(seed + 50)[len(PERSONA) :]

        reused = await ask(engine, prompt, f"channel {seed}")
        fresh = await ask(engine, prompt, "", shared=0)

        assert reused.counters.num_cached_tokens > 4 * BLOCK_SIZE
        assert fresh.counters.num_cached_tokens == 0
        assert reused.token_ids == fresh.token_ids


@with_transformers
async def test_asking_at_once_and_leaving_in_between_changes_nothing_for_others(engine: LocalEngine) -> None:
    expected = {seed: (await ask(engine, conversation(seed), "", shared=0)).token_ids for seed in range(2, 10)}

    async def leave(seed: int) -> None:
        task = asyncio.create_task(ask(engine, conversation(seed), f"gone {seed}"))
        await asyncio.sleep(0.001 * seed)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    answers = {seed: asyncio.create_task(ask(engine, conversation(seed), f"channel {seed}")) for seed in expected}
    await asyncio.gather(*(leave(seed) for seed in (*expected, *range(30, 34))))

    assert {seed: (await answer).token_ids for seed, answer in answers.items()} == expected


CANARY = re.compile(r"canary-\d+-\d+")


async def turns_over_eight_channels(server: LoopbackDiscord, enter: OpenHouse, num_turns: int, seed: int) -> None:
    """Interleaved turns with failures, deletions and a restart in each quarter; every word belongs to one channel."""
    chance = random.Random(seed)
    print(f"seed {seed}")
    channels = [server.channel(f"channel-{number}") for number in range(8)]
    engine = EchoEngine()
    for quarter in range(4):
        async with enter(server, engine=engine) as house:
            engine.answer = lambda request, house=house: answer_with_everything(house, request, chance)
            for turn in range(num_turns // 4):
                questions = []
                for number, channel in enumerate(channels):
                    word = f"canary-{number}-{quarter * num_turns + turn}"
                    person = server.person(f"Person {number % 3}")
                    questions.append(await person.says(channel, f"the word is {word}", mention=True))
                if chance.random() < 0.3:
                    await server.person("Moderator").deletes(questions.pop(chance.randrange(8)))
                for question in questions:
                    await ended(house, question)
            assert len(engine.requests) >= 7 * (num_turns // 4)
            assert max(require_own_words(request, house, channels) for request in engine.requests) > 1
            engine.requests.clear()


def answer_with_everything(house: House, request: Request, chance: random.Random) -> str | Exception:
    """Repeat every word that can be seen, so that a leak reaches the channel; or fail."""
    if chance.random() < 0.1:
        return RequestFailed()
    prompt = house.encoder.tokenizer.decode(list(request.prompt_token_ids))
    return "I know " + " ".join(CANARY.findall(prompt)[-20:])


async def ended(house: House, question: Message) -> None:
    """Wait until a question was answered or has failed."""

    async def has_ended() -> bool:
        return await house.state(question) in ("answered", "failed")

    await house.comes_true(has_ended)


def require_own_words(request: Request, house: House, channels: list[Channel]) -> int:
    """Every word in a prompt is its channel's; returns how many there are."""
    numbers = {str(number) for number, channel in enumerate(channels) if str(channel.id) == request.fairness.channel}
    prompt = house.encoder.tokenizer.decode(list(request.prompt_token_ids))
    words = CANARY.findall(prompt)
    assert {word.split("-")[1] for word in words} == numbers
    return len(words)


def require_own_words_shown(server: LoopbackDiscord) -> None:
    for number in range(8):
        shown = "\n".join(server.transcript(server.channel(f"channel-{number}")))
        assert {word.split("-")[1] for word in CANARY.findall(shown)} <= {str(number)}


@pytest.mark.no_cover
async def test_no_word_of_one_channel_comes_up_in_another(server: LoopbackDiscord, enter: OpenHouse) -> None:
    await turns_over_eight_channels(server, enter, num_turns=8, seed=1)

    require_own_words_shown(server)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1, 3))
async def test_no_word_of_one_channel_comes_up_in_another_in_500_turns_each(
    server: LoopbackDiscord, enter: OpenHouse, seed: int
) -> None:
    await turns_over_eight_channels(server, enter, num_turns=500, seed=seed)

    require_own_words_shown(server)
    print(f"seed {seed}: 8 x 500 turns, 0 canaries abroad")


KEYED = re.compile(
    r"conversation_id (?:= \?|IN)|conversations\.channel_id = \?|platform = \? AND \w+\.(?:message|channel)_id"
    r"|inbox_id = \?|\w+\.id = \?"
)
TEXT_COLUMNS = re.compile(r"\b(?:content|author_name|prompt)\b")


async def test_every_query_for_what_was_said_names_its_conversation(server: LoopbackDiscord, enter: OpenHouse) -> None:
    statements: list[str] = []

    def note(*arguments: object) -> None:
        statements.append(" ".join(str(arguments[2]).split()))

    alice, general = server.person("Alice", permissions=Permission.MANAGE_CHANNELS), server.channel("general")
    async with enter(server) as house:
        await server.wait_until(lambda: server.bot.commands)
        event.listen(SqlEngine, "before_cursor_execute", note)
        try:
            questions = [await alice.says(general, f"question {number}", mention=True) for number in range(3)]
            for question in questions:
                await house.reaches(question, "answered")
            await alice.edits(questions[1], f"{server.bot.mention} changed")
            await alice.deletes(questions[2])
            for command, options in (("/persona use", {"name": "pirate"}), ("/persona show", {}), ("/reset", {})):
                await (await alice.uses(command, general, **options)).answered()
        finally:
            event.remove(SqlEngine, "before_cursor_execute", note)

    reading = [text for text in statements if re.search(r"\bFROM (?:messages|inbox)\b", text) and text[0] == "S"]
    reading = [text for text in reading if TEXT_COLUMNS.search(text)]
    assert len(reading) > 3
    assert [text for text in reading if not KEYED.search(text.partition(" WHERE ")[2])] == []
    judge(server)


async def test_a_guilds_own_persona_is_not_shared_in_the_cache(server: LoopbackDiscord, enter: OpenHouse) -> None:
    alice, general = server.person("Alice"), server.channel("general")

    async with enter(server) as house:
        await house.reaches(await alice.says(general, "hello", mention=True), "answered")
        await house.chat.personas.set(house.key, "own", "You are brief.", alice.id)
        await house.chat.personas.use(house.key, "own", alice.id)
        await house.reaches(await alice.says(general, "hello", mention=True), "answered")

    built_in, own = house.engine.requests
    assert built_in.num_shared_prefix_tokens > 0
    assert own.num_shared_prefix_tokens == 0
    assert built_in.cache_owner == own.cache_owner != ""
    assert house.engine.forgotten.count(own.cache_owner) >= 1
