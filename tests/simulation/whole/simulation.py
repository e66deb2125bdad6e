"""One seed of the whole daemon: as in the first depth, with connections that fail in all of Discord's ways."""

import random

from tests.simulation.daemon import Daemon
from tests.simulation.discord import Message
from tests.simulation.script import ScriptedEngine
from tests.simulation.simulation import Simulation
from tests.simulation.whole import transport
from tests.simulation.whole.daemon import WholeDaemon
from tests.simulation.whole.people import WholePeople
from tests.simulation.whole.server import WholeDiscord

_FOLLOWED_SECONDS = 15.0


class WholeSimulation(Simulation):
    """The whole of one seed."""

    discord: WholeDiscord
    people: WholePeople

    def _new_discord(self, chance: random.Random) -> WholeDiscord:
        discord = WholeDiscord(self.loop, self.journal, chance, self.faults)
        discord.heard = self._note_read
        transport.server = discord
        return discord

    def _new_people(self, chance: random.Random) -> WholePeople:
        return WholePeople(self.discord, chance, lambda: len(self.asked))  # type: ignore[arg-type]

    def _new_daemon(self, engine: ScriptedEngine) -> Daemon:
        return WholeDaemon(self.discord, self.disk, engine, self.encoder, self.seed)  # type: ignore[arg-type]

    def _note_read(self, kind: str, message_id: int) -> None:
        self.heard[kind, message_id] = (len(self.lives), self.loop.time())

    def was_followed(self, kind: str, message_id: int) -> bool:
        life, at = self.heard.get((kind, message_id), (0, 0.0))
        return life > 0 and not self.is_db_faulty and self.deaths.get(life, float("inf")) - at > _FOLLOWED_SECONDS

    def is_beyond_reach(self, question: Message) -> bool:
        """Whether nobody can know of it: Discord doesn't tell a new process who began to write directly before."""
        heard_in, _ = self.heard.get(("create", question.id), (0, 0.0))
        if question.channel.guild_id is not None or heard_in == len(self.lives):
            return False
        earlier = (each for each in self.people.questions if each.channel is question.channel and each.id < question.id)
        return not any(self._has_answer(each.id) for each in earlier)

    def _drop(self) -> None:
        """The connection fails, and for a while no other can be had."""
        gateway, chance = self.discord.loopback.gateway, self.chance
        how = chance.choice(("abort", "op7", "op9", "op9_resumable", "close", "stall", "outage"))
        self.journal.note("the connection fails", how)
        match how:
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

    def _end_outage(self) -> None:
        self.journal.note("the gateway is back")
        self.discord.is_gateway_down = False

    async def _has_no_open(self) -> bool:
        daemon = self.daemon
        if daemon is None or daemon.chat is None or daemon.inbox is None or len(daemon.chat.exchanges):
            return False
        if self.discord.is_gateway_down or not self.discord.is_connected or not self._ready.is_set():
            return False
        return await self._has_no_unfinished(daemon)
