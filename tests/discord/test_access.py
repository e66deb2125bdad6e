"""The operator's lists on Discord: one check for what is said, edited, missed and resumed, and for every command."""

import pytest

from bot.chat.access import Access, AccessList
from bot.conversation.turn_limits import TurnLimits
from bot.discord.access import NOT_ADMITTED
from tests.discord.conftest import OpenHouse
from tests.discord.house import House, ask
from tests.engines import EchoEngine
from tests.loopback import ChannelKind, LoopbackDiscord, Message, Permission, Status

ANSWER = "one two three four"


def only(**ids: int) -> Access:
    """A list of allowed ones with one id in it."""
    return Access(allowed=AccessList(**{kind: frozenset({each}) for kind, each in ids.items()}))


def without(**ids: int) -> Access:
    """A list of blocked ones with one id in it."""
    return Access(blocked=AccessList(**{kind: frozenset({each}) for kind, each in ids.items()}))


async def answers_to(server: LoopbackDiscord, house: House, refused: list[Message], allowed: Message) -> list[Message]:
    """Which of the refused messages got an answer or a hint, once the allowed one, which came last, has its own."""
    await house.reaches(allowed, "answered")
    assert server.answer_to(allowed)
    assert [await house.state(each) for each in refused] == [None] * len(refused)
    return [each for each in refused if server.answer_to(each)]


async def test_who_is_blocked_gets_neither_an_answer_nor_a_hint(server: LoopbackDiscord, enter: OpenHouse) -> None:
    alice, bob, general = server.person("Alice"), server.person("Bob"), server.channel("general")

    async with enter(server, access=without(users=bob.user.id)) as house:
        refused = [
            await bob.says(general, "hello", mention=True),
            await bob.says(general, "", mention=True),
            await bob.dms("hello"),
        ]
        allowed = await alice.says(general, "hello", mention=True)

        assert await answers_to(server, house, refused, allowed) == []


async def test_a_role_lets_in_and_a_message_brings_its_authors_roles_along(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    alice, bob, general = server.person("Alice"), server.person("Bob"), server.channel("general")
    role = server.give(alice, Permission.VIEW_CHANNEL)

    async with enter(server, access=only(roles=role.id)) as house:
        num_calls = len(server.journal.calls)
        refused = [await bob.says(general, "hello", mention=True), await alice.dms("nobody has a role here")]
        allowed = await alice.says(general, "hello", mention=True)

        assert await answers_to(server, house, refused, allowed) == []
    assert not [call for call in server.journal.calls[num_calls:] if "/members/" in call.path]


async def test_a_category_counts_for_its_channels_and_a_channel_for_its_threads(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    alice = server.person("Alice")
    category = server.world.add_channel(server.guild, "Games", ChannelKind.CATEGORY)
    inside, outside = server.channel("chess"), server.channel("general")
    inside.category = category
    thread, other_thread = await alice.opens_thread(inside, "openings"), await alice.opens_thread(outside, "aside")

    async with enter(server, access=only(channels=category.id)) as house:
        refused = [await alice.says(place, "hello", mention=True) for place in (outside, other_thread)]
        first = await alice.says(inside, "hello", mention=True)
        await house.reaches(first, "answered")
        allowed = await alice.says(thread, "hello", mention=True)

        assert await answers_to(server, house, refused, allowed) == []
    assert server.answer_to(first)


@pytest.mark.parametrize(
    ("access", "is_answered"),
    [
        (Access(direct_messages=False), False),
        (Access(allowed=AccessList(guilds=frozenset({1}))), False),
        (Access(allowed=AccessList(guilds=frozenset({1})), direct_messages=True), True),
    ],
    ids=["switched off", "only certain servers", "only certain servers, but switched on"],
)
async def test_direct_messages_can_be_switched_off(
    server: LoopbackDiscord, enter: OpenHouse, access: Access, is_answered: bool
) -> None:
    alice = server.person("Alice")

    async with enter(server, access=access) as house:
        question = await alice.dms("hello")
        used = await (await alice.uses("/help", alice.dm_channel())).answered()
        if is_answered:
            await house.reaches(question, "answered")
        state = await house.state(question)

    assert state == ("answered" if is_answered else None)
    assert (used.text == NOT_ADMITTED) is not is_answered


async def test_an_edit_goes_round_no_list(server: LoopbackDiscord, enter: OpenHouse) -> None:
    alice, bob, general = server.person("Alice"), server.person("Bob"), server.channel("general")

    async with enter(server, access=without(users=bob.user.id)) as house:
        late = await bob.says(general, "hello")
        await bob.edits(late, f"{server.bot.mention} hello")
        allowed = await alice.says(general, "hello", mention=True)

        assert await answers_to(server, house, [late], allowed) == []


@pytest.mark.parametrize("kind", ["allowed role", "blocked category"])
async def test_what_was_missed_goes_round_no_list(server: LoopbackDiscord, enter: OpenHouse, kind: str) -> None:
    alice, bob = server.person("Alice"), server.person("Bob")
    general, games = server.channel("general"), server.channel("games")
    role = server.give(alice, Permission.VIEW_CHANNEL)
    games.category = server.world.add_channel(server.guild, "Games", ChannelKind.CATEGORY)
    access, place = {
        "allowed role": (only(roles=role.id), general),
        "blocked category": (without(channels=games.category.id), games),
    }[kind]
    async with enter(server) as house:
        await ask(house)
        await house.reaches(await bob.says(games, "hello", mention=True), "answered")
    missed = await bob.says(place, "missed, and not for her", mention=True)
    allowed = await alice.says(general, "missed", mention=True)

    async with enter(server, access=access) as house:
        assert await answers_to(server, house, [missed], allowed) == []


async def test_roles_that_discord_does_not_tell_let_nobody_in(server: LoopbackDiscord, enter: OpenHouse) -> None:
    alice, general = server.person("Alice"), server.channel("general")
    role = server.give(alice, Permission.VIEW_CHANNEL)
    async with enter(server) as house:
        await ask(house)
    missed = await alice.says(general, "missed", mention=True)
    fault = server.faults.add(Status(403, code=50001), method="GET", route="/guilds/*/members/*")

    async with enter(server, access=only(roles=role.id)) as house:
        await server.wait_until(lambda: fault.num_hits)
        allowed = await alice.says(general, "live", mention=True)

        assert await answers_to(server, house, [missed], allowed) == []


async def test_the_open_question_of_somebody_who_was_blocked_meanwhile_is_dropped(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    alice, bob = server.person("Alice"), server.person("Bob")
    general, quiet, hall = (server.channel(name) for name in ("general", "quiet", "hall"))
    engine = EchoEngine(answer=lambda _: ANSWER, words_before_gate=2, is_held=True)
    async with enter(server, engine=engine, drain_seconds=0) as house:
        begun, kept = await bob.says(general, "begun", mention=True), await alice.says(quiet, "kept", mention=True)
        await server.wait_until(lambda: server.answer_to(begun) and server.answer_to(kept))
        waiting, num_messages = await bob.says(general, "waiting", mention=True), len(general.visible_messages())
        await house.reaches(waiting, "received")
    assert num_messages == 3

    async with enter(server, engine=EchoEngine(answer=lambda _: ANSWER), access=without(users=bob.user.id)) as house:
        for question, state in ((begun, "refused"), (waiting, "refused"), (kept, "answered")):
            await house.reaches(question, state)
        await house.reaches(await alice.says(hall, "and now?", mention=True), "answered")

    assert server.answer_to(kept).text == ANSWER
    assert general.visible_messages() == [begun, waiting]
    assert len(house.engine.requests) == 2


async def test_an_answer_that_was_to_be_replaced_for_somebody_who_was_blocked_stays(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    bob, general = server.person("Bob"), server.channel("general")
    engine = EchoEngine(answer=lambda _: ANSWER, words_before_gate=2)
    async with enter(server, engine=engine, drain_seconds=0) as house:
        question = await bob.says(general, "hello", mention=True)
        await house.reaches(question, "answered")
        engine.gate.clear()
        engine.answer = lambda _: "quite another one"
        await bob.edits(question, f"{server.bot.mention} hello there")
        await house.reaches(question, "answering")

    async with enter(server, engine=EchoEngine(), access=without(users=bob.user.id)) as house:
        await house.reaches(question, "answered")

    assert server.answer_to(question).text == ANSWER
    assert house.engine.requests == []


async def test_a_question_waits_for_nothing_but_its_category_after_a_restart(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    alice, general = server.person("Alice"), server.channel("general")
    general.category = server.world.add_channel(server.guild, "Talk", ChannelKind.CATEGORY)
    thread = await alice.opens_thread(general, "aside")
    role = server.give(alice, Permission.VIEW_CHANNEL)
    async with enter(server, engine=EchoEngine(is_held=True), drain_seconds=0) as house:
        question = await alice.says(thread, "hello", mention=True)
        await house.reaches(question, "answering")
    access = only(roles=role.id, channels=general.category.id)
    server.world.update_thread(thread, is_archived=True)  # so that the new session doesn't hear of it

    async with enter(server, access=access) as house:
        await house.reaches(question, "answered")

    asked = {call.path.rpartition("/v10")[2] for call in server.journal.calls if call.method == "GET"}
    assert f"/channels/{thread.id}" in asked
    assert f"/guilds/{server.guild.id}/members/{alice.user.id}" in asked


async def test_every_command_is_refused_in_private_words(server: LoopbackDiscord, enter: OpenHouse) -> None:
    bob, general = server.person("Bob"), server.channel("general")

    async with enter(server, access=without(users=bob.user.id)):
        for command, options in (
            ("/help", {}),
            ("/reset", {}),
            ("/persona show", {}),
            ("/persona list", {}),
            ("/persona use", {"name": "pirate"}),
            ("/persona set", {"name": "own", "prompt": "You are brief."}),
            ("/persona delete", {"name": "own"}),
            ("/persona clear", {}),
        ):
            used = await (await bob.uses(command, general, **options)).answered()
            assert (used.text, used.is_ephemeral) == (NOT_ADMITTED, True), command

    assert not server.violations


async def test_who_has_had_their_turns_is_told_when_there_is_another(server: LoopbackDiscord, enter: OpenHouse) -> None:
    alice, general = server.person("Alice"), server.channel("general")
    async with enter(server, turn_limits=TurnLimits(person=1)) as house:
        await ask(house)

    async with enter(server, turn_limits=TurnLimits(person=1)) as house:
        refused = await alice.says(general, "and again", mention=True)
        await house.reaches(refused, "refused")
        notice = await general.answer_to(refused)
        await house.reaches(await server.person("Bob").says(general, "hello", mention=True), "answered")

    assert notice.text.startswith("You have had your one turn of this hour. You can ask again <t:")
    assert len(house.engine.requests) == 1


async def test_turns_are_the_same_for_messages_and_for_private_answers(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    alice, general = server.person("Alice"), server.channel("general")
    async with enter(server, turn_limits=TurnLimits(person=1)) as house:
        await ask(house)
        private = await alice.uses("/ask", general, text="and again", private=True)
        await server.wait_until(lambda: "your one turn of this hour" in private.text)

    assert len(house.engine.requests) == 1


async def test_a_list_that_allows_more_than_it_seems_to_is_told_in_the_log(
    server: LoopbackDiscord, enter: OpenHouse, caplog: pytest.LogCaptureFixture
) -> None:
    general, hall = server.channel("general"), server.channel("hall", server.add_guild("Other"))
    lists = AccessList(guilds=frozenset({server.guild.id}), channels=frozenset({general.id, hall.id}))

    async with enter(server, access=Access(allowed=lists)):
        warnings = [record.getMessage() for record in caplog.records if "as a whole" in record.getMessage()]

    assert len(warnings) == 1
    assert str(server.guild.id) in warnings[0]
