"""What happened while nobody listened: fetched within bounds, answered once, and what was deleted is forgotten."""

import asyncio
from types import SimpleNamespace

import pytest

from bot.chat.chat import Exchange
from bot.discord.client import TrinityClient
from bot.errors import DatabaseBusy
from tests.discord.conftest import OpenHouse
from tests.discord.house import ask, lose_session
from tests.engines import EchoEngine
from tests.loopback import Delay, Intent, LoopbackDiscord, Message, Permission, Person, Status, judge
from tests.loopback.snowflake import Snowflakes

CREATES = "/channels/*/messages"
EDITS = "/channels/*/messages/*"
ANSWER = "one two three four five six seven eight"


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
        await server.wait_for_login()
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


async def test_what_was_said_while_the_bot_was_off_is_answered(server: LoopbackDiscord, enter: OpenHouse) -> None:
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
async def test_no_more_is_fetched_than_a_hundred_messages_of_two_hundred_channels(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    async with enter(server) as house:
        await ask(house)
    busy = server.channel("busy")
    in_busy = [
        await server.person(f"Person {number}").says(busy, "missed", mention=number % 2 == 0) for number in range(110)
    ]
    crowd = [server.channel(f"channel-{number}") for number in range(210)]
    for channel in crowd:
        await server.person("Alice").says(channel, "only for the others")
    await server.person("Alice").says(busy, "it comes last")
    num_calls = len(server.journal.calls)

    async with enter(server) as house:
        await house.reaches(in_busy[-2], "answered", 30)
        states = [await house.state(question) for question in in_busy]

    pages = [
        call for call in server.journal.calls[num_calls:] if call.method == "GET" and call.path.endswith("/messages")
    ]
    assert len({call.path for call in pages}) == len(pages) == 200
    assert states == [None] * 12 + ["answered", None] * 49


async def test_a_fresh_install_answers_nothing_of_before(server: LoopbackDiscord, enter: OpenHouse) -> None:
    alice, general = server.person("Alice"), server.channel("general")
    before = await alice.says(general, "before her time", mention=True)

    async with enter(server) as house:
        await ask(house)
        assert await house.state(before) is None

    assert not [call for call in server.journal.calls if call.method == "GET" and "/messages" in call.path]


async def test_a_question_that_was_deleted_while_the_bot_was_off_is_not_answered(
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
@pytest.mark.parametrize("is_off", [True, False], ids=["while the bot is off", "in a lost session"])
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


@pytest.mark.parametrize("is_off", [True, False], ids=["before the start", "while the bot is on"])
async def test_what_was_said_in_a_guild_that_comes_late_is_answered_in_order(
    server: LoopbackDiscord, enter: OpenHouse, is_off: bool
) -> None:
    alice, general = server.person("Alice"), server.channel("general")
    async with enter(server) as house:
        await ask(house)
        if not is_off:
            server.world.set_availability(server.guild, is_available=False)
            missed = await unheard(server, alice, "missed")
            server.world.set_availability(server.guild, is_available=True)
            live = await alice.says(general, "live", mention=True)
            for question in (missed, live):
                await house.reaches(question, "answered")
    if is_off:
        missed = await alice.says(general, "missed", mention=True)
        server.guild.is_unavailable = True
        async with enter(server) as house:
            server.world.set_availability(server.guild, is_available=True)
            live = await alice.says(general, "live", mention=True)
            for question in (missed, live):
                await house.reaches(question, "answered")

    judge(server).require(turns=3, replies=3)


async def unheard(server: LoopbackDiscord, person: Person, text: str) -> Message:
    """Somebody's question that the gateway doesn't tell."""
    (session,) = server.gateway.connected()
    session.intents, wanted = Intent(0), session.intents
    question = await person.says(server.channel("general"), text, mention=True)
    session.intents = wanted
    return question


class Counter(Snowflakes):
    """Ids that tell no time, as a server may hand them out that isn't Discord's own."""

    def next_id(self, *, age_seconds: float = 0.0) -> int:
        self._last_id = max(self._last_id, 10**17) + 1
        return self._last_id


async def test_where_ids_only_count_nothing_is_lost_either(server: LoopbackDiscord, enter: OpenHouse) -> None:
    server.world.ids = Counter()
    alice, general = server.person("Alice"), server.channel("general")
    engine = EchoEngine(answer=lambda _: ANSWER, words_before_gate=2)
    async with enter(server, engine=engine, drain_seconds=0) as house:
        await ask(house)
        engine.gate.clear()
        begun = await alice.says(general, "hello", mention=True)
        await server.wait_until(lambda: server.answer_to(begun))
    missed = await alice.says(general, "missed", mention=True)

    async with enter(server, engine=EchoEngine(answer=lambda _: ANSWER)) as house:
        for question in (begun, missed):
            await house.reaches(question, "answered")

    judge(server).require(turns=3, replies=3)


async def test_what_is_deleted_while_it_waits_for_what_was_missed_is_not_answered(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    alice, general = server.person("Alice"), server.channel("general")
    async with enter(server) as house:
        await ask(house)
        server.faults.add(Delay(0.5), method="GET", route=CREATES, times=1)
        await lose_session(server, alice.says(general, "missed", mention=True))
        live = await alice.says(general, "a secret", mention=True)
        await alice.deletes(live)
        later = await alice.says(general, "later", mention=True)
        await house.reaches(later, "answered")
        assert await house.state(live) is None

    assert not any("a secret" in prompt for prompt in house.prompts)
    judge(server).require(turns=4, replies=3)


async def test_who_writes_directly_for_the_first_time_while_the_bot_ends_is_answered_by_the_next_process(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    engine = EchoEngine(answer=lambda _: ANSWER, words_before_gate=2, is_held=True)
    alice, bob, general = server.person("Alice"), server.person("Bob"), server.channel("general")
    async with enter(server, engine=engine, drain_seconds=60.0) as house:
        growing = await alice.says(general, "hello", mention=True)
        await general.answer_to(growing, until=lambda text: text.startswith("one two"))
        house.stop.set()
        await asyncio.sleep(0.1)
        questions = [await bob.dms("hello"), await bob.dms("are you there?")]
        async with asyncio.timeout(60):
            while len(await house.inbox.known_channels("discord")) < 2:  # noqa: ASYNC110 - no event for it
                await asyncio.sleep(0.01)
        engine.gate.set()
        await house.end()

    async with enter(server) as house:
        for question in questions:
            await house.reaches(question, "answered")

    judge(server).require(turns=3, replies=3)


class Hesitant:
    """A chat whose database refuses the first look at what an earlier process left."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    async def resume(self, _platform: str, _shard: object) -> list[Exchange]:
        self.steps.append("resume")
        if len(self.steps) == 1:
            raise DatabaseBusy("The database is away.")
        return []

    async def run(self) -> None:
        self.steps.append("catch up")

    async def finish(self) -> None:
        self.steps.append("finish")

    async def find(self) -> list[int]:
        return []  # no channel was deleted meanwhile


async def test_what_was_left_goes_before_what_was_missed_also_where_the_database_refuses_at_first() -> None:
    hesitant = Hesitant()
    async with TrinityClient() as client:
        client.receivers = SimpleNamespace(
            chat=hesitant,
            catch_up=hesitant,
            lost_channels=hesitant,
            access=SimpleNamespace(warn_of_wide_lists=lambda: None),
            guilds=None,
        )

        await client.on_ready()

    assert hesitant.steps == ["resume", "resume", "resume", "catch up", "finish"]
