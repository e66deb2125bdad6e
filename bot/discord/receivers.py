"""The parts that Discord's events and slash commands are handed to, and the client that has them."""

import asyncio
from dataclasses import dataclass

from bot.chat.access import AccessRules
from bot.chat.chat import Chat
from bot.delivery.answers import Answers
from bot.delivery.sender import Sender
from bot.discord.access import AccessCheck
from bot.discord.asked_about import AskedAbout
from bot.discord.attached_files import AttachedFiles
from bot.discord.attachments import AttachmentReader
from bot.discord.buttons import AnswerButtons
from bot.discord.catch_up import CatchUp
from bot.discord.connection import ConnectedClient
from bot.discord.guild_watch import GuildWatch
from bot.discord.intake import Intake
from bot.discord.listening import Listening
from bot.discord.lost_channels import LostChannels
from bot.discord.rest import DiscordTransport


@dataclass(frozen=True, slots=True)
class Receivers:
    """What the client hands events to; built once it is logged in."""

    chat: Chat
    sender: Sender
    answers: Answers
    intake: Intake
    catch_up: CatchUp
    access: AccessCheck
    reader: AttachmentReader
    files: AttachedFiles
    buttons: AnswerButtons
    asked_about: AskedAbout
    guilds: GuildWatch | None
    """None where nothing is kept of guilds that were left."""
    lost_channels: LostChannels


class ReceivingClient(ConnectedClient):
    """A connected client with its receivers, which are set before the connection is opened."""

    receivers: Receivers


def build_receivers(
    client: ConnectedClient,
    chat: Chat,
    sender: Sender,
    transport: DiscordTransport,
    answers: Answers,
    tasks: asyncio.TaskGroup,
    rules: AccessRules,
    reader: AttachmentReader,
) -> Receivers:
    """Join the parts; the client has to be logged in."""
    own_id = client.user.id if client.user else 0
    check = AccessCheck(rules, client, sender, transport)
    listening = Listening(chat, own_id, reads_all=client.intents.message_content)
    files = AttachedFiles(chat, reader)
    intake = Intake(chat, sender, answers, check, listening, files, own_id, client.clock, tasks, transport.message)
    answers.wait_until_known = intake.gate.passage
    answers.may_still_ask = check.admits_question
    catch_up = CatchUp(client, chat, intake, sender, transport)
    guilds = GuildWatch(client, chat.departures, sender, transport) if chat.departures else None
    buttons = AnswerButtons(chat, sender, answers)
    lost_channels = LostChannels(client, chat, sender, transport)
    return Receivers(
        chat, sender, answers, intake, catch_up, check, reader, files, buttons, AskedAbout(), guilds, lost_channels
    )  # fmt: skip
