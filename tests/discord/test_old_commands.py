"""Commands that Discord still shows in an old form, and commands that it refuses."""

from dataclasses import dataclass

import pytest
from aiohttp import web

from bot.discord.command_replies import NOT_TAKEN
from bot.discord.commands.tree import GONE, OUTDATED
from bot.words import phrase
from tests.discord.conftest import OpenHouse
from tests.discord.house import COMMANDS, House, ask
from tests.loopback import Garbled, Interaction, LoopbackDiscord, Permission, WordFilter
from tests.loopback.interaction import AUTOCOMPLETE, COMMAND
from tests.loopback.wire import Call, json_answer

ROUTE = "/applications/*/commands"


def persona(name: str, *options: dict) -> dict:
    return {"name": "persona", "type": 1, "options": [{"name": name, "type": 1, "options": list(options)}]}


async def use(house: House, data: dict, kind: int = COMMAND) -> Interaction:
    server = house.server
    alice = server.person("Alice", permissions=Permission.MANAGE_CHANNELS)
    await alice.says(server.channel("general"), "I am here")
    return server.interactions.begin(server.bot, alice.user, server.channel("general"), kind, {"id": "1"} | data, "old")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"name": "summarize", "type": 1}, GONE),
        ({"name": "summarize", "type": 1, "guild_id": "5"}, GONE),
        ({"name": "Explain this", "type": 3, "target_id": "1"}, GONE),
        ({"name": "Who is this", "type": 2, "target_id": "1"}, GONE),
        (persona("rename"), GONE),
        ({"name": "help", "type": 1, "options": [{"name": "more", "type": 1}]}, GONE),
        ({"name": "persona", "type": 1}, OUTDATED),
        (persona("use"), OUTDATED),
        (persona("set", {"name": "name", "type": 3, "value": "own"}), OUTDATED),
        (persona("use", {"name": "who", "type": 3, "value": "pirate"}), OUTDATED),
        (persona("use", {"name": "name", "type": 4, "value": 5}), OUTDATED),
        (persona("use", {"name": "name", "type": 5, "value": True}), OUTDATED),
        (persona("use", {"name": "name", "type": 3, "value": None}), OUTDATED),
        (persona("use", {"name": "name", "type": 6, "value": "123"}), OUTDATED),
    ],
    ids=str,
)
async def test_a_command_that_is_no_longer_so_is_one_log_line_and_words_that_help(
    house: House, caplog: pytest.LogCaptureFixture, data: dict, words: str
) -> None:
    used = await (await use(house, data)).answered()

    assert used.text == words
    assert used.is_ephemeral
    assert [record.levelname for record in caplog.records if record.levelno >= 30] == ["WARNING"]
    assert "Traceback" not in caplog.text
    assert "pirate" not in caplog.text


async def test_names_for_a_command_that_is_gone_are_none(house: House, caplog: pytest.LogCaptureFixture) -> None:
    data = {"name": "summarize", "type": 1, "options": [{"name": "who", "type": 3, "value": "p", "focused": True}]}

    used = await use(house, data, AUTOCOMPLETE)
    await house.server.wait_until(lambda: used.acknowledged_at)

    assert used.choices == []
    assert "Traceback" not in caplog.text


@dataclass(frozen=True, slots=True)
class Refuse:
    """Takes no list of commands in which one of this name is; the error may say which one it is."""

    name: str
    says_which: bool

    async def before(self, call: Call) -> web.Response | None:
        names = [command["name"] for command in await call.body()]
        if self.name not in names:
            return None
        problem = {"_errors": [{"code": "BASE_TYPE_BAD_LENGTH", "message": "Must be between 1 and 100 in length."}]}
        inner = {"options": {"2": {"description": problem}}}
        errors = {str(names.index(self.name)): inner} if self.says_which else inner
        return json_answer({"code": 50035, "message": "Invalid Form Body", "errors": errors}, status=400)

    async def after(self, call: Call, answer: web.Response) -> web.Response:
        return answer


@pytest.mark.parametrize("name", [COMMANDS[0], COMMANDS[1], COMMANDS[-1]])
@pytest.mark.parametrize("says_which", [True, False])
async def test_a_refused_command_is_named_with_its_field_and_costs_no_other(
    server: LoopbackDiscord, enter: OpenHouse, caplog: pytest.LogCaptureFixture, name: str, says_which: bool
) -> None:
    server.faults.add(Refuse(name, says_which), method="PUT", route=ROUTE)

    async with enter(server) as house:
        await server.wait_until(lambda: len(server.bot.commands.get(None, [])) == len(COMMANDS) - 1)
        await ask(house)

    assert {command["name"] for command in server.bot.commands[None]} == {*COMMANDS} - {name}
    refusals = [record.message for record in caplog.records if record.levelname == "ERROR"]
    assert refusals == [f"Discord refuses the command /{name}: options.2.description BASE_TYPE_BAD_LENGTH"]


async def test_where_every_command_is_refused_questions_are_answered(
    server: LoopbackDiscord, enter: OpenHouse, caplog: pytest.LogCaptureFixture
) -> None:
    for name in COMMANDS:
        server.faults.add(Refuse(name, says_which=True), method="PUT", route=ROUTE)

    async with enter(server) as house:
        await server.wait_until(lambda: f"registered 0 of {len(COMMANDS)}" in caplog.text)
        await ask(house)

    assert house.num_ready == 1


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_commands_are_registered_after_an_answer_that_cannot_be_read(
    server: LoopbackDiscord, enter: OpenHouse, method: str
) -> None:
    planned = server.faults.add(Garbled(), method=method, route=ROUTE, times=1)

    async with enter(server):
        await server.wait_until(lambda: server.bot.commands)

    assert planned.num_hits == 1
    assert len(server.bot.commands[None]) == len(COMMANDS)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b"<html>"])
async def test_a_command_is_answered_where_its_acknowledgement_cannot_be_read(
    house: House, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    planned = house.server.faults.add(
        Garbled(body, after_effect=True), method="POST", route="/interactions/*/*/callback"
    )

    used = await (await use(house, {"name": "help", "type": 1})).answered()

    assert planned.num_hits == 1
    assert used.text.startswith(phrase("help"))
    assert "Traceback" not in caplog.text


async def test_a_commands_answer_that_discord_does_not_take_is_told(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.server.faults.add(WordFilter("Mention"), method="POST", route="/interactions/*/*/callback")

    used = await (await use(house, {"name": "help", "type": 1})).answered()

    assert used.text == NOT_TAKEN
    assert "Traceback" not in caplog.text
