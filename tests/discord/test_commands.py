"""The slash commands, end to end on a loopback Discord."""

import asyncio
import contextlib
import gc
import sqlite3
from collections.abc import AsyncIterator

import pytest

from bot.conversation.persona import BUILT_IN, TRINITY
from bot.discord.command_replies import NOT_TAKEN
from bot.discord.commands.personas import MAY_NOT_CHANGE
from bot.discord.commands.tree import RESTARTING
from bot.words import phrase
from tests.discord.conftest import OpenHouse
from tests.discord.house import COMMANDS, House, labels
from tests.locks import lock
from tests.loopback import Garbled, LoopbackDiscord, Permission, Reset, Status, judge
from tests.loopback.command_use import command_data
from tests.loopback.interaction import COMMAND

CHANGES = [
    ("/persona use", {"name": "pirate"}),
    ("/persona set", {"name": "own", "prompt": "You are brief."}),
    ("/persona delete", {"name": "own"}),
    ("/persona clear", {}),
]


@pytest.fixture
async def house(server: LoopbackDiscord, enter: OpenHouse) -> AsyncIterator[House]:
    async with enter(server) as opened:
        await server.wait_until(lambda: server.bot.commands)
        yield opened


async def use(house: House, person: str, command: str, channel=None, **options: str):
    server = house.server
    used = await server.person(person).uses(command, channel or server.channel("general"), **options)
    return await used.answered()


async def test_help_and_reading_are_for_the_asker_alone(house: House) -> None:
    for command in ("/help", "/persona show", "/persona list"):
        used = await use(house, "Alice", command)

        assert used.is_ephemeral
        assert used.text


async def test_show_tells_the_whole_prompt(house: House) -> None:
    used = await use(house, "Alice", "/persona show")

    assert "Trinity" in used.text
    assert TRINITY.prompt in used.text


async def test_list_names_every_persona_and_marks_the_current_one(house: House) -> None:
    used = await use(house, "Alice", "/persona list")

    assert all(f"**{persona.name}**" in used.text for persona in BUILT_IN)
    assert "**Trinity** (me, here)" in used.text


@pytest.mark.parametrize(("command", "options"), CHANGES)
async def test_changing_a_persona_takes_manage_channels(house: House, command: str, options: dict) -> None:
    used = await use(house, "Alice", command, **options)

    assert used.is_ephemeral
    assert used.text == MAY_NOT_CHANGE
    assert (await house.chat.personas.show(house.key)).name == "Trinity"


@pytest.mark.parametrize("permission", [Permission.MANAGE_CHANNELS, Permission.ADMINISTRATOR])
async def test_who_may_manage_channels_may_change_and_all_are_told(house: House, permission: Permission) -> None:
    house.server.person("Mod", permissions=permission)

    for command, options in (CHANGES[1], ("/persona use", {"name": "own"})):
        used = await use(house, "Mod", command, **options)
        assert not used.is_ephemeral
    shown = await use(house, "Alice", "/persona show")

    assert "You are brief." in shown.text


async def test_other_permissions_do_not_let_one_change(house: House) -> None:
    others = Permission.MANAGE_GUILD | Permission.MANAGE_MESSAGES | Permission.KICK_MEMBERS | Permission.MANAGE_THREADS
    house.server.person("Mod", permissions=others)

    used = await use(house, "Mod", "/persona use", name="pirate")

    assert used.text == MAY_NOT_CHANGE


async def test_a_permission_that_was_taken_away_counts_no_more(house: House) -> None:
    server = house.server
    mod = server.person("Mod")
    role = server.give(mod, Permission.MANAGE_CHANNELS)
    await use(house, "Mod", "/persona use", name="pirate")
    server.guild.members[mod.id].roles.remove(role)

    used = await use(house, "Mod", "/persona clear")

    assert used.text == MAY_NOT_CHANGE


async def test_in_a_direct_message_nothing_is_needed(house: House) -> None:
    direct = house.server.person("Alice").dm_channel()

    used = await use(house, "Alice", "/persona use", direct, name="pirate")

    assert "**pirate**" in used.text


async def test_a_thread_inherits_its_channels_persona(house: House) -> None:
    server = house.server
    server.person("Mod", permissions=Permission.MANAGE_CHANNELS)
    await use(house, "Mod", "/persona use", name="pirate")
    thread = await server.person("Alice").opens_thread(server.channel("general"), "aside")

    used = await use(house, "Alice", "/persona show", thread)

    assert "**pirate**" in used.text


async def test_an_unknown_persona_is_told_to_the_asker(house: House) -> None:
    house.server.person("Mod", permissions=Permission.MANAGE_CHANNELS)

    used = await use(house, "Mod", "/persona use", name="nobody")

    assert used.is_ephemeral
    assert "nobody" in used.text


async def test_a_persona_of_any_length_can_be_shown(house: House) -> None:
    house.server.person("Mod", permissions=Permission.MANAGE_CHANNELS)
    prompt = "Be kind. " * 300
    await house.chat.personas.set(house.key, "long", "Be kind.", 1)
    await house.personas.save(house.key, "long", prompt, author_id=1, author_name="Mod")
    await use(house, "Mod", "/persona use", name="long")

    used = await use(house, "Alice", "/persona show")

    assert used.responses[0].attachments[0]["filename"] == "persona.txt"
    assert len(used.text) < 2000


async def test_names_are_suggested(house: House) -> None:
    from bot.discord.commands.personas import suggest_names

    class Asked:
        client = type("Client", (), {"receivers": type("Receivers", (), {"chat": house.chat})})
        channel, channel_id, guild_id = None, 1, 2

    for typed in ("pi", "ＰＩ", " P\u200bi"):
        choices = await suggest_names(Asked(), typed)
        assert [choice.value for choice in choices] == ["pirate"]


async def test_a_persona_is_found_in_whatever_way_its_name_is_written(house: House) -> None:
    administrator = house.server.person("Ann", permissions=Permission.ADMINISTRATOR)
    await use(house, administrator.user.name, "/persona set", name="ＦＩＸ", prompt="You mend things.")

    for name in ("fix", "ＦＩＸ", " f\u200bix", "ﬁx\ufe0f"):
        used = await use(house, administrator.user.name, "/persona use", name=name)
        assert "From now on I'm **FIX**" in used.text
    await use(house, administrator.user.name, "/persona set", name="Ｆix", prompt="You break things.")

    listed = await use(house, "Alice", "/persona list")
    assert listed.text.count("me, here") == 1
    assert "**Fix** (me, here): You break things." in listed.text
    await use(house, administrator.user.name, "/persona delete", name="fiX\u3164")
    assert "**Trinity** (me, here)" in (await use(house, "Alice", "/persona list")).text


async def test_reset_forgets_the_channel_and_says_so_to_all(house: House) -> None:
    server, general = house.server, house.server.channel("general")
    alice = server.person("Alice")
    await house.reaches(await alice.says(general, "the word is swordfish", mention=True), "answered")

    used = await use(house, "Alice", "/reset")
    await house.reaches(await alice.says(general, "which word?", mention=True), "answered")

    assert not used.is_ephemeral
    assert "swordfish" not in house.prompts[-1]


async def test_a_command_that_comes_when_discord_has_given_it_up_is_not_followed(house: House) -> None:
    server, general = house.server, house.server.channel("general")
    alice = server.person("Alice")
    await house.reaches(await alice.says(general, "the word is swordfish", mention=True), "answered")
    data = command_data(server.bot, alice.user, general, ["reset"], {})

    late = server.interactions.begin(server.bot, alice.user, general, COMMAND, data, "reset", age_seconds=60)
    await house.reaches(await alice.says(general, "which word?", mention=True), "answered")

    assert "swordfish" in house.prompts[-1]
    assert late.acknowledged_at is None
    assert not [violation for violation in server.violations if violation.rule == "late_callback"]


async def test_reset_stops_a_running_answer(house: House) -> None:
    server, general = house.server, house.server.channel("general")
    house.engine.words_before_gate = 1
    house.engine.gate.clear()
    question = await server.person("Alice").says(general, "hello", mention=True)
    await server.wait_until(lambda: server.answer_to(question))

    used = await use(house, "Alice", "/reset")
    await house.reaches(question, "withdrawn")
    await server.wait_until(lambda: "reset" in server.answer_to(question).text)

    assert house.engine.num_running == 0
    assert (used.text, used.is_ephemeral) == (phrase("forgotten"), False)
    assert labels(used.original) == []  # what was being answered doesn't come back


async def test_a_locked_database_defers_the_answer(house: House) -> None:
    house.server.person("Mod", permissions=Permission.MANAGE_CHANNELS)
    with contextlib.closing(sqlite3.connect(house.database_path, isolation_level=None)) as other:
        await lock(other)
        used = await house.server.person("Mod").uses("/persona use", house.server.channel("general"), name="pirate")
        await house.server.wait_until(lambda: used.acknowledged_at is not None)
        assert used.responses == []
        other.execute("ROLLBACK")
        await used.answered()

    assert "**pirate**" in used.text
    assert used.acknowledged_after < 3


async def test_commands_are_registered_once_and_only_those_that_ask_for_everywhere(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    for _ in range(2):
        async with enter(server):
            await server.wait_until(lambda: server.bot.commands)
            await server.wait_until(lambda: [c for c in server.journal.calls if c.path.endswith("/commands")])

    commands = server.bot.commands[None]
    assert server.bot.num_command_syncs == 1
    assert {command["name"] for command in commands} == {*COMMANDS}
    everywhere = {command["name"] for command in commands if command["contexts"] == [0, 1, 2]}
    assert everywhere == {"ask", "Ask Trinity"}
    for command in commands:
        is_everywhere = command["name"] in everywhere
        assert command["contexts"] == ([0, 1, 2] if is_everywhere else [0, 1])
        assert command["integration_types"] == ([0, 1] if is_everywhere else [0])


@pytest.mark.parametrize(
    ("fault", "method", "route"),
    [
        (None, "POST", ""),
        (Reset(), "POST", "/webhooks/*/*"),
        (Garbled(after_effect=True), "POST", "/webhooks/*/*"),
        (Reset(after_effect=True), "DELETE", "/webhooks/*/*/messages/@original"),
    ],
    ids=str,
)
async def test_a_refusal_that_takes_long_is_the_askers_alone(house: House, fault, method: str, route: str) -> None:
    house.server.person("Mod", permissions=Permission.MANAGE_CHANNELS)
    if fault is not None:
        house.server.faults.add(fault, method=method, route=route, times=1)
    with contextlib.closing(sqlite3.connect(house.database_path, isolation_level=None)) as other:
        await lock(other)
        used = await house.server.person("Mod").uses("/persona delete", house.server.channel("general"), name="nobody")
        await house.server.wait_until(lambda: used.acknowledged_at is not None)
        other.execute("ROLLBACK")
        await house.server.wait_until(lambda: used.followups)

    assert len(used.followups) == 1
    assert used.is_ephemeral
    assert "nobody" in used.text


async def test_a_refusal_that_takes_long_and_is_not_taken_is_said_in_other_words(house: House) -> None:
    server = house.server
    server.person("Mod", permissions=Permission.MANAGE_CHANNELS)
    refused = server.faults.add(Status(400, code=200000), method="POST", route="/webhooks/*/*", nth=1)
    with contextlib.closing(sqlite3.connect(house.database_path, isolation_level=None)) as other:
        await lock(other)
        used = await server.person("Mod").uses("/persona delete", server.channel("general"), name="nobody")
        await server.wait_until(lambda: used.acknowledged_at is not None)
        other.execute("ROLLBACK")
        await server.wait_until(lambda: used.followups)

    (said,) = used.followups
    assert refused.num_hits == 1
    assert (said.content, said.ephemeral_for) == (NOT_TAKEN, used.user)
    assert used.original.is_deleted


async def test_a_command_that_outlasts_the_connection_ends_quietly(
    server: LoopbackDiscord, house: House, caplog: pytest.LogCaptureFixture
) -> None:
    with contextlib.closing(sqlite3.connect(house.database_path, isolation_level=None)) as other:
        await lock(other)
        reset = await server.person("Alice").uses("/reset", server.channel("general"))
        await server.wait_until(lambda: reset.acknowledged_at is not None)
        house.stop.set()
        await asyncio.wait([house.running])

    await server.wait_until(lambda: "went unanswered" in caplog.text)
    gc.collect()
    assert "never retrieved" not in caplog.text


async def test_during_the_drain_commands_are_put_off(server: LoopbackDiscord, enter: OpenHouse) -> None:
    general = server.channel("general")
    async with enter(server) as house:
        await server.wait_until(lambda: server.bot.commands)
        house.engine.words_before_gate = 1
        house.engine.gate.clear()
        question = await server.person("Alice").says(general, "hello", mention=True)
        await server.wait_until(lambda: server.answer_to(question))
        house.stop.set()
        await asyncio.sleep(0.05)
        used = await use(house, "Alice", "/help")
        house.engine.gate.set()

    assert used.text == RESTARTING


async def test_every_command_is_acknowledged_and_breaks_no_rule(house: House) -> None:
    house.server.person("Mod", permissions=Permission.MANAGE_CHANNELS)

    for command, options in (*CHANGES, ("/help", {}), ("/reset", {}), ("/persona show", {}), ("/persona list", {})):
        await use(house, "Mod", command, **options)

    judge(house.server).require()
