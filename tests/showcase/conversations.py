"""What is played for the pictures: short conversations, with the real client and the demonstration model's answers.

Everything in a picture but the captions comes from here or from the bot: people's words from here, hers from the bot.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from tests.discord.house import open_house
from tests.loopback import Guild, LoopbackDiscord, Permission, Person, without_waits
from tests.showcase.model import NotOnRecordError, RecordedModel, demo_encoder
from tests.showcase.stage import Stage, View

Play = Callable[[Stage, dict[str, Person]], Awaitable[None]]


@dataclass(frozen=True)
class Conversation:
    """A conversation to be played, in a channel of its own."""

    name: str
    channel: str
    about: str
    """What the picture is there to show, for who can't see it."""
    play: Play
    is_german: bool = False


@dataclass(frozen=True)
class Played:
    """What was seen of it."""

    conversation: Conversation
    guild: str
    views: tuple[View, ...]


async def _answer(stage: Stage, people: dict[str, Person]) -> None:
    await stage.ask_until(people["Alice"], "Show me some Python code", 9, "the answer grows")
    stage.look("and is complete", last=1)


async def _memory(stage: Stage, people: dict[str, Person]) -> None:
    await stage.ask(people["Alice"], "My name is Alice and I have a cat called Momo.")
    await stage.ask(people["Bob"], "My favourite colour is orange.")
    await stage.ask(people["Alice"], "What is my cat called?")
    await stage.use(people["Alice"], "/persona use", name="pirate")
    await stage.ask(people["Bob"], "What is my favourite colour?")
    stage.look("each channel has a memory and a persona of its own")


async def _context(stage: Stage, people: dict[str, Person]) -> None:
    await stage.use(people["Alice"], "/settings set", name="longest_answer", value="500")
    await stage.ask(people["Bob"], "Count to 12")
    await stage.use(people["Bob"], "/context")
    stage.look("what she sees, and what people may choose")


async def _german(stage: Stage, people: dict[str, Person]) -> None:
    await stage.ask(people["Jonas"], "Repeat after me: Moin moin!")
    await stage.use(people["Jonas"], "/persona use", name="pirate")
    await stage.use(people["Jonas"], "/reset")
    stage.look("ein deutscher Server")


CONVERSATIONS = (
    Conversation(
        "answer", "general", "Alice asks for a program; the answer grows, and then stands there complete.", _answer
    ),
    Conversation(
        "memory",
        "kitchen",
        "Alice and Bob tell Trinity about a cat and a colour, and she remembers whose is which. "
        "Alice makes her a pirate, and she still knows.",
        _memory,
    ),
    Conversation(
        "context",
        "workshop",
        "Alice chooses how long answers may get. Bob looks at what Trinity will see next, counted in tokens.",
        _context,
    ),
    Conversation(
        "german", "allgemein", "On a German server, hints and replies to commands are German.", _german, is_german=True
    ),
)


async def play(model: RecordedModel, folder: Path) -> list[Played]:
    """Play them all, one after the other; raises NotOnRecordError if the model didn't know what to say."""
    async with LoopbackDiscord(without_waits()) as server:
        server.guild.name = "Trinity's place"
        german = server.add_guild("Zur Post")
        german.preferred_locale = "de"
        channels = {one.name: server.channel(one.channel, german if one.is_german else None) for one in CONVERSATIONS}
        people = _people(server, german)
        async with open_house(server, folder, demo_encoder(), model) as house:
            await server.wait_until(lambda: server.bot.commands)
            played = []
            for conversation in CONVERSATIONS:
                stage = Stage(house, model, channels[conversation.name])
                await conversation.play(stage, people)
                guild = german if conversation.is_german else server.guild
                played.append(Played(conversation, guild.name, tuple(stage.views)))
    if model.unknown:
        raise NotOnRecordError(f"{len(model.unknown)} prompts are new")
    if server.violations:
        raise AssertionError(server.violations)
    return played


def _people(server: LoopbackDiscord, german: Guild) -> dict[str, Person]:
    people = {name: server.person(name) for name in ("Alice", "Bob", "Jonas")}
    server.give(people["Alice"], Permission.MANAGE_CHANNELS)
    server.give(people["Jonas"], Permission.MANAGE_CHANNELS, german)
    people["Jonas"].user.locale = "de"
    return people
