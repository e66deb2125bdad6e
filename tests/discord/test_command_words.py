"""The commands in every language keep Discord's rules, which discord.py doesn't look at, and are registered once."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import discord
import pytest
from aiohttp import web

from bot.conversation.persona import MAX_PERSONA_NAME_LENGTH, Persona
from bot.delivery.transport import Button, ButtonKind
from bot.discord.client import TrinityClient
from bot.discord.commands.asking import question_form
from bot.discord.commands.persona_form import persona_form
from bot.discord.components import ReplyButton, ReplyButtonKind, view_of, view_of_reply
from bot.discord.translator import Translator
from bot.words import ENGLISH, LANGUAGES, command_name, phrase, sentences
from tests.discord.conftest import OpenHouse
from tests.loopback import LoopbackDiscord
from tests.loopback.wire import Call, json_answer

Command = dict
LOCALES = ["en-US", "de", "es-ES", "es-419", "pt-BR", "ja"]
LONGEST = 8000
"""Characters of a command with all that belongs to it; of each text the longest language counts."""
_SUB_COMMANDS = (1, 2)
_MENUS = (2, 3)


@pytest.fixture
async def commands() -> list[Command]:
    async with TrinityClient() as client:
        return [
            await command.get_translated_payload(client.tree, Translator()) for command in client.tree.get_commands()
        ]


def levels(commands: list[Command], above: str = "") -> Iterator[tuple[str, list[Command]]]:
    """The commands, then the options of each, and so on: each list with the command that it belongs to."""
    yield above, commands
    for command in commands:
        if command.get("options"):
            yield from levels(command["options"], f"{above} {command['name']}".strip())


def name_in(locale: str, command: Command) -> str:
    return command.get("name_localizations", {}).get(locale, command["name"])


def description_in(locale: str, command: Command) -> str:
    return command.get("description_localizations", {}).get(locale, command["description"])


def is_menu(level: str, command: Command) -> bool:
    return not level and command.get("type") in _MENUS


def is_letter_or_digit(character: str) -> bool:
    return unicodedata.category(character)[0] in "LN"


@pytest.mark.parametrize("locale", LOCALES)
async def test_every_name_is_one_that_discord_takes_and_stands_once(commands: list[Command], locale: str) -> None:
    for level, those in levels(commands):
        for command in those:
            name = name_in(locale, command)
            assert 1 <= len(name) <= 32, name
            if not is_menu(level, command):
                assert all(is_letter_or_digit(character) or character in "-_'" for character in name), name
                assert name == name.lower() == unicodedata.normalize("NFC", name)
        names = Counter(name_in(locale, command) for command in those if not is_menu(level, command))
        assert names.most_common(1)[0][1] == 1, (level, names.most_common(1))


@pytest.mark.parametrize("locale", LOCALES)
async def test_every_description_has_at_most_a_hundred_characters(commands: list[Command], locale: str) -> None:
    for level, those in levels(commands):
        for command in those:
            if not is_menu(level, command):
                assert 1 <= len(description_in(locale, command)) <= 100, description_in(locale, command)
            for choice in command.get("choices") or []:
                assert 1 <= len(name_in(locale, choice)) <= 100


async def test_no_list_and_no_command_is_too_long(commands: list[Command]) -> None:
    def longest(command: Command) -> int:
        texts = [max(len(name_in(locale, command)) for locale in LOCALES)]
        if "description" in command:
            texts.append(max(len(description_in(locale, command)) for locale in LOCALES))
        inner = [*(command.get("options") or []), *(command.get("choices") or [])]
        return sum(texts) + len(str(command.get("value", ""))) + sum(map(longest, inner))

    for level, those in levels(commands):
        assert len(those) <= (25 if level else 100)
        assert all(len(command.get("choices") or []) <= 25 for command in those)
    assert max(map(longest, commands)) <= LONGEST


async def test_every_name_and_every_description_is_in_the_file_and_no_other(commands: list[Command]) -> None:
    names, untold = set(), []
    for level, those in levels(commands):
        for command in those:
            is_command = not level or command["type"] in _SUB_COMMANDS
            if not is_menu(level, command):
                names.add(f"/{level} {command['name']}".replace("/ ", "/") if is_command else f"{command['name']}:")
                untold += [
                    command["name"]
                    for locale in LOCALES[1:]
                    if locale not in command.get("description_localizations", {})
                ]
    there = {key for key in sentences() if key.startswith("/") or key.endswith(":")}

    assert names - there == set()
    assert there - names == set()
    assert untold == []


async def test_names_in_english_are_those_of_the_code(commands: list[Command]) -> None:
    assert all("en-US" not in command["name_localizations"] for _, those in levels(commands) for command in those)
    for key, sentence in sentences().items():
        if key.startswith("/"):
            assert sentence[ENGLISH] == key.rpartition(" ")[2].removeprefix("/")
        if key.endswith(":"):
            assert sentence[ENGLISH] == key.removesuffix(":")


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_name_commands_as_people_see_them(language: str) -> None:
    said = phrase("unknown_persona", name="`/reset`").to(language)

    assert f"`/{command_name('persona', language)} {command_name('persona list', language)}`" in said
    assert "`/reset`" in said


def test_every_command_that_a_sentence_names_is_one() -> None:
    named = {match for sentence in sentences().values() for text in sentence.values()
             for match in re.findall(r"`(/[a-z][\w-]*(?: [a-z][\w-]*)?)", text)}  # fmt: skip

    assert named
    assert named - {key for key in sentences() if key.startswith("/")} == set()


async def test_the_translator_says_nothing_of_what_it_does_not_know() -> None:
    unknown = discord.app_commands.locale_str("something else")
    context = discord.app_commands.TranslationContext(discord.app_commands.TranslationContextLocation.other, None)

    assert [await Translator().translate(unknown, locale, context) for locale in discord.Locale] == [None] * 32


@dataclass(frozen=True, slots=True)
class RefuseTranslation:
    """Takes no list of commands in which /reset has a German name or description."""

    async def before(self, call: Call) -> web.Response | None:
        commands = await call.body()
        index, reset = next((index, each) for index, each in enumerate(commands) if each["name"] == "reset")
        if "de" not in reset.get("description_localizations", {}):
            return None
        problem = {"_errors": [{"code": "BASE_TYPE_BAD_LENGTH", "message": "Must be between 1 and 100 in length."}]}
        errors = {str(index): {"description_localizations": {"de": problem}}}
        return json_answer({"code": 50035, "message": "Invalid Form Body", "errors": errors}, status=400)

    async def after(self, call: Call, answer: web.Response) -> web.Response:
        return answer


async def test_a_refused_translation_costs_the_command_its_translations_and_no_more(
    server: LoopbackDiscord, enter: OpenHouse, commands: list[Command], caplog: pytest.LogCaptureFixture
) -> None:
    server.faults.add(RefuseTranslation(), method="PUT", route="/applications/*/commands")

    async with enter(server):
        await server.wait_until(lambda: server.bot.commands)

    taken = {command["name"]: command for command in server.bot.commands[None]}
    assert taken.keys() == {command["name"] for command in commands}
    assert "description_localizations" not in taken["reset"]
    assert "de" in taken["persona"]["description_localizations"]
    assert "Discord refuses the command /reset: description_localizations.de BASE_TYPE_BAD_LENGTH" in caplog.text


async def test_commands_are_registered_once_and_again_where_a_translation_differs(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    for _ in range(2):
        async with enter(server):
            await server.wait_until(lambda: server.bot.commands)
    syncs = [server.bot.num_command_syncs]
    reset = next(command for command in server.bot.commands[None] if command["name"] == "reset")
    reset["description_localizations"]["de"] = "Etwas anderes"
    async with enter(server):
        await server.wait_until(lambda: server.bot.num_command_syncs == 2)

    assert syncs == [1]
    after = next(command for command in server.bot.commands[None] if command["name"] == "reset")
    assert after["description_localizations"]["de"] == sentences()["reset_description"]["de"]


def texts_of(shown: object, key: str) -> Iterator[str]:
    """What stands under a key anywhere in a payload."""
    if isinstance(shown, dict):
        if isinstance(shown.get(key), str):
            yield shown[key]
        shown = list(shown.values())
    if isinstance(shown, list):
        for each in shown:
            yield from texts_of(each, key)


@pytest.mark.parametrize("locale", LOCALES)
async def test_buttons_and_forms_keep_discords_limits_in_every_language(locale: str) -> None:
    buttons = tuple(Button(kind, 2**63 - 1, 999_999_999) for kind in ButtonKind)
    replies = tuple(ReplyButton(kind, 2**63 - 1, 10**19 - 1) for kind in ReplyButtonKind)
    row = [view_of(buttons, locale).to_components(), view_of_reply(replies, locale).to_components()]
    forms = [
        form.to_dict()
        for form in (
            question_form(2**63 - 1, discord.Locale(locale)),
            persona_form(discord.Locale(locale), None),
            persona_form(discord.Locale(locale), Persona("n" * MAX_PERSONA_NAME_LENGTH, "You are brief.")),
        )
    ]

    assert all(len(label) <= 80 for label in texts_of(row, "label"))
    assert all(len(custom_id) <= 100 for custom_id in texts_of([row, forms], "custom_id"))
    assert all(1 <= len(form["title"]) <= 45 for form in forms)
    assert all(1 <= len(label) <= 45 for label in texts_of(forms, "label"))
    assert all(len(shown) <= 100 for shown in texts_of(forms, "placeholder"))
