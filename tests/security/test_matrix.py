"""Roles x places x commands x lists, generated: every command, button and form, by everybody, everywhere."""

from collections.abc import AsyncIterator, Collection, Iterable
from dataclasses import replace
from itertools import product
from typing import Any

import discord
import pytest

from bot.chat.access import Access, AccessList
from bot.delivery.transport import Button, ButtonKind
from bot.discord.access import NOT_ADMITTED
from bot.discord.client import TrinityClient
from bot.discord.commands.asking import MENU
from bot.discord.commands.shared import MAY_NOT, Right
from bot.discord.components import ReplyButton, ReplyButtonKind, custom_id_of, view_of_reply
from bot.discord.forms import form_id
from tests.discord.conftest import OpenHouse
from tests.discord.house import House
from tests.loopback import Channel, Interaction, LoopbackDiscord, Permission, Person, without_waits
from tests.loopback.interaction import COMPONENT, MODAL_SUBMIT
from tests.security.test_permissions import ALWAYS, ROLES, person_with, places, state

FILE = {"id": "1", "filename": "a", "size": 1, "url": "http://x/a", "proxy_url": "http://x/a"}
VALUES: dict[discord.AppCommandOptionType, Any] = {
    discord.AppCommandOptionType.string: "x",
    discord.AppCommandOptionType.integer: 1,
    discord.AppCommandOptionType.attachment: FILE,
}


@pytest.fixture
async def server() -> AsyncIterator[LoopbackDiscord]:
    """A Discord that waits longer for answers, because very much is asked of the bot at once."""
    async with LoopbackDiscord(replace(without_waits(), interaction_deadline_seconds=60.0)) as running:
        yield running


async def commands() -> dict[str, dict[str, Any]]:
    """Every slash command, with what it needs."""
    async with TrinityClient() as client:
        return {
            f"/{command.qualified_name}": {
                option.display_name: option.choices[0].value if option.choices else VALUES[option.type]
                for option in command.parameters
                if option.required
            }
            for command in client.tree.walk_commands()
            if isinstance(command, discord.app_commands.Command)
        }


def buttons(question_id: int) -> list[str]:
    """The custom ids of every button, of this version and of another."""
    below_answers = [custom_id_of(Button(kind, question_id, 0)) for kind in ButtonKind]
    view = view_of_reply(tuple(ReplyButton(kind) for kind in ReplyButtonKind), "en")
    below_replies = [each.custom_id for each in view.children] if view else []
    return [*below_answers, *below_replies, "turn:other:1:0", "reply:other"]


def click(server: LoopbackDiscord, person: Person, channel: Channel, custom_id: str) -> Interaction:
    data = {"component_type": 2, "custom_id": custom_id, "id": 1}
    source = next(message for message in server.world.messages.values() if message.author is server.bot.user)
    return server.interactions.begin(server.bot, person.user, channel, COMPONENT, data, custom_id, source)


def send(server: LoopbackDiscord, person: Person, channel: Channel, custom_id: str) -> Interaction:
    fields = [{"type": 4, "custom_id": custom_id, "value": "x"} for custom_id in ("name", "prompt", "question")]
    data = {"custom_id": custom_id, "components": [{"type": 1, "components": [field]} for field in fields]}
    return server.interactions.begin(server.bot, person.user, channel, MODAL_SUBMIT, data, custom_id)


LISTS = {
    "a blocked person": lambda people, _: Access(blocked=AccessList(users=frozenset(p.id for p in people))),
    "not among the allowed ones": lambda *_: Access(allowed=AccessList(users=frozenset({1}))),
    "another place is allowed": lambda *_: Access(allowed=AccessList(channels=frozenset({1}))),
    "without the allowed role": lambda *_: Access(allowed=AccessList(roles=frozenset({1}))),
    "a blocked server, no direct messages": lambda _, guild: Access(
        blocked=AccessList(guilds=frozenset({guild})), direct_messages=False
    ),
}


def shortened(every: Iterable[tuple[str, str]], short: Collection[tuple[str, str]]) -> list[Any]:
    """All of them, but for the short run only some."""
    return [pytest.param(*each, marks=() if each in short else pytest.mark.soak) for each in every]


@pytest.mark.parametrize(
    ("rule", "place"),
    shortened(
        product(LISTS, ("channel", "thread", "direct message")),
        {
            ("a blocked person", "channel"),
            ("without the allowed role", "thread"),
            ("a blocked server, no direct messages", "direct message"),
        },
    ),
)
async def test_whoever_is_not_admitted_can_do_nothing_by_any_command_button_or_form(
    server: LoopbackDiscord, enter: OpenHouse, rule: str, place: str
) -> None:
    people = [server.person("Alice"), server.person("Mod", permissions=Permission.ADMINISTRATOR)]
    general, known = server.channel("general"), await commands()
    thread = await server.owner.opens_thread(general, "aside")
    async with enter(server) as house:
        question = await people[0].says(general, "swordfish", mention=True)
        await house.reaches(question, "answered")
        before = state(house)

    async with enter(server, access=LISTS[rule](people, server.guild.id)) as house:
        await server.wait_until(lambda: server.bot.commands)
        for person in people:
            channel = {"channel": general, "thread": thread}.get(place) or person.dm_channel()
            used = [
                await person.uses(command, channel, **options)
                for command, options in known.items()
                if command != "/thread" or channel.guild
            ]
            used += [await person.picks(MENU, question)]
            used += [click(server, person, channel, custom_id) for custom_id in buttons(question.id)]
            used += [send(server, person, channel, form_id(kind)) for kind in ("persona", "question", "other")]
            for each in used:
                await each.answered(timeout=60)

            assert {(each.name, each.text) for each in used if each.text != NOT_ADMITTED} == set()
            assert all(each.is_ephemeral for each in used)
        assert house.engine.requests == []
        assert state(house) == before
        assert len((await house.history.load(house.key)).turns) == 1


MANAGERS = ALWAYS | {"channel manager"}
MAY = {
    Right.CHANGE_PERSONAS: {"managers": MANAGERS, "everyone": {*ROLES}},
    Right.RESET: {"managers": MANAGERS, "everyone": {*ROLES}},
    Right.CHANGE_SETTINGS: {"managers": MANAGERS, "everyone": MANAGERS},
    Right.CHANGE_GUILD_SETTINGS: {"managers": ALWAYS | {"guild manager"}, "everyone": ALWAYS | {"guild manager"}},
}
"""Who may do what in a channel, where personas and resets are for managers, and where they are for everyone."""
ACTS: dict[Right, tuple[tuple[str, dict[str, Any]], ...]] = {
    Right.CHANGE_PERSONAS: (("/persona use", {"name": "pirate"}), ("/persona clear", {}), ("/persona undo", {})),
    Right.RESET: (("/reset", {}), ("/reset", {"undo": True})),
    Right.CHANGE_SETTINGS: (
        ("/settings set", {"name": "top_k", "value": "5"}),
        ("/settings clear", {"name": "top_k"}),
    ),
    Right.CHANGE_GUILD_SETTINGS: (
        ("/settings set", {"name": "top_k", "value": "5", "scope": "server"}),
        ("/settings clear", {"name": "top_k", "scope": "server"}),
    ),
}


@pytest.mark.parametrize(
    ("place", "choice"),
    shortened(
        product(("channel", "thread"), ("managers", "everyone")), {("thread", "managers"), ("channel", "everyone")}
    ),
)
async def test_every_role_may_exactly_what_it_may_wherever_that_was_chosen(
    server: LoopbackDiscord, enter: OpenHouse, place: str, choice: str
) -> None:
    found = await places(server)
    async with enter(server) as house:
        await server.wait_until(lambda: server.bot.commands)
        owner, channel = server.owner, found[place](server.owner)
        for name in ("persona_changes", "resets"):
            used = await owner.uses("/settings set", channel, name=name, value=choice)
            await used.answered(timeout=60)
        refused, expected = await refusals(server, house, channel, choice)

    assert refused == expected
    assert not server.violations


async def refusals(
    server: LoopbackDiscord, house: House, channel: Channel, choice: str
) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Who was refused what, and who should have been: each act by each role, and a click on Undo."""
    refused, expected = set(), set()
    undo = buttons(0)[len(ButtonKind)]
    for role in ROLES:
        person = person_with(server, role)
        used = {
            (right, f"{command} {options}"): await person.uses(command, channel, **options)
            for right, acts in ACTS.items()
            for command, options in acts
        }
        form = send(server, person, channel, form_id("persona"))
        clicked = click(server, person, channel, undo)
        for (right, act), interaction in used.items():
            await interaction.answered(timeout=60)
            if interaction.text == MAY_NOT[right]:
                assert interaction.is_ephemeral
                refused.add((role, act))
            if role not in MAY[right][choice]:
                expected.add((role, act))
        await server.wait_until(lambda form=form, clicked=clicked: form.text and clicked.followups)
        for right, act, text in (
            (Right.CHANGE_PERSONAS, "form", form.text.partition("\n")[0]),
            (Right.RESET, "click", clicked.followups[0].content),
        ):
            if text == MAY_NOT[right]:
                refused.add((role, act))
            if role not in MAY[right][choice]:
                expected.add((role, act))
    return refused, expected
