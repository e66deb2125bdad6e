"""What Discord and its network do to a bot, end to end: nothing is lost, and nothing is said twice."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from aiohttp import web

from bot.conversation.messages import Question
from bot.delivery.outcomes import EXPIRED, MAY_NOT_GO_ON
from tests.discord.conftest import OpenHouse
from tests.discord.house import House, ask
from tests.engines import EchoEngine
from tests.loopback import (
    Channel,
    LoopbackDiscord,
    Message,
    Permission,
    RateLimited,
    Reset,
    Rules,
    Status,
    judge,
    judge_database,
)
from tests.loopback.wire import Call, json_answer

CREATES = "/channels/*/messages"
EDITS = "/channels/*/messages/*"
ANSWER = "one two three four five six seven eight"
LONG = " ".join(f"word{number}" for number in range(700))


@pytest.fixture
def engine() -> EchoEngine:
    return EchoEngine(answer=lambda _: ANSWER, seconds_per_word=0.02)


@pytest.mark.parametrize(
    "fault",
    [Status(503), Status(503, after_effect=True), Reset(), Reset(after_effect=True), Status(502, after_effect=True)],
    ids=str,
)
@pytest.mark.parametrize(("method", "route"), [("POST", CREATES), ("PATCH", EDITS)])
async def test_a_failed_request_neither_loses_nor_doubles_an_answer(
    server: LoopbackDiscord, enter: OpenHouse, engine: EchoEngine, fault, method: str, route: str
) -> None:
    async with enter(server, engine=engine) as house:
        planned = server.faults.add(fault, method=method, route=route, nth=1)
        question = await ask(house)

    assert planned.num_hits == 1
    assert server.answer_to(question).text == ANSWER
    judge(server).require(turns=1, replies=1)


async def test_a_rate_limit_is_waited_out_with_the_latest_text(
    server: LoopbackDiscord, enter: OpenHouse, engine: EchoEngine
) -> None:
    async with enter(server, engine=engine) as house:
        planned = server.faults.add(RateLimited(0.3), method="PATCH", route=EDITS, nth=1)
        question = await ask(house)

    assert planned.num_hits == 1
    assert server.answer_to(question).text == ANSWER


@dataclass(frozen=True, slots=True)
class NoReplies:
    """Refuses every message that replies to another."""

    async def before(self, call: Call) -> web.Response | None:
        errors = {"message_reference": {"_errors": [{"code": "REPLIES_CANNOT_REPLY_TO_SYSTEM_MESSAGE"}]}}
        body = {"code": 50035, "message": "Invalid Form Body", "errors": errors}
        return json_answer(body, status=400) if (await call.body()).get("message_reference") else None

    async def after(self, call: Call, answer: web.Response) -> web.Response:
        return answer


async def test_where_the_question_cannot_be_replied_to_it_is_answered_without(
    server: LoopbackDiscord, enter: OpenHouse, engine: EchoEngine
) -> None:
    async with enter(server, engine=engine) as house:
        server.faults.add(NoReplies(), method="POST", route=CREATES)
        question = await ask(house)

    [answer] = [each for each in question.channel.visible_messages() if each.author is server.bot.user]
    assert answer.content == ANSWER


async def test_a_lost_permission_ends_the_answer_and_asks_no_more(server: LoopbackDiscord, enter: OpenHouse) -> None:
    engine = EchoEngine(answer=lambda _: ANSWER, words_before_gate=2, is_held=True)
    alice, general = server.person("Alice"), server.channel("general")

    async with enter(server, engine=engine) as house:
        question = await alice.says(general, "hello", mention=True)
        await server.wait_until(lambda: server.answer_to(question))
        planned = server.faults.add(Status(403, code=50013), method="PATCH", route=EDITS)
        engine.gate.set()
        await house.reaches(question, "failed")
        server.faults.remove(planned)
        num_calls = len(server.journal.calls)
        await alice.says(general, "are you there?", mention=True)
        elsewhere = await alice.says(server.channel("random"), "are you there?", mention=True)
        await house.reaches(elsewhere, "answered")

    refused = [call for call in server.journal.calls if call.status == 403]
    assert len(refused) == 1
    assert all(f"/channels/{general.id}/" not in call.path for call in server.journal.calls[num_calls:])


async def test_where_nothing_new_may_be_written_any_more_what_is_shown_ends_in_words(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    engine = EchoEngine(answer=lambda _: LONG, words_before_gate=200, is_held=True)
    alice, general = server.person("Alice"), server.channel("general")

    async with enter(server, engine=engine) as house:
        question = await alice.says(general, "hello", mention=True)
        await server.wait_until(lambda: server.answer_to(question))
        server.world.overwrite(general, server.bot.user, deny=Permission.SEND_MESSAGES)
        engine.gate.set()
        await house.reaches(question, "failed")

    [part] = server.answer_to(question).parts
    assert part.content.startswith("word0 word1")
    assert part.content.endswith(f"\n-# {MAY_NOT_GO_ON}")
    assert part.components == []
    assert len([call for call in server.journal.calls if call.status == 403]) == 1


async def test_where_the_bot_may_not_speak_nothing_is_tried(server: LoopbackDiscord, enter: OpenHouse) -> None:
    alice, general = server.person("Alice"), server.channel("general")

    async with enter(server) as house:
        server.world.overwrite(general, server.bot.user, deny=Permission.SEND_MESSAGES)
        silent = await alice.says(general, "hello", mention=True)
        await house.reaches(await alice.says(server.channel("random"), "hello", mention=True), "answered")
        assert await house.state(silent) is None
        server.world.overwrite(general, server.bot.user)
        await house.reaches(await alice.says(general, "and now?", mention=True), "answered")

    assert not [call for call in server.journal.calls if call.status == 403]


async def test_a_deleted_channel_ends_its_answers(server: LoopbackDiscord, enter: OpenHouse) -> None:
    engine = EchoEngine(words_before_gate=2, is_held=True)
    alice, passing = server.person("Alice"), server.channel("passing")

    async with enter(server, engine=engine) as house:
        question = await alice.says(passing, "hello", mention=True)
        await server.wait_until(lambda: server.answer_to(question))
        server.world.delete_channel(passing)
        await server.wait_until(lambda: engine.num_running == 0)
        engine.gate.set()
        await ask(house)

    assert engine.num_aborted == 1


async def test_of_a_channel_that_is_deleted_while_the_bot_is_off_nothing_stays(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    alice, passing, hidden = server.person("Alice"), server.channel("passing"), server.channel("hidden")
    closed = await alice.opens_thread(server.channel("general"), "closed")
    places = (passing, hidden, closed)
    async with enter(server) as house:
        for place in places:
            await house.reaches(await alice.says(place, "swordfish", mention=True), "answered")
    server.world.delete_channel(passing)
    server.world.overwrite(hidden, server.bot.user, deny=Permission.VIEW_CHANNEL)
    server.world.update_thread(closed, is_archived=True)

    async with enter(server) as house:

        async def is_forgotten(place: Channel) -> bool:
            return not (await house.history.load(replace(house.key, channel_id=place.id))).turns

        await house.comes_true(lambda: is_forgotten(passing))
        await server.wait_until(
            lambda: [call for call in server.journal.calls if call.path == f"/channels/{closed.id}"]
        )
        assert not await is_forgotten(hidden)
        assert not await is_forgotten(closed)


@pytest.mark.parametrize("how", ["abort", "op7", "close"])
async def test_a_lost_connection_is_resumed_and_every_answer_comes_once(
    server: LoopbackDiscord, enter: OpenHouse, engine: EchoEngine, how: str
) -> None:
    alice, general = server.person("Alice"), server.channel("general")

    async with enter(server, engine=engine) as house:
        questions = [await alice.says(general, "one", mention=True)]
        await server.wait_until(lambda: server.answer_to(questions[0]))
        if how == "close":
            await server.gateway.close(4000)
        else:
            {"abort": server.gateway.abort, "op7": server.gateway.reconnect}[how]()
        questions.append(await alice.says(general, "two", mention=True))
        for question in questions:
            await house.reaches(question, "answered")

    assert server.gateway.counts["identifies"] == 1
    assert server.gateway.counts["resumes"] == 1
    judge(server).require(turns=2, replies=2)


async def test_a_question_that_was_left_for_too_long_gets_a_notice(server: LoopbackDiscord, enter: OpenHouse) -> None:
    alice, general = server.person("Alice"), server.channel("general")
    engine = EchoEngine(is_held=True)
    async with enter(server, engine=engine, drain_seconds=0) as house:
        question = await alice.says(general, "hello", mention=True, age_seconds=700)
        await server.wait_until(lambda: engine.requests)

    async with enter(server) as house:
        await house.reaches(question, "expired")
    async with enter(server) as house:
        await ask(house)

    assert [part.content for part in server.answer_to(question).parts] == [EXPIRED.sentence]


async def show_half_of_a_long_answer(server: LoopbackDiscord, enter: OpenHouse) -> Message:
    """Ask, and end when the answer's first two parts are there; returns the question."""
    engine = EchoEngine(answer=lambda _: LONG, words_before_gate=400, is_held=True)
    async with enter(server, engine=engine, drain_seconds=0):
        question = await server.person("Alice").says(server.channel("general"), "hello", mention=True)
        await server.wait_until(lambda: (answer := server.answer_to(question)) and len(answer.parts) == 2)
    return question


async def test_a_half_shown_answer_is_completed_by_the_next_process(server: LoopbackDiscord, enter: OpenHouse) -> None:
    question = await show_half_of_a_long_answer(server, enter)
    parts = server.answer_to(question).parts

    async with enter(server, engine=EchoEngine(answer=lambda _: LONG)) as house:
        await house.reaches(question, "answered")

    answer = server.answer_to(question)
    assert answer.parts[:2] == parts
    assert " ".join(answer.text.split()) == LONG
    judge(server).require(turns=1, replies=1)


async def test_an_answer_that_became_shorter_leaves_no_old_part(server: LoopbackDiscord, enter: OpenHouse) -> None:
    question = await show_half_of_a_long_answer(server, enter)

    async with enter(server, engine=EchoEngine(answer=lambda _: "short")) as house:
        await house.reaches(question, "answered")
        await server.wait_until(lambda: len(server.answer_to(question).parts) == 1)

    assert server.answer_to(question).text == "short"
    judge(server).require(turns=1, replies=1)


async def test_a_part_that_could_not_be_deleted_any_more_is_deleted_after_the_restart(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    question = await show_half_of_a_long_answer(server, enter)
    outage = server.faults.add(Status(503), method="DELETE", route=EDITS)
    async with enter(server, engine=EchoEngine(answer=lambda _: "short"), drain_seconds=0):
        await server.wait_until(lambda: outage.num_hits)
    server.faults.remove(outage)

    async with enter(server, engine=EchoEngine(answer=lambda _: "short")) as house:
        await house.reaches(question, "answered")

    assert server.answer_to(question).text == "short"
    judge(server).require(turns=1, replies=1)
    judge_database(house.database_path).require(answered=1)


async def test_a_message_whose_id_was_not_recorded_is_edited_after_the_restart(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    alice, general = server.person("Alice"), server.channel("general")
    engine = EchoEngine(answer=lambda _: ANSWER, words_before_gate=2, is_held=True)
    async with enter(server, engine=engine, drain_seconds=0) as house:
        question = await alice.says(general, "hello", mention=True)
        await server.wait_until(lambda: server.answer_to(question))
        asked = question_of(question, house)
        recorded = await house.comes_true(lambda: house.inbox.parts(asked))
        await house.inbox.remove_part(asked, recorded[0].purpose, recorded[0].index)
    server.answer_to(question).parts[0].nonce = None  # its window is over

    async with enter(server, engine=EchoEngine(answer=lambda _: ANSWER)) as house:
        await house.reaches(question, "answered")

    assert len(list(server.journal.acts_of(server.bot.user, "create"))) == 1
    assert general.visible_messages()[-1].content == ANSWER


def question_of(message: Message, house: House) -> Question:
    return Question(house.key, message.id, 1, "Alice", "", datetime.now(UTC))


@pytest.mark.slow
@pytest.mark.no_cover
async def test_sixty_four_answers_at_once_meet_no_rate_limit(enter: OpenHouse) -> None:
    rules = Rules(identify_interval_seconds=0.0)
    async with LoopbackDiscord(rules) as server:
        alice = server.person("Alice")
        channels = [server.channel(f"channel-{number}") for number in range(64)]
        engine = EchoEngine(answer=lambda _: ANSWER * 3, seconds_per_word=0.2)

        async with enter(server, engine=engine, edit_interval_seconds=1.0) as house:
            questions = [await alice.says(channel, "hello", mention=True) for channel in channels]
            for question in questions:
                await house.reaches(question, "answered", 40)

        assert not server.journal.statuses()[429]
        assert server.journal.busiest_second() < 50
        judge(server).require(turns=64, replies=64)
