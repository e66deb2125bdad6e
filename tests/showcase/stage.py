"""A channel of the loopback Discord in which a conversation is played, and what people see there at a moment."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.discord.house import House
from tests.loopback import Channel, Interaction, Message, Person, User
from tests.showcase.model import RecordedModel

_MENTION = re.compile(r"<@!?(\d+)>")
_CHANNEL = re.compile(r"<#(\d+)>")
_TIMESTAMP = re.compile(r"<t:(?P<time>\d+)(?::(?P<style>[a-zA-Z]))?>")
_MESSAGE_LINK = re.compile(r"https://discord\.com/channels/(?:\d+|@me)/(\d+)/\d+")
_MARK = "\u2060"
_SEEN_ONLY_BY = {"de": "Nur {name} sieht das"}
_BUTTON_ROW, _BUTTON = 1, 2


@dataclass(frozen=True)
class Button:
    """A button below a message; `style` is Discord's number."""

    label: str
    style: int


@dataclass(frozen=True)
class Entry:
    """A message as people see it: with names in place of ids, and without the time."""

    author: str
    is_bot: bool
    text: str
    replies_to: str = ""
    used: str = ""
    """Who used which command, above the message that answers it."""
    seen_only_by: str = ""
    """The client's line below what nobody else sees."""
    buttons: tuple[Button, ...] = ()
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class View:
    """What stands in the channel at a moment, and what to say of it."""

    caption: str
    entries: tuple[Entry, ...]


@dataclass
class Stage:
    """One channel, and the house that answers in it."""

    house: House
    model: RecordedModel
    channel: Channel
    views: list[View] = field(default_factory=list)
    seconds: float = 300.0
    """How long an answer may take; the model may have to share a busy machine."""
    _uses: dict[int, str] = field(default_factory=dict)

    async def ask(self, person: Person, text: str, **fields: Any) -> Message:
        """Somebody mentions the bot; returns when the answer is complete."""
        question = await person.says(self.channel, text, mention=True, **fields)
        await self._finished(question)
        return question

    async def ask_until(self, person: Person, text: str, num_words: int, caption: str) -> None:
        """The same, with a view of the moment at which so many words of the answer are shown."""
        self.model.words_before_gate = num_words
        self.model.gate.clear()
        question = await person.says(self.channel, text, mention=True)
        await self.channel.answer_to(question, until=lambda shown: self.model.held in shown, timeout=self.seconds)
        self.look(caption)
        self.model.gate.set()
        await self._finished(question)

    async def _finished(self, question: Message) -> None:
        """Wait until a question is answered, and the answers before it have lost their buttons."""
        await self.house.reaches(question, "answered", self.seconds)
        world = self.channel.world.messages
        await self.house.server.wait_until(
            lambda: sum(bool(each.components) for each in world.values() if each.channel is self.channel) <= 1,
            timeout=self.seconds,
        )

    async def use(self, person: Person, command: str, **options: str) -> Interaction:
        """Somebody uses a slash command; returns when it is answered."""
        used = await (await person.uses(command, self.channel, **options)).answered(timeout=self.seconds)
        words = " ".join([_shown_name(self.house, command, person.user.locale), *options.values()])
        self._uses.update(dict.fromkeys((message.id for message in used.responses), f"{person.name} {words}"))
        return used

    def look(self, caption: str, *, last: int | None = None) -> None:
        """Keep what stands in the channel now, or the last so many messages of it."""
        world = self.channel.world.messages
        here = [world[number] for number in sorted(world) if world[number].channel is self.channel]
        shown = [message for message in here if not message.is_deleted and not message.is_loading]
        entries = tuple(self._entry(message) for message in shown)
        self.views.append(View(caption, entries if last is None else entries[-last:]))

    def _entry(self, message: Message) -> Entry:
        return Entry(
            message.author.name,
            message.author.is_bot,
            self._as_seen(message.content.removesuffix(_MARK)),
            replies_to=self._replied_to(message),
            used=self._uses.get(message.id, ""),
            seen_only_by="" if message.ephemeral_for is None else _seen_only_by(message.ephemeral_for),
            buttons=tuple(_buttons(message.components)),
            files=tuple(attachment["filename"] for attachment in message.attachments),
        )

    def _replied_to(self, message: Message) -> str:
        original = self.channel.world.messages.get(message.replies_to or 0)
        return "" if original is None else f"**{original.author.name}** {self._as_seen(original.content)}"

    def _as_seen(self, text: str) -> str:
        """The text with what Discord's client shows in place of ids and times, marked as a mention."""
        world = self.channel.world
        text = _MENTION.sub(lambda match: f"<@{world.users[int(match[1])].name}>", text)
        text = _CHANNEL.sub(lambda match: f"<#{world.channels[int(match[1])].name}>", text)
        text = _MESSAGE_LINK.sub(lambda match: f"<#{world.channels[int(match[1])].name} › message>", text)
        return _TIMESTAMP.sub(_time_as_seen, text)


def _seen_only_by(user: User) -> str:
    return _SEEN_ONLY_BY.get(user.locale, "Only {name} sees this").format(name=user.name)


def _time_as_seen(match: re.Match[str]) -> str:
    if int(match["time"]) > time.time() + 1:
        raise ValueError("a time to come looks otherwise each time that the picture is drawn")
    return "a few seconds ago" if match["style"] == "R" else "today"


def _buttons(components: Sequence[Mapping[str, Any]]) -> list[Button]:
    rows = [row["components"] for row in components if row["type"] == _BUTTON_ROW]
    return [Button(item["label"], item["style"]) for row in rows for item in row if item["type"] == _BUTTON]


def _shown_name(house: House, command: str, locale: str) -> str:
    """What the command is called for somebody whose Discord is set to this language."""
    words = command.lstrip("/").split()
    level: Any = house.server.bot.command(words[0], None)
    shown = [_localized(level, locale)]
    for word in words[1:]:
        level = next(option for option in level["options"] if option["name"] == word)
        shown.append(_localized(level, locale))
    return "/" + " ".join(shown)


def _localized(command: Mapping[str, Any], locale: str) -> str:
    return str((command.get("name_localizations") or {}).get(locale, command["name"]))
