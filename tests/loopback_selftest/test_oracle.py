"""The oracle has to see every way in which a bot can be wrong."""

import sqlite3
from pathlib import Path

import discord
import pytest

from tests.loopback import Expectation, LoopbackDiscord, MessageKind, judge, judge_database
from tests.loopback_selftest.conftest import PlainClient


class Bot:
    """Answers as Trinity does, with its nonces; a test makes it misbehave."""

    def __init__(self, server: LoopbackDiscord, client: PlainClient) -> None:
        self._server, self._client = server, client

    async def says(self, question: object, text: str, place: str = "a0.0", **fields: object) -> discord.Message:
        channel = self._client.get_channel(question.channel.id) or await self._client.fetch_channel(question.channel.id)
        place_in_channel = discord.MessageReference(message_id=question.id, channel_id=question.channel.id)
        if place.endswith(".0"):
            fields.setdefault("reference", place_in_channel)
        return await channel.send(
            text, nonce=f"{question.id:x}{place}", suppress_embeds=True, mention_author=False, **fields
        )


@pytest.fixture
def bot(server: LoopbackDiscord, client: PlainClient) -> Bot:
    return Bot(server, client)


async def test_right_answers_are_counted_and_pass(server: LoopbackDiscord, bot: Bot):
    alice, general = server.person("Alice"), server.channel("general")
    first = await alice.says(general, "one", mention=True)
    second = await alice.dms("two")
    third = await alice.says(general, "three", mention=True)
    withdrawn = await alice.says(general, "four", mention=True)
    await alice.says(general, "not for the bot")
    await server.other_bot("Robo").says(general, "five", mention=True)

    await bot.says(first, "first half")
    await bot.says(first, "second half", "a0.1")
    await bot.says(second, "two it is")
    await bot.says(third, "busy", "n0.0")
    await alice.deletes(withdrawn)

    expectation = Expectation(reply_to=lambda question: "first halfsecond half" if question is first else None)
    verdict = judge(server, expectation).require(turns=4, replies=2, notices=1)
    assert verdict.num_excused == 1
    assert verdict.num_creates == 4


async def test_a_scenario_in_which_nothing_happens_fails(server: LoopbackDiscord):
    with pytest.raises(AssertionError, match="nothing was judged"):
        judge(server).require()
    with pytest.raises(AssertionError, match="num_turns is 0, not 1"):
        judge(server).require(turns=1)


async def test_every_way_of_being_wrong_is_seen(server: LoopbackDiscord, client: PlainClient, bot: Bot):
    alice, general, order = server.person("Alice"), server.channel("general"), server.channel("order")
    await server.wait_until(lambda: client.get_channel(order.id))
    silent = await alice.says(general, "silent", mention=True)
    twice = await alice.says(general, "twice", mention=True)
    wrong = await alice.says(general, "wrong", mention=True)
    uncalled = await alice.says(general, "uncalled")
    robo = await server.other_bot("Robo").says(general, "beep", mention=True)
    half = await alice.says(general, "half", mention=True)
    early = await alice.says(order, "early", mention=True)
    late = await alice.says(order, "late", mention=True)

    await bot.says(twice, "once")
    await bot.says(twice, "once more", "a1.0")
    await bot.says(wrong, "nonsense")
    await bot.says(uncalled, "you called?")
    boop = await bot.says(robo, "boop")
    await bot.says(server.world.messages[boop.id], "talking to myself")
    await bot.says(half, "half of it ▌")
    await bot.says(late, "late")
    await bot.says(early, "early", allowed_mentions=discord.AllowedMentions(users=True))

    expectation = Expectation(
        reply_to=lambda question: "right" if question is wrong else None,
        is_unfinished=lambda text: text.endswith("▌"),
    )
    problems = "\n".join(judge(server, expectation).problems)
    for expected in (
        "silent' has no answer",
        "is answered twice",
        "reads 'nonsense', not 'right'",
        "uncalled' was not meant for the bot",
        "Robo: '<@",
        "Trinity: 'boop' was not meant for the bot",
        "left unfinished",
        "not in the order",
        "allowed_mentions",
    ):
        assert expected in problems, expected
    assert silent.id not in [act.message.replies_to for act in server.journal.acts_of(kind="create") if act.message]


async def test_plain_replies_without_labels_are_told_apart(server: LoopbackDiscord, client: PlainClient):
    alice, general = server.person("Alice"), server.channel("general")

    async def respond(message: discord.Message) -> None:
        await message.reply("first part", mention_author=False, suppress_embeds=True)
        await message.channel.send("second part", suppress_embeds=True)

    client.responder = respond
    one = await alice.says(general, "one", mention=True)
    await general.answer_to(one, until=lambda text: "second" in text)
    two = await alice.says(general, "two", mention=True)
    answer = await general.answer_to(two, until=lambda text: "second" in text)

    assert [part.content for part in answer.parts] == ["first part", "second part"]
    judge(server).require(turns=2, replies=2)


async def test_a_hint_for_a_reply_without_ping_is_no_answer_to_a_stranger(server: LoopbackDiscord, bot: Bot):
    alice, general = server.person("Alice"), server.channel("general")
    asked = await alice.says(general, "one", mention=True)
    answer = await bot.says(asked, "one it is")
    unpinged = await alice.replies(server.world.messages[answer.id], "and then?", ping=False)
    await server.system_message(general, MessageKind.JOIN)

    await bot.says(unpinged, "turn the @ on", "h0.0")

    judge(server).require(turns=1, replies=1)
    await bot.says(unpinged, "here is an answer", "a0.0")
    assert any("not meant for the bot" in problem for problem in judge(server).problems)


def test_a_database_is_checked_and_counted(tmp_path: Path):
    path = tmp_path / "trinity.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "CREATE TABLE conversations (id INTEGER PRIMARY KEY);"
            "CREATE TABLE inbox (state TEXT, conversation_id INTEGER REFERENCES conversations);"
            "INSERT INTO conversations VALUES (1);"
            "INSERT INTO inbox VALUES ('answered', 1), ('answered', 1), ('failed', 1);"
        )
    connection.close()

    judge_database(path).require(answered=2, failed=1, waiting=0)
    with pytest.raises(AssertionError, match="answered: 2, not 3"):
        judge_database(path).require(answered=3)

    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO inbox VALUES ('answered', 2)")
    connection.close()
    with pytest.raises(AssertionError, match="num_broken_references=1"):
        judge_database(path).require()
