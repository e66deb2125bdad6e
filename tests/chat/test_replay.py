"""The prompt of an answer is made again token for token, or it is said what became of what it was made of."""

from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, select, update

from bot.chat.chat import InboxState, Scope
from bot.chat.replay import Difference, Replay
from bot.errors import CannotReplay, PromptTooLong
from bot.inference.engine import Weight
from bot.store.files.database import Database
from bot.store.files.reading import open_for_reading
from bot.store.rows.made_answers import MadeAnswers
from bot.store.rows.questions import Part
from bot.store.rows.summaries import Summaries
from bot.store.rows.transcripts import Transcripts
from bot.store.tables import messages, persona_texts
from tests.chat.house import ASKED_AT, GENERAL, House, text
from tests.chat.test_regeneration import run
from tests.engines import EchoEngine

DIARY = "You keep the diary of {date}."
SECRET = "The password of the cellar is walnut."
ABOUT_IT = "What is the password of the cellar?"


class Scales(EchoEngine):
    """An echo that knows what its tokens weigh."""

    async def weigh(self, _request, token_ids):
        return tuple(Weight(token_id, token_id / 10, token_id / 100) for token_id in token_ids)


@pytest.fixture
def open_replay(tmp_path, small_encoder):
    """Look at a house's database while the house is open."""

    @asynccontextmanager
    async def opened():
        async with open_for_reading(f"sqlite:///{tmp_path / 'trinity.db'}") as database:
            transcripts = Transcripts(database)
            summaries = Summaries(database, transcripts)
            yield Replay(MadeAnswers(database), transcripts, summaries, small_encoder, "another setup")

    return opened


async def rebuilt(open_replay, message_id: int = 1):
    async with open_replay() as replay:
        return await replay.rebuild("discord", message_id)


async def refusal(open_replay, message_id: int = 1) -> CannotReplay:
    with pytest.raises(CannotReplay) as refused:
        await rebuilt(open_replay, message_id)
    return refused.value


async def write(house: House, work) -> None:
    database: Database = house.history._database
    await database.write(work)


async def talk(house: House) -> None:
    """Two people of one name, a third one, and more than one window holds."""
    await house.ask(SECRET, author="Alice")
    await house.chat.pins.add(GENERAL, 7, "Gert", "The cellar is below the tower.")
    for number in range(5):
        await house.serve(house.asks(f"Tale {number}: " + "once upon a time " * 12, author_id=number % 3))
    await house.serve(house.asks("Alice: hello\nBob: hi", author_id=6))
    await house.serve(house.asks(ABOUT_IT, author="Bob"))


async def test_every_prompt_of_a_conversation_is_made_again(open_house, open_replay) -> None:
    days = iter([datetime(2026, 11, day, tzinfo=UTC) for day in range(1, 30)])
    now = next(days)
    async with open_house(num_prompt_tokens=600, clock=lambda: now) as house:
        await house.chat.personas.set(GENERAL, "diary", DIARY, by=1)
        await house.chat.personas.use(GENERAL, "diary", by=1)
        await talk(house)
        now = next(days)
        await house.ask("And today?")
        await house.chat.personas.set(GENERAL, "diary", "Other words.", by=1)

        again = [await rebuilt(open_replay, number) for number in range(1, house.last_id + 1)]

    asked = house.engine.requests
    assert [each.request.prompt_token_ids for each in again] == [request.prompt_token_ids for request in asked]
    assert [each.request.sampling.seed for each in again] == [
        request.sampling.seed for request in house.engine.requests
    ]
    assert [each.num_notes > 0 for each in again][-2:] == [True, False]
    assert "2 November 2026" in house.prompt()
    assert "- Gert said: “The cellar is below the tower.”" in house.prompt()


async def test_a_prompt_with_a_summary_is_made_again_as_long_as_that_is_there(open_house, open_replay) -> None:
    async with open_house(num_prompt_tokens=600) as house:
        await house.chat.settings.set(GENERAL, Scope.CHANNEL, "memory", "summary", by=1)
        await talk(house)
        house.engine.answer = lambda _: f"Alice has asked {len(house.engine.requests)} times."
        while await house.chat.summaries.write_next():
            pass
        await house.ask("Well?")
        made = await rebuilt(open_replay, house.last_id)

        await house.chat.withdraw("discord", 1)
        refused = await refusal(open_replay, house.last_id)

    assert made.request.prompt_token_ids == house.engine.requests[-1].prompt_token_ids
    assert made.recipe.sections["summary"]
    assert refused.reason == "sections"


async def test_an_answer_in_another_generation_or_gone_on_with_is_made_again(house, open_replay) -> None:
    await house.ask("hello")
    house.engine.answer = lambda _: "one two"
    await run(await house.chat.again(GENERAL, 1, 2))
    second = await rebuilt(open_replay)
    await write(house, lambda connection: connection.execute(update(messages).values(finish_reason="length")))
    house.engine.answer = lambda _: " three"

    await run(await house.chat.continue_answer(GENERAL, 1, 2))

    last = await rebuilt(open_replay)
    assert second.made.generation == 1
    assert second.request.prompt_token_ids == house.engine.requests[1].prompt_token_ids
    assert second.request.sampling.temperature > 0
    assert last.request.prompt_token_ids == house.engine.requests[2].prompt_token_ids
    assert last.request.is_continued


async def test_any_message_of_a_question_or_of_its_answer_leads_to_it(house, open_replay) -> None:
    question = house.asks("a long one", more_ids=(50, 51))
    await house.serve(question)
    for index in range(3):
        await house.inbox.record_part(question, Part("answer", index, 100 + index))

    found = [(await rebuilt(open_replay, number)).made.turn_id for number in (1, 50, 51, 100, 101, 102)]

    assert len(set(found)) == 1


async def edit(house: House, number: int, words: str) -> None:
    question = replace(house.asks(words), message_id=number)
    await house.chat.edit(question, edited_at=None)


async def erase(house: House, author: str) -> None:
    await house.chat.privacy.erase("discord", hash(author) % 1000)


async def reset(house: House, *, is_undone: bool = False) -> None:
    done = await house.chat.reset(GENERAL)
    if is_undone:
        await house.chat.undo_reset(GENERAL, done.at)


async def forge(house: House, change) -> None:
    """Let recipes say something else."""

    async def work(connection) -> None:
        for row in (await connection.execute(select(messages).where(messages.c.recipe.is_not(None)))).all():
            is_it = messages.c.id == row.id
            await connection.execute(update(messages).where(is_it).values(recipe=row.recipe | change(row.recipe)))

    await write(house, work)


SPOILT = {
    "its question edited": (lambda house: edit(house, 3, "other words"), "edited"),
    "an earlier question edited": (lambda house: edit(house, 1, "other words"), "edited"),
    "an earlier question deleted": (lambda house: house.chat.withdraw("discord", 1), "deleted"),
    "its question deleted": (lambda house: house.chat.withdraw("discord", 3), "deleted"),
    "another person erased": (lambda house: erase(house, "Bob"), "deleted"),
    "its person erased": (lambda house: erase(house, "Alice"), "erased"),
    "reset": (reset, "reset"),
    "the channel deleted": (lambda house: house.chat.delete_channel("discord", GENERAL.channel_id), "reset"),
    "too old": (lambda house: house.history.delete_older_than(ASKED_AT + timedelta(days=1)), "deleted"),
    "its persona's text gone": (
        lambda house: write(house, lambda connection: connection.execute(delete(persona_texts))),
        "persona",
    ),
    "something else in the prompt": (
        lambda house: forge(house, lambda _: {"prompt": "", "sections": {"persona": [], "dream": [1]}}),
        "sections",
    ),
    "another version": (lambda house: forge(house, lambda _: {"prompt": "", "version": "0.0.1"}), "version"),
    "nobody knows what": (lambda house: forge(house, lambda _: {"prompt": ""}), "prompt"),
    "nothing recorded": (
        lambda house: write(house, lambda connection: connection.execute(update(messages).values(recipe=None))),
        "unrecorded",
    ),
}


@pytest.mark.parametrize(("spoil", "reason"), SPOILT.values(), ids=SPOILT)
async def test_what_is_not_as_it_was_is_said(house, open_replay, spoil, reason) -> None:
    await house.ask("my cat is called Tom", author="Bob")
    await house.ask("and my dog Rex", author="Carol")
    await house.ask("what are they called?", author="Alice")
    assert (await rebuilt(open_replay, 3)).made.prompt_turn_ids

    await spoil(house)

    assert (await refusal(open_replay, 3)).reason == reason


async def test_what_stays_or_comes_back_as_it_was_is_no_hindrance(house, open_replay) -> None:
    await house.ask("hello", author="Bob")
    await house.ask("hello again", author="Alice")
    await edit(house, 1, "other words")
    await edit(house, 1, "hello")
    await house.chat.personas.set(GENERAL, "new", "You are new.", by=1)
    await house.chat.personas.use(GENERAL, "new", by=1)
    await house.ask("one more", author="Bob")
    await reset(house, is_undone=True)

    assert [(await rebuilt(open_replay, number)).made.question.message_id for number in (1, 2)] == [1, 2]


async def test_what_others_said_in_between_is_never_kept_and_so_said(house, open_replay) -> None:
    await house.chat.settings.set(GENERAL, Scope.CHANNEL, "reads_others", "5", by=1)
    house.chat.overheard.note(GENERAL, 0, 9, "Dora", "walnut")
    await house.ask("what did Dora say?")

    said = await refusal(open_replay)

    assert "walnut" in house.prompt()
    assert said.reason == "overheard"
    assert "walnut" not in str(said)


async def test_what_has_no_answer_is_said(house, open_replay) -> None:
    question = house.asks("never answered")
    await house.receive(question)
    is_open = await refusal(open_replay)
    await house.exchange(question).finish(InboxState.FAILED)
    house.exchange(question).close()

    assert is_open.reason == "open"
    assert (await refusal(open_replay)).reason == "unanswered"
    assert (await refusal(open_replay, 77)).reason == "unknown"


async def test_an_answer_comes_out_the_same_or_the_first_other_token_is_named(house, open_replay) -> None:
    said = text(await house.ask("hello"))
    async with open_replay() as replay:
        found = await replay.rebuild("discord", 1)
        same = await replay.compare(found, house.engine)
        found = replace(found, made=replace(found.made, token_ids=(3, 4, 99, 6, 7)))
        differs = await replay.compare(found, house.engine)
        weighed = await replay.compare(found, Scales())
        with pytest.raises(CannotReplay, match="another model: another setup") as refused:
            await replay.compare(found, EchoEngine(model_hash="another"))
        with pytest.raises(CannotReplay, match="takes 3 tokens as it is set up now") as too_long:
            await replay.compare(found, EchoEngine(answer=lambda _: PromptTooLong(40, 3)))

    assert said.startswith("echo ")
    assert same is None
    assert differs == Difference(2, 99, 5, ())
    assert (differs.logit_gap, differs.score_gap) == (None, None)
    assert weighed is not None
    assert weighed.logit_gap == pytest.approx(-9.4)
    assert weighed.score_gap == pytest.approx(-0.94)
    assert (refused.value.reason, too_long.value.reason) == ("model", "window")
