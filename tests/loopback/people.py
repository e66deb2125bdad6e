"""People (and other bots, and webhooks) as a test drives them: `await alice.says(channel, "hello", mention=True)`."""

from __future__ import annotations

import asyncio
import mimetypes
from typing import TYPE_CHECKING, Any

from tests.loopback import messages
from tests.loopback.accounts import Account, BotAccount
from tests.loopback.command_use import command_data, find_component, menu_data
from tests.loopback.entities import Channel, Message, User, mentioned_ids
from tests.loopback.interaction import AUTOCOMPLETE, COMMAND, COMPONENT, MODAL_SUBMIT, Interaction
from tests.loopback.rules import MessageKind
from tests.loopback.waiting import came_true

if TYPE_CHECKING:
    from tests.loopback.server import LoopbackDiscord

_REGISTRATION_SECONDS = 20.0


class Person(Account):
    """Somebody who writes, clicks and deletes; every act waits until the frames have been handed to the sockets."""

    def __init__(self, server: LoopbackDiscord, user: User) -> None:
        self.user = user
        self._server = server

    async def says(
        self,
        channel: Channel,
        text: str,
        *,
        mention: bool | BotAccount | Person = False,
        age_seconds: float = 0.0,
        **fields: Any,
    ) -> Message:
        """Posts a message; `mention=True` puts the bot's mention before it, `extra` may hold any further wire field."""
        self._enter(channel)
        target = self._server.bot if mention is True else mention
        content = f"{target.mention} {text}".rstrip() if target else text
        return await self._post(channel, content, age_seconds=age_seconds, **fields)

    async def replies(self, to: Message, text: str, *, ping: bool = True, **fields: Any) -> Message:
        """Answers a message; with `ping` its author is mentioned, as Discord's switch does."""
        self._enter(to.channel)
        reference = {"message_id": to.id, "channel_id": to.channel.id}
        if to.channel.guild is not None:
            reference["guild_id"] = to.channel.guild.id
        rung = [to.author] if ping else []
        return await self._post(to.channel, text, rung, kind=MessageKind.REPLY, reference=reference, **fields)

    async def dms(self, text: str, *, to: BotAccount | None = None, **fields: Any) -> Message:
        """Writes a direct message to the bot."""
        return await self._post(self.dm_channel(to), text, **fields)

    def dm_channel(self, to: BotAccount | None = None) -> Channel:
        """The direct-message channel with the bot."""
        return self._server.world.dm_channel(self.user, (to or self._server.bot).user)

    async def attaches(
        self, channel: Channel, files: dict[str, bytes], text: str = "", *, mention: bool = True, **fields: Any
    ) -> Message:
        """Posts a message with files; Discord tells a type for those whose names it knows."""
        ids = self._server.world.ids
        attachments = [
            self._server.cdn.upload(ids.next_id(), name, content, mimetypes.guess_type(name)[0])
            for name, content in files.items()
        ]
        return await self.says(channel, text, mention=mention and not channel.is_dm, attachments=attachments, **fields)

    async def edits(self, message: Message, text: str) -> None:
        """Changes the text of a message of one's own; mentions follow the new text."""
        message.mentions = messages.mentions_in(self._server.world, text, None)
        messages.rewrite(message, text)
        await asyncio.sleep(0)

    async def deletes(self, message: Message) -> None:
        """Deletes a message, as its author or as a moderator."""
        messages.remove(message, self.user)
        await asyncio.sleep(0)

    async def deletes_many(self, gone: list[Message]) -> None:
        """Deletes several messages at once, as a moderator."""
        messages.remove_many(gone, self.user)
        await asyncio.sleep(0)

    async def reacts(self, message: Message, emoji: str) -> None:
        """Adds a reaction."""
        messages.react(message, self.user, emoji)
        await asyncio.sleep(0)

    async def unreacts(self, message: Message, emoji: str) -> None:
        """Takes a reaction back."""
        messages.react(message, self.user, emoji, is_added=False)
        await asyncio.sleep(0)

    async def types(self, channel: Channel) -> None:
        """Shows the typing sign."""
        messages.start_typing(channel, self.user)
        await asyncio.sleep(0)

    async def opens_thread(self, channel: Channel, name: str, *, on: Message | None = None) -> Channel:
        """Opens a public thread, on a message or by itself."""
        thread_id = None if on is None else on.id
        thread = self._server.world.add_thread(channel, name, self.user, thread_id=thread_id)
        await asyncio.sleep(0)
        return thread

    async def posts(self, forum: Channel, title: str, text: str) -> Message:
        """Opens a post in a forum: a thread, and its first message, which has the thread's id."""
        self._enter(forum)
        thread = self._server.world.add_thread(forum, title, self.user)
        return await self._post(thread, text, message_id=thread.id)

    async def uses(
        self, command: str, channel: Channel, *, bot: BotAccount | None = None, **options: Any
    ) -> Interaction:
        """Uses a slash command, such as "/persona use" with name="pirate", as Discord's client would let them.

        A bot registers its commands some time after it has connected, and nobody sees them before: that is waited for.
        Raises LookupError where the client would not offer the command to this person, and ValueError for options that
        it would not accept.
        """
        self._enter(channel)
        used, words = bot or self._server.bot, command.lstrip("/").split()
        if self._server.gateway.connected(used):
            await came_true(lambda: any(used.commands.values()), _REGISTRATION_SECONDS)
        data = command_data(used, self.user, channel, words, options)
        return await self._begin(used, channel, COMMAND, data, command.lstrip("/"))

    async def completes(
        self, command: str, channel: Channel, option: str, typed: str, *, bot: BotAccount | None = None, **filled: Any
    ) -> Interaction:
        """Types into an option for which the bot suggests values; `filled` are the options that were typed before."""
        self._enter(channel)
        used, words = bot or self._server.bot, command.lstrip("/").split()
        data = command_data(used, self.user, channel, words, filled | {option: typed}, focused=option)
        return await self._begin(used, channel, AUTOCOMPLETE, data, command.lstrip("/"))

    async def picks(self, entry: str, message: Message, *, bot: BotAccount | None = None) -> Interaction:
        """Picks an entry of a message's menu (Apps)."""
        self._enter(message.channel)
        used = bot or self._server.bot
        if self._server.gateway.connected(used):
            await came_true(lambda: any(used.commands.values()), _REGISTRATION_SECONDS)
        data = menu_data(used, self.user, message, entry)
        return await self._begin(used, message.channel, COMMAND, data, entry)

    async def clicks(self, message: Message, button: str) -> Interaction:
        """Clicks the button with this label or custom id."""
        component = find_component(message, button)
        data = {"component_type": component["type"], "custom_id": component["custom_id"], "id": component.get("id", 1)}
        return await self._begin(self._author_of(message), message.channel, COMPONENT, data, button, message)

    async def chooses(self, message: Message, custom_id: str, *values: str) -> Interaction:
        """Chooses in a select menu."""
        component = find_component(message, custom_id)
        data = {"component_type": component["type"], "custom_id": component["custom_id"], "values": list(values)}
        return await self._begin(self._author_of(message), message.channel, COMPONENT, data, custom_id, message)

    async def submits(self, opened: Interaction, **values: str) -> Interaction:
        """Fills in the modal that an interaction opened; values are named by their custom ids."""
        if opened.modal is None:
            raise LookupError(f"/{opened.name} has opened no modal")
        rows = [
            {"type": 1, "components": [{"type": 4, "custom_id": custom_id, "value": value}]}
            for custom_id, value in values.items()
        ]
        data = {"custom_id": opened.modal["custom_id"], "components": rows}
        return await self._begin(opened.bot, opened.channel, MODAL_SUBMIT, data, opened.name, opened.source)

    async def _begin(
        self,
        bot: BotAccount,
        channel: Channel,
        kind: int,
        data: dict[str, Any],
        name: str,
        source: Message | None = None,
    ) -> Interaction:
        self._enter(channel)
        interaction = self._server.interactions.begin(bot, self.user, channel, kind, data, name, source)
        await asyncio.sleep(0)
        return interaction

    def _author_of(self, message: Message) -> BotAccount:
        return self._server.world.bots[message.author.id]

    def _enter(self, channel: Channel) -> None:
        if channel.guild is not None and not self.user.is_webhook:
            self._server.world.join(channel.guild, self.user)

    async def _post(self, channel: Channel, text: str, rung: list[User] | None = None, **fields: Any) -> Message:
        world = self._server.world
        mentions = list(rung or [])
        for user_id in mentioned_ids(text):
            user = world.users.get(user_id)
            if user is not None and user not in mentions:
                mentions.append(user)
        if self.user.is_webhook:
            fields["webhook_id"] = self.user.id
        message = messages.post(
            channel,
            self.user,
            text,
            mentions=mentions,
            mentions_everyone="@everyone" in text or "@here" in text,
            **fields,
        )
        await asyncio.sleep(0)
        return message
