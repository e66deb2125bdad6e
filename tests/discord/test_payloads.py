"""Whatever an event holds, it costs at most itself: thousands of variants, made from discord.py's typed payloads."""

import ast
import logging
from collections.abc import Iterator
from typing import Any

import discord
import pytest

from bot.discord.client import TrinityClient
from bot.discord.payload_shapes import OutOfShape
from bot.discord.payloads import APPLICATION, EVENTS, USER
from bot.discord.rest import parsed_page
from tests.discord.conftest import OpenHouse
from tests.discord.house import ask
from tests.discord.payload_types import Known, PayloadTypes, variants
from tests.loopback import Channel, Guild, LoopbackDiscord
from tests.loopback.payloads import guild_json, user_json
from tests.loopback.session import Session

Json = dict[str, Any]
TYPES = PayloadTypes()
MIN_VARIANTS = 5_000


def depth_of(name: str) -> int:
    """How deep an event's fields are varied: where a guild's channels and a command's options lie, deepest."""
    if name not in EVENTS:
        return 1
    return 3 if name in {"GUILD_CREATE", "INTERACTION_CREATE"} else 2


def payloads_of(name: str, server: LoopbackDiscord, guild: Guild, channel: Channel) -> Iterator[Json]:
    """Every variant of an event: about a guild beside the one that is asked in, and of the bot itself."""
    bot = user_json(server.bot.user)
    ids = {"guild_id": str(guild.id), "channel_id": str(channel.id), "user_id": bot["id"], "user": bot}
    known = Known({**ids, "author": user_json(server.person("Alice").user)})
    own_id = {"GUILD": guild.id, "CHANNEL": channel.id, "USER": bot["id"]}.get(name.split("_", maxsplit=1)[0])
    for kind in TYPES.arms(TYPES.events()[name]):
        example = TYPES.example(kind, known)
        if not isinstance(example, dict):
            continue
        if own_id is not None and "id" in example:
            example["id"] = str(own_id)
        if name == "GUILD_CREATE":
            arms = TYPES.arms(ast.Name("GuildChannel"))
            example |= {"channels": [TYPES.example(arm, Known(ids)) for arm in arms], "unavailable": False}
        yield from variants(example, max_depth=depth_of(name))


def say_again_which_guilds_there_are(server: LoopbackDiscord, session: Session) -> None:
    for guild in server.world.guilds.values():
        server.gateway.dispatch(session, "GUILD_CREATE", guild_json(guild, server.bot))


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged by a task that ended with an error, or by an event whose handling failed."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.name == "asyncio"
        or any(words in record.getMessage() for words in ("not followed to its end", "stumbled"))
    ]


@pytest.mark.no_cover
@pytest.mark.timeout(600)
async def test_no_variant_of_any_event_ends_the_session_or_keeps_the_next_question_from_its_answer(
    server: LoopbackDiscord, enter: OpenHouse, caplog: pytest.LogCaptureFixture
) -> None:
    lab = server.add_guild("Lab")
    channel, num_variants = server.channel("lab", lab), 0
    caplog.set_level(logging.ERROR)

    async with enter(server) as house:
        (session,) = server.gateway.connected()
        for name in sorted(TYPES.events()):
            for payload in payloads_of(name, server, lab, channel):
                session.dispatch(name, payload)
                session.unacknowledged.clear()
                num_variants += 1
            if name in {"READY", "GUILD_CREATE"}:
                say_again_which_guilds_there_are(server, session)
            if name in EVENTS:
                await ask(house, f"still there after {name}?", seconds=120)
        await ask(house, "still there?")

    assert num_variants > MIN_VARIANTS
    assert server.gateway.counts["identifies"] == 1
    assert server.gateway.counts["resumes"] == 0
    assert complaints(caplog) == []


@pytest.mark.no_cover
async def test_no_variant_of_an_answer_to_the_login_or_of_a_page_raises_anything_but_that_it_cannot_be_read() -> None:
    num_variants, num_read = 0, 0
    known = Known({"guild_id": "1", "channel_id": "2"})
    async with TrinityClient() as client:
        channel = client.get_partial_messageable(2)
        for name, parse in (("User", USER), ("AppInfo", APPLICATION), ("Message", None)):
            for variant in variants(TYPES.example(ast.Name(name), known), max_depth=3):
                num_variants += 1
                if parse is None:
                    num_read += len(list(parsed_page(client, channel, [variant])))
                    continue
                try:
                    shaped = parse(variant)
                except OutOfShape:
                    continue
                kind = discord.User if parse is USER else discord.AppInfo
                num_read += bool(kind(state=client._connection, data=shaped).id)

    assert num_variants > 1_500
    assert num_read > num_variants * 0.9


def test_every_event_that_the_bot_follows_is_read() -> None:
    follows = {
        "message": "MESSAGE_CREATE", "raw_message_edit": "MESSAGE_UPDATE", "raw_message_delete": "MESSAGE_DELETE",
        "raw_bulk_message_delete": "MESSAGE_DELETE_BULK", "guild_channel_delete": "CHANNEL_DELETE",
        "raw_thread_delete": "THREAD_DELETE", "guild_remove": "GUILD_DELETE", "guild_channel_update": "CHANNEL_UPDATE",
        "raw_thread_update": "THREAD_UPDATE", "guild_role_update": "GUILD_ROLE_UPDATE",
        "member_update": "GUILD_MEMBER_UPDATE", "guild_available": "GUILD_CREATE", "guild_join": "GUILD_CREATE",
        "ready": "READY", "connect": "READY", "resumed": "RESUMED",
        "interaction": "INTERACTION_CREATE",
    }  # fmt: skip
    handlers = {name.removeprefix("on_") for name in dir(TrinityClient) if name.startswith("on_")} - {"error"}

    assert handlers == follows.keys()
    assert set(follows.values()) <= EVENTS.keys()
