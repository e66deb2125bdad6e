"""The loopback Discord itself: one object with the world, the two servers, the fault plan and the people."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

from aiohttp import web

from tests.loopback import messages
from tests.loopback.accounts import BotAccount
from tests.loopback.answers import Answer, answer_to
from tests.loopback.cdn import Cdn
from tests.loopback.entities import Channel, Guild, Message, Role
from tests.loopback.fault_plan import FaultPlan
from tests.loopback.gateway import Gateway
from tests.loopback.interactions import Interactions
from tests.loopback.journal import Journal, Violation
from tests.loopback.limits import RateLimits
from tests.loopback.people import Person
from tests.loopback.rest import RestApi
from tests.loopback.rules import INVITED_PERMISSIONS, MessageKind, Permission, Rules
from tests.loopback.waiting import came_true
from tests.loopback.wire import API_PREFIX
from tests.loopback.world import World

_MAX_UPLOAD_BYTES = 32 * 2**20


class LoopbackDiscord:
    """Discord on 127.0.0.1, for one test: `async with LoopbackDiscord() as server`.

    It begins with one guild, its owner, the channel "general" and the bot "Trinity".
    """

    def __init__(self, rules: Rules | None = None, *, port: int = 0, bot_name: str = "Trinity") -> None:
        self.rules = rules or Rules()
        self.world = World(self.rules)
        self.faults = FaultPlan()
        self.limits = RateLimits(self.rules)
        self.interactions = Interactions(self.world)
        self.gateway = Gateway(self.world, self.faults)
        self.cdn = Cdn()
        self._rest = RestApi(self.world, self.faults, self.limits, self.interactions)
        self._people: dict[str, Person] = {}
        self._mounts: list[Callable[[web.Application], None]] = []
        self._port = port
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self.owner = self.person("Owner")
        self.bot = self.world.add_bot(bot_name, self.owner.user)
        self.guild = self.add_guild("Loopback")
        self.channel("general")

    # --- life

    async def __aenter__(self) -> LoopbackDiscord:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def mount(self, add_to: Callable[[web.Application], None]) -> None:
        """Puts further routes on the same port, before the start."""
        self._mounts.append(add_to)

    async def start(self) -> None:
        """Opens the port; 0 takes a free one."""
        app = web.Application(client_max_size=_MAX_UPLOAD_BYTES)
        app.router.add_get("/", self.gateway.serve)
        self._rest.add_to(app)
        self.cdn.add_to(app)
        for add_to in self._mounts:
            add_to(app)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await self.open_port()
        self.limits.standstills.watch()

    async def stop(self) -> None:
        """Ends every connection and closes the port."""
        self.limits.standstills.end()
        self.gateway.abort_all()
        if self._runner is not None:
            await self._runner.cleanup()

    async def open_port(self) -> None:
        """Listens; after `close_port` on the same port again."""
        if self._runner is None:
            raise RuntimeError("the server has not been started")
        self._site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await self._site.start()
        self._port = self._runner.addresses[0][1]
        self.gateway.url = self.gateway_url
        self.cdn.base_url = f"http://127.0.0.1:{self._port}"

    async def close_port(self) -> None:
        """Refuses connections and cuts the open sockets, as in an outage."""
        if self._site is not None:
            await self._site.stop()
            self._site = None
        self.gateway.abort_all()
        if self._runner is not None and self._runner.server is not None:
            for connection in self._runner.server.connections:
                if connection.transport is not None:
                    connection.transport.abort()

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return self._port

    @property
    def api_url(self) -> str:
        """What stands in place of https://discord.com/api/v10."""
        return f"http://127.0.0.1:{self._port}{API_PREFIX}"

    @property
    def gateway_url(self) -> str:
        """What stands in place of wss://gateway.discord.gg/."""
        return f"ws://127.0.0.1:{self._port}/"

    @property
    def token(self) -> str:
        """The token of the bot that is there from the beginning."""
        return self.bot.token

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point the daemon here."""
        return {
            "DISCORD_BOT_TOKEN": self.token,
            "TRINITY_DISCORD_API_URL": self.api_url,
            "TRINITY_DISCORD_GATEWAY_URL": self.gateway_url,
        }

    # --- the world

    def add_guild(self, name: str, *, everyone: Permission | None = None, with_bot: bool = True) -> Guild:
        """A further guild; `everyone` narrows what members may do, `with_bot` invites the first bot."""
        guild = self.world.add_guild(name, self.owner.user)
        if everyone is not None:
            guild.everyone.permissions = everyone
        if with_bot:
            self.invite(self.bot, guild)
        return guild

    def invite(self, bot: BotAccount, guild: Guild, permissions: Permission | None = None) -> None:
        """Adds a bot to a guild with a role of its own, by default with what the README's invitation asks for."""
        allowed = INVITED_PERMISSIONS if permissions is None else permissions
        role = Role(self.world.ids.next_id(), bot.name, allowed, bot_id=bot.user.id)
        guild.roles[role.id] = role
        self.world.join(guild, bot.user).roles.append(role)

    def add_bot(self, name: str) -> BotAccount:
        """A second bot with a token of its own, a member of the first guild."""
        bot = self.world.add_bot(name, self.owner.user)
        self.invite(bot, self.guild)
        return bot

    def channel(self, name: str, guild: Guild | None = None) -> Channel:
        """The channel of this name, made at the first call."""
        home = guild or self.guild
        for channel in home.channels.values():
            if channel.name == name and not channel.is_thread:
                return channel
        return self.world.add_channel(home, name)

    def person(
        self, name: str, *, permissions: Permission | None = None, nick: str | None = None, is_bot: bool = False
    ) -> Person:
        """The person of this name, made at the first call; further permissions come as a role."""
        person = self._people.get(name)
        if person is None:
            username = "".join(letter for letter in name.lower() if letter.isalnum()) or "somebody"
            person = Person(self, self.world.add_user(username, global_name=name, is_bot=is_bot))
            self._people[name] = person
        if permissions is not None or nick is not None:
            member = self.world.join(self.guild, person.user)
            member.nick = nick
            if permissions is not None:
                self.give(person, permissions)
        return person

    def give(self, person: Person, permissions: Permission, guild: Guild | None = None) -> Role:
        """Gives somebody a role with these permissions; take it out of the member's roles to end it."""
        home = guild or self.guild
        role = Role(self.world.ids.next_id(), f"role of {person.name}", permissions)
        home.roles[role.id] = role
        self.world.join(home, person.user).roles.append(role)
        return role

    def other_bot(self, name: str) -> Person:
        """A bot that is not under test and is driven like a person."""
        return self.person(name, is_bot=True)

    def webhook(self, name: str) -> Person:
        """A webhook: its messages carry a webhook id and no member."""
        if name not in self._people:
            user = self.world.add_user(name, is_bot=True, is_webhook=True)
            self._people[name] = Person(self, user)
        return self._people[name]

    async def system_message(self, channel: Channel, kind: int = MessageKind.JOIN, text: str = "") -> Message:
        """A message of Discord's own in the owner's name (a join, a pin, a boost); it mentions whom the text names."""
        users = messages.mentions_in(self.world, text, None)
        return messages.post(channel, self.owner.user, text, kind=kind, mentions=users)

    def redeliver(self, message: Message) -> None:
        """Sends the same MESSAGE_CREATE once more."""
        messages.announce(message)

    def unfurl(self, message: Message) -> None:
        """Sends a MESSAGE_UPDATE that changes no text, as Discord does when it adds a link's preview."""
        messages.announce_edit(message)

    # --- looking

    @property
    def journal(self) -> Journal:
        """Everything that was done, asked and broken."""
        return self.world.journal

    @property
    def violations(self) -> list[Violation]:
        """Every rule that a bot broke, interactions without any callback among them."""
        now = time.monotonic()
        silent = [
            Violation(now, "no_callback", f"/{kept.name} was never acknowledged")
            for kept in self.interactions.unacknowledged()
        ]
        return self.journal.violations + silent

    def transcript(self, channel: Channel, *, seen_by: Person | None = None) -> list[str]:
        """What stands in a channel now, a line "NAME: text" per message; ephemeral ones for the person they are for."""
        shown = channel.visible_messages()
        if seen_by is not None:
            mine = [m for m in self.world.messages.values() if m.ephemeral_for is seen_by.user and not m.is_deleted]
            shown = sorted([*shown, *(m for m in mine if m.channel is channel)], key=lambda message: message.id)
        return [f"{message.author.name}: {message.content}" for message in shown]

    def answer_to(self, message: Message) -> Answer | None:
        """The bot's messages that answer this one, as they are now."""
        return answer_to(message)

    async def wait_until(self, predicate: Callable[[], object], *, timeout: float = 60.0) -> None:  # noqa: ASYNC109
        """Waits for a condition; the error shows the transcripts and the broken rules."""
        if not await came_true(predicate, timeout):
            raise AssertionError(f"the condition did not come true within {timeout} s\n{self._picture()}")

    async def wait_for_login(self, bot: BotAccount | None = None, *, timeout: float = 60.0) -> None:  # noqa: ASYNC109
        """Waits until a bot has identified; discord.py's own `on_ready` comes two seconds later."""
        wanted = bot or self.bot
        await self.wait_until(lambda: self.gateway.connected(wanted), timeout=timeout)

    def _picture(self) -> str:
        lines = [f"sessions: {len(self.gateway.connected())}, counts: {dict(self.gateway.counts)}"]
        for channel in self.world.channels.values():
            if channel.messages:
                lines += [f"# {channel.name or 'direct messages'}", *self.transcript(channel)]
        return "\n".join(lines + [f"! {violation}" for violation in self.violations[:20]])
