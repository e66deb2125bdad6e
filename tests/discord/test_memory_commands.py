"""`/context`, `/export`, `/stats` and `/about` on a loopback Discord: true, and for the asker alone."""

import json
import re
from collections.abc import AsyncIterator

import pytest

from bot import __version__
from bot.chat.about import LLAMA_2_NOTICE, About
from bot.chat.chat import TOO_LATE_TO_UNDO
from bot.discord.commands.memory import MAY_NOT_READ
from bot.discord.commands.reply_buttons import NOT_YOUR_CONVERSATION
from bot.discord.commands.shared import MAY_NOT, Right
from bot.words import phrase
from tests.discord.conftest import OpenHouse
from tests.discord.house import House, ask, labels
from tests.loopback import Interaction, LoopbackDiscord, Permission, judge
from tests.loopback.entities import Overwrite


@pytest.fixture
async def house(server: LoopbackDiscord, enter: OpenHouse) -> AsyncIterator[House]:
    async with enter(server) as opened:
        await server.wait_until(lambda: server.bot.commands)
        yield opened


async def use(house: House, command: str, channel=None, *, person: str = "Alice", **options: object) -> Interaction:
    server = house.server
    used = await server.person(person).uses(command, channel or server.channel("general"), **options)
    return await used.answered()


def file_of(used: Interaction) -> str:
    (message,) = used.responses
    (content,) = message.files.values()
    return content.decode()


def numbers(text: str) -> list[int]:
    return [int(found.replace(",", "")) for found in re.findall(r"(?:: |of )([\d,]+)(?: tokens|$)", text, re.MULTILINE)]


async def test_context_adds_up_and_links_to_the_oldest_message(house: House) -> None:
    first = await ask(house, "my name is Alice")
    await ask(house, "and what is my name?")

    used = await use(house, "/context")

    whole, persona, notes, turns, answer, free = numbers(used.text)
    assert (whole, notes, answer) == (4096, 0, 1000)
    assert persona + turns + answer + free == whole
    alone = house.encoder.num_system_tokens((await house.chat.personas.show(house.key)).prompt)
    assert abs(persona - alone) <= 1  # what follows it may join its last token
    assert f"/{house.server.guild.id}/{first.channel.id}/{first.id}" in used.text
    assert used.is_ephemeral


async def test_context_is_what_the_next_prompt_costs(house: House) -> None:
    await ask(house, "my name is Alice")
    turns, free = numbers((await use(house, "/context")).text)[3::2]

    await ask(house, "?")

    budget = 4096 - 1000
    alone = house.encoder.turn("Alice: ?")
    assert len(house.engine.requests[-1].prompt_token_ids) == budget - free + len(alone)
    assert turns > 0


async def test_a_new_conversation_has_all_the_room(house: House) -> None:
    used = await use(house, "/context", house.server.person("Alice").dm_channel())

    assert numbers(used.text)[3] == 0
    assert "https://" not in used.text


async def test_the_mode_of_memory_is_the_setting_and_context_shows_it(house: House) -> None:
    house.server.person("Mod", permissions=Permission.MANAGE_CHANNELS)
    before = await use(house, "/context")
    chosen = await use(house, "/memory mode", person="Mod", mode="window")
    shown = await use(house, "/settings show")
    after = await use(house, "/context")
    refused = await use(house, "/memory mode", mode="recall")

    assert phrase("context_mode_recall") in before.text
    assert (chosen.text, chosen.is_ephemeral) == (phrase("setting_is_here", name="memory", value="window"), False)
    assert "`memory` is **window** (chosen here)" in shown.text
    assert phrase("context_mode_window") in after.text
    assert (refused.text, refused.is_ephemeral) == (MAY_NOT[Right.CHANGE_SETTINGS], True)


async def test_a_server_has_a_mode_of_its_own_for_channels_that_chose_none(house: House) -> None:
    house.server.person("Manager", permissions=Permission.MANAGE_GUILD | Permission.MANAGE_CHANNELS)
    await use(house, "/memory mode", person="Manager", mode="recall")
    chosen = await use(house, "/memory mode", person="Manager", mode="summary", scope="server")

    here, there = await use(house, "/context"), await use(house, "/context", house.server.channel("other"))

    assert chosen.text == phrase("setting_is_in_server", name="memory", value="summary")
    assert phrase("context_mode_recall") in here.text
    assert phrase("context_mode_summary") in there.text


async def test_a_fact_is_kept_in_mind_shown_with_its_price_and_forgotten(house: House) -> None:
    told = await use(house, "/remember", text="My **cat** is\ncalled Rex.")
    more = await use(house, "/remember", person="Bob", text="I like tea.")
    listed, view = await use(house, "/memory list"), await use(house, "/context")
    await ask(house, "What is my cat called?")
    facts = await house.chat.pins.list(house.key)
    forgotten = await use(house, "/forget", number=1)
    left, gone = await use(house, "/memory list"), await use(house, "/forget", number=1)

    assert (told.is_ephemeral, more.is_ephemeral, listed.is_ephemeral, view.is_ephemeral) == (False, False, True, True)
    assert "number 1" in told.text
    assert "cat" not in told.text
    assert f"all 2 facts together {facts.num_tokens} of 300" in more.text
    alice, bob = house.server.person("Alice").id, house.server.person("Bob").id
    assert f"- `1` My \\*\\*cat\\*\\* is called Rex. (<@{alice}>, <t:" in listed.text
    assert f"- `2` I like tea. (<@{bob}>, <t:" in listed.text
    assert phrase("pins_listed", num_tokens=facts.num_tokens, limit=300) in listed.text
    assert phrase("context_pins", num_pins=2, n=facts.num_tokens) in view.text
    whole, *parts = numbers(view.text)
    assert sum(parts) == whole
    assert "- Alice said: “My **cat** is called Rex.”\n- Bob said: “I like tea.”" in house.prompts[-1]
    assert "number 1" in forgotten.text
    assert ("Rex" in left.text, "tea" in left.text) == (False, True)
    assert (gone.text, gone.is_ephemeral) == (phrase("unknown_pin", number=1), True)
    judge(house.server)


async def test_facts_of_others_are_forgotten_by_who_manages_the_channel_only(house: House) -> None:
    house.server.person("Mod", permissions=Permission.MANAGE_CHANNELS)
    await use(house, "/remember", text="My cat is called Rex.")

    refused = await use(house, "/forget", person="Bob", number=1)
    kept = (await house.chat.pins.list(house.key)).pins
    managed = await use(house, "/forget", person="Mod", number=1)

    assert (refused.text, refused.is_ephemeral) == (phrase("may_not_forget_pin"), True)
    assert len(kept) == 1
    assert not managed.is_ephemeral
    assert (await house.chat.pins.list(house.key)).pins == ()


async def test_who_may_not_write_here_pins_nothing_and_who_may_not_read_here_is_shown_nothing(house: House) -> None:
    general = house.server.channel("general")
    await use(house, "/remember", text="My cat is called Rex.")
    general.overwrites[house.server.guild.id] = Overwrite(
        deny=Permission.SEND_MESSAGES | Permission.READ_MESSAGE_HISTORY
    )

    pinned, listed = await use(house, "/remember", text="I like tea."), await use(house, "/memory list", person="Bob")

    assert (pinned.text, pinned.is_ephemeral) == (MAY_NOT[Right.PIN], True)
    assert (listed.text, listed.is_ephemeral) == (MAY_NOT_READ, True)
    assert len((await house.chat.pins.list(house.key)).pins) == 1


async def test_a_reset_says_that_facts_are_forgotten_and_undo_brings_them_back(house: House) -> None:
    await use(house, "/remember", text="My cat is called Rex.")
    forgotten = await use(house, "/reset")
    said, between = forgotten.text, await use(house, "/memory list")
    await (await house.server.person("Bob").clicks(forgotten.original, "Undo")).answered()
    await house.server.wait_until(lambda: not labels(forgotten.original))

    assert phrase("pins_forgotten", n=1) in said
    assert between.text == phrase("no_pins")
    assert "Rex" in (await use(house, "/memory list")).text


async def test_facts_outlive_a_restart_and_are_each_persons_own_where_conversations_are(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    server.person("Mod", permissions=Permission.MANAGE_CHANNELS)
    async with enter(server) as house:
        await server.wait_until(lambda: server.bot.commands)
        await use(house, "/settings set", person="Mod", name="session", value="person")
        await use(house, "/remember", text="My cat is called Rex.")
    async with enter(server) as house:
        await ask(house, "What is my cat called?")

        assert "Rex" in house.prompts[-1]
        assert (await use(house, "/memory list", person="Bob")).text == phrase("no_pins")


async def test_ones_facts_are_shown_copied_and_erased_with_ones_words(house: House) -> None:
    await use(house, "/remember", text="My cat is called Rex.")

    shown, copied = await use(house, "/privacy show"), await use(house, "/privacy export")
    erased = await use(house, "/privacy erase", confirm=True)

    assert phrase("privacy_pins", n=1) in shown.text
    assert "My cat is called Rex." in file_of(copied)
    assert phrase("privacy_pins", n=1) in erased.text
    assert (await use(house, "/memory list")).text == phrase("no_pins")


@pytest.mark.parametrize("form", ["md", "json"])
async def test_an_export_has_every_word_in_order_for_the_asker_alone(house: House, form: str) -> None:
    await ask(house, "first ```")
    await ask(house, "second **bold**")

    used = await use(house, "/export", format=form)

    text = file_of(used)
    assert used.is_ephemeral
    assert text.index("first ```") < text.index("second **bold**")
    if form == "json":
        assert [turn["author"] for turn in json.loads(text)] == ["Alice", "Alice"]


async def test_nothing_remembered_is_no_file(house: House) -> None:
    used = await use(house, "/export", house.server.person("Alice").dm_channel())

    assert not used.responses[0].files


async def test_who_may_not_read_the_history_is_told_nothing_of_it(house: House) -> None:
    general = house.server.channel("general")
    await ask(house, "swordfish")
    general.overwrites[house.server.guild.id] = Overwrite(deny=Permission.READ_MESSAGE_HISTORY)

    for command in ("/context", "/export"):
        used = await use(house, command, person="Bob")
        assert (used.text, used.is_ephemeral) == (MAY_NOT_READ, True)


async def test_what_was_said_elsewhere_is_in_no_export(house: House) -> None:
    await ask(house, "swordfish")
    await house.reaches(await house.server.person("Alice").dms("to myself"), "answered")

    text = file_of(await use(house, "/export", house.server.person("Alice").dm_channel(), format="json"))

    assert "swordfish" not in text
    assert "to myself" in text


async def test_stats_count_here_and_everywhere_and_nothing_of_others(house: House) -> None:
    await ask(house, "one")
    await ask(house, "two")
    hall = house.server.channel("hall", house.server.add_guild("Other"))

    here, there = await use(house, "/stats"), await use(house, "/stats", hall)

    assert here.text.count("2 answers") == 2
    assert (there.text.count("2 answers"), there.text.count("0 answers")) == (1, 1)
    judge(house.server)


async def test_a_reset_is_undone_within_a_minute(house: House) -> None:
    await ask(house, "swordfish")
    forgotten = await use(house, "/reset")
    back = await use(house, "/reset", undo=True)
    await ask(house, "what was it?")
    late = await use(house, "/reset", house.server.person("Alice").dm_channel(), undo=True)

    assert labels(forgotten.original) == ["Undo"]
    assert (back.text, back.is_ephemeral) == (phrase("reset_undone"), False)
    assert "swordfish" in house.prompts[-1]
    assert late.is_ephemeral


async def test_a_click_brings_back_what_that_reset_hid_after_a_restart_too(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    async with enter(server) as house:
        await ask(house, "swordfish")
        forgotten = (await use(house, "/reset")).original
        await ask(house, "marlin")
        again = (await use(house, "/reset")).original
    async with enter(server) as house:
        await (await server.person("Bob").clicks(forgotten, "Undo")).answered()
        await server.wait_until(lambda: not labels(forgotten))
        await ask(house, "what was it?")

        assert forgotten.content == phrase("reset_undone")
        assert labels(again) == ["Undo"]
        assert "swordfish" in house.prompts[-1]
        assert "marlin" not in house.prompts[-1]
    judge(server)


async def test_a_click_on_undo_that_comes_too_late_is_told_so(house: House) -> None:
    await ask(house, "swordfish")
    forgotten = (await use(house, "/reset")).original
    await house.chat.delete_hidden(everything=True)

    click = await house.server.person("Alice").clicks(forgotten, "Undo")

    await house.server.wait_until(lambda: click.followups)
    assert labels(forgotten) == []
    assert (click.followups[0].content, click.followups[0].ephemeral_for) == (TOO_LATE_TO_UNDO, click.user)


async def test_who_may_not_reset_may_not_undo_and_nobody_anothers_own_conversation(house: House) -> None:
    server, alice = house.server, house.server.person("Alice")
    owner = server.person("Olga", permissions=Permission.MANAGE_GUILD | Permission.MANAGE_CHANNELS)
    await ask(house, "swordfish")
    shared = (await use(house, "/reset", person="Olga")).original
    await use(house, "/settings set", person="Olga", name="resets", value="managers")
    await use(house, "/settings set", person="Olga", name="session", value="person")
    await ask(house, "marlin")
    own = (await use(house, "/reset")).original

    clicks = [await alice.clicks(shared, "Undo"), await owner.clicks(own, "Undo")]

    await server.wait_until(lambda: all(click.followups for click in clicks))
    assert [click.followups[0].content for click in clicks] == [MAY_NOT[Right.RESET], NOT_YOUR_CONVERSATION]
    assert labels(shared) == labels(own) == ["Undo"]
    await alice.clicks(own, "Undo")
    await owner.clicks(shared, "Undo")
    await server.wait_until(lambda: not labels(shared) and not labels(own))


async def test_without_buttons_the_option_is_told_instead(server: LoopbackDiscord, enter: OpenHouse) -> None:
    async with enter(server, has_buttons=False) as house:
        await ask(house, "swordfish")
        forgotten = await use(house, "/reset")
        erasing = await use(house, "/privacy erase")

        assert "`undo`" in forgotten.text
        assert "`confirm`" in erasing.text
        assert labels(forgotten.original) == labels(erasing.original) == []


async def test_help_names_what_a_person_may_do_here(house: House) -> None:
    house.server.person("Mod", permissions=Permission.MANAGE_CHANNELS)

    member, mod = await use(house, "/help"), await use(house, "/help", person="Mod")
    direct = await use(house, "/help", house.server.person("Alice").dm_channel())

    for used in (mod, direct):
        assert "`/persona set`" in used.text
        assert "`/settings set`" in used.text
    assert "`/persona set`" not in member.text
    assert "`/settings set`" not in member.text
    assert "`/context`" in member.text


async def test_about_tells_version_and_what_is_kept(house: House) -> None:
    used = await use(house, "/about")

    assert f"Trinity {__version__}" in used.text
    assert LLAMA_2_NOTICE not in used.text
    assert used.is_ephemeral


async def test_about_links_to_the_source_where_the_operator_says_where_that_is(house: House) -> None:
    without = await use(house, "/about")
    house.chat.about = About(source_url="https://example.org/trinity")
    named = await use(house, "/about")

    assert "<https://example.org/trinity>" in named.text
    assert "http" not in without.text


LLAMA_3_1_NOTICE = (
    "Built with Llama. Llama 3.1 is licensed under the Llama 3.1 Community License, Copyright © Meta Platforms, Inc. "
    "All Rights Reserved."
)


@pytest.mark.parametrize(
    ("model", "name", "notice"),
    [(None, None, None), ("meta-llama/Llama-2-7b-chat-hf", "meta-llama/Llama-2-7b-chat-hf", LLAMA_2_NOTICE),
     ("/home/me/models/llama2-13b", "models/llama2-13b", LLAMA_2_NOTICE), ("./tiny", "./tiny", None),
     ("meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct", LLAMA_3_1_NOTICE)],
)  # fmt: skip
def test_the_notice_is_told_where_the_model_is_a_llama(model: str | None, name: str | None, notice: str | None) -> None:
    about = About(model, 30)

    assert (about.model_name, about.model_notice) == (name, notice)
