"""What Discord sends costs at most itself: hidden channels, odd events, odd frames, and the sessions that it ends."""

import asyncio
import json
import logging
from itertools import pairwise
from pathlib import Path

import discord
import pytest

from bot.discord.client import TrinityClient
from bot.discord.event_guard import mended_frame
from bot.discord.gate import Gate
from bot.discord.session_starts import IdentifyBudget, SessionStarts
from bot.errors import DiscordRefused
from tests.discord.conftest import OpenHouse
from tests.discord.house import House, ask
from tests.loopback import OP9, Channel, Hang, LoopbackDiscord, Permission, close_with
from tests.loopback.rules import ChannelKind
from tests.loopback.snowflake import Snowflakes

HOLDING_MESSAGES = (ChannelKind.TEXT, ChannelKind.NEWS, ChannelKind.VOICE, ChannelKind.STAGE)
ALL_KINDS = (*HOLDING_MESSAGES, ChannelKind.CATEGORY, ChannelKind.FORUM, ChannelKind.MEDIA, ChannelKind.DIRECTORY)
PAGES = "/channels/{}/messages"


def send(server: LoopbackDiscord, name: str, payload: object) -> None:
    for session in server.gateway.connected():
        session.dispatch(name, payload)


def hide(server: LoopbackDiscord, *channels: Channel) -> None:
    for channel in channels:
        server.world.overwrite(channel, server.bot.user, deny=Permission.VIEW_CHANNEL)


def show(server: LoopbackDiscord, *channels: Channel) -> None:
    for channel in channels:
        server.world.overwrite(channel, server.bot.user, allow=Permission.VIEW_CHANNEL)


def asked_for_pages(server: LoopbackDiscord, channels: list[Channel]) -> list[str]:
    paths = {PAGES.format(channel.id) for channel in channels}
    return [call.path for call in server.journal.calls if call.method == "GET" and call.path in paths]


async def lose_session(server: LoopbackDiscord, house: House) -> None:
    num_ready = house.num_ready
    server.gateway.abort()
    await server.wait_until(lambda: not server.gateway.connected())
    server.gateway.forget_sessions()
    await server.wait_until(lambda: house.num_ready > num_ready, timeout=60)


async def test_hidden_channels_of_every_type_cost_nobody_an_answer_and_are_answered_in_once_they_are_shown(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    alice = server.person("Alice")
    channels = [server.world.add_channel(server.guild, kind.name.lower(), kind) for kind in ALL_KINDS]
    hide(server, *channels)

    async with enter(server) as house:
        await ask(house)
        show(server, *channels)
        for channel in channels[: len(HOLDING_MESSAGES)]:
            question = await alice.says(channel, "can you see this?", mention=True)
            await house.reaches(question, "answered")

    assert server.gateway.counts["identifies"] == 1


async def test_a_hidden_channel_is_never_asked_for_its_history(server: LoopbackDiscord, enter: OpenHouse) -> None:
    alice = server.person("Alice")
    channels = [server.world.add_channel(server.guild, kind.name.lower(), kind) for kind in HOLDING_MESSAGES]
    async with enter(server) as house:
        await ask(house)
        for channel in channels:
            await house.reaches(await alice.says(channel, "hello", mention=True), "answered")
        hide(server, *channels)

        await lose_session(server, house)
        await ask(house, "hello again")

    async with enter(server) as house:
        await ask(house, "and again")

    assert asked_for_pages(server, channels) == []


async def test_a_channel_that_is_created_hidden_is_kept(server: LoopbackDiscord, enter: OpenHouse) -> None:
    async with enter(server) as house:
        fresh = server.world.ids.next_id()
        hidden = {"id": str(fresh), "type": 2, "guild_id": str(server.guild.id), "position": 0, "parent_id": None}

        send(server, "CHANNEL_CREATE", hidden | {"name": "___hidden___", "flags": 1 << 17})
        send(server, "CHANNEL_UPDATE", hidden | {"name": "___hidden___", "flags": 1 << 17})
        send(server, "CHANNEL_UPDATE", {"id": str(fresh), "type": None, "guild_id": str(server.guild.id)})
        await ask(house)

    assert server.gateway.counts["identifies"] == 1


async def test_an_event_that_cannot_be_read_costs_itself_and_one_line_with_its_type_and_ids(
    server: LoopbackDiscord, enter: OpenHouse, caplog: pytest.LogCaptureFixture
) -> None:
    general = server.channel("general")
    async with enter(server) as house:
        caplog.clear()
        await server.person("Alice").says(general, "private words", mention=True, extra={"author": None})
        await ask(house)

    lines = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(lines) == 1
    assert "MESSAGE_CREATE" in lines[0].getMessage()
    assert str(general.id) in lines[0].getMessage()
    assert "private words" not in caplog.text


POLL = {
    "question": {"text": "Lunch?"},
    "answers": [{"answer_id": 1, "poll_media": {"text": "yes"}}],
    "expiry": None,
    "allow_multiselect": False,
    "layout_type": 1,
}


async def test_a_poll_without_an_end_is_read_live_and_on_a_page(server: LoopbackDiscord, enter: OpenHouse) -> None:
    alice, general = server.person("Alice"), server.channel("general")

    async with enter(server) as house:
        await ask(house)
        live = await alice.says(general, "lunch?", mention=True, extra={"poll": POLL})
        await house.reaches(live, "answered")
    missed = await alice.says(general, "and dinner?", mention=True, extra={"poll": POLL})
    async with enter(server) as house:
        await house.reaches(missed, "answered")

    assert server.gateway.counts["identifies"] == 2


async def test_a_page_of_messages_is_read_message_by_message(
    server: LoopbackDiscord, enter: OpenHouse, caplog: pytest.LogCaptureFixture
) -> None:
    alice, general = server.person("Alice"), server.channel("general")
    async with enter(server) as house:
        await ask(house)
    before = await alice.says(general, "before", mention=True)
    broken = await alice.says(general, "broken", mention=True, extra={"author": {"id": None}})
    after = await alice.says(general, "after", mention=True)

    async with enter(server) as house:
        await house.reaches(before, "answered")
        await house.reaches(after, "answered")
        assert await house.state(broken) is None

    assert [line for line in caplog.messages if str(broken.id) in line and "skipped" in line]


async def test_an_update_that_tells_only_a_part_is_ignored_without_a_word(
    server: LoopbackDiscord, enter: OpenHouse, caplog: pytest.LogCaptureFixture
) -> None:
    async with enter(server) as house:
        question = await ask(house)
        caplog.clear()
        ids = {"id": str(question.id), "channel_id": str(question.channel.id), "guild_id": str(server.guild.id)}
        send(server, "MESSAGE_UPDATE", ids | {"embeds": []})
        send(server, "MESSAGE_UPDATE", ids | {"content": "x", "type": 0, "author": {"id": "1"}})
        await ask(house, "and now?")

    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_what_the_bot_edits_itself_is_not_read_again() -> None:
    update = {"id": "5", "channel_id": "6", "type": 0, "content": "x", "mentions": [], "edited_timestamp": None}
    read = []
    async with TrinityClient() as client:
        client._connection.user = discord.Object(7)  # type: ignore[assignment]
        client.events._parsers["MESSAGE_UPDATE"] = lambda event: read.append(event["author"]["id"])

        for author_id in ("7", "8"):
            author = {"id": author_id, "username": "a", "discriminator": "0", "avatar": None}
            client._connection.parsers["MESSAGE_UPDATE"](update | {"author": author})

    assert read == ["8"]


FRAMES = [
    "", "null", "7", "[]", "{", '{"op":0}', '{"op":"0","t":"MESSAGE_CREATE","s":"x","d":{}}', "[" * 100_000,
    '{"op":0,"t":["MESSAGE_CREATE"],"s":1,"d":{}}', '{"op":0,"t":"NEW_EVENT","s":null,"d":7}', '{"op":99,"d":null}',
    '{"op":0,"t":"RESUMED","s":null,"d":null}', '{"op":11,"d":{"new":1}}', '{"op":0,"t":"READY_SUPPLEMENTAL","d":{}}',
    '{"op":0,"t":"MESSAGE_CREATE","s":null,"d":[]}',
]  # fmt: skip


async def test_frames_that_are_none_cost_only_themselves(server: LoopbackDiscord, enter: OpenHouse) -> None:
    async with enter(server) as house:
        (session,) = server.gateway.connected()
        for frame in FRAMES:
            session.socket.send_text(frame)
            await ask(house, f"still there after {frame[:40]}?")

    assert server.gateway.counts["connections"] == 1


@pytest.mark.parametrize("interval", [None, 0, -1, "41250", True, [], 1e300])
def test_a_heartbeat_interval_that_is_none_is_replaced(interval: object) -> None:
    mended = json.loads(mended_frame(json.dumps({"op": 10, "d": {"heartbeat_interval": interval}})))

    assert mended["d"]["heartbeat_interval"] == 41250


@pytest.mark.parametrize("data", [None, 7, {}, {"session_id": 7, "resume_gateway_url": None}])
def test_a_ready_without_its_session_begins_one_that_cannot_be_resumed(data: object) -> None:
    mended = json.loads(mended_frame(json.dumps({"op": 0, "t": "READY", "d": data})))

    assert mended["d"]["session_id"] is None
    assert mended["d"]["resume_gateway_url"].startswith("wss://")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (4004, ["DISCORD_BOT_TOKEN"]),
        (4010, ["shard"]),
        (4011, ["shards to set: 1"]),
        (4012, ["version"]),
        (4013, ["intents"]),
        (4014, ["Intents"]),
    ],
)
async def test_each_final_close_code_is_named_for_what_it_is(
    server: LoopbackDiscord, enter: OpenHouse, code: int, words: list[str]
) -> None:
    server.faults.add_to_gateway(close_with(code), nth=1)

    async with enter(server, waits_until_ready=False) as house:
        error = await asyncio.wait_for(house.end(), 60)

    assert isinstance(error, DiscordRefused)
    assert error.exit_status == 78
    assert all(word in str(error) for word in words)
    assert ("ntents" in str(error)) == (code in {4013, 4014})


async def test_sessions_that_are_thrown_out_are_begun_after_growing_pauses(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    server.faults.add_to_gateway(OP9, nth=(1, 2, 3, 4), event="READY")

    async with enter(server, waits_until_ready=False) as house:
        await server.wait_until(lambda: server.gateway.counts["identifies"] == 4, timeout=90)
        house.is_end_expected = True

    times = server.gateway.identify_times[server.bot.id]
    gaps = [after - before for before, after in pairwise(times)]
    assert [gap >= least for gap, least in zip(gaps, (1, 2, 4), strict=True)] == [True] * 3


class Clock:
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


async def identifies_in_a_day(
    clock: Clock, folder: Path | None, *, lifetime: float, restarts_every: float = 1e9
) -> int:
    """How many sessions are begun in a day whose sessions live so long."""
    began_at, num, starts, restarted_at = clock.now, 0, SessionStarts(folder, clock, clock), clock.now
    while clock.now < began_at + 86_400:
        clock.now += await starts.pause_seconds()
        if clock.now >= began_at + 86_400:
            break
        await starts.begin()
        num, clock.now = num + 1, clock.now + lifetime
        starts.lose()
        if clock.now - restarted_at > restarts_every:
            starts, restarted_at = SessionStarts(folder, clock, clock), clock.now
    return num


async def test_sessions_that_live_a_second_are_begun_a_hundred_times_a_day() -> None:
    assert await identifies_in_a_day(Clock(), None, lifetime=1.0) < 120


async def test_a_day_has_fewer_sessions_than_discord_allows_however_long_they_live() -> None:
    assert 800 < await identifies_in_a_day(Clock(), None, lifetime=61.0) <= 901


async def test_a_process_that_is_restarted_again_and_again_keeps_the_budget(tmp_path: Path) -> None:
    clock = Clock()

    num = await identifies_in_a_day(clock, tmp_path, lifetime=2.0, restarts_every=0.0)

    assert 800 < num <= 901
    assert (tmp_path / "gateway-sessions.json").stat().st_mode & 0o777 == 0o600


async def test_a_bot_in_very_many_guilds_may_begin_as_many_sessions_at_once_as_it_has_shards() -> None:
    budget, num = IdentifyBudget(clock=Clock(), sessions_per_day=2000), 0
    while await budget.wait_seconds() == 0:
        await budget.spend()
        num += 1

    assert num == 400


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"left": "x", "counted_at": 1}', '{"left": 1e9, "counted_at": 0}', '{"left": NaN}']
)
async def test_a_count_that_cannot_be_read_is_begun_anew(tmp_path: Path, content: str) -> None:
    (tmp_path / "gateway-sessions.json").write_text(content, encoding="utf-8")
    starts = SessionStarts(tmp_path)

    assert await starts.pause_seconds() == 0
    await starts.begin()


async def test_stop_ends_a_long_pause_between_sessions(server: LoopbackDiscord, enter: OpenHouse) -> None:
    server.faults.add_to_gateway(OP9, nth=tuple(range(1, 9)), event="READY")

    async with enter(server, waits_until_ready=False) as house:
        await server.wait_until(lambda: server.gateway.counts["identifies"] == 3, timeout=60)
        house.stop.set()
        async with asyncio.timeout(20):
            await asyncio.wait([house.running])

    assert server.gateway.counts["identifies"] <= 4


async def test_an_event_that_arrives_while_the_client_closes_is_left_to_the_next_session() -> None:
    heard: list[str] = []
    async with TrinityClient() as client:
        client.on_connect = lambda: heard.append("connect")

    client.dispatch("connect")
    await asyncio.sleep(0)

    assert heard == []


async def test_whoever_waits_at_the_gate_is_let_through_as_soon_as_it_is_known_that_nothing_was_missed() -> None:
    gate = Gate()
    gate.open_but_for([1, 2])
    waiting = [asyncio.create_task(gate.passage(channel_id)) for channel_id in (1, 2, 3)]
    await asyncio.sleep(0)

    gate.shut()
    barriers = gate.open_but_for([2])
    await asyncio.sleep(0)
    await asyncio.wait(waiting, timeout=60, return_when=asyncio.FIRST_COMPLETED)
    async with asyncio.timeout(60):
        await asyncio.gather(waiting[0], waiting[2])

    assert not waiting[1].done()
    gate.open_channel(2, barriers[2])
    async with asyncio.timeout(60):
        await waiting[1]


async def test_an_older_catch_up_does_not_open_what_a_newer_one_keeps_shut() -> None:
    gate = Gate()
    older = gate.open_but_for([1])
    gate.shut()
    newer = gate.open_but_for([1])
    waiting = asyncio.create_task(gate.passage(1))

    gate.open_channel(1, older[1])
    await asyncio.sleep(0.01)
    assert not waiting.done()

    gate.open_channel(1, newer[1])
    async with asyncio.timeout(60):
        await waiting


async def test_a_second_session_while_missed_messages_are_fetched_lets_live_questions_through(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    alice, general, other = server.person("Alice"), server.channel("general"), server.channel("other")
    async with enter(server) as house:
        await ask(house)
    missed = await alice.says(other, "missed", mention=True)
    pages = server.faults.add(Hang(), method="GET", route=PAGES.format(other.id), times=1)

    async with enter(server, waits_until_ready=False) as house:
        await server.wait_until(lambda: pages.num_hits == 1, timeout=60)
        live = await alice.says(other, "live", mention=True)
        server.gateway.invalidate(is_resumable=False)
        await house.reaches(missed, "answered", 25)
        await house.reaches(live, "answered", 25)
        await house.reaches(await alice.says(general, "elsewhere", mention=True), "answered")


async def test_permissions_are_computed_only_where_something_was_missed(
    server: LoopbackDiscord, enter: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with enter(server) as house:
        await ask(house)
    for number in range(10):
        guild = server.add_guild(f"guild {number}")
        for place in range(50):
            channel = server.channel(f"channel {place}", guild)
            channel.messages.append(_OldMessage())
    missed = await server.person("Alice").says(server.channel("general"), "missed", mention=True)
    computed: list[int] = []
    compute = discord.TextChannel.permissions_for

    def counted(channel: discord.TextChannel, whom: discord.Member) -> discord.Permissions:
        computed.append(channel.id)
        return compute(channel, whom)

    monkeypatch.setattr(discord.TextChannel, "permissions_for", counted)
    async with enter(server) as house:
        await house.reaches(missed, "answered")

    assert set(computed) == {server.channel("general").id}


class _OldMessage:
    """A message of last week, of which only the id is told."""

    def __init__(self) -> None:
        self.id = Snowflakes().next_id() - (7 * 86_400_000 << 22)
