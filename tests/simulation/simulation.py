"""One seed, from the first start of the daemon to the verdict: lives, deaths, people, faults, and a quiet end."""

import asyncio
import gc
import logging
import random
import sqlite3
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import closing
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

from bot.conversation.chat_format import TurnEncoder
from bot.errors import DatabaseBusy, EngineFailed, StoreError
from bot.store.files.database import open_database
from tests.simulation.daemon import Daemon
from tests.simulation.discord import Channel, Discord, Message
from tests.simulation.disk import Disk, a_disk
from tests.simulation.faults import Faults, a_refusal, drawn
from tests.simulation.front_end import PER_CHANNEL
from tests.simulation.journal import Journal
from tests.simulation.loop import LIFE, Life, SimulatedLoop, run_in_simulation
from tests.simulation.people import People
from tests.simulation.script import Asked, ScriptedEngine
from tests.simulation.universe import universe

QUIET_SECONDS = 2400.0
"""In so much time everything has to come to its end once nothing goes wrong any more."""
PURGE_SECONDS = 85.0
LONG_OUTAGE_SECONDS = 400.0
"""Nobody waits for the database for so long."""
_NOTICED = 0.4
"""So many of the disk's operations take a time in which something may happen."""


_pieces: dict[int, str] = {}
"""By the id of a token."""


@dataclass(slots=True)
class Result:
    """What came of one seed."""

    seed: int
    problems: list[str]
    num_turns: int
    num_events: int
    num_lives: int
    digest: str
    last_events: list[str] = field(default_factory=list)
    faults: str = ""


class Simulation:
    """The whole of one seed; see the module."""

    def __init__(self, seed: int, loop: SimulatedLoop, disk: Disk, encoder: TurnEncoder, *, prints: bool) -> None:
        self.seed = seed
        self.loop = loop
        self.disk = disk
        self.encoder = encoder
        self.journal = Journal(loop, prints=prints)
        self.faults = self._drawn_faults()
        self.described = str(self.faults)
        self.chance = self._chance("course")
        self.asked: list[Asked] = []
        self.discord: Any = self._new_discord(self._chance("discord"))
        self.people: Any = self._new_people(self._chance("people"))
        self.people.have_regretted = self._strike
        self.problems: list[str] = []
        self.heard: dict[tuple[str, int], tuple[int, float]] = {}
        """Edits and deletions that were followed: in which life, and when."""
        self.full_pages: list[tuple[int, int, float]] = []
        """The channel, its oldest message and the time of each page of missed messages that had no room for more."""
        self.blank_at = 0.0
        """When the last life began whose database knew of no channel yet."""
        self.deaths: dict[int, float] = {}
        """When each life ended that was killed."""
        self.births: list[float] = []
        """When each life began."""
        self.lives: list[Life] = []
        self.engine: ScriptedEngine | None = None
        self.daemon: Daemon | None = None
        self.num_drops = self.faults.drops
        self.may_be_banned = bool(self.faults.banned)
        self.faults_stalls = bool(self.faults.stalls)
        self.faults_unclear = bool(self.faults.unclear)
        self.do_requests_fail = self.faults.do_requests_fail
        self.is_db_faulty = bool(self.faults.statements or self.faults.outages or self.faults.stalls)
        self._do_statements_fail = bool(self.faults.statements)
        self.longest_outage = 0.0
        self.is_playing = False
        """Whether people do whatever they like, and things go wrong."""
        self._is_over = False
        self._ready = asyncio.Event()
        self.is_wordy = self.chance.random() < 0.15
        self._away_until = 0.0
        self._commits_to_death = 0
        """When nothing is left of these commits, the process dies; below, it doesn't."""
        self._db_chance = self._chance("disk")
        self._engine_chance = self._chance("engine")
        disk.refuse, disk.seconds, disk.committed = self._refusal, self._disk_seconds, self._note_commit

    def _chance(self, name: str) -> random.Random:
        return random.Random(f"{name} {self.seed}")

    def _drawn_faults(self) -> Faults:
        return drawn(self._chance("faults"))

    def _new_discord(self, chance: random.Random) -> Any:
        return Discord(self.loop, self.journal, chance, self.faults)

    def _new_people(self, chance: random.Random) -> Any:
        return People(self.discord, chance, lambda: len(self.asked))

    def _new_daemon(self, engine: ScriptedEngine) -> Daemon:
        return Daemon(self.discord, self.disk, engine, self.encoder, self.seed)

    async def run(self) -> None:
        """From the first start to the last stop."""
        living = asyncio.create_task(self._live())
        await self._wait_ready()
        first = self.people.ask(self.people.channels[0], 100 if 100 in self.people._people else self.people._people[0])
        await self._until(lambda: self._has_answer(first.id), 900)
        if self.faults.poison:
            self.engine.poisoned = "none yet"  # type: ignore[union-attr]
        self.is_playing = True
        await self._play()
        self.journal.note("everything heals")
        self.is_playing, self.people.are_quiet = False, True
        self.faults.heal()
        self._away_until = 0.0
        universe.wall_offset = 0.0
        self.loop.step_of_death = self._commits_to_death = 0
        await self._become_quiet()
        for channel in self.people.channels:
            self.people.ask(channel, self.people._people[0], words="probe")
        await self._become_quiet()
        await asyncio.sleep(PURGE_SECONDS)
        self._is_over = True
        if self.daemon is not None:
            self.daemon.stop.set()
        await asyncio.wait({living}, timeout=QUIET_SECONDS)
        if not living.done():
            self.problems.append("the daemon doesn't end")
            living.cancel()
        elif living.exception() is not None:
            raise living.exception()  # type: ignore[misc]

    # --- the daemon's lives

    async def _live(self) -> None:
        while not self._is_over:
            await self._live_once(len(self.lives) + 1)
            if not self._is_over:
                pause = self.chance.expovariate(0.5) if self.chance.random() < 0.9 else self.chance.uniform(30, 300)
                if self.chance.random() < 0.3:  # what happens while nobody listens, a long time before somebody does
                    self.people.delete()
                    pause += 25.0
                await asyncio.sleep(pause)

    async def _live_once(self, number: int) -> None:
        life, context, ended = Life(number), copy_context(), self.loop.create_future()
        self.lives.append(life)
        self.births.append(self.loop.time())
        context.run(LIFE.set, life)
        engine = ScriptedEngine(
            self._engine_chance, self.faults, self.journal, self._decode, self.asked, number,
            die=lambda: self.loop.kill(life), is_wordy=self.is_wordy,
        )  # fmt: skip
        if self.faults.poison and self.engine is not None:
            engine.poisoned = self.engine.poisoned
        daemon = self._new_daemon(engine)
        daemon.on_ready, daemon.heard, daemon.fetched = self._ready.set, self._note_heard, self._note_fetched
        self.daemon, self.engine, self.people.daemon, self.loop.life = daemon, engine, daemon, life
        life.when_killed.append(lambda: ended.done() or ended.set_result(None))
        self.journal.note("life begins", number)
        if not self._knows_any_channel():
            self.blank_at = self.loop.time()
        task = self.loop.create_task(daemon.run(), context=context)
        task.add_done_callback(lambda _: ended.done() or ended.set_result(None))
        await ended
        self._ready.clear()
        self.daemon = self.people.daemon = self.loop.life = None
        self.loop.step_of_death = self._commits_to_death = 0
        self.discord.disconnect(is_resumable=False)
        if life.is_dead:
            self.deaths[number] = self.loop.time()
            self.journal.note("killed", number)
            return
        error = task.exception()
        self.journal.note("life ends", number, type(error).__name__)
        await asyncio.sleep(0)
        left = [each for each in asyncio.all_tasks() if each.life is life and not each.done()]  # type: ignore[attr-defined]
        if left and not self.faults_stalls:
            self.problems.append(f"life {number} left running: {[each.get_coro().__qualname__ for each in left]}")
        if not self.faults_stalls and (
            open_ := [each for each in self.disk.connections_of(life) if each._connection is not None]
        ):
            self.problems.append(f"life {number} left {len(open_)} connections open")
        if error is not None and not self._is_expected(error):
            self.problems.append(f"life {number} ended with {error!r}")
            logging.getLogger("simulation").debug("unexpected end", exc_info=error)

    def _is_expected(self, error: BaseException) -> bool:
        if isinstance(error, BaseExceptionGroup):
            return all(self._is_expected(each) for each in error.exceptions)
        return isinstance(error, EngineFailed) or (isinstance(error, StoreError) and self.is_db_faulty)

    def first_asked(self) -> dict[int, int]:
        """The number of the first request for each question."""
        first: dict[int, int] = {}
        for asked in self.asked:
            first.setdefault(int(asked.name.rpartition(":")[2]), asked.number)
        return first

    def was_followed(self, kind: str, message_id: int) -> bool:
        """Whether an edit or a deletion surely was followed: it was heard of, and that life went on for a while."""
        life, at = self.heard.get((kind, message_id), (0, 0.0))
        return life > 0 and not self.is_db_faulty and self.deaths.get(life, float("inf")) - at > 5.0

    @property
    def may_database_be_lost(self) -> bool:
        """Whether it was away for longer than anybody waits for it, or could refuse any statement."""
        return bool(self._do_statements_fail or self.faults_stalls or self.longest_outage >= LONG_OUTAGE_SECONDS)

    def was_gone_at_start(self, question: Message, at: float) -> bool:
        """Whether the life that runs at a moment found a question deleted when it began, and could know it."""
        began_at = max((birth for birth in self.births if birth <= at), default=0.0)
        is_sure = not self.is_db_faulty and not self.do_requests_fail
        return is_sure and question.deleted_at is not None and question.deleted_at < began_at

    def is_beyond_reach(self, question: Message) -> bool:
        """Whether the daemon can't know of a question.

        More was said after it than is looked at, while nobody was there; or nothing was ever committed before that.
        """
        place = question.channel.id
        return question.at < self.blank_at or any(
            channel_id == place and question.id < oldest_id and at > question.at
            for channel_id, oldest_id, at in self.full_pages
        )

    def _decode(self, token_ids: Sequence[int]) -> str:
        """Not as a person reads it, but with every word."""
        id_to_token = self.encoder.tokenizer.id_to_token
        for token_id in token_ids:
            if token_id not in _pieces:
                _pieces[token_id] = (id_to_token(token_id) or "").replace("\u2581", " ")
        return "".join(map(_pieces.__getitem__, token_ids))

    def _knows_any_channel(self) -> bool:
        with closing(sqlite3.connect(self.disk.folder / "trinity.db")) as connection:
            return bool(connection.execute("SELECT 1 FROM conversations LIMIT 1").fetchone())

    def _note_fetched(self, channel: Channel, page: list[Message]) -> None:
        if len(page) == PER_CHANNEL:
            self.full_pages.append((channel.id, page[0].id, self.loop.time()))

    def _note_heard(self, kind: str, message: object) -> None:
        if kind != "create":
            self.heard[kind, message.id] = (len(self.lives), self.loop.time())  # type: ignore[attr-defined]

    # --- the course of it

    async def _play(self) -> None:
        num_acts = self.chance.randint(4, 20)
        pace = self.chance.choice((0.3, 1.0, 2.5, 6.0))
        length = num_acts * pace
        faults = self.faults
        events: list[tuple[float, Callable[[], None]]] = [
            *((self.chance.uniform(0, length), self._kill) for _ in range(faults.kills)),
            *((self.chance.uniform(0, length), self._restart) for _ in range(faults.restarts)),
            *((self.chance.uniform(0, length), self._drop) for _ in range(faults.drops)),
            *((self.chance.uniform(0, length), self._take_database_away) for _ in range(faults.outages)),
            *((self.chance.uniform(0, length), self._jump) for _ in range(faults.jumps)),
            *((self.chance.uniform(0, length), self._lose_engine) for _ in range(faults.engine_losses)),
        ]
        began_at = self.loop.time()
        for after, event in events:
            self.loop.call_at(began_at + after, event)
        for number in range(num_acts):
            if self.people.act():
                self._strike()
            elif self.chance.random() < faults.sudden:
                self._kill()
            if faults.poison and number == num_acts // 2:
                self.engine.poisoned = str(self.people.questions[-1].id)  # type: ignore[union-attr]
            await asyncio.sleep(self.chance.expovariate(1 / pace))
        await asyncio.sleep(max(0.0, began_at + length - self.loop.time()))

    def _strike(self) -> None:
        """Somebody takes something back: where the process may die or end suddenly, it often does so just then."""
        if self.faults.sudden and self.chance.random() < 0.6:
            self._kill()
        elif self.faults.restarts and self.chance.random() < 0.4:
            self.loop.call_later(self.chance.uniform(0.0, 1.0), self._restart)

    def _kill(self) -> None:
        """At any step from now on, not just between two of what people do; often soon after something was committed."""
        if self.chance.random() < 0.7:
            self._commits_to_death = self.chance.choice((1, 1, 2, 4))
        else:
            soon = self.chance.choice((1, 10, 100, 1000)) + self.chance.randrange(50)
            self.loop.step_of_death = self.loop.num_steps + soon

    def _note_commit(self) -> None:
        self._commits_to_death -= 1
        if self._commits_to_death == 0:
            self.loop.step_of_death = self.loop.num_steps + self.chance.choice((1, 2, 4, 8, 16, 32))

    def _restart(self) -> None:
        if self.daemon is not None:
            self.journal.note("asked to stop")
            self.daemon.stop.set()

    def _drop(self) -> None:
        front_end = self.daemon.front_end if self.daemon else None
        if front_end is None:
            return
        is_resumable = self.chance.random() < 0.5
        self.journal.note("connection lost", is_resumable)
        front_end.lose_connection(is_resumable=is_resumable)

        def return_() -> None:
            if self.daemon is not None and self.daemon.front_end is front_end:
                self.journal.note("connection returns")
                front_end._context.run(front_end.connect)

        self.loop.call_later(self.chance.uniform(0.5, 40.0), return_)

    def _take_database_away(self) -> None:
        seconds = self.chance.choice((2.0, 8.0, 40.0, LONG_OUTAGE_SECONDS))
        self._away_until, self.longest_outage = self.loop.time() + seconds, max(self.longest_outage, seconds)
        self.journal.note("database away until", round(self._away_until, 3))
        if self.faults.kills and self.chance.random() < 0.5:
            self.loop.call_later(self.chance.uniform(0.0, 20.0), self._kill)

    def _jump(self) -> None:
        universe.wall_offset = self.chance.choice((-86_400.0, -3600.0, -30.0, 0.0, 30.0, 3600.0, 86_400.0))
        self.journal.note("the clock is off by", universe.wall_offset)

    def _lose_engine(self) -> None:
        if self.engine is not None:
            self.journal.note("the engine is lost")
            self.engine.lose()

    def _refusal(self) -> Exception | None:
        is_away = self.loop.time() < self._away_until
        if is_away or (self.faults.statements and self._db_chance.random() < self.faults.statements):
            return a_refusal(self._db_chance)
        return None

    def _disk_seconds(self) -> float:
        if self.faults.stalls and self._db_chance.random() < self.faults.stalls:
            return self._db_chance.uniform(1.0, 25.0)
        return self._db_chance.expovariate(2000.0) if self._db_chance.random() < _NOTICED else 0.0

    # --- the end of it

    async def _wait_ready(self) -> None:
        await self._ready.wait()

    async def _until(self, condition: Callable[[], bool], seconds: float) -> bool:
        give_up_at = self.loop.time() + seconds
        while not condition():
            if self.loop.time() > give_up_at:
                return False
            await asyncio.sleep(0.25)
        return True

    def _has_answer(self, message_id: int) -> bool:
        return any(
            message.key is not None and message.key.question_id == message_id
            for channel in self.people.channels
            for message in channel.messages
        )

    async def _become_quiet(self) -> None:
        """Wait until all is done that was begun."""
        give_up_at = self.loop.time() + QUIET_SECONDS
        num_quiet = 0
        while num_quiet < 4:
            if self.loop.time() > give_up_at:
                chat = self.daemon.chat if self.daemon else None
                left = [] if chat is None else [str(each.message_id) for each in chat.exchanges]
                self.problems.append(f"it doesn't become quiet: {left}")
                return
            await asyncio.sleep(2.0)
            num_quiet = num_quiet + 1 if self._has_no_open() else 0
            if num_quiet == 4 and not await self._has_no_unfinished():
                num_quiet = 0

    def _has_no_open(self) -> bool:
        daemon = self.daemon
        if daemon is None or daemon.chat is None or len(daemon.chat.exchanges):
            return False
        front_end = daemon.front_end
        return front_end is not None and front_end.seen.is_caught_up and self.discord.is_connected

    async def _has_no_unfinished(self) -> bool:
        inbox = self.daemon.inbox if self.daemon else None
        try:
            return inbox is not None and not await inbox.unfinished()
        except DatabaseBusy:
            return False


def prepare() -> bytes:
    """An empty database, which every simulation begins with."""

    async def work(loop: SimulatedLoop) -> bytes:
        with a_disk(loop) as disk:
            file = disk.folder / "trinity.db"
            async with open_database(f"sqlite:///{file}"):
                pass
            return file.read_bytes()

    return run_in_simulation(0, work)  # type: ignore[no-any-return]


def simulate(
    seed: int, encoder: TurnEncoder, database: bytes, *, prints: bool = False, kind: type[Simulation] = Simulation
) -> Result:
    """Run one seed, and judge it."""
    from tests.simulation.oracle import judge

    made: list[Simulation] = []
    complaints: list[str] = []
    catcher = _Catcher(complaints)
    root = logging.getLogger()
    root.addHandler(catcher)

    async def work(loop: SimulatedLoop) -> None:
        loop.set_exception_handler(lambda _, context: complaints.append(f"loop: {context}"))
        with a_disk(loop) as disk:
            (disk.folder / "trinity.db").write_bytes(database)
            (disk.folder / "trinity.db").chmod(0o600)
            simulation = kind(seed, loop, disk, encoder, prints=prints)
            made.append(simulation)
            await simulation.run()
            simulation.problems += judge(simulation)

    problems: list[str] = []
    try:
        run_in_simulation(seed, work)
    except Exception as error:
        logging.getLogger("simulation").debug("the simulation failed", exc_info=error)
        problems = [f"it ended with {error!r}"]
        if prints:
            raise
    finally:
        root.removeHandler(catcher)
    simulation = made[0]
    problems = [*simulation.problems, *complaints, *problems]
    result = Result(
        seed, problems, len(simulation.people.questions), simulation.loop.num_steps, len(simulation.lives),
        simulation.journal.digest, [*simulation.journal.last] if problems else [], simulation.described,
    )  # fmt: skip
    made.clear()
    del simulation
    _bury()
    return result


def _bury() -> None:
    """Let what was killed go. It can't clean up after itself any more, and says so to nobody."""
    sys.unraisablehook = lambda _: None  # for good: the last of it goes with the interpreter
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()
    gc.freeze()  # what is left is used by the next seed as well, and looked through no more
    logging.disable(logging.NOTSET)


class _Catcher(logging.Handler):
    """Takes what the daemon says of mistakes of its own."""

    def __init__(self, complaints: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._complaints = complaints

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and not isinstance(record.exc_info[1], StoreError | EngineFailed):
            self._complaints.append(f"log: {record.getMessage()}: {record.exc_info[1]!r}")
