"""The buttons below an answer, and `/stop`."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from bot.chat.chat import Scope
from bot.chat.queue import QuestionQueue
from bot.delivery.outcomes import NOT_TAKEN, STOPPED_UNSAID
from bot.delivery.transport import Button, ButtonKind
from bot.discord.buttons import BUSY, GONE, NOT_HERE, NOT_THE_LAST, NOT_YOURS, OVER, RESTARTING
from bot.discord.components import button_of, custom_id_of
from bot.inference.engine import Delta, FinishReason, Request
from bot.store.rows.turn_limits import TurnLimits
from bot.words import phrase
from tests.discord.conftest import OpenHouse
from tests.discord.house import House, ask, labels, remembered
from tests.engines import EchoEngine
from tests.loopback import Interaction, LoopbackDiscord, Message, Permission, Person, Status, judge

STOPPED_NOTE = f"-# {phrase('stopped_as_asked')}"


class LimitedEngine(EchoEngine):
    """Each of its answers ends at a limit."""

    async def _words(self, request: Request, answer: str) -> AsyncGenerator[Delta, None]:
        async for delta in super()._words(request, answer):
            yield delta if delta.finish_reason is None else replace(delta, finish_reason=FinishReason.LENGTH)


def held_engine(answer: str = "one two three four", num_words: int = 2) -> EchoEngine:
    """Says so many words of an answer, and the others when its gate is opened."""
    return EchoEngine(answer=lambda _: answer, words_before_gate=num_words, is_held=True)


def moderator(server: LoopbackDiscord) -> Person:
    return server.person("Mona", permissions=Permission.MANAGE_MESSAGES)


async def growing(house: House, text: str = "one two", *, asked: str = "count") -> tuple[Message, Message]:
    """Alice asks; returns her question and the message that grows, once it says so much."""
    server = house.server
    question = await server.person("Alice").says(server.channel("general"), asked, mention=True)
    answer = await server.channel("general").answer_to(question, until=lambda shown: text in shown)
    return question, answer.parts[-1]


async def asked(house: House, num_times: int) -> None:
    """Waits until the engine was asked so often, and nothing is under way."""
    async with asyncio.timeout(60):
        while len(house.engine.requests) < num_times or len(house.chat.exchanges):  # noqa: ASYNC110 - no event for it
            await asyncio.sleep(0.01)


async def acknowledged(house: House, interaction: Interaction) -> Interaction:
    await house.server.wait_until(lambda: interaction.acknowledged_at is not None)
    return interaction


async def private_reply_to(house: House, interaction: Interaction) -> str:
    """What only the person who clicked is told."""

    def whispered() -> list[str]:
        messages = [*interaction.followups, *interaction.responses]
        return [message.content for message in messages if message.ephemeral_for is interaction.user]

    await house.server.wait_until(whispered)
    return whispered()[0]


# ---- What stands below an answer


async def test_an_answer_bears_stop_while_it_grows_and_again_when_it_is_complete(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    async with enter(server, engine=held_engine()) as house:
        question, message = await growing(house)
        while_it_grew = labels(message)

        house.engine.gate.set()
        await house.reaches(question, "answered")

        assert (while_it_grew, labels(message)) == (["Stop"], ["Again"])
        assert message.content == "one two three four"
        judge(server).require(turns=1, replies=1)


async def test_only_the_newest_message_of_a_long_answer_bears_buttons(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    words = " ".join(f"word{number}" for number in range(600))
    async with enter(server, engine=held_engine(words, 450)) as house:
        question, _ = await growing(house, "word449")
        while_it_grew = [labels(part) for part in server.answer_to(question).parts]

        house.engine.gate.set()
        await house.reaches(question, "answered")

        parts = server.answer_to(question).parts
        assert while_it_grew == [[], ["Stop"]]
        assert [labels(part) for part in parts] == [[], [], ["Again"]][-len(parts) :]
        judge(server).require(turns=1, replies=1)


async def test_the_file_of_a_very_long_answer_bears_its_buttons(house: House) -> None:
    house.engine.answer = lambda _: " ".join(f"word{number}" for number in range(2400))

    question = await ask(house)

    parts = house.server.answer_to(question).parts
    assert [labels(part) for part in parts] == [[]] * (len(parts) - 1) + [["Again"]]
    assert parts[-1].attachments


async def test_what_is_no_answer_bears_no_buttons(house: House) -> None:
    house.engine.answer = lambda _: RuntimeError("broken")

    question = await ask(house, state="failed")

    assert [labels(part) for part in house.server.answer_to(question).parts] == [[]]


async def test_buttons_speak_the_language_of_the_place(server: LoopbackDiscord, enter: OpenHouse) -> None:
    server.guild.preferred_locale = "de"
    async with enter(server, engine=held_engine()) as house:
        _, message = await growing(house)

        assert labels(message) == ["Stopp"]
        house.engine.gate.set()


async def test_without_buttons_answers_bear_none_and_those_of_before_do_nothing(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    async with enter(server) as house:
        before = server.answer_to(await ask(house)).parts[0]
    async with enter(server, has_buttons=False) as house:
        question = await ask(house)
        click = await server.person("Alice").clicks(before, "Again")

        assert await private_reply_to(house, click) == GONE
        assert [labels(part) for part in server.answer_to(question).parts] == [[]]
        assert len(house.engine.requests) == 1


# ---- Stop


async def test_stop_keeps_what_was_said(server: LoopbackDiscord, enter: OpenHouse) -> None:
    async with enter(server, engine=held_engine()) as house:
        question, message = await growing(house)

        click = await server.person("Alice").clicks(message, "Stop")
        await house.reaches(question, "answered")

        assert message.content == f"one two\n{STOPPED_NOTE}"
        assert labels(message) == ["Again", "Continue"]
        assert await remembered(house) == [("count", "one two")]
        assert house.engine.num_aborted == 1
        assert (await acknowledged(house, click)).followups == []
        judge(server).require(turns=1, replies=1)


async def test_a_moderator_stops_anybodys_answer_and_a_stranger_nobodys(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    async with enter(server, engine=held_engine()) as house:
        question, message = await growing(house)

        by_stranger = await server.person("Bob").clicks(message, "Stop")
        refusal, was_running = await private_reply_to(house, by_stranger), house.engine.num_running
        by_moderator = await moderator(server).clicks(message, "Stop")
        await house.reaches(question, "answered")

        assert (refusal, was_running) == (NOT_YOURS, 1)
        assert (await acknowledged(house, by_moderator)).followups == []
        assert await remembered(house) == [("count", "one two")]


async def test_a_second_click_on_stop_is_taken_and_changes_nothing(server: LoopbackDiscord, enter: OpenHouse) -> None:
    async with enter(server, engine=held_engine()) as house:
        question, message = await growing(house)
        alice = server.person("Alice")

        clicks = [await alice.clicks(message, "Stop"), await alice.clicks(message, "Stop")]
        await house.reaches(question, "answered")
        for click in clicks:
            await acknowledged(house, click)

        assert message.content == f"one two\n{STOPPED_NOTE}"
        judge(server).require(turns=1, replies=1)


async def test_stop_works_after_a_restart(server: LoopbackDiscord, enter: OpenHouse) -> None:
    async with enter(server, engine=held_engine(), drain_seconds=0.0) as house:
        question, message = await growing(house)
    async with enter(server, engine=held_engine()) as house:
        await server.wait_until(lambda: house.engine.num_running == 1)

        click = await server.person("Alice").clicks(message, "Stop")
        await house.reaches(question, "answered")

        assert message.content == f"one two\n{STOPPED_NOTE}"
        assert (await acknowledged(house, click)).followups == []
        assert await remembered(house) == [("count", "one two")]
        judge(server).require(turns=1, replies=1)


async def test_who_is_told_to_wait_can_stop_there(server: LoopbackDiscord, enter: OpenHouse) -> None:
    queue = QuestionQueue(clock=lambda: 60 * time.monotonic())  # a minute has passed for it in a second
    async with enter(server, engine=held_engine(), queue=queue) as house:
        general, bob = server.channel("general"), server.person("Bob")
        first, _ = await growing(house)
        second = await bob.says(general, "hello", mention=True)
        waiting_line = await general.answer_to(second, until=lambda text: "comes before yours" in text)

        await bob.clicks(waiting_line.parts[0], "Stop")
        await house.reaches(second, "withdrawn")

        (message,) = server.answer_to(second).parts
        assert (message.content, labels(message)) == (f"-# {STOPPED_UNSAID}", [])
        house.engine.gate.set()
        await house.reaches(first, "answered")


# ---- Again, Continue


async def test_again_replaces_the_answer_in_its_message_and_in_the_history(house: House) -> None:
    server = house.server
    house.engine.answer = lambda _: f"answer {len(house.engine.requests)}"
    question = await ask(house, "count")
    (message,) = server.answer_to(question).parts

    click = await server.person("Alice").clicks(message, "Again")
    await asked(house, 2)
    shown, buttons, kept = message.content, labels(message), await remembered(house)
    await ask(house, "and then?")

    assert (shown, buttons, kept) == ("answer 2", ["Again"], [("count", "answer 2")])
    assert "answer 2" in house.prompts[-1]
    assert "answer 1" not in house.prompts[-1]
    assert (await acknowledged(house, click)).followups == []
    judge(server).require(turns=2, replies=2)


async def test_an_answer_that_is_replaced_can_be_replaced_again(house: House) -> None:
    server = house.server
    house.engine.answer = lambda _: f"answer {len(house.engine.requests)}"
    (message,) = server.answer_to(await ask(house)).parts

    for number in (2, 3):
        await server.person("Alice").clicks(message, "Again")
        await asked(house, number)

    assert message.content == "answer 3"


async def test_a_double_click_on_again_asks_once(house: House) -> None:
    server = house.server
    (message,) = server.answer_to(await ask(house)).parts
    alice = server.person("Alice")

    clicks = [await alice.clicks(message, "Again"), await alice.clicks(message, "Again")]
    await asked(house, 2)

    assert [(await acknowledged(house, click)).followups for click in clicks] == [[], []]
    assert len(house.engine.requests) == 2
    judge(server).require(turns=1, replies=1)


async def test_an_answer_that_ended_at_a_limit_is_continued_in_its_message(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    engine = LimitedEngine(answer=lambda _: ["one two", " three"][len(engine.requests) - 1])
    async with enter(server, engine=engine) as house:
        (message,) = server.answer_to(await ask(house, "count")).parts
        at_the_limit = labels(message)

        await server.person("Alice").clicks(message, "Continue")
        await asked(house, 2)

        assert at_the_limit == ["Again", "Continue"]
        assert message.content == "one two three"
        assert await remembered(house) == [("count", "one two three")]
        judge(server).require(turns=1, replies=1)


async def test_a_click_that_comes_while_something_is_answered_costs_no_turn(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    async with enter(server, engine=held_engine(), turn_limits=TurnLimits(person=2)) as house:
        house.engine.gate.set()
        question = await ask(house)
        house.engine.gate.clear()
        bobs = await server.person("Bob").says(server.channel("general"), "and I?", mention=True)
        await server.wait_until(lambda: len(house.engine.requests) == 2)
        click = await server.person("Alice").clicks(server.answer_to(question).parts[-1], "Again")
        refusal = await private_reply_to(house, click)
        house.engine.gate.set()
        await house.reaches(bobs, "answered")
        await ask(house, "my second turn")

        assert refusal == BUSY


async def test_again_works_after_a_restart(server: LoopbackDiscord, enter: OpenHouse) -> None:
    async with enter(server, engine=EchoEngine(answer=lambda _: "old")) as house:
        (message,) = server.answer_to(await ask(house, "count")).parts
    async with enter(server, engine=EchoEngine(answer=lambda _: "new")) as house:
        await server.person("Alice").clicks(message, "Again")
        await asked(house, 1)

        assert message.content == "new"
        assert await remembered(house) == [("count", "new")]


async def test_the_buttons_of_an_answer_go_when_there_is_a_newer_one(house: House) -> None:
    server = house.server
    (older,) = server.answer_to(await ask(house, "first")).parts
    before = older.content, labels(older)

    (newer,) = server.answer_to(await ask(house, "second")).parts
    await server.wait_until(lambda: not labels(older))
    await server.person("Alice").clicks(newer, "Again")
    await asked(house, 3)

    assert before == (older.content, ["Again"])
    assert labels(newer) == ["Again"]
    judge(server).require(turns=2, replies=2)


async def test_an_older_answer_is_left_alone_and_who_clicks_is_told(
    server: LoopbackDiscord, enter: OpenHouse, caplog: pytest.LogCaptureFixture
) -> None:
    async with enter(server) as house:
        (older,) = server.answer_to(await ask(house, "first")).parts
    async with enter(server) as house:  # where it isn't known any more which message bears buttons
        await ask(house, "second")
        before = older.content

        with caplog.at_level(logging.INFO, logger="bot.discord.buttons"):
            click = await server.person("Alice").clicks(older, "Again")
            refusal = await private_reply_to(house, click)

        assert (refusal, older.content, labels(older)) == (NOT_THE_LAST, before, [])
        assert len(house.engine.requests) == 1
        assert [record.message for record in caplog.records if record.name == "bot.discord.buttons"] == []


async def test_a_button_that_could_not_be_taken_away_is_answered_in_words(house: House) -> None:
    server = house.server
    (older,) = server.answer_to(await ask(house, "first")).parts
    refused = server.faults.add(Status(400, code=50035), method="PATCH", route=f"/channels/*/messages/{older.id}")
    await ask(house, "second")
    await server.wait_until(lambda: refused.num_hits)

    click = await server.person("Alice").clicks(older, "Again")

    assert await private_reply_to(house, click) == NOT_THE_LAST


async def test_a_stranger_has_nobodys_answer_replaced_and_a_moderator_anybodys(house: House) -> None:
    server = house.server
    (message,) = server.answer_to(await ask(house)).parts

    by_stranger = await private_reply_to(house, await server.person("Bob").clicks(message, "Again"))
    num_requests = len(house.engine.requests)
    await moderator(server).clicks(message, "Again")
    await asked(house, 2)

    assert (by_stranger, num_requests) == (NOT_YOURS, 1)


async def test_in_a_thread_that_is_shut_who_clicks_is_told(house: House) -> None:
    server, alice = house.server, house.server.person("Alice")
    thread = await alice.opens_thread(server.channel("general"), "a talk")
    question = await alice.says(thread, "count", mention=True)
    await house.reaches(question, "answered")
    server.world.update_thread(thread, is_archived=True, is_locked=True)

    click = await alice.clicks(server.answer_to(question).parts[0], "Again")

    assert await private_reply_to(house, click) == NOT_HERE
    assert len(house.engine.requests) == 1


async def test_who_clicks_in_a_direct_message_is_who_asked(house: House) -> None:
    alice = house.server.person("Alice")
    question = await alice.dms("count")
    await house.reaches(question, "answered")

    await alice.clicks(house.server.answer_to(question).parts[0], "Again")
    await asked(house, 2)

    judge(house.server).require(turns=1, replies=1)


async def test_an_answer_that_can_not_be_edited_any_more_gives_way_to_a_new_message(house: House) -> None:
    server = house.server
    house.engine.answer = lambda _: f"answer {len(house.engine.requests)}"
    question = await ask(house, "count")
    (old,) = server.answer_to(question).parts
    server.faults.add(Status(400, code=50035), method="PATCH", route=f"/channels/*/messages/{old.id}")

    await server.person("Alice").clicks(old, "Again")
    await asked(house, 2)

    (new,) = server.answer_to(question).parts
    assert old.is_deleted
    assert (new.content, labels(new)) == ("answer 2", ["Again"])
    assert await remembered(house) == [("count", "answer 2")]


async def test_where_the_new_words_are_refused_the_older_answer_stays_and_that_is_said(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    async with enter(server, engine=held_engine(num_words=1)) as house:
        house.engine.gate.set()
        question = await ask(house, "count")
        (old,) = server.answer_to(question).parts
        house.engine.gate.clear()
        server.faults.add(Status(400, code=200000), method="PATCH", route="/channels/*/messages/*")

        await server.person("Alice").clicks(old, "Again")
        await asked(house, 2)

        assert [(each.content, labels(each)) for each in server.answer_to(question).parts] == [
            ("one two three four", ["Again"]),
            (NOT_TAKEN, []),
        ]
        assert await remembered(house) == [("count", "one two three four")]


async def test_where_no_edit_is_taken_that_is_said_in_a_new_message(server: LoopbackDiscord, enter: OpenHouse) -> None:
    async with enter(server, engine=held_engine()) as house:
        question, message = await growing(house)
        server.faults.add(Status(400, code=50035), method="PATCH", route="/channels/*/messages/*")

        house.engine.gate.set()
        await house.reaches(question, "failed")

        assert message.is_deleted
        assert server.answer_to(question).text == NOT_TAKEN


# ---- Clicks that come to nothing


async def clicks_forged(house: House, message: Message, custom_id: str) -> Interaction:
    """Mallory sends a click that Discord would not let through."""
    server, mallory = house.server, moderator(house.server)
    data = {"component_type": 2, "custom_id": custom_id, "id": 1}
    return server.interactions.begin(server.bot, mallory.user, message.channel, 3, data, "forged", message)


async def test_a_forged_click_reaches_no_answer_of_another_place(server: LoopbackDiscord, enter: OpenHouse) -> None:
    elsewhere = server.add_guild("Elsewhere")
    async with enter(server, engine=held_engine()) as house:
        theirs = await server.person("Erin").says(server.channel("theirs", elsewhere), "count", mention=True)
        await server.wait_until(lambda: house.engine.num_running == 1)
        stop = await clicks_forged(
            house, await _anything_said(house), custom_id_of(Button(ButtonKind.STOP, theirs.id, 0))
        )
        refusal, is_running = await private_reply_to(house, stop), house.engine.num_running == 1
        house.engine.gate.set()
        await house.reaches(theirs, "answered")
        again = await clicks_forged(house, stop.source, custom_id_of(Button(ButtonKind.AGAIN, theirs.id, 0)))

        assert (refusal, is_running) == (OVER, True)
        assert await private_reply_to(house, again) == NOT_THE_LAST
        assert len(house.engine.requests) == 1


async def _anything_said(house: House) -> Message:
    return await house.server.person("Alice").says(house.server.channel("general"), "nothing")


@pytest.mark.parametrize(
    "custom_id",
    ["turn:", "turn:stop:0:0", "turn:stop:1:-1", "turn:fly:1:0", f"turn:stop:{'9' * 60}:0", "turn:stop:١:0"],
)
async def test_a_custom_id_of_another_form_is_answered_and_does_nothing(house: House, custom_id: str) -> None:
    click = await clicks_forged(house, await _anything_said(house), custom_id)

    assert await private_reply_to(house, click) == GONE


async def test_a_button_or_a_form_of_another_version_is_answered_in_words(house: House) -> None:
    server, message = house.server, await _anything_said(house)
    unknown_form = {"custom_id": "other:thing", "components": []}

    click = await clicks_forged(house, message, "other:thing")
    form = server.interactions.begin(
        server.bot, server.person("Mona").user, message.channel, 5, unknown_form, "forged", message
    )

    assert await private_reply_to(house, click) == GONE
    assert await private_reply_to(house, form) == phrase("form_gone")


async def test_another_generation_of_an_answer_is_none_of_the_clicks_business(house: House) -> None:
    question = await ask(house)
    (message,) = house.server.answer_to(question).parts

    click = await clicks_forged(house, message, custom_id_of(Button(ButtonKind.AGAIN, question.id, 5)))

    assert await private_reply_to(house, click) == NOT_THE_LAST
    assert len(house.engine.requests) == 1


async def test_a_click_while_the_bot_ends_is_told_so(server: LoopbackDiscord, enter: OpenHouse) -> None:
    async with enter(server, engine=held_engine()) as house:
        _, message = await growing(house)
        house.stop.set()
        await server.wait_until(lambda: labels(message) == ["Stop"])
        await asyncio.sleep(0.1)

        click = await server.person("Alice").clicks(message, "Stop")

        assert await private_reply_to(house, click) == RESTARTING
        house.engine.gate.set()


def test_a_custom_id_says_all_that_a_button_is() -> None:
    button = Button(ButtonKind.CONTINUE, 2**63 - 1, 999_999_999)

    assert button_of(custom_id_of(button)) == button
    assert len(custom_id_of(button)) <= 100


# ---- /stop


async def test_the_command_stops_the_answer_of_who_uses_it(server: LoopbackDiscord, enter: OpenHouse) -> None:
    async with enter(server, engine=held_engine()) as house:
        question, message = await growing(house)
        general = server.channel("general")

        by_stranger = await (await server.person("Bob").uses("/stop", general)).answered()
        by_asker = await (await server.person("Alice").uses("/stop", general)).answered()
        await house.reaches(question, "answered")
        too_late = await (await moderator(server).uses("/stop", general)).answered()

        assert by_stranger.text == too_late.text == phrase("nothing_to_stop")
        assert (by_asker.text, by_asker.is_ephemeral) == (phrase("stopping"), True)
        assert message.content == f"one two\n{STOPPED_NOTE}"


async def test_the_command_stops_an_answer_before_its_first_word(server: LoopbackDiscord, enter: OpenHouse) -> None:
    async with enter(server, engine=held_engine(num_words=0)) as house:
        question = await server.person("Alice").says(server.channel("general"), "count", mention=True)
        await server.wait_until(lambda: house.engine.num_running == 1)

        await (await moderator(server).uses("/stop", server.channel("general"))).answered()
        await house.reaches(question, "withdrawn")

        assert server.answer_to(question).text == f"-# {STOPPED_UNSAID}"
        assert await remembered(house) == []
        judge(server).require(turns=1)


async def test_a_moderators_command_stops_their_own_answer_before_anothers(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    async with enter(server, engine=held_engine()) as house:
        general, mona = server.channel("general"), moderator(server)
        await house.chat.settings.set(house.key, Scope.CHANNEL, "session", "person", by=1)
        question, message = await growing(house)
        own = await mona.says(general, "count", mention=True)
        await general.answer_to(own, until=lambda shown: "one two" in shown)

        await (await mona.uses("/stop", general)).answered()
        await house.reaches(own, "answered")
        is_growing = await house.state(question) == "answering"
        await (await mona.uses("/stop", general)).answered()
        await house.reaches(question, "answered")

        assert is_growing
        assert message.content == f"one two\n{STOPPED_NOTE}"


async def test_the_command_stops_a_private_answer_of_ones_own_alone(server: LoopbackDiscord, enter: OpenHouse) -> None:
    async with enter(server, engine=held_engine()):
        general, alice = server.channel("general"), server.person("Alice")
        private = await alice.uses("/ask", general, text="count", private=True)
        await server.wait_until(lambda: "one" in private.text)

        by_moderator = await (await moderator(server).uses("/stop", general)).answered()
        by_asker = await (await alice.uses("/stop", general)).answered()
        await server.wait_until(lambda: STOPPED_NOTE in private.text)

        assert by_moderator.text == phrase("nothing_to_stop")
        assert by_asker.text == phrase("stopping")
        assert private.text == f"one two\n{STOPPED_NOTE}"


async def test_a_private_answer_that_is_stopped_before_its_first_word_says_so(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    async with enter(server, engine=held_engine(num_words=0)) as house:
        general, alice = server.channel("general"), server.person("Alice")
        private = await alice.uses("/ask", general, text="count", private=True)
        await server.wait_until(lambda: house.engine.num_running == 1)

        await (await alice.uses("/stop", general)).answered()
        await server.wait_until(lambda: private.text)

        assert private.text == f"-# {STOPPED_UNSAID}"
