"""Whatever an event holds, it costs at most itself: thousands of variants, made from discord.py's typed payloads."""

import ast
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from bot.discord.payloads import EVENTS
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
