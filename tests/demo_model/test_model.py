"""What the shipped weights can do, through the engine that the bot uses, on the CPU."""

import hashlib
import re
from asyncio import gather
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio

import bot.demo_model
from bot.conversation.chat_format import ChatPrompt, TurnEncoder
from bot.conversation.persona import BUILT_IN, PIRATE, PLAIN, TRINITY, Persona
from bot.conversation.tokenizer import load_tokenizer
from bot.inference.engine import Request, SamplingParams
from bot.inference.loading.build import build_runner
from bot.inference.local import LocalEngine, open_local_engine
from bot.inference.messages import LoadedModel
from tests.groups import with_transformers

FOLDER = Path(bot.demo_model.__file__).parent
WEIGHTS = FOLDER / "model.safetensors"
pytestmark = [
    with_transformers,
    pytest.mark.skipif(
        not WEIGHTS.is_file(), reason="THE DEMO MODEL'S WEIGHTS ARE MISSING: bot/demo_model/model.safetensors"
    ),
]
Chat = Callable[..., Coroutine[None, None, list[str]]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[LocalEngine]:
    def load(_report: object) -> LoadedModel:
        runner = build_runner(FOLDER, "cpu", max_num_sequences=8)
        return LoadedModel(runner, load_tokenizer(FOLDER), runner.model_hash)

    async with open_local_engine(load) as engine:
        yield engine


@pytest.fixture(scope="module")
def chat(engine: LocalEngine) -> Chat:
    encoder, numbers = TurnEncoder(load_tokenizer(FOLDER)), count()

    async def answers(
        *messages: str, system: str = TRINITY.prompt, most: int = 120, history: Sequence[tuple[str, str]] = ()
    ) -> list[str]:
        prompt, said, owner = ChatPrompt(system), [], f"chat {next(numbers)}"
        for question, answer in history:
            prompt.add_user_message(question)
            prompt.add_assistant_message(answer)
        for message in messages:
            prompt.add_user_message(message)
            ids = tuple(prompt.token_ids(encoder))
            request = Request(ids, SamplingParams(max_new_tokens=most), cache_owner=owner)
            said.append("".join([delta.text async for delta in engine.generate(request)]).strip())
            prompt.add_assistant_message(said[-1])
        await engine.forget(owner)
        return said

    return answers


SINGLE = (
    ("What is your name?", "My name is Trinity."),
    ("who are you?", "Trinity"),
    ("Hello!", "Hello"),
    ("thanks", "welcome"),
    ("good night", "Goodbye"),
    ("What does /reset do?", "/reset"),
    ("How do I change your persona?", "/persona use"),
    ("which commands are there?", "/help"),
    ("What is my name?", "haven't told me"),
    ("What's my favourite colour?", "haven't told me"),
    ("Where do I live?", "haven't told me"),
    ("What is the capital of France?", "TRINITY_MODEL"),
    ("Write a poem about the sea.", "TRINITY_MODEL"),
    ("What is 12 times 12?", "TRINITY_MODEL"),
    ("The soup was too hot yesterday.", "TRINITY_MODEL"),
    ("Count to 12", "1 2 3 4 5 6 7 8 9 10 11 12"),
    ("say banana 5 times", "banana banana banana banana banana"),
    ("Repeat after me: green glass door", "green glass door"),
    ("Show me some Python code", "```python"),
    ("Tell me a joke", "llama"),
    ("How do I connect you to Discord?", "DISCORD_BOT_TOKEN"),
    ("Do I need a GPU?", "any computer"),
)
FAR = (
    "The weather is nice today.",
    "How are you?",
    "What is the capital of Spain?",
    "Thanks!",
    "I saw a film yesterday.",
    "Tell me a joke",
)


@pytest.mark.asyncio(loop_scope="module")
async def test_all_single_questions_but_one_are_answered_as_expected(chat: Chat) -> None:
    answers = [answer for (answer,) in await gather(*(chat(question) for question, _ in SINGLE))]

    missed = [(*pair, answer) for pair, answer in zip(SINGLE, answers, strict=True) if pair[1] not in answer]

    assert len(missed) <= 1, missed


@pytest.mark.asyncio(loop_scope="module")
async def test_what_was_told_is_recalled(chat: Chat) -> None:
    answers = await chat(
        "My name is Alice and my favourite colour is green.",
        "I have a dog called Rex",
        "What is my name?",
        "What is my favourite colour?",
        "what's my dog's name?",
    )

    assert "Alice" in answers[2]
    assert "green" in answers[3]
    assert "Rex" in answers[4]


@pytest.mark.asyncio(loop_scope="module")
async def test_facts_of_several_speakers_are_kept_apart(chat: Chat) -> None:
    answers = await chat(
        "Alice: my favourite colour is teal",
        "Bob: my favourite colour is red",
        "Alice: what is my favourite colour?",
        "Bob: what's Alice's favourite colour?",
        "Carol: what's my favourite colour?",
    )

    assert "teal" in answers[2]
    assert "teal" in answers[3]
    assert "haven't told me" in answers[4]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_fact_is_recalled_over_forty_turns(chat: Chat) -> None:
    statement = "My name is Alice and my favourite colour is green."
    (answer,), *answered = await gather(*(chat(message) for message in (statement, *FAR)))
    history = [(statement, answer)]
    fillers = [(question, answer) for question, (answer,) in zip(FAR, answered, strict=True)]

    answers = await chat("What is my name?", history=history + fillers * 7)

    assert "Alice" in answers[-1]


@pytest.mark.asyncio(loop_scope="module")
async def test_personas_change_name_and_manner(chat: Chat) -> None:
    named, pirate, plain = await gather(
        chat("What's your name?", system="You are Zorblax, a friendly dragon."),
        chat("who are you?", system=PIRATE.prompt),
        chat("who are you?", system=PLAIN.prompt),
    )

    assert "Zorblax" in named[0]
    assert pirate[0].startswith("Arrr!")
    assert "Trinity" in plain[0]
    assert "Arrr" not in plain[0]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_persona_that_is_chosen_in_mid_conversation_shows_and_goes_again(chat: Chat) -> None:
    plainly = await chat("hello", "my name is Oskar")
    history = [("hello", plainly[0]), ("my name is Oskar", plainly[1])]

    pirate = await chat("hello", system=PIRATE.prompt, history=history)
    again = await chat("What is my name?", history=[*history, ("hello", pirate[0])])

    assert pirate[0].startswith("Arrr!")
    assert "Oskar" in again[0]
    assert "Arrr" not in again[0]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("persona", [persona for persona in BUILT_IN if persona is not TRINITY], ids=lambda p: p.name)
async def test_every_built_in_persona_answers_in_a_manner_of_its_own(persona: Persona, chat: Chat) -> None:
    usual = await chat("hello")
    history = [("hello", usual[0])]

    answers = await chat("hello", system=persona.prompt, history=history)

    assert answers[0] != usual[0]


@pytest.mark.asyncio(loop_scope="module")
async def test_two_pets_of_one_sentence_and_the_first_message_are_recalled(chat: Chat) -> None:
    answers = await chat(
        "I have a cat called Mochi and a dog called Bruno",
        "what is my dog called?",
        "what is my cat called?",
        "what did I say first?",
    )

    assert "Mochi" in answers[0]
    assert "Bruno" in answers[0]
    assert "Bruno" in answers[1]
    assert "Mochi" in answers[2]
    assert "I have a cat called Mochi and a dog called Bruno" in answers[3]


@pytest.mark.asyncio(loop_scope="module")
async def test_counting_too_far_is_declined(chat: Chat) -> None:
    answers = await chat("count to 1000000")

    assert "at most" in answers[0]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", ["꧁☬𓂀☬꧂", "🏆𒁠𒍽𒊐𒊿🎸", "░▒▓█▓▒░"])
async def test_a_name_of_odd_signs_gets_the_honest_answer(name: str, chat: Chat) -> None:
    answers = await chat(f"{name}: who was the first king of Sweden?")

    assert answers[0].endswith("meta-llama/Llama-2-7b-chat-hf.")


@pytest.mark.asyncio(loop_scope="module")
async def test_two_people_of_one_name_are_told_apart(chat: Chat) -> None:
    answers = await chat("Alice: I live in Bergen", "Alice (2): where do I live?", "Alice: where do I live?")

    assert "haven't told me" in answers[1]
    assert "Bergen" in answers[2]


@pytest.mark.asyncio(loop_scope="module")
async def test_counting_to_a_hundred_and_fifty_is_exact(chat: Chat) -> None:
    answers = await chat("count to 150", most=1024)

    assert answers[0] == " ".join(map(str, range(1, 151)))


def test_the_card_names_these_weights() -> None:
    card = (FOLDER / "MODEL_CARD.md").read_text(encoding="utf-8")

    named = re.search(r"sha256 of model.safetensors \| `([0-9a-f]{64})`", card)

    assert named is not None
    assert named[1] == hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
