"""What Discord's events are handed to, and the client that has it: what commands and events both need."""

from dataclasses import dataclass

from bot.chat.chat import Chat
from bot.delivery.answers import Answers
from bot.delivery.sender import Sender
from bot.discord.catch_up import CatchUp
from bot.discord.connection import ConnectedClient
from bot.discord.intake import Intake
from bot.discord.rest import DiscordTransport


@dataclass(frozen=True, slots=True)
class Edge:
    """What the client hands events to, once it is logged in."""

    chat: Chat
    sender: Sender
    answers: Answers
    intake: Intake
    catch_up: CatchUp


class EdgeClient(ConnectedClient):
    """A connected client with its edge, which is set before the connection is opened."""

    edge: Edge
    is_draining = False


def build_edge(
    client: ConnectedClient, chat: Chat, sender: Sender, transport: DiscordTransport, answers: Answers
) -> Edge:
    """Join the parts; the client has to be logged in."""
    own_id = client.user.id if client.user else 0
    intake = Intake(chat, sender, answers, own_id, client.clock)
    answers.wait_until_known = intake.gate.passage
    return Edge(chat, sender, answers, intake, CatchUp(client, chat, intake, sender, transport))
