"""Questions that are edited: while they wait, while they are answered, and afterwards."""

import asyncio

from bot.conversation.turn_limits import TurnLimits
from bot.errors import RequestFailed
from bot.words import phrase
from tests.discord.conftest import OpenHouse
from tests.discord.house import House, ask, labels, remembered, remembers
from tests.engines import EchoEngine
from tests.loopback import LoopbackDiscord, Message, judge


async def edits(house: House, question: Message, words: str) -> None:
    await house.server.person("Alice").edits(question, f"{house.server.bot.mention} {words}")


async def asked(house: House, num_times: int) -> None:
    """Waits until the engine was asked so often, and nothing is open."""
    async with asyncio.timeout(60):
        while len(house.engine.requests) < num_times or len(house.chat.exchanges):  # noqa: ASYNC110 - no event for it
            await asyncio.sleep(0.01)


async def test_an_edited_question_is_answered_again_in_the_same_message(house: House) -> None:
    server = house.server
    house.engine.answer = lambda request: f"answer {len(house.engine.requests)}"
    question = await ask(house, "what is tow?")
    (before,) = server.answer_to(question).parts

    await edits(house, question, "what is two?")
    server.unfurl(question)
    await asked(house, 2)

    (after,) = server.answer_to(question).parts
    assert (after.id, after.content) == (before.id, "answer 2")
    assert house.prompts[-1].endswith("Alice: what is two? [/INST]")
    assert await remembered(house) == [("what is two?", "answer 2")]
    judge(server).require(turns=1, replies=1)


async def test_a_shorter_answer_takes_the_surplus_messages_away(house: House) -> None:
    server = house.server
    house.engine.answer = lambda _: " ".join(f"w{number}" for number in range(900))
    question = await ask(house, "a long one")
    num_before = len(server.answer_to(question).parts)
    house.engine.answer = lambda _: "done"

    await edits(house, question, "a short one")
    await asked(house, 2)

    assert num_before == 3
    assert [part.content for part in server.answer_to(question).parts] == ["done"]
    assert await house.state(question) == "answered"
    judge(server).require(turns=1, replies=1)


async def test_an_edit_while_the_answer_is_written_begins_it_anew(server: LoopbackDiscord, enter: OpenHouse) -> None:
    engine = EchoEngine(answer=lambda request: f"one two {len(engine.requests)}", words_before_gate=2, is_held=True)
    alice, general = server.person("Alice"), server.channel("general")

    async with enter(server, engine=engine) as house:
        question = await alice.says(general, "what is tow?", mention=True)
        shown = await general.answer_to(question, until=lambda text: text == "one two")
        await edits(house, question, "what is two?")
        await server.wait_until(lambda: len(engine.requests) == 2)
        engine.gate.set()
        await house.reaches(question, "answered")

    (part,) = server.answer_to(question).parts
    assert shown
    assert part.content == "one two 2"
    assert engine.num_aborted == 1
    assert house.prompts[-1].endswith("Alice: what is two? [/INST]")
    judge(server).require(turns=1, replies=1)


async def test_where_no_new_answer_comes_the_old_one_stands_there_again(house: House) -> None:
    server = house.server
    house.engine.answer = lambda _: "the old one"
    question = await ask(house, "what is tow?")
    house.engine.answer = lambda _: RequestFailed()

    await edits(house, question, "what is two?")
    await asked(house, 2)

    (part,) = server.answer_to(question).parts
    assert part.content == f"the old one\n-# {RequestFailed()}"
    assert await house.state(question) == "answered"
    assert await remembered(house) == [("what is two?", "the old one")]


async def test_an_edit_of_an_older_question_changes_what_is_remembered(house: House) -> None:
    older = await ask(house, "my name is Alcie")
    await ask(house, "hello")

    await edits(house, older, "my name is Alice")
    await house.comes_true(lambda: remembers(house, "my name is Alice"))
    await ask(house, "what is my name?")

    assert "my name is Alice" in house.prompts[-1]
    assert "Alcie" not in house.prompts[-1]
    judge(house.server).require(turns=3, replies=3)


async def test_what_was_edited_while_the_bot_was_off_is_answered(server: LoopbackDiscord, enter: OpenHouse) -> None:
    async with enter(server) as house:
        question = await ask(house, "what is tow?")
    await edits(house, question, "what is two?")
    await server.person("Bob").says(server.channel("general"), "not for her")

    async with enter(server) as house:
        await asked(house, 1)
        await house.reaches(question, "answered")

        assert house.prompts[0].endswith("Alice: what is two? [/INST]")
        assert [words for words, _ in await remembered(house)] == ["what is two?"]
    judge(server).require(turns=1, replies=1)


async def test_words_that_an_edit_takes_away_are_not_remembered(house: House) -> None:
    server = house.server
    question = await ask(house, "my number is 4711")

    await edits(house, question, "")
    await server.wait_until(lambda: len(server.channel("general").visible_messages()) == 3)
    await ask(house, "hello")

    assert "4711" in house.prompts[0]
    assert "4711" not in house.prompts[1]


async def test_an_edit_that_leaves_a_file_alone_is_answered_again(house: House) -> None:
    server = house.server
    alice = server.person("Alice")
    question = await alice.attaches(alice.dm_channel(), {"a.txt": b"all about crabs"}, "my number is 4711")
    await house.reaches(question, "answered")

    await alice.edits(question, "")
    await asked(house, 2)

    assert "4711" not in house.prompts[1]
    assert "all about crabs" in house.prompts[1]


async def test_who_has_no_turn_left_is_told_that_an_edit_is_only_remembered(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    async with enter(server, turn_limits=TurnLimits(person=1)) as house:
        question = await ask(house, "what is tow?")
        before = server.answer_to(question).parts[0].content

        await edits(house, question, "what is two?")
        await server.wait_until(lambda: len(server.answer_to(question).parts) == 2)

        answer, told = server.answer_to(question).parts
        assert told.content.startswith(f"{phrase('edit_unanswered')} You have had your one turn of this hour.")
        assert answer.content == before
        assert [words for words, _ in await remembered(house)] == ["what is two?"]
        assert len(house.engine.requests) == 1


async def test_an_edit_that_takes_the_mention_away_takes_the_words_out_of_what_is_remembered(house: House) -> None:
    alice = house.server.person("Alice")
    question = await ask(house, "my number is 4711")

    await alice.edits(question, "never mind")
    await house.comes_true(lambda: remembers(house, ""))
    await ask(house, "hello")

    assert "4711" not in house.prompts[1]


async def test_a_question_whose_words_were_taken_back_is_not_answered_again(house: House) -> None:
    server, alice = house.server, house.server.person("Alice")
    question = await ask(house, "my number is 4711")
    await alice.edits(question, "never mind")
    await house.comes_true(lambda: remembers(house, ""))
    answer = server.answer_to(question).parts[0]

    click = await alice.clicks(answer, "Again")
    await server.wait_until(lambda: click.followups)

    assert (click.followups[0].content, click.followups[0].ephemeral_for) == (phrase("nothing_asked"), alice.user)
    assert labels(answer) == []
    assert len(house.engine.requests) == 1


async def test_words_that_an_edit_takes_back_during_the_answer_are_forgotten_after_it(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    alice, general = server.person("Alice"), server.channel("general")
    async with enter(server, engine=EchoEngine(words_before_gate=1, is_held=True)) as house:
        question = await alice.says(general, "my number is 4711", mention=True)
        await server.wait_until(lambda: server.answer_to(question))

        await alice.edits(question, "never mind")
        house.engine.gate.set()
        await house.comes_true(lambda: is_forgotten(house, question))

        assert await house.state(question) == "answered"
        await ask(house, "hello")
        assert "4711" not in house.prompts[1]


async def is_forgotten(house: House, question: Message) -> bool:
    """Whether a question is answered, and nothing of its words is remembered."""
    return await house.state(question) == "answered" and [words for words, _ in await remembered(house)] == [""]


async def test_a_question_that_got_no_answer_is_asked_anew_by_its_edit(house: House) -> None:
    server = house.server
    house.engine.answer = lambda _: RequestFailed()
    question = await ask(house, "what is tow?", state="failed")
    told = server.answer_to(question).parts[0].content

    await edits(house, question, "what is tow, please?")  # and fails again
    await asked(house, 2)
    (notice,) = server.answer_to(question).parts
    house.engine.answer = lambda _: "it is two"
    await edits(house, question, "what is two?")
    await asked(house, 3)
    await ask(house, "and now?")

    (answer,) = server.answer_to(question).parts
    assert told == notice.content == RequestFailed().args[0]
    assert answer.content == "it is two"
    assert "what is two? [/INST] it is two" in house.prompts[-1]
    judge(server).require(turns=2, replies=2)


async def test_what_is_asked_anew_outlives_a_stop(server: LoopbackDiscord, enter: OpenHouse) -> None:
    engine = EchoEngine(answer=lambda _: RequestFailed())
    async with enter(server, engine=engine, drain_seconds=0.0) as house:
        question = await ask(house, "what is tow?", state="failed")
        engine.answer, engine.is_held = (lambda _: "it is two"), True
        engine.gate.clear()
        await edits(house, question, "what is two?")
        await server.wait_until(lambda: engine.num_running)
    async with enter(server, engine=EchoEngine(answer=lambda _: "it is two")) as house:
        await house.reaches(question, "answered")

        assert [part.content for part in server.answer_to(question).parts] == ["it is two"]


async def test_an_edit_of_a_refused_question_takes_a_turn_too(server: LoopbackDiscord, enter: OpenHouse) -> None:
    async with enter(server, turn_limits=TurnLimits(person=1)) as house:
        await ask(house, "the only one")
        alice, general = server.person("Alice"), server.channel("other")
        question = await alice.says(general, "one more", mention=True)
        await house.reaches(question, "refused")
        await edits(house, question, "one more, please")
        await server.wait_until(lambda: len(general.visible_messages()) == 2)

        assert await house.state(question) == "refused"
        assert len(house.engine.requests) == 1


async def test_what_is_deleted_right_after_its_edit_is_not_answered_anew(house: House) -> None:
    question = await ask(house, "what is tow?")

    await edits(house, question, "what is two?")
    await house.server.person("Alice").deletes(question)
    async with asyncio.timeout(60):
        while await remembered(house):  # noqa: ASYNC110 - no event for it
            await asyncio.sleep(0.01)
    await ask(house, "and three?")
    await asked(house, 2)

    assert house.prompts[-1].endswith("Alice: and three? [/INST]")
    assert "what is" not in house.prompts[-1]
    assert await house.inbox.unfinished() == []


async def test_of_several_edits_that_are_told_at_once_the_last_one_counts(house: House) -> None:
    question = await ask(house, "what is tow?")

    for number in range(5):
        await edits(house, question, f"what is {number}?")
    await house.server.wait_until(lambda: house.prompts[-1].endswith("what is 4? [/INST]"))
    await asked(house, 2)

    assert [words for words, _ in await remembered(house)] == ["what is 4?"]
