"""Messages between people and a plain discord.py client."""

import io

import discord
import pytest

from tests.loopback import LoopbackDiscord, MessageKind
from tests.loopback_selftest.conftest import PlainClient


async def test_a_mention_is_heard_and_answered(server: LoopbackDiscord, client: PlainClient):
    alice, general = server.person("Alice"), server.channel("general")

    async def respond(message: discord.Message) -> None:
        async with message.channel.typing():
            await message.reply(f"hello {message.author.display_name}", mention_author=False, suppress_embeds=True)

    client.responder = respond
    question = await alice.says(general, "hi", mention=True)
    answer = await general.answer_to(question, until=bool)

    assert answer.text == "hello Alice"
    assert server.transcript(general) == [f"Alice: {server.bot.mention} hi", "Trinity: hello Alice"]
    assert client.user in client.heard[0].mentions
    assert [act.kind for act in server.journal.acts_of(server.bot.user)] == ["typing", "create"]
    assert server.violations == []


async def test_text_of_others_is_blank_without_the_content_intent(server: LoopbackDiscord, client: PlainClient):
    alice, general = server.person("Alice"), server.channel("general")
    first = await alice.says(general, "hello", mention=True)
    await server.wait_until(lambda: client.heard)
    own = await client.heard[0].channel.send("mine")

    await alice.says(general, "not for the bot")
    await alice.replies(server.world.messages[own.id], "without a ping", ping=False)
    await alice.replies(server.world.messages[own.id], "with a ping")
    await alice.dms("in private")
    await server.wait_until(lambda: len(client.heard) == 6)

    texts = [message.content for message in client.heard]
    assert texts == [f"{server.bot.mention} hello", "mine", "", "", "with a ping", "in private"]
    assert client.heard[3].mentions == []
    assert client.heard[3].reference.message_id == own.id
    assert client.heard[3].reference.resolved.content == "mine"
    assert client.heard[5].guild is None
    fetched = [message.content async for message in client.heard[0].channel.history(limit=10, oldest_first=True)]
    assert fetched == [first.content, "mine", "", "", "with a ping"]


async def test_edits_and_deletions_reach_both_sides(server: LoopbackDiscord, client: PlainClient):
    alice, general = server.person("Alice"), server.channel("general")
    channel = client.get_channel(general.id)
    await server.wait_until(lambda: client.get_channel(general.id))
    question = await alice.says(general, "first", mention=True)
    reply = await channel.send("one", suppress_embeds=True)

    await reply.edit(content="two", suppress=True)
    await alice.edits(question, f"{server.bot.mention} second")
    await alice.deletes(question)
    await server.wait_until(lambda: "MESSAGE_DELETE" in client.events)

    assert [revision.content for revision in server.world.messages[reply.id].revisions] == ["one", "two"]
    assert client.events.count("MESSAGE_UPDATE") == 2
    assert server.transcript(general) == ["Trinity: two"]
    assert question.is_deleted
    assert server.violations == []
    await reply.edit(content="three")  # discord.py's default brings the embeds back
    assert [violation.rule for violation in server.violations] == ["embeds"]


async def test_history_pages_are_those_of_discord(server: LoopbackDiscord, client: PlainClient):
    alice, general = server.person("Alice"), server.channel("general")
    posted = [await alice.says(general, str(number)) for number in range(9)]
    channel = client.get_channel(general.id)

    async def ids(**bounds: discord.Object) -> list[int]:
        return [posted_ids.index(message.id) async for message in channel.history(limit=3, **bounds)]

    posted_ids = [message.id for message in posted]
    middle = discord.Object(posted_ids[4])
    assert await ids() == [8, 7, 6]
    assert await ids(before=middle) == [3, 2, 1]
    assert await ids(after=middle) == [5, 6, 7]
    assert sorted(await ids(around=middle)) == [3, 4, 5]
    assert (await client.fetch_channel(general.id)).last_message_id == posted_ids[-1]


async def test_impossible_messages_are_refused_with_discords_codes(server: LoopbackDiscord, client: PlainClient):
    channel = client.get_channel(server.channel("general").id)
    alices = await server.person("Alice").says(server.channel("general"), "mine", mention=True)

    codes = []
    for content in ("x" * 2001, "😀" * 1001, " \n "):
        with pytest.raises(discord.HTTPException) as refusal:
            await channel.send(content)
        codes.append((refusal.value.status, refusal.value.code))
    with pytest.raises(discord.Forbidden) as refusal:
        await channel.get_partial_message(alices.id).edit(content="stolen")
    with pytest.raises(discord.NotFound) as missing:
        await channel.fetch_message(1)
    at_the_limit = await channel.send("x" * 2000)

    assert codes == [(400, 50035), (400, 50035), (400, 50006)]
    assert refusal.value.code == 50005
    assert missing.value.code == 10008
    assert len(at_the_limit.content) == 2000
    assert {"too_long", "empty", "foreign_edit"} <= {violation.rule for violation in server.violations}


async def test_the_same_nonce_creates_nothing_new(server: LoopbackDiscord, client: PlainClient):
    general = server.channel("general")
    channel = client.get_channel(general.id)

    first = await channel.send("once", nonce="abc", suppress_embeds=True)
    again = await channel.send("twice", nonce="abc", suppress_embeds=True)
    await first.delete()
    with pytest.raises(discord.NotFound) as gone:
        await channel.send("thrice", nonce="abc", suppress_embeds=True)

    assert again.id == first.id
    assert gone.value.code == 10008
    assert len(general.messages) == 1
    assert [act.kind for act in server.journal.acts] == ["create", "repeat", "delete", "repeat"]


async def test_every_kind_of_author_and_message_arrives(server: LoopbackDiscord, client: PlainClient):
    general = server.channel("general")

    await server.other_bot("Robo").says(general, "beep", mention=True)
    await server.webhook("Builds").says(general, "green", mention=True)
    await server.system_message(general, MessageKind.JOIN)
    await server.person("Alice").says(general, f"{server.bot.mention} @everyone")
    await server.wait_until(lambda: len(client.heard) == 4)

    robo, hook, joined, everyone = client.heard
    assert robo.author.bot
    assert hook.webhook_id is not None
    assert joined.is_system()
    assert everyone.mention_everyone
    server.redeliver(server.channel("general").messages[0])
    await server.wait_until(lambda: len(client.heard) == 5)
    assert client.heard[4].id == robo.id


async def test_a_thread_has_a_parent_and_messages_of_its_own(server: LoopbackDiscord, client: PlainClient):
    alice, general = server.person("Alice"), server.channel("general")
    thread = await alice.opens_thread(general, "side talk")
    await server.wait_until(lambda: client.get_channel(general.id).get_thread(thread.id))

    await alice.says(thread, "hi", mention=True)
    await server.wait_until(lambda: client.heard)
    await client.heard[0].channel.send("hello", suppress_embeds=True)

    assert client.heard[0].channel.parent_id == general.id
    assert server.transcript(thread)[-1] == "Trinity: hello"
    assert server.transcript(general) == []


async def test_pings_happen_only_where_they_are_allowed(server: LoopbackDiscord, client: PlainClient):
    alice = server.person("Alice")
    channel = client.get_channel(server.channel("general").id)

    silent = await channel.send(f"{alice.mention} @everyone", suppress_embeds=True)
    loud = await channel.send(
        alice.mention, suppress_embeds=True, allowed_mentions=discord.AllowedMentions(users=True, everyone=True)
    )

    assert server.world.messages[silent.id].mentions == []
    assert server.world.messages[loud.id].mentions == [alice.user]
    assert [violation.rule for violation in server.violations] == ["allowed_mentions"]


async def test_an_uploaded_file_arrives_with_its_bytes(server: LoopbackDiscord, client: PlainClient):
    channel = client.get_channel(server.channel("general").id)

    file = discord.File(io.BytesIO(b"long"), "answer.txt")
    sent = await channel.send("the beginning", file=file, suppress_embeds=True)

    assert sent.attachments[0].filename == "answer.txt"
    assert server.world.messages[sent.id].files == {"answer.txt": b"long"}
    assert server.violations == []
