"""Messages that address the bot in another way than by a plain mention, or hold something else than text."""

from typing import Any

import pytest

from bot.discord.intake import BARE_HINT, NO_TEXT_HINT, ROLE_HINT, TEXT_ONLY
from tests.discord.conftest import OpenHouse
from tests.discord.house import House, ask
from tests.loopback import LoopbackDiscord, Message, Permission, judge

PICTURE = {
    "id": "1",
    "filename": "cat.png",
    "size": 5,
    "url": "https://cdn.invalid/1",
    "proxy_url": "https://x.invalid",
}
VOICE = {"flags": 1 << 13, "attachments": [PICTURE | {"filename": "voice.ogg", "content_type": "audio/ogg"}]}
STICKER = {"sticker_items": [{"id": "1", "name": "Wave", "format_type": 1}]}
POLL = {
    "poll": {
        "question": {"text": "Which?"}, "answers": [{"answer_id": 1, "poll_media": {"text": "This"}}],
        "expiry": "2030-01-01T00:00:00+00:00", "allow_multiselect": False, "layout_type": 1,
    }
}  # fmt: skip
EMPTY_POLL = {"poll": POLL["poll"] | {"question": {"text": ""}, "answers": []}}
EMBED = {"embeds": [{"type": "rich", "title": "News"}]}


def forward(content: str = "", **fields: Any) -> dict:
    snapshot = {
        "type": 0, "content": content, "embeds": [], "attachments": [], "flags": 0, "mentions": [], "mention_roles": [],
        "timestamp": "2026-11-20T10:00:00+00:00", "edited_timestamp": None,
    }  # fmt: skip
    reference = {"type": 1, "message_id": "1111", "channel_id": "2222", "guild_id": "3333"}
    return {"message_reference": reference, "message_snapshots": [{"message": snapshot | fields}]}


def role_of(server: LoopbackDiscord) -> str:
    role = next(role for role in server.guild.roles.values() if role.bot_id == server.bot.user.id)
    return f"<@&{role.id}>"


async def said_to(house: House, message: Message) -> str:
    await house.server.wait_until(lambda: house.server.answer_to(message))
    return house.server.answer_to(message).text


async def test_a_mention_added_by_an_edit_is_answered_once(house: House) -> None:
    server, alice, general = house.server, house.server.person("Alice"), house.server.channel("general")

    question = await alice.says(general, "what time is it?")
    for text in ["what time is it?"] * 3:
        await alice.edits(question, f"{server.bot.mention} {text}")
        await house.reaches(question, "answered")
    server.unfurl(question)
    await ask(house, "the end")

    assert len(house.engine.requests) == 2
    judge(server).require(turns=2, replies=2)


async def test_words_added_to_a_bare_mention_are_answered(house: House) -> None:
    server, alice = house.server, house.server.person("Alice")

    bare = await alice.says(server.channel("general"), "", mention=True)
    assert await said_to(house, bare) == BARE_HINT
    await alice.edits(bare, f"{server.bot.mention}  ")
    await alice.edits(bare, f"{server.bot.mention} what time is it?")
    await house.reaches(bare, "answered")

    assert len(server.answer_to(bare).parts) == 2


@pytest.mark.parametrize("age_seconds", [2 * 86_400, 400 * 86_400])
async def test_a_mention_added_to_a_message_of_long_ago_is_left_alone(house: House, age_seconds: float) -> None:
    server, alice = house.server, house.server.person("Alice")

    old = await alice.says(server.channel("general"), "what time is it?", age_seconds=age_seconds)
    await alice.edits(old, f"{server.bot.mention} what time is it?")
    await ask(house, "the end")

    assert server.answer_to(old) is None


async def test_a_ping_of_the_bots_role_gets_a_hint_once(house: House) -> None:
    server, alice = house.server, house.server.person("Alice")

    pinged = await alice.says(server.channel("general"), f"{role_of(server)} hello?")
    said = await said_to(house, pinged)
    await alice.edits(pinged, f"{role_of(server)} hello??")
    await ask(house, "the end")

    assert said == ROLE_HINT
    assert len(server.answer_to(pinged).parts) == 1


async def test_a_ping_of_the_bots_role_beside_its_name_is_a_question(house: House) -> None:
    server = house.server

    question = await ask(house, f"{role_of(server)} hello?")

    assert server.answer_to(question)
    assert role_of(server) not in house.prompts[-1]


async def test_pings_of_other_roles_are_not_for_her(house: House) -> None:
    server, alice = house.server, house.server.person("Alice")
    role = server.give(server.person("Bob"), Permission.MANAGE_MESSAGES)

    pinged = await alice.says(server.channel("general"), f"<@&{role.id}> hello?")
    await ask(house, "the end")

    assert server.answer_to(pinged) is None


async def test_text_forwarded_to_the_bot_in_private_is_read(house: House) -> None:
    alice = house.server.person("Alice")

    message = await alice.dms("", extra=forward("The meeting is on Friday at noon."))
    await house.reaches(message, "answered")

    assert "The meeting is on Friday at noon." in house.prompts[-1]


async def test_of_a_forward_with_a_picture_the_text_is_read_and_the_rest_told(house: House) -> None:
    alice = house.server.person("Alice")

    message = await alice.dms("", extra=forward("Look at this", attachments=[PICTURE]))
    await house.reaches(message, "answered")

    assert "Look at this" in house.prompts[-1]
    assert house.server.answer_to(message).text.startswith(f"-# {TEXT_ONLY}\n")


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        (VOICE, "not a voice message."),
        (STICKER, "not a sticker."),
        (EMPTY_POLL, "not a poll."),
        (EMBED, "not an embed."),
        (STICKER | {"attachments": [PICTURE]}, "not what is attached or a sticker."),
        (forward(), "not a forwarded message without text."),
        (forward(embeds=[{"type": "rich", "title": "News"}]), "not a forwarded message without text."),
    ],
    ids=str,
)
async def test_what_the_bot_cannot_read_is_told_by_its_name(house: House, extra: dict, named: str) -> None:
    message = await house.server.person("Alice").dms("", extra=extra)

    said = await said_to(house, message)

    assert said.startswith("-# I can only read text, " + named)
    assert await house.state(message) is None


async def test_a_picture_alone_needs_no_name(house: House) -> None:
    message = await house.server.person("Alice").dms("", extra={"attachments": [PICTURE]})

    assert await said_to(house, message) == NO_TEXT_HINT


@pytest.mark.parametrize(
    ("extra", "note"),
    [
        (EMPTY_POLL, "I can't open a poll; I only read the text."),
        (POLL, None),
        (STICKER, "I can't open a sticker; I only read the text."),
        (EMBED, None),
    ],
    ids=str,
)
async def test_beside_text_it_is_told_above_the_answer(house: House, extra: dict, note: str | None) -> None:
    message = await house.server.person("Alice").dms("hello", extra=extra)
    await house.reaches(message, "answered")

    text = house.server.answer_to(message).text
    assert text.startswith(f"-# {note}\n") if note else not text.startswith("-#")


async def test_a_poll_is_read(house: House) -> None:
    server, alice = house.server, house.server.person("Alice")
    alone = await alice.dms("", extra=POLL)
    await house.reaches(alone, "answered")
    beside = await alice.says(server.channel("general"), "what do you say?", mention=True, extra=POLL)
    await house.reaches(beside, "answered")

    assert "Poll:\nWhich?\n- This [/INST]" in house.prompts[0]
    assert "Alice: what do you say?\n\nPoll:\nWhich?\n- This [/INST]" in house.prompts[1]


async def test_what_is_forwarded_in_a_server_is_told_and_not_read(server: LoopbackDiscord, enter: OpenHouse) -> None:
    extra = {"message_snapshots": forward("swordfish")["message_snapshots"]}
    async with enter(server) as house:
        alice = server.person("Alice")
        question = await alice.says(server.channel("general"), "and this?", mention=True, extra=extra)
        await house.reaches(question, "answered")

    assert "swordfish" not in house.prompts[-1]
    assert "a forwarded message" in server.answer_to(question).text
