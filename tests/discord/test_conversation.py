"""Who is answered and how it looks, end to end on a loopback Discord."""

import asyncio

import pytest

from bot.chat.answer import WENT_ROUND
from bot.chat.queue import QuestionQueue
from bot.delivery.outcomes import BROKEN, NOT_READY
from bot.delivery.reply import WHOLE_IN_FILE
from bot.discord.intake import BARE_HINT, NO_TEXT_HINT, TEXT_ONLY, UNPINGED_HINT
from bot.errors import EngineUnavailable, RequestFailed, WaitedTooLong
from tests.discord.conftest import OpenHouse
from tests.discord.house import House
from tests.engines import EchoEngine, echo
from tests.loopback import LoopbackDiscord, Permission, judge

LONG_ANSWER = " ".join(f"word{index}" for index in range(600))
VERY_LONG_ANSWER = " ".join(f"word{index}" for index in range(2400))


async def test_a_mention_is_answered_by_a_reply(house: House) -> None:
    server = house.server
    alice, general = server.person("Alice"), server.channel("general")

    question = await alice.says(general, "hello", mention=True)
    answer = await general.answer_to(question)

    assert answer.text == echo(house.engine.requests[0])
    assert answer.parts[0].replies_to == question.id
    await house.reaches(question, "answered")
    judge(server).require(turns=1, replies=1)


async def test_of_a_loop_the_channel_keeps_one_round(house: House) -> None:
    server = house.server
    alice, general = server.person("Alice"), server.channel("general")
    line = "I like to help you, whatever it is that you want to ask me.\n"
    house.engine.answer = lambda _: "Here you are.\n" + line * 200

    answer = await general.answer_to(await alice.says(general, "hello", mention=True))

    assert answer.text == f"Here you are.\n{line}-# {WENT_ROUND}"
    assert len(answer.parts) == 1


async def test_a_reply_to_the_bots_message_is_answered(house: House) -> None:
    server = house.server
    alice, general = server.person("Alice"), server.channel("general")
    first = await general.answer_to(await alice.says(general, "hello", mention=True))

    second = await alice.replies(first.parts[0], "and further?")
    await general.answer_to(second)

    assert "and further?" in house.prompts[-1]
    judge(server).require(turns=2, replies=2)


async def test_a_direct_message_is_answered_without_a_name_in_the_prompt(house: House) -> None:
    alice = house.server.person("Alice")

    question = await alice.dms("hello there")
    await alice.dm_channel().answer_to(question)

    assert "hello there" in house.prompts[-1]
    assert "Alice" not in house.prompts[-1]


async def test_a_thread_is_a_conversation_of_its_own(house: House) -> None:
    server = house.server
    alice, general = server.person("Alice"), server.channel("general")
    await general.answer_to(await alice.says(general, "the word is swordfish", mention=True))
    thread = await alice.opens_thread(general, "aside")

    await thread.answer_to(await alice.says(thread, "which word?", mention=True))

    assert "swordfish" not in house.prompts[-1]
    judge(server).require(turns=2, replies=2)


async def test_bots_webhooks_system_messages_and_pings_of_many_are_not_answered(house: House) -> None:
    server = house.server
    alice, general = server.person("Alice"), server.channel("general")
    for stranger in (server.other_bot("Other"), server.webhook("Hook")):
        await stranger.says(general, "hello", mention=True)
    await server.system_message(general, text=server.bot.mention)
    await alice.says(general, "@everyone hello")
    await alice.says(general, "hello, without her")

    question = await alice.says(general, "but this", mention=True)
    await general.answer_to(question)

    assert len(house.engine.requests) == 1
    judge(server).require(turns=1, replies=1)


async def test_mentions_become_names_in_the_prompt(house: House) -> None:
    server = house.server
    alice, bob, general = server.person("Alice"), server.person("Bob"), server.channel("general")
    await bob.says(general, "I'm here")

    question = await alice.says(general, f"{server.bot.mention} do you know {bob.mention} in <#{general.id}>?")
    await general.answer_to(question)

    assert "do you know @Bob in #general?" in house.prompts[-1]


async def test_a_channel_that_its_author_cannot_see_has_no_name(house: House) -> None:
    server, general, staff = house.server, house.server.channel("general"), house.server.channel("staff")
    server.world.overwrite(staff, server.guild.everyone, deny=Permission.VIEW_CHANNEL)
    server.world.overwrite(staff, server.bot.user, allow=Permission.VIEW_CHANNEL)
    server.world.overwrite(staff, server.person("Mod").user, allow=Permission.VIEW_CHANNEL)

    for name in ("Alice", "Mod"):
        await general.answer_to(await server.person(name).says(general, f"and <#{staff.id}>?", mention=True))
    told = await server.person("Mod").says(general, f"see <#{staff.id}>", mention=True)
    await general.answer_to(told)
    await general.answer_to(await server.person("Alice").replies(told, f"{server.bot.mention} where?"))

    assert "Alice: and #some-channel?" in house.prompts[0]
    assert "Mod: and #staff?" in house.prompts[1]
    assert house.prompts[3].endswith("Alice: where?\n\nMod wrote:\n> see #some-channel [/INST]")


async def test_questions_in_one_channel_are_answered_in_order(server: LoopbackDiscord, enter: OpenHouse) -> None:
    people = [server.person(name) for name in ("Alice", "Bob", "Carol", "Dave", "Erin", "Frank")]
    general = server.channel("general")

    async with enter(server, engine=EchoEngine(seconds_per_word=0.01)) as house:
        questions = [await person.says(general, "hello", mention=True) for person in people]
        for question in questions:
            await house.reaches(question, "answered")

    judge(server).require(turns=6, replies=6)


async def test_an_answer_grows_by_edits(server: LoopbackDiscord, enter: OpenHouse) -> None:
    engine = EchoEngine(answer=lambda _: "one two three four five", words_before_gate=2, is_held=True)
    alice, general = server.person("Alice"), server.channel("general")

    async with enter(server, engine=engine) as house:
        question = await alice.says(general, "count", mention=True)
        await general.answer_to(question, until=lambda text: text == "one two")
        engine.gate.set()
        await house.reaches(question, "answered")

    (message,) = server.answer_to(question).parts
    assert message.content == "one two three four five"
    assert len(message.revisions) >= 2


async def test_typing_is_shown_until_the_first_words(server: LoopbackDiscord, enter: OpenHouse) -> None:
    engine = EchoEngine(is_held=True)
    alice, general = server.person("Alice"), server.channel("general")

    async with enter(server, engine=engine) as house:
        question = await alice.says(general, "hello", mention=True)
        await server.wait_until(lambda: list(server.journal.acts_of(server.bot.user, "typing", general)))
        engine.gate.set()
        await house.reaches(question, "answered")

    kinds = [act.kind for act in server.journal.acts_of(server.bot.user, channel=general)]
    assert kinds[0] == "typing"
    assert kinds.count("typing") == 1


async def test_a_long_answer_becomes_several_messages(server: LoopbackDiscord, enter: OpenHouse) -> None:
    alice, general = server.person("Alice"), server.channel("general")

    async with enter(server, engine=EchoEngine(answer=lambda _: LONG_ANSWER)) as house:
        question = await alice.says(general, "tell", mention=True)
        await house.reaches(question, "answered")

    answer = server.answer_to(question)
    assert " ".join(answer.text.split()) == LONG_ANSWER
    assert len(answer.parts) == 3
    judge(server).require(turns=1, replies=1)


@pytest.mark.no_cover
async def test_a_very_long_answer_becomes_a_file_below_its_beginning(server: LoopbackDiscord, enter: OpenHouse) -> None:
    alice, general = server.person("Alice"), server.channel("general")

    async with enter(server, engine=EchoEngine(answer=lambda _: VERY_LONG_ANSWER)) as house:
        question = await alice.says(general, "tell", mention=True)
        await house.reaches(question, "answered")

    answer = server.answer_to(question)
    assert len(answer.parts) == 6
    assert answer.parts[-1].content == WHOLE_IN_FILE
    assert [attachment["filename"] for attachment in answer.parts[-1].attachments] == ["answer.txt"]


async def test_where_files_are_not_allowed_a_very_long_answer_is_shown_whole(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    alice, general = server.person("Alice"), server.channel("general")
    server.world.overwrite(general, server.bot.user, deny=Permission.ATTACH_FILES)

    async with enter(server, engine=EchoEngine(answer=lambda _: VERY_LONG_ANSWER)) as house:
        question = await alice.says(general, "tell", mention=True)
        await house.reaches(question, "answered")

    assert " ".join(server.answer_to(question).text.split()) == VERY_LONG_ANSWER
    judge(server).require(turns=1, replies=1)


async def test_nobody_is_pinged_and_nothing_unfolds(server: LoopbackDiscord, enter: OpenHouse) -> None:
    alice, general = server.person("Alice"), server.channel("general")
    engine = EchoEngine(answer=lambda _: f"@everyone {alice.mention} https://example.org " * 3)

    async with enter(server, engine=engine) as house:
        await house.reaches(await alice.says(general, "shout", mention=True), "answered")

    acts = [act for act in server.journal.acts_of(server.bot.user) if act.kind in ("create", "edit")]
    assert len(acts) > 1
    assert all(act.allowed_mentions == {"parse": [], "replied_user": False} for act in acts)
    assert all(act.payload["flags"] & 4 for act in acts)


async def test_a_reply_without_ping_gets_one_hint_a_day(house: House) -> None:
    server = house.server
    alice, general = server.person("Alice"), server.channel("general")
    answer = await general.answer_to(await alice.says(general, "hello", mention=True))

    first = await alice.replies(answer.parts[0], "hidden", ping=False)
    await server.wait_until(lambda: server.answer_to(first))
    second = await alice.replies(answer.parts[0], "hidden again", ping=False)
    await general.answer_to(await alice.says(general, "the end", mention=True))

    assert server.answer_to(first).text == UNPINGED_HINT
    assert server.answer_to(second) is None


async def test_a_question_that_waited_too_long_in_the_engines_queue_is_refused_in_words(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    async with enter(server, engine=EchoEngine(answer=lambda _: WaitedTooLong())) as house:
        question = await server.person("Alice").says(server.channel("general"), "hello", mention=True)
        await house.reaches(question, "refused")

    assert server.answer_to(question).text == str(WaitedTooLong())
    judge(server).require(turns=1, notices=1)


@pytest.mark.parametrize("text", ["", "\u200b \u2060"])
async def test_a_bare_mention_gets_a_hint(house: House, text: str) -> None:
    alice, general = house.server.person("Alice"), house.server.channel("general")

    bare = await alice.says(general, text, mention=True)
    await house.server.wait_until(lambda: house.server.answer_to(bare))

    assert house.server.answer_to(bare).text == BARE_HINT
    assert await house.state(bare) is None
    assert house.engine.requests == []


PICTURE = {
    "id": "1", "filename": "cat.png", "size": 5, "url": "https://cdn.invalid/cat.png",
    "proxy_url": "https://cdn.invalid/cat.png",
}  # fmt: skip


async def test_pictures_are_noted_and_never_fetched(house: House) -> None:
    server = house.server
    alice, bob, general = server.person("Alice"), server.person("Bob"), server.channel("general")

    bare = await alice.says(general, "", mention=True, attachments=[PICTURE])
    await server.wait_until(lambda: server.answer_to(bare))
    question = await bob.says(general, "what is this?", mention=True, attachments=[PICTURE])
    await house.reaches(question, "answered")

    assert server.answer_to(bare).text == NO_TEXT_HINT
    assert server.answer_to(question).text.startswith(f"-# {TEXT_ONLY}\n")
    assert TEXT_ONLY not in house.prompts[-1]


async def test_the_same_event_twice_is_answered_once(house: House) -> None:
    server = house.server
    alice, general = server.person("Alice"), server.channel("general")

    question = await alice.says(general, "hello", mention=True)
    server.redeliver(question)
    await house.reaches(question, "answered")
    server.redeliver(question)
    await house.reaches(await alice.says(general, "next", mention=True), "answered")

    assert len(house.engine.requests) == 2
    judge(server).require(turns=2, replies=2)


async def test_a_mistake_of_ours_is_said_and_logged_once(
    server: LoopbackDiscord, enter: OpenHouse, caplog: pytest.LogCaptureFixture
) -> None:
    alice, general = server.person("Alice"), server.channel("general")

    async with enter(server, engine=EchoEngine(answer=lambda _: ValueError("boom"))) as house:
        question = await alice.says(general, "hello", mention=True)
        await house.reaches(question, "failed")

    assert server.answer_to(question).text == BROKEN
    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 1
    assert errors[0].exc_info is not None


async def test_a_deleted_question_stops_its_answer_and_takes_it_back(server: LoopbackDiscord, enter: OpenHouse) -> None:
    engine = EchoEngine(words_before_gate=2, is_held=True)
    alice, general = server.person("Alice"), server.channel("general")

    async with enter(server, engine=engine) as house:
        question = await alice.says(general, "hello", mention=True)
        await server.wait_until(lambda: server.answer_to(question))
        await alice.deletes(question)
        await house.reaches(question, "withdrawn")
        await server.wait_until(lambda: server.answer_to(question) is None)
        engine.gate.set()
        await house.reaches(await alice.says(general, "next", mention=True), "answered")

    assert engine.num_aborted == 1


async def test_a_deleted_answer_is_not_created_again(server: LoopbackDiscord, enter: OpenHouse) -> None:
    engine = EchoEngine(words_before_gate=2, is_held=True)
    alice, general = server.person("Alice"), server.channel("general")

    async with enter(server, engine=engine) as house:
        question = await alice.says(general, "hello", mention=True)
        await server.wait_until(lambda: server.answer_to(question))
        await alice.deletes(server.answer_to(question).parts[0])
        await house.reaches(question, "withdrawn")

    assert server.answer_to(question) is None
    assert len(list(server.journal.acts_of(server.bot.user, "create"))) == 1


async def test_a_stop_lets_running_answers_finish_and_the_next_process_answers_the_rest(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    engine = EchoEngine(words_before_gate=2, is_held=True)
    people, general = [server.person(name) for name in ("Alice", "Bob", "Carol")], server.channel("general")

    async with enter(server, engine=engine) as house:
        questions = [await person.says(general, "hello", mention=True) for person in people]
        await server.wait_until(lambda: server.answer_to(questions[0]))
        house.stop.set()
        await asyncio.sleep(0)
        engine.gate.set()
        await house.running
        assert await house.state(questions[0]) == "answered"
        assert server.answer_to(questions[1]) is None
    async with enter(server) as house:
        for question in questions:
            await house.reaches(question, "answered")

    judge(server).require(turns=3, replies=3)


async def test_the_edit_of_a_question_that_waits_is_taken_over(server: LoopbackDiscord, enter: OpenHouse) -> None:
    engine = EchoEngine(is_held=True)
    alice, bob, general = server.person("Alice"), server.person("Bob"), server.channel("general")

    async with enter(server, engine=engine) as house:
        first = await alice.says(general, "one", mention=True)
        waiting = await bob.says(general, "tow", mention=True)
        await house.reaches(first, "answering")
        await house.reaches(waiting, "received")
        await bob.edits(waiting, f"{server.bot.mention} two")
        server.unfurl(waiting)

        async def last_says_two() -> bool:
            return (await house.inbox.unfinished())[-1].question.content == "two"

        await house.comes_true(last_says_two)
        engine.gate.set()
        await house.reaches(waiting, "answered")

    assert house.prompts[-1].endswith("Bob: two [/INST]")


async def test_who_asks_too_much_is_refused_once_in_a_while(server: LoopbackDiscord, enter: OpenHouse) -> None:
    engine = EchoEngine(words_before_gate=1, is_held=True)
    alice, bob, general = server.person("Alice"), server.person("Bob"), server.channel("general")

    async with enter(server, engine=engine, queue=QuestionQueue(max_waiting=2)) as house:
        accepted = [await alice.says(general, f"{number}", mention=True) for number in range(3)]
        refused = [await person.says(general, "me too", mention=True) for person in (alice, bob, alice, bob)]
        for question in refused:
            await house.reaches(question, "refused")
        engine.gate.set()
        for question in accepted:
            await house.reaches(question, "answered")

    assert [server.answer_to(question) is not None for question in refused] == [True, False, False, False]


async def test_an_engine_that_is_not_ready_is_said_in_a_sentence(server: LoopbackDiscord, enter: OpenHouse) -> None:
    alice, general = server.person("Alice"), server.channel("general")

    async with enter(server, engine=EchoEngine(answer=lambda _: EngineUnavailable("loading"))) as house:
        question = await alice.says(general, "hello", mention=True)
        await house.reaches(question, "failed")

    assert server.answer_to(question).text == NOT_READY


async def test_a_failure_in_the_middle_is_said_below_what_was_shown(server: LoopbackDiscord, enter: OpenHouse) -> None:
    class Breaking(EchoEngine):
        async def generate(self, request):
            async for delta in super().generate(request):
                yield delta
                if "three" in delta.text:
                    await self.gate.wait()
                    raise RequestFailed

    engine = Breaking(answer=lambda _: "one two three four", is_held=True)
    engine.words_before_gate = 3
    alice, general = server.person("Alice"), server.channel("general")

    async with enter(server, engine=engine) as house:
        question = await alice.says(general, "hello", mention=True)
        await general.answer_to(question, until=lambda text: text == "one two three")
        engine.gate.set()
        await house.reaches(question, "failed")

    (message,) = server.answer_to(question).parts
    assert message.content == f"one two three\n-# {RequestFailed()}"


async def test_deleting_many_questions_withdraws_them(server: LoopbackDiscord, enter: OpenHouse) -> None:
    engine = EchoEngine(words_before_gate=1, is_held=True)
    people, general = [server.person(name) for name in ("Alice", "Bob", "Carol")], server.channel("general")

    async with enter(server, engine=engine) as house:
        questions = [await person.says(general, "hello", mention=True) for person in people]
        await server.wait_until(lambda: server.answer_to(questions[0]))
        for question in questions[1:]:
            await house.reaches(question, "received")
        await people[0].deletes_many(questions)
        for question in questions:
            await house.reaches(question, "withdrawn")
        await server.wait_until(lambda: server.answer_to(questions[0]) is None)

    assert len(engine.requests) == 1


async def test_a_guild_that_throws_the_bot_out_ends_its_answers(server: LoopbackDiscord, enter: OpenHouse) -> None:
    engine = EchoEngine(words_before_gate=1, is_held=True)
    other = server.add_guild("Other")
    hall = server.channel("hall", other)

    async with enter(server, engine=engine) as house:
        question = await server.person("Alice").says(hall, "hello", mention=True)
        await server.wait_until(lambda: server.answer_to(question))
        server.world.remove_bot(other, server.bot)
        await house.reaches(question, "failed")

    assert engine.num_aborted == 1
