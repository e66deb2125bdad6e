"""No way round the operator's lists: every rule with every person in every place by every act, one as the other."""

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest

import bot
from bot.chat.access import Access, AccessList, AccessVerdict, Visit
from bot.discord.access import NOT_ADMITTED
from tests.discord.conftest import OpenHouse
from tests.discord.house import House
from tests.loopback import Channel, ChannelKind, Interaction, LoopbackDiscord, Message, Permission, Person
from tests.loopback.interaction import AUTOCOMPLETE

COMPLETING = {
    "type": 1,
    "id": "1",
    "name": "persona",
    "options": [
        {"type": 1, "name": "use", "options": [{"type": 3, "name": "name", "value": "p", "focused": True}]}
    ],
}  # fmt: skip
PLACES = ("channel", "thread", "channel without a category", "other guild", "direct message")
RULES = (
    "none", "allowed category", "allowed role", "allowed user", "blocked guild", "blocked channel", "blocked role",
    "direct messages off",
    "allowed role and blocked channel", "allowed guild and user, direct messages on",
)  # fmt: skip


@dataclass
class World:
    """Two people, one of them with a role, and every kind of place."""

    server: LoopbackDiscord
    people: dict[str, Person]
    role_id: int
    guild_id: int
    category_id: int
    places: dict[str, Channel]

    def place(self, name: str, person: Person) -> Channel:
        return person.dm_channel() if name == "direct message" else self.places[name]

    def access(self, rule: str) -> Access:
        ids = {
            "guild": ("guilds", self.guild_id),
            "channel": ("channels", self.places["channel"].id),
            "category": ("channels", self.category_id),
            "role": ("roles", self.role_id),
            "user": ("users", self.people["with a role"].user.id),
        }

        def listed(*kinds: str) -> AccessList:
            return AccessList(**{ids[kind][0]: frozenset({ids[kind][1]}) for kind in kinds})

        special = {
            "none": Access(),
            "direct messages off": Access(direct_messages=False),
            "allowed role and blocked channel": Access(listed("role"), listed("channel")),
            "allowed guild and user, direct messages on": Access(listed("guild", "user"), direct_messages=True),
        }
        if rule in special:
            return special[rule]
        which, kind = rule.split()
        return Access(allowed=listed(kind)) if which == "allowed" else Access(blocked=listed(kind))

    def visit(self, person: Person, channel: Channel) -> Visit:
        """What the world itself knows of it."""
        if channel.guild is None:
            return Visit(person.user.id, None, frozenset({channel.id}))
        above = [channel, channel.parent, (channel.parent or channel).category]
        member = self.server.world.join(channel.guild, person.user)
        roles = frozenset(role.id for role in member.roles)
        return Visit(person.user.id, channel.guild.id, frozenset(each.id for each in above if each), role_ids=roles)


async def build(server: LoopbackDiscord) -> World:
    people = {"with a role": server.person("Alice"), "without": server.person("Bob")}
    category = server.world.add_channel(server.guild, "Games", ChannelKind.CATEGORY)
    channel = server.channel("chess")
    channel.category = category
    places = {
        "channel": channel,
        "thread": await people["without"].opens_thread(channel, "openings"),
        "channel without a category": server.channel("general"),
        "other guild": server.channel("hall", server.add_guild("Other")),
    }
    role = server.give(people["with a role"], Permission.VIEW_CHANNEL)
    return World(server, people, role.id, server.guild.id, category.id, places)


async def complete(server: LoopbackDiscord, person: Person, channel: Channel) -> Interaction:
    if channel.guild is not None:
        server.world.join(channel.guild, person.user)
    return server.interactions.begin(server.bot, person.user, channel, AUTOCOMPLETE, COMPLETING, "persona use")


async def edit_in(house: House, person: Person, channel: Channel) -> Message:
    """A message that only its edit makes a question."""
    message = await person.says(channel, "hello")
    await person.edits(message, f"{house.server.bot.mention} hello")
    return message


@pytest.mark.parametrize("rule", RULES)
async def test_every_way_to_the_bot_is_as_open_as_the_lists_say(
    server: LoopbackDiscord, enter: OpenHouse, rule: str
) -> None:
    world = await build(server)
    access = world.access(rule)
    expected: list[bool] = []

    async with enter(server, access=access) as house:
        await server.wait_until(lambda: server.bot.commands)
        asked, used, completed = [], [], []
        for name in PLACES:
            for person in world.people.values():
                place = world.place(name, person)
                expected.append(access.verdict(world.visit(person, place)) is AccessVerdict.ALLOWED)
                is_edit = person is world.people["without"] and place.guild is not None
                asked.append(
                    await (edit_in(house, person, place) if is_edit else person.says(place, "hi", mention=True))
                )
                used.append(await person.uses("/persona list", place))
                completed.append(await complete(server, person, place))
        for interaction in (*used, *completed):
            await interaction.answered(timeout=60)
        for message, is_open in zip(asked, expected, strict=True):
            if is_open:
                await house.reaches(message, "answered")
        states = [await house.state(message) for message in asked]

    assert [state == "answered" for state in states] == expected
    assert [state is None for state in states] == [not is_open for is_open in expected]
    assert [bool(server.answer_to(message)) for message in asked] == expected
    assert [interaction.text != NOT_ADMITTED for interaction in used] == expected
    assert [bool(interaction.choices) for interaction in completed] == expected
    assert all(interaction.is_ephemeral for interaction in used)
    assert not server.violations
    assert (True in expected, False in expected) == (True, rule != "none")


def test_every_view_and_modal_asks_who_clicks() -> None:
    unchecked = []
    for path in Path(bot.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ClassDef) or not any(_is_clicked(base) for base in node.bases):
                continue
            checks = [each for each in node.body if getattr(each, "name", "") == "interaction_check"]
            asks = [
                call for check in checks for call in ast.walk(check)
                if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "may_interact"
            ]  # fmt: skip
            if not asks:
                unchecked.append(f"{path.name}: {node.name}")

    assert unchecked == []


def _is_clicked(base: ast.expr) -> bool:
    """Whether a class on it gets clicks or a filled-in form from discord.py."""
    named = base.value if isinstance(base, ast.Subscript) else base
    name = named.attr if isinstance(named, ast.Attribute) else getattr(named, "id", "")
    return name in {"View", "LayoutView", "Modal", "DynamicItem"}
