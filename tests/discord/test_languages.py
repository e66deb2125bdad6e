"""People are spoken to in the language of their server, or of their own Discord where they used a command."""

from types import SimpleNamespace

import pytest

from bot.discord.intake import BARE_HINT, TEXT_ONLY
from bot.discord.languages import MAX_REMEMBERED, Languages
from bot.errors import RequestFailed
from bot.words import ENGLISH, phrase
from tests.discord.conftest import OpenHouse
from tests.discord.house import House, ask
from tests.engines import EchoEngine
from tests.loopback import LoopbackDiscord, judge

PICTURE = {
    "id": "1", "filename": "cat.png", "size": 5, "url": "https://cdn.invalid/cat.png",
    "proxy_url": "https://cdn.invalid/cat.png",
}  # fmt: skip
UNKNOWN = phrase("unknown_persona", name="nobody")


@pytest.fixture
def server(server: LoopbackDiscord) -> LoopbackDiscord:
    server.guild.preferred_locale = "de"
    return server


async def test_a_german_servers_notice_is_german(server: LoopbackDiscord, enter: OpenHouse) -> None:
    async with enter(server, engine=EchoEngine(answer=lambda _: RequestFailed())) as house:
        question = await ask(house, state="failed")

    assert server.answer_to(question).text == phrase("request_failed").to("de")
    judge(server).require(turns=1, notices=1)


async def test_a_german_servers_hint_and_small_lines_are_german(house: House) -> None:
    alice, general, server = house.server.person("Alice"), house.server.channel("general"), house.server

    bare = await alice.says(general, "", mention=True)
    await server.wait_until(lambda: server.answer_to(bare))
    question = await alice.says(general, "was ist das?", mention=True, attachments=[PICTURE])
    await house.reaches(question, "answered")

    assert server.answer_to(bare).text == BARE_HINT.to("de")
    assert server.answer_to(question).text.startswith(f"-# {TEXT_ONLY.to('de')}\n")
    judge(server).require(turns=2, notices=1)


async def test_a_thread_speaks_its_servers_language(server: LoopbackDiscord, enter: OpenHouse) -> None:
    async with enter(server, engine=EchoEngine(answer=lambda _: RequestFailed())) as house:
        alice = server.person("Alice")
        thread = await alice.opens_thread(server.channel("general"), "aside")
        question = await alice.says(thread, "hallo", mention=True)
        await house.reaches(question, "failed")

    assert server.answer_to(question).text == phrase("request_failed").to("de")


async def test_a_japanese_members_command_is_answered_in_japanese(house: House) -> None:
    server = house.server
    yuki = server.person("Yuki")
    yuki.user.locale = "ja"

    used = await (await yuki.uses("/persona use", yuki.dm_channel(), name="nobody")).answered()

    assert used.text == UNKNOWN.to("ja")


async def test_a_direct_message_is_answered_in_english_until_a_command_tells_the_language(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    async with enter(server, engine=EchoEngine(answer=lambda _: RequestFailed())) as house:
        pilar = server.person("Pilar")
        pilar.user.locale = "es-419"
        first = await pilar.dms("hola")
        await house.reaches(first, "failed")
        used = await pilar.uses("/help", server.channel("general"))
        await used.answered()
        second = await pilar.dms("¿y ahora?")
        await house.reaches(second, "failed")

    assert server.answer_to(first).text == phrase("request_failed")
    assert server.answer_to(second).text == phrase("request_failed").to("es")


async def test_what_a_locale_has_no_words_for_is_said_in_english(house: House) -> None:
    server = house.server
    server.guild.preferred_locale = "fi"
    aino = server.person("Aino")
    aino.user.locale = "fi"

    used = await (await aino.uses("/persona use", aino.dm_channel(), name="nobody")).answered()

    assert used.text == UNKNOWN


def test_of_very_many_people_the_languages_of_the_latest_are_known() -> None:
    languages = Languages()
    for person in range(1, MAX_REMEMBERED + 2):
        interaction = SimpleNamespace(user=SimpleNamespace(id=person), locale="ja", guild_id=None, channel_id=-person)
        languages.note_interaction(interaction)

    assert languages.of(-1, None) == ENGLISH
    assert languages.of(-2, None) == languages.of(-MAX_REMEMBERED - 1, None) == "ja"
