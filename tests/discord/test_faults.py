"""What Discord and its network do to a bot, end to end: nothing is lost, and nothing is said twice."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime

import pytest

from bot.chat.conversation import Question
from bot.discord.outcomes import EXPIRED
from tests.discord.conftest import OpenHouse
from tests.discord.house import House
from tests.engines import EchoEngine
from tests.loopback import (
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

CREATES = "/channels/*/messages"
EDITS = "/channels/*/messages/*"
ANSWER = "one two three four five six seven eight"


@pytest.fixture
def engine() -> EchoEngine:
    return EchoEngine(answer=lambda _: ANSWER, seconds_per_word=0.02)


async def ask(house: House, text: str = "hello", *, state: str = "answered", seconds: float = 30.0):
    server = house.server
    question = await server.person("Alice").says(server.channel("general"), text, mention=True)
    await house.reaches(question, state, seconds)
    return question


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


async def test_a_lost_permission_ends_the_answer_and_asks_no_more(server: LoopbackDiscord, enter: OpenHouse) -> None:
    engine = EchoEngine(answer=lambda _: ANSWER, words_before_gate=2)
    engine.gate.clear()
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


async def test_where_she_may_not_speak_nothing_is_tried(server: LoopbackDiscord, enter: OpenHouse) -> None:
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
    engine = EchoEngine(words_before_gate=2)
    engine.gate.clear()
    alice, passing = server.person("Alice"), server.channel("passing")

    async with enter(server, engine=engine) as house:
        question = await alice.says(passing, "hello", mention=True)
        await server.wait_until(lambda: server.answer_to(question))
        server.world.delete_channel(passing)
        await server.wait_until(lambda: engine.num_running == 0)
        engine.gate.set()
        await ask(house)

    assert engine.num_aborted == 1


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


async def test_what_was_said_while_the_session_was_lost_is_answered_in_order(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    alice, general = server.person("Alice"), server.channel("general")

    async with enter(server) as house:
        await ask(house)
        await house.reaches(await alice.dms("in private"), "answered")
        server.gateway.is_refusing = True
        server.gateway.abort()
        await server.wait_until(lambda: not server.gateway.connected())
        missed = [await alice.says(general, f"missed {number}", mention=True) for number in range(3)]
        missed.append(await alice.dms("missed too"))
        server.gateway.forget_sessions()
        server.gateway.is_refusing = False
        await server.wait_for_login(timeout=30)
        live = await alice.says(general, "live", mention=True)
        for question in (*missed, live):
            await house.reaches(question, "answered", 20)

    judge(server).require(turns=7, replies=7)
    in_general = [prompt for prompt in house.prompts if "Alice: " in prompt]
    assert [prompt.split("Alice: ")[-1].split(" [/INST]")[0] for prompt in in_general[1:]] == [
        "missed 0",
        "missed 1",
        "missed 2",
        "live",
    ]


async def test_what_was_said_while_she_was_off_is_answered(server: LoopbackDiscord, enter: OpenHouse) -> None:
    alice, general, quiet = server.person("Alice"), server.channel("general"), server.channel("quiet")
    async with enter(server) as house:
        await ask(house)
        direct = await alice.dms("hello")
        await house.reaches(direct, "answered")
    missed = [
        await alice.says(general, "missed", mention=True),
        await alice.says(quiet, "missed in a new channel", mention=True),
        await alice.dms("missed in private"),
    ]
    await alice.says(general, "not for her")
    old = await alice.says(quiet, "missed long ago", mention=True, age_seconds=700)

    async with enter(server) as house:
        for question in missed:
            await house.reaches(question, "answered")
        assert await house.state(old) is None

    assert len(house.engine.requests) == 3


@pytest.mark.soak
async def test_no_more_is_fetched_than_fifty_messages_of_two_hundred_channels(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    async with enter(server) as house:
        await ask(house)
    busy = server.channel("busy")
    in_busy = [await server.person(f"Person {number}").says(busy, "missed", mention=True) for number in range(60)]
    crowd = [server.channel(f"channel-{number}") for number in range(210)]
    for channel in crowd:
        await server.person("Alice").says(channel, "only for the others")
    await server.person("Alice").says(busy, "it comes last")
    num_calls = len(server.journal.calls)

    async with enter(server) as house:
        await house.reaches(in_busy[-1], "answered", 30)
        states = [await house.state(question) for question in in_busy]

    pages = [
        call for call in server.journal.calls[num_calls:] if call.method == "GET" and call.path.endswith("/messages")
    ]
    assert len({call.path for call in pages}) == len(pages) == 200
    assert states == [None] * 11 + ["answered"] * 49


async def test_a_fresh_install_answers_nothing_of_before(server: LoopbackDiscord, enter: OpenHouse) -> None:
    alice, general = server.person("Alice"), server.channel("general")
    before = await alice.says(general, "before her time", mention=True)

    async with enter(server) as house:
        await ask(house)
        assert await house.state(before) is None

    assert not [call for call in server.journal.calls if call.method == "GET" and "/messages" in call.path]


async def test_a_question_that_was_left_for_too_long_gets_a_notice(server: LoopbackDiscord, enter: OpenHouse) -> None:
    alice, general = server.person("Alice"), server.channel("general")
    engine = EchoEngine()
    engine.gate.clear()
    async with enter(server, engine=engine, drain_seconds=0) as house:
        question = await alice.says(general, "hello", mention=True, age_seconds=700)
        await server.wait_until(lambda: engine.requests)

    async with enter(server) as house:
        await house.reaches(question, "expired")
    async with enter(server) as house:
        await ask(house)

    assert [part.content for part in server.answer_to(question).parts] == [EXPIRED.sentence]


async def test_a_question_that_was_deleted_while_she_was_off_is_not_answered(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    alice, general, quiet = server.person("Alice"), server.channel("general"), server.channel("quiet")
    engine = EchoEngine(answer=lambda _: ANSWER, words_before_gate=2)
    engine.gate.clear()
    async with enter(server, engine=engine, drain_seconds=0) as house:
        begun, waiting = [await alice.says(general, text, mention=True) for text in ("begun", "waiting")]
        kept = await alice.says(quiet, "kept", mention=True)
        await server.wait_until(lambda: server.answer_to(begun) and server.answer_to(kept))
        await house.reaches(waiting, "received")
    for question in (begun, waiting):
        await alice.deletes(question)

    async with enter(server, engine=EchoEngine(answer=lambda _: ANSWER)) as house:
        for question, state in ((begun, "withdrawn"), (waiting, "withdrawn"), (kept, "answered")):
            await house.reaches(question, state)

    assert len(house.engine.requests) == 1
    assert general.visible_messages() == []
    assert server.answer_to(kept).text == ANSWER


@pytest.mark.parametrize("what", ["question", "answer"])
@pytest.mark.parametrize("is_off", [True, False], ids=["while she is off", "in a lost session"])
async def test_what_was_deleted_while_nobody_listened_is_in_no_later_prompt(
    server: LoopbackDiscord, enter: OpenHouse, what: str, is_off: bool
) -> None:
    alice, bob = server.person("Alice", permissions=Permission.MANAGE_MESSAGES), server.person("Bob")
    async with enter(server) as house:
        secret, kept = [await ask(house, text) for text in ("secret", "kept")]
        deleted = secret if what == "question" else server.answer_to(secret).parts[0]
        if is_off:
            house.stop.set()
            await asyncio.wait([house.running])
            await alice.deletes(deleted)
        else:
            await lose_session(server, alice.deletes(deleted), bob.says(secret.channel, "not for her"))
            await server.wait_until(lambda: house.num_ready == 2)
            await ask(house, "and now?")
    if is_off:
        async with enter(server) as house:
            await ask(house, "and now?")

    assert "secret" not in house.prompts[-1]
    assert "kept" in house.prompts[-1]
    assert b"secret" not in house.database_path.read_bytes()
    assert server.answer_to(kept)


async def lose_session(server: LoopbackDiscord, *meanwhile: Awaitable[object]) -> None:
    """Cut her off, let something happen, and have her log in anew without being told of it."""
    server.gateway.is_refusing = True
    server.gateway.abort()
    await server.wait_until(lambda: not server.gateway.connected())
    for act in meanwhile:
        await act
    server.gateway.forget_sessions()
    server.gateway.is_refusing = False
    await server.wait_for_login(timeout=30)


async def test_a_question_that_waits_is_not_answered_if_it_is_deleted_in_a_lost_session(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    alice, general = server.person("Alice"), server.channel("general")
    engine = EchoEngine(answer=lambda _: ANSWER, words_before_gate=2)
    engine.gate.clear()
    async with enter(server, engine=engine) as house:
        begun, waiting = [await alice.says(general, text, mention=True) for text in ("begun", "waiting")]
        await server.wait_until(lambda: server.answer_to(begun))
        await house.reaches(waiting, "received")
        await lose_session(server, alice.deletes(waiting))
        await house.reaches(waiting, "withdrawn")
        engine.gate.set()
        await house.reaches(begun, "answered")

    assert len(engine.requests) == 1
    judge(server).require(turns=2, replies=1)


@pytest.mark.parametrize("how", ["empty page", "no such route", "no access"])
async def test_what_cannot_be_looked_at_is_not_taken_for_deleted(
    server: LoopbackDiscord, enter: OpenHouse, how: str
) -> None:
    general = server.channel("general")
    async with enter(server) as house:
        kept = await ask(house, "kept")
    if how != "empty page":
        await server.person("Alice").deletes(kept)  # so that it is on no page
    if how == "empty page":
        server.world.overwrite(general, server.guild.everyone, deny=Permission.READ_MESSAGE_HISTORY)
        server.world.overwrite(general, server.bot.user, deny=Permission.READ_MESSAGE_HISTORY)
    elif how == "no such route":
        server.faults.add(Status(404, message="404: Not Found"), method="GET", route=EDITS)
    else:
        server.faults.add(Status(403, code=50013), method="GET", route=EDITS)

    async with enter(server) as house:
        await ask(house, "and now?")

    assert "kept" in house.prompts[-1]


async def test_a_half_shown_answer_is_completed_by_the_next_process(server: LoopbackDiscord, enter: OpenHouse) -> None:
    long = " ".join(f"word{number}" for number in range(700))
    engine = EchoEngine(answer=lambda _: long, words_before_gate=400)
    engine.gate.clear()
    alice, general = server.person("Alice"), server.channel("general")
    async with enter(server, engine=engine, drain_seconds=0):
        question = await alice.says(general, "hello", mention=True)
        await server.wait_until(lambda: (answer := server.answer_to(question)) and len(answer.parts) == 2)
    parts = server.answer_to(question).parts

    async with enter(server, engine=EchoEngine(answer=lambda _: long)) as house:
        await house.reaches(question, "answered")

    answer = server.answer_to(question)
    assert answer.parts[:2] == parts
    assert " ".join(answer.text.split()) == long
    judge(server).require(turns=1, replies=1)


async def test_an_answer_that_became_shorter_leaves_no_old_part(server: LoopbackDiscord, enter: OpenHouse) -> None:
    long = " ".join(f"word{number}" for number in range(700))
    engine = EchoEngine(answer=lambda _: long, words_before_gate=400)
    engine.gate.clear()
    alice, general = server.person("Alice"), server.channel("general")
    async with enter(server, engine=engine, drain_seconds=0):
        question = await alice.says(general, "hello", mention=True)
        await server.wait_until(lambda: (answer := server.answer_to(question)) and len(answer.parts) == 2)

    async with enter(server, engine=EchoEngine(answer=lambda _: "short")) as house:
        await house.reaches(question, "answered")
        await server.wait_until(lambda: len(server.answer_to(question).parts) == 1)

    assert server.answer_to(question).text == "short"
    judge(server).require(turns=1, replies=1)


async def test_a_part_that_could_not_be_deleted_any_more_is_deleted_after_the_restart(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    long = " ".join(f"word{number}" for number in range(700))
    engine = EchoEngine(answer=lambda _: long, words_before_gate=400)
    engine.gate.clear()
    alice, general = server.person("Alice"), server.channel("general")
    async with enter(server, engine=engine, drain_seconds=0):
        question = await alice.says(general, "hello", mention=True)
        await server.wait_until(lambda: (answer := server.answer_to(question)) and len(answer.parts) == 2)
    outage = server.faults.add(Status(503), method="DELETE", route=EDITS)
    async with enter(server, engine=EchoEngine(answer=lambda _: "short"), drain_seconds=0):
        await server.wait_until(lambda: outage.num_hits)
    server.faults.remove(outage)

    async with enter(server, engine=EchoEngine(answer=lambda _: "short")) as house:
        await house.reaches(question, "answered")

    assert server.answer_to(question).text == "short"
    judge(server).require(turns=1, replies=1)
    judge_database(house.database_path).require(answered=1)


async def test_what_could_not_be_taken_back_any_more_is_taken_back_after_the_restart(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    alice, general = server.person("Alice"), server.channel("general")
    engine = EchoEngine(answer=lambda _: ANSWER, words_before_gate=2)
    engine.gate.clear()
    outage = server.faults.add(Status(503), method="DELETE", route=EDITS)
    async with enter(server, engine=engine, drain_seconds=0) as house:
        question = await alice.says(general, "hello", mention=True)
        await server.wait_until(lambda: server.answer_to(question))
        await alice.deletes(question)
        await server.wait_until(lambda: outage.num_hits)
    server.faults.remove(outage)
    assert general.visible_messages() != []

    async with enter(server) as house:
        await house.reaches(question, "withdrawn")

    assert general.visible_messages() == []


async def test_a_message_whose_id_was_not_recorded_is_edited_after_the_restart(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    alice, general = server.person("Alice"), server.channel("general")
    engine = EchoEngine(answer=lambda _: ANSWER, words_before_gate=2)
    engine.gate.clear()
    async with enter(server, engine=engine, drain_seconds=0) as house:
        question = await alice.says(general, "hello", mention=True)
        await server.wait_until(lambda: server.answer_to(question))
        asked = question_of(question, house)
        async with asyncio.timeout(5):
            while not (recorded := await house.inbox.parts(asked)):  # noqa: ASYNC110 - the database has no event
                await asyncio.sleep(0.01)
        await house.inbox.remove_part(asked, recorded[0].purpose, recorded[0].index)
    server.answer_to(question).parts[0].nonce = None  # its window is over

    async with enter(server, engine=EchoEngine(answer=lambda _: ANSWER)) as house:
        await house.reaches(question, "answered")

    assert len(list(server.journal.acts_of(server.bot.user, "create"))) == 1
    assert general.visible_messages()[-1].content == ANSWER


def question_of(message: Message, house: House) -> Question:
    return Question(house.key, message.id, 1, "Alice", "", datetime.now(UTC))


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
