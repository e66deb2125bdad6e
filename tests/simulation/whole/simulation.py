"""One seed of the whole daemon: as in the first depth, with connections that fail in all of Discord's ways."""

import asyncio
import random

from bot.delivery.parts import Purpose
from bot.discord.catch_up import MESSAGES_PER_CHANNEL
from tests.simulation.daemon import Daemon
from tests.simulation.discord import Message
from tests.simulation.faults import Faults
from tests.simulation.script import ScriptedEngine
from tests.simulation.simulation import Simulation
from tests.simulation.whole import transport
from tests.simulation.whole.daemon import WholeDaemon
from tests.simulation.whole.people import WholePeople
from tests.simulation.whole.server import WholeDiscord

_FOLLOWED_SECONDS = 15.0
_OUTAGE_SECONDS = 400.0
"""After an outage everything that can be done without a start is done by then."""
_FAILURES = ("abort", "op7", "op9", "op9_resumable", "close", "stall", "outage", "guild outage")


class WholeSimulation(Simulation):
    """The whole of one seed."""

    discord: WholeDiscord
    people: WholePeople

    def _drawn_faults(self) -> Faults:
        """Where answers fail, many do, and requests are slow: so what is said of it may come to overtake an edit."""
        faults = super()._drawn_faults()
        if faults.failed_answers:
            faults.failed_answers, faults.slow = 3 * faults.failed_answers, max(faults.slow, 0.2)
        return faults

    def _new_discord(self, chance: random.Random) -> WholeDiscord:
        discord = WholeDiscord(self.loop, self.journal, chance, self.faults)
        discord.heard, discord.came = self._note_read, self._welcome
        transport.server = discord
        self._welcome_chance = self._chance("welcome")
        self._operations_to_outage = 0
        """When nothing is left of these, the database is away for a moment; below, it isn't."""
        self.is_faultless = self.faults == Faults()
        return discord

    def _new_people(self, chance: random.Random) -> WholePeople:
        return WholePeople(self.discord, chance, lambda: len(self.asked))  # type: ignore[arg-type]

    def _new_daemon(self, engine: ScriptedEngine) -> Daemon:
        return WholeDaemon(self.discord, self.disk, engine, self.encoder, self.seed)  # type: ignore[arg-type]

    def _welcome(self) -> None:
        """People see that it is back: some write at once, and the database may be slow to come back with it."""
        if not self.is_playing:
            return
        chance = self._welcome_chance
        if chance.random() < 0.8:
            self.people.greet(chance)
        if (self.faults.outages or self.faults.statements) and chance.random() < 0.7:
            self._operations_to_outage = chance.randint(1, 40)

    def _refusal(self) -> Exception | None:
        self._operations_to_outage -= 1
        if self._operations_to_outage == 0 and self.is_playing:
            self._away_until = max(self._away_until, self.loop.time() + self._welcome_chance.choice((0.5, 2.0, 8.0)))
            self.journal.note("database away until", round(self._away_until, 3))
        return super()._refusal()

    def _note_read(self, kind: str, message_id: int) -> None:
        self.heard[kind, message_id] = (len(self.lives), self.loop.time())

    def was_followed(self, kind: str, message_id: int) -> bool:
        life, at = self.heard.get((kind, message_id), (0, 0.0))
        return life > 0 and not self.is_db_faulty and self.deaths.get(life, float("inf")) - at > _FOLLOWED_SECONDS

    def is_beyond_reach(self, question: Message) -> bool:
        """Whether nobody can know of it.

        Discord doesn't tell a new process who began to write directly before, which a dying one couldn't note; and of
        a channel no more is fetched than its newest messages.
        """
        heard_in, _ = self.heard.get(("create", question.id), (0, 0.0))
        if heard_in == len(self.lives):
            return False
        if question.channel.guild_id is not None:
            num_newer = sum(each.id > question.id for each in question.channel.messages)
            return not heard_in and num_newer >= MESSAGES_PER_CHANNEL
        earlier = (each for each in self.people.questions if each.channel is question.channel and each.id < question.id)
        return not any(self._was_committed(each.id) for each in earlier)

    def _was_committed(self, question_id: int) -> bool:
        """Whether something is shown of a question, but for the line that the database is away."""
        keys = [each.key for each in self.discord.messages.values() if each.key is not None]
        return any(key.question_id == question_id and key.purpose != Purpose.AWAY for key in keys)

    async def run(self) -> None:
        await super().run()
        asked = {each.id for each in self.people.questions}
        for message in self.discord.messages.values():
            if message.key is not None and message.key.question_id not in asked:
                self.problems.append(f"message {message.id} answers what nobody asked: {message.content[:60]!r}")
        if self.is_faultless:
            self.problems += [f"/{each.name} was never answered" for each in self.discord.unanswered()]

    def _drop(self) -> None:
        """The connection fails, and for a while no other can be had."""
        gateway, chance = self.discord.loopback.gateway, self.chance
        how = chance.choice(_FAILURES)
        self.journal.note("the connection fails", how)
        match how:
            case "guild outage":
                self._set_guild(is_available=False)
                self.loop.call_later(chance.uniform(0.5, 8.0), lambda: self._set_guild(is_available=True))
            case "op7":
                gateway.reconnect()
            case "op9" | "op9_resumable":
                gateway.invalidate(is_resumable=how == "op9_resumable")
            case "stall":
                gateway.stall()
            case "close":
                code = chance.choice((1000, 1001, 4000, 4001, 4007, 4008, 4009))
                for end in [*self.discord._ends]:
                    end.close_now(code)
            case "abort" | "outage":
                self.discord.disconnect(is_resumable=chance.random() < 0.5)
        if how == "outage":
            self.discord.is_gateway_down = True
            self.loop.call_later(chance.uniform(1.0, 60.0), self._end_outage)

    def _set_guild(self, *, is_available: bool) -> None:
        self.journal.note("the guild is available", is_available)
        self.discord.loopback.world.set_availability(self.discord.loopback.guild, is_available=is_available)

    def _end_outage(self) -> None:
        self.journal.note("the gateway is back")
        self.discord.is_gateway_down = False

    async def _become_quiet(self) -> None:
        """What couldn't be committed in a long outage is done with by the next start."""
        give_up_at = self.loop.time() + _OUTAGE_SECONDS
        while self.is_db_faulty and not (self._has_no_open() and await self._has_no_unfinished()):
            await asyncio.sleep(2.0)
            if self.loop.time() > give_up_at:
                self._restart()
                break
        await super()._become_quiet()

    def _has_no_open(self) -> bool:
        daemon = self.daemon
        if daemon is None or daemon.chat is None or len(daemon.chat.exchanges):
            return False
        if self.discord.loopback.guild.is_unavailable or self.discord.is_gateway_down:
            return False
        return self.discord.is_connected and self._ready.is_set()
