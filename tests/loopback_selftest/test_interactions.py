"""Slash commands, buttons and modals against a plain discord.py client."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import discord
import pytest
from discord import app_commands

from tests.loopback import LoopbackDiscord, Permission, Rules
from tests.loopback_selftest.conftest import PlainClient, connected


def add_commands(client: PlainClient) -> None:
    @client.tree.command(name="reset", description="Forgets")
    async def reset(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("forgotten", ephemeral=True, suppress_embeds=True)

    @client.tree.command(name="slow", description="Thinks first")
    async def slow(interaction: discord.Interaction) -> None:
        await interaction.response.defer(thinking=True)
        await interaction.edit_original_response(content="thought")
        await interaction.followup.send("more", suppress_embeds=True)

    @client.tree.command(name="twice", description="Answers twice")
    async def twice(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("one", suppress_embeds=True)
        interaction.response._response_type = None
        with contextlib.suppress(discord.HTTPException):
            await interaction.response.send_message("two", suppress_embeds=True)

    @client.tree.command(name="mute", description="Says nothing")
    async def mute(interaction: discord.Interaction) -> None:
        pass

    persona = app_commands.Group(name="persona", description="Personas")

    @persona.command(name="use", description="Chooses one")
    async def use(interaction: discord.Interaction, name: str, loud: bool = False) -> None:
        who = interaction.user.display_name
        may = interaction.permissions.manage_channels
        await interaction.response.send_message(f"{who} {may}: {name} {loud}", suppress_embeds=True)

    client.tree.add_command(persona)


class Panel(discord.ui.View):
    @discord.ui.button(label="Stop", custom_id="stop")
    async def stop_it(self, interaction: discord.Interaction, button: discord.ui.Button) -> None:
        await interaction.response.edit_message(content="stopped", view=None)

    @discord.ui.button(label="Ask", custom_id="ask")
    async def ask(self, interaction: discord.Interaction, button: discord.ui.Button) -> None:
        await interaction.response.send_modal(Question(title="Question"))


class Question(discord.ui.Modal):
    text = discord.ui.TextInput(label="text", custom_id="text")

    async def on_submit(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"asked {self.text.value}", suppress_embeds=True)


@contextlib.asynccontextmanager
async def with_commands(server: LoopbackDiscord) -> AsyncIterator[PlainClient]:
    client = PlainClient()
    add_commands(client)

    async def setup_hook() -> None:
        await client.tree.sync()

    client.setup_hook = setup_hook
    async with connected(server, client) as running:
        yield running


@pytest.fixture
async def client(server: LoopbackDiscord) -> AsyncIterator[PlainClient]:
    async with with_commands(server) as running:
        yield running


async def test_a_command_answers_the_asker_alone(server: LoopbackDiscord, client: PlainClient):
    alice, general = server.person("Alice"), server.channel("general")

    used = await (await alice.uses("/reset", general)).answered()

    assert used.text == "forgotten"
    assert used.is_ephemeral
    assert server.transcript(general) == []
    assert server.transcript(general, seen_by=alice) == ["Trinity: forgotten"]
    assert server.bot.num_command_syncs == 1
    assert server.violations == []


async def test_sub_commands_carry_options_and_permissions(server: LoopbackDiscord, client: PlainClient):
    general = server.channel("general")
    alice = server.person("Alice")
    bob = server.person("Bob", permissions=Permission.MANAGE_CHANNELS)

    plain = await (await alice.uses("/persona use", general, name="pirate")).answered()
    powerful = await (await bob.uses("/persona use", general, name="pirate", loud=True)).answered()
    private = await (await alice.uses("/persona use", alice.dm_channel(), name="pirate")).answered()

    assert plain.text == "Alice False: pirate False"
    assert powerful.text == "Bob True: pirate True"
    assert private.text.endswith("pirate False")
    with pytest.raises(LookupError, match="no sub-command"):
        await alice.uses("/persona burn", general)
    with pytest.raises(ValueError, match="missing options"):
        await alice.uses("/persona use", general)
    with pytest.raises(LookupError, match="not registered"):
        await alice.uses("/nonsense", general)


async def test_a_deferred_command_shows_thinking_then_its_text(server: LoopbackDiscord, client: PlainClient):
    alice, general = server.person("Alice"), server.channel("general")

    used = await alice.uses("/slow", general)
    await server.wait_until(lambda: len(used.responses) == 2)

    assert [message.content for message in used.responses] == ["thought", "more"]
    assert [revision.content for revision in used.original.revisions] == ["", "thought"]
    assert server.transcript(general) == ["Trinity: thought", "Trinity: more"]


async def test_a_second_callback_and_silence_are_held_against_the_bot(client: PlainClient, server: LoopbackDiscord):
    alice, general = server.person("Alice"), server.channel("general")

    await (await alice.uses("/twice", general)).answered()
    await server.wait_until(lambda: server.violations)

    assert [violation.rule for violation in server.violations] == ["second_callback"]


async def test_after_the_deadline_an_interaction_is_unknown():
    async with LoopbackDiscord(Rules(interaction_deadline_seconds=0.1)) as server, with_commands(server) as client:
        errors: list[Exception] = []

        @client.tree.command(name="late", description="Comes late")
        async def late(interaction: discord.Interaction) -> None:
            await asyncio.sleep(0.2)
            try:
                await interaction.response.send_message("too late")
            except discord.NotFound as error:
                errors.append(error)

        with contextlib.suppress(discord.HTTPException):
            await client.tree.sync()
        alice, general = server.person("Alice"), server.channel("general")
        await alice.uses("/late", general)
        await alice.uses("/mute", general)
        await server.wait_until(lambda: errors)

        assert errors[0].code == 10062
        rules = sorted(violation.rule for violation in server.violations)
        assert rules == ["late_callback", "no_callback", "no_callback"]


async def test_buttons_and_modals_reach_the_bot(server: LoopbackDiscord, client: PlainClient):
    alice, general = server.person("Alice"), server.channel("general")
    sent = await client.get_channel(general.id).send("working", view=Panel(timeout=None), suppress_embeds=True)
    panel = server.world.messages[sent.id]

    opened = await (await alice.clicks(panel, "Ask")).answered()
    asked = await (await alice.submits(opened, text="why")).answered()
    await (await alice.clicks(panel, "Stop")).answered()

    assert asked.text == "asked why"
    assert panel.content == "stopped"
    assert panel.components == []
    with pytest.raises(LookupError, match="no Stop"):
        await alice.clicks(panel, "Stop")


async def test_an_edit_keeps_buttons_unless_it_names_others(server: LoopbackDiscord, client: PlainClient):
    general = server.channel("general")
    sent = await client.get_channel(general.id).send("working", view=Panel(timeout=None), suppress_embeds=True)
    panel = server.world.messages[sent.id]

    await sent.edit(content="still working")
    kept = [item["label"] for row in panel.components for item in row["components"]]
    await sent.edit(view=None)

    assert (panel.content, kept, panel.components) == ("still working", ["Stop", "Ask"], [])


async def test_a_click_that_is_only_acknowledged_is_followed_up_by_a_message_of_its_own(
    server: LoopbackDiscord, client: PlainClient
):
    class Quiet(discord.ui.View):
        @discord.ui.button(label="Stop", custom_id="quiet")
        async def stop_it(self, interaction: discord.Interaction, button: discord.ui.Button) -> None:
            await interaction.response.defer()
            await interaction.followup.send("not you", ephemeral=True, suppress_embeds=True)

    alice, general = server.person("Alice"), server.channel("general")
    sent = await client.get_channel(general.id).send("working", view=Quiet(timeout=None), suppress_embeds=True)
    panel = server.world.messages[sent.id]

    clicked = await alice.clicks(panel, "Stop")
    await server.wait_until(lambda: clicked.followups)

    assert [(message.content, message.ephemeral_for) for message in clicked.followups] == [("not you", alice.user)]
    assert panel.content == "working"
