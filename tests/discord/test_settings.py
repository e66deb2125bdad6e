"""`/settings` and what it changes, end to end on a loopback Discord."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bot.conversation.channel_settings import SETTINGS
from bot.discord.commands.shared import MAY_NOT, Right
from bot.words import phrase
from tests.discord.conftest import OpenHouse
from tests.discord.house import House, ask
from tests.loopback import Channel, Interaction, LoopbackDiscord, Permission, judge


@pytest.fixture
async def house(server: LoopbackDiscord, enter: OpenHouse) -> AsyncIterator[House]:
    server.person("Mod", permissions=Permission.MANAGE_CHANNELS)
    server.person("Manager", permissions=Permission.MANAGE_GUILD)
    async with enter(server) as opened:
        await server.wait_until(lambda: server.bot.commands)
        yield opened


async def use(house: House, person: str, command: str, channel: Channel | None = None, **options: str) -> Interaction:
    server = house.server
    used = await server.person(person).uses(command, channel or server.channel("general"), **options)
    return await used.answered()


async def test_a_setting_is_chosen_shown_and_used_by_the_next_answer(house: House) -> None:
    used = await use(house, "Mod", "/settings set", name="temperature", value="0,7")
    shown = await use(house, "Alice", "/settings show")

    await ask(house)

    assert not used.is_ephemeral
    assert used.text == phrase("setting_is_here", name="temperature", value="0.7")
    assert shown.is_ephemeral
    assert "`temperature` is **0.7** (chosen here)" in shown.text
    assert house.engine.requests[-1].sampling.temperature == 0.7
    judge(house.server).require()


async def test_a_choice_outlives_a_restart(server: LoopbackDiscord, enter: OpenHouse) -> None:
    server.person("Mod", permissions=Permission.MANAGE_CHANNELS)
    async with enter(server) as house:
        await use(house, "Mod", "/settings set", name="session", value="person")

    async with enter(server) as house:
        await ask(house)

    assert house.engine.requests[-1].cache_owner.endswith(f":{server.person('Alice').id}")


async def test_the_servers_choice_is_the_default_of_its_channels(house: House) -> None:
    server = house.server
    await use(house, "Manager", "/settings set", name="top_k", value="5", scope="server")
    await use(house, "Mod", "/settings set", name="top_k", value="9")
    thread = await server.person("Alice").opens_thread(server.channel("general"), "aside")

    shown = [(await use(house, "Alice", "/settings show", each)).text for each in (server.channel("other"), thread)]

    assert "`top_k` is **5** (this server)" in shown[0]
    assert "`top_k` is **9** (this thread's channel)" in shown[1]


async def test_in_a_thread_its_channel_can_be_set(house: House) -> None:
    server = house.server
    thread = await server.person("Alice").opens_thread(server.channel("general"), "aside")

    await use(house, "Mod", "/settings set", thread, name="top_k", value="9", scope="parent")
    refused = await use(house, "Mod", "/settings set", name="top_k", value="9", scope="parent")

    assert "`top_k` is **9** (chosen here)" in (await use(house, "Alice", "/settings show")).text
    assert refused.text == phrase("no_thread_here")


async def test_what_is_cleared_falls_back(house: House) -> None:
    await use(house, "Mod", "/settings set", name="top_k", value="9")

    used = await use(house, "Mod", "/settings clear", name="top-K")

    assert used.text == phrase("setting_is_again", name="top_k", value="50", origin=phrase("not_chosen"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "volume", "value": "11"}, "“volume”"),
        ({"name": "temperature", "value": "hot"}, "a number from 0 to 2"),
        ({"name": "longest_answer", "value": "5000"}, "1,000 tokens at most"),
        ({"name": "reads_others", "value": "5"}, "whoever runs me"),
    ],
)
async def test_what_can_not_be_is_refused_in_words_for_the_asker_alone(house: House, options: dict, words: str) -> None:
    used = await use(house, "Mod", "/settings set", **options)

    assert words in used.text
    assert used.is_ephemeral


async def test_settings_that_need_the_content_intent_are_not_shown_without_it(house: House) -> None:
    shown = (await use(house, "Alice", "/settings show")).text

    named = {setting.name for setting in SETTINGS if f"`{setting.name}`" in shown}
    assert named == {setting.name for setting in SETTINGS if not setting.needs_content_intent}


@pytest.mark.parametrize(
    ("person", "scope", "is_allowed"),
    [
        ("Alice", "here", False),
        ("Alice", "server", False),
        ("Mod", "here", True),
        ("Mod", "server", False),
        ("Manager", "here", False),
        ("Manager", "server", True),
        ("Owner", "here", True),
        ("Owner", "server", True),
    ],
)
async def test_changing_takes_the_permission_for_the_place(
    house: House, person: str, scope: str, is_allowed: bool
) -> None:
    texts = []
    for command, options in (("/settings set", {"value": "9"}), ("/settings clear", {})):
        who = house.server.owner if person == "Owner" else house.server.person(person)
        used = await who.uses(command, house.server.channel("general"), name="top_k", scope=scope, **options)
        texts.append((await used.answered()).text)

    refusal = MAY_NOT[Right.CHANGE_SETTINGS]
    assert texts.count(refusal) == (0 if is_allowed else 2)


async def test_in_a_direct_message_one_chooses_for_oneself(house: House) -> None:
    direct = house.server.person("Alice").dm_channel()

    chosen = await use(house, "Alice", "/settings set", direct, name="top_k", value="9")
    refused = await use(house, "Alice", "/settings set", direct, name="top_k", value="9", scope="server")

    assert "**9**" in chosen.text
    assert refused.text == phrase("no_server_here")


async def test_personas_may_be_given_to_everyone(house: House) -> None:
    before = await use(house, "Alice", "/persona use", name="pirate")
    await use(house, "Mod", "/settings set", name="persona_changes", value="everyone")

    after = await use(house, "Alice", "/persona use", name="pirate")

    assert before.text == MAY_NOT[Right.CHANGE_PERSONAS]
    assert "**pirate**" in after.text


async def test_a_persona_of_other_channels_is_changed_only_by_who_may_change_it_there(house: House) -> None:
    server, other = house.server, house.server.channel("other")
    await use(house, "Mod", "/persona set", name="own", prompt="You are one.")
    await use(house, "Mod", "/persona use", other, name="own")
    await use(house, "Mod", "/persona set", name="own", prompt="You are two.")
    await use(house, "Mod", "/settings set", name="persona_changes", value="everyone")
    acts = (
        ("/persona set", {"name": "OWN", "prompt": "You are rude."}),
        ("/persona delete", {"name": "own"}),
        ("/persona undo", {}),
        ("/persona edit", {"name": "own"}),
    )

    refused = [await use(house, "Alice", command, **options) for command, options in acts]
    form = await use(house, "Alice", "/persona create")
    sent = await (await server.person("Alice").submits(form, name="own", prompt="You are rude.")).answered()
    kept = (await house.chat.personas.show(replace(house.key, channel_id=other.id))).prompt
    await use(house, "Manager", "/settings set", name="persona_changes", value="everyone", scope="server")
    taken = await use(house, "Alice", "/persona undo")

    words = {name: phrase("persona_used_elsewhere", name=name) for name in ("own", "OWN")}
    assert [used.text for used in refused] == [words["OWN"], *[words["own"]] * 3]
    assert sent.text.startswith(words["own"])
    assert kept == "You are two."
    assert taken.text.startswith(phrase("persona_undone"))


async def test_a_reset_may_be_kept_for_managers(house: House) -> None:
    await use(house, "Mod", "/settings set", name="resets", value="managers")
    await ask(house, "the word is swordfish")

    refused = await use(house, "Alice", "/reset")
    await ask(house, "which word?")
    allowed = await use(house, "Mod", "/reset")

    assert refused.text == MAY_NOT[Right.RESET]
    assert "swordfish" in house.prompts[-1]
    assert MAY_NOT[Right.RESET] not in allowed.text


async def test_each_person_has_a_session_and_resets_their_own_alone(house: House) -> None:
    server, general = house.server, house.server.channel("general")
    reply = await use(house, "Mod", "/settings set", name="session", value="person")
    await use(house, "Mod", "/settings set", name="resets", value="managers")
    for name in ("Alice", "Bob"):
        question = await server.person(name).says(general, f"the word of {name} is swordfish", mention=True)
        await house.reaches(question, "answered")

    forgotten = await use(house, "Alice", "/reset")
    prompts = {}
    for name in ("Alice", "Bob"):
        question = await server.person(name).says(general, "which word?", mention=True)
        await house.reaches(question, "answered")
        prompts[name] = house.prompts[-1]

    assert phrase("sessions_are_kept") in reply.text
    assert forgotten.text.startswith(phrase("forgotten_own"))
    assert "swordfish" not in prompts["Alice"]
    assert "the word of Bob is swordfish" in prompts["Bob"]
    assert "word of Alice" not in prompts["Bob"]


async def test_a_session_goes_with_its_channel(house: House) -> None:
    server, general = house.server, house.server.channel("general")
    await use(house, "Mod", "/settings set", name="session", value="person")
    question = await ask(house)

    server.world.delete_channel(general)

    await house.reaches(question, "answered")
    await server.wait_until(
        lambda: any(owner.endswith(f":{general.id}:{question.author.id}") for owner in house.engine.forgotten)
    )


async def test_names_and_values_are_suggested(house: House) -> None:
    mod, general = house.server.person("Mod"), house.server.channel("general")

    names = await (await mod.completes("/settings set", general, "name", "Top")).answered()
    values = await (await mod.completes("/settings set", general, "value", "", name="session")).answered()
    nothing = await (await mod.completes("/settings set", general, "value", "", name="volume")).answered()

    assert [choice["value"] for choice in names.choices] == ["top_p", "top_k"]
    assert [choice["value"] for choice in values.choices] == ["channel", "person"]
    assert nothing.choices == []
