"""The one place where parts are chosen and joined: database, engine, chat, and whatever shows it to people.

Start-up opens what can refuse first and costs least (the database), then loads the model, and only then goes where
people are. Shutdown is the reverse order, by the order of the `async with` blocks.
"""

import asyncio
import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bot.chat.about import About
from bot.chat.chat import HIDDEN_SECONDS, Chat
from bot.chat.departures import Departures
from bot.chat.replay import Replay
from bot.chat.retention import DAILY, HOURLY, Retention
from bot.chat.time_limits import TimeLimits
from bot.conversation.chat_format import ChatFormat, TurnEncoder
from bot.conversation.formats.choice import choose_format
from bot.conversation.live_patterns import live_patterns
from bot.conversation.persona import DEFAULT, check_prompt
from bot.conversation.tokenizer import load_tokenizer, read_tokenizer
from bot.conversation.turn_limits import NO_LIMITS, TurnLimits
from bot.conversation.window import TokenBudget
from bot.errors import ConfigError, PersonaError, StoreError
from bot.inference.engine import Engine
from bot.inference.idle import IdleLimits
from bot.inference.loading.hub import find_model_folder
from bot.observer import LogObserver, Observer, StepRecord
from bot.settings.live import sampling_of
from bot.settings.settings import Settings
from bot.store.files.database import open_database, utc_now
from bot.store.files.reading import open_for_reading
from bot.store.files.running_file import RunningFile, open_running_file
from bot.store.files.server_url import is_server_url
from bot.store.rows.chosen_settings import ChosenSettings
from bot.store.rows.guilds import Guilds
from bot.store.rows.history import History
from bot.store.rows.inbox import Inbox
from bot.store.rows.made_answers import MadeAnswers
from bot.store.rows.personas import Personas
from bot.store.rows.summaries import Summaries
from bot.store.rows.transcripts import Transcripts
from bot.tasks import in_background, in_daemon_thread, keep_running

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from bot.inference.messages import LoadedModel, ReportProgress
    from bot.inference.remote.engine import RemoteOptions

log = logging.getLogger(__name__)

DEMO_MODEL = Path(__file__).parent / "demo_model"
"""The model that is used where TRINITY_MODEL names no other."""
HOUSEKEEPING_SECONDS = 15.0
_SLOW_BYTES = 2**30
_PROGRESS_INTERVAL_SECONDS = 30.0
_READING = "model files"
_UNKNOWN_WINDOW = 2**20
"""Of a server's model before the server was asked."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model on this disk, ready to be loaded, or on a server."""

    place: str
    """Its folder, or the server's address."""
    num_bytes: int
    """What loading it reads."""
    context_window: int
    tokenizer: "Tokenizer"
    chat_format: ChatFormat
    open_engine: "OpenEngine"


class OpenEngine(Protocol):
    """Opens the engine that runs a model, for as long as a block lasts."""

    def __call__(
        self, on_progress: Callable[[int, int], None], running: RunningFile, observer: Observer
    ) -> AbstractAsyncContextManager[Engine]:
        """`running` is where it is noted what runs; `on_progress` hears of the bytes that are loaded."""
        ...


@asynccontextmanager
async def open_chat(
    settings: Settings,
    *,
    platform: str,
    time_limits: TimeLimits | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> AsyncIterator[Chat]:
    """Open everything a front end needs, and close it again.

    Args:
        settings: what the operator chose.
        platform: the front end's name; what an earlier run of it reset is deleted first.
        time_limits: how long things may take; None is what fits a channel.
        on_progress: called with the bytes of the model that are loaded, and all of them.

    Raises:
        ConfigError, StoreError: as the part that refuses says.
    """
    async with open_parts(settings, platform=platform, time_limits=time_limits, on_progress=on_progress) as (chat, _):
        yield chat


@asynccontextmanager
async def open_parts(
    settings: Settings,
    *,
    platform: str,
    time_limits: TimeLimits | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    running_file: Path | None = None,
    certain_now: Callable[[], datetime | None] | None = None,
    observer: Observer | None = None,
    turn_limits: TurnLimits = NO_LIMITS,
) -> AsyncIterator[tuple[Chat, Engine]]:
    """`open_chat`, with the engine beside the chat for whoever has to watch it.

    `running_file` is where it is noted what the engine runs, for the process after this one. `certain_now` tells the
    time by which is deleted what has become too old, or None as long as it isn't known; without it this machine's clock
    has to do, and a day's worth is deleted in a day. `observer` hears of the work; by default each answer is a line in
    the log. `turn_limits` bound what people may ask in an hour.
    """
    observer = observer or LogObserver()
    async with open_database(settings.effective_database_url, observer=observer) as database:
        persona = settings.default_persona or DEFAULT
        history = History(database, persona)
        await history.purge_hidden(hidden_for_good(settings, utc_now()))
        chosen = ChosenSettings(database)
        await chosen.load()
        model = await _find_model(settings, on_progress or LoggedProgress("downloading"))
        encoder = TurnEncoder(model.tokenizer, model.chat_format)
        _settle_budget(settings, encoder, model.context_window, model.context_window)
        log.info("loading the model in %s for %s", model.place, platform)
        inbox = Inbox(database)
        if not turn_limits:
            await inbox.forget_turns(platform)
        async with (
            noted_deaths(inbox, history, running_file) as running,
            model.open_engine(on_progress or LoggedProgress("loading"), running, observer) as engine,
        ):
            budget = _settle_budget(settings, encoder, model.context_window, engine.max_sequence_tokens)
            chat = Chat(
                history,
                inbox,
                Personas(database, persona),
                chosen,
                engine,
                encoder,
                budget,
                sampling=sampling_of(settings),
                time_limits=time_limits,
                turn_limits=turn_limits,
                departures=Departures(Guilds(database), platform, settings.left_guild_days, certain_now or utc_now),
                observer=observer,
                about=About(settings.model, settings.retention_days, settings.source_url),
                setup=name_setup(settings),
            )
            log.info(
                "ready: prompts of up to %d tokens, answers of up to %d",
                budget.num_prompt_tokens,
                budget.max_new_tokens,
            )
            housekeeping = partial(keep_house, chat, _retention(history, settings.retention_days, certain_now))
            async with (
                in_background(keep_running("housekeeping", housekeeping)),
                in_background(keep_running("summaries", chat.summaries.run)),
            ):
                yield chat, engine


def hidden_for_good(settings: Settings, now: datetime) -> datetime | None:
    """Until when what a reset hid can't come back at a start: all of it (None), unless other processes are there."""
    is_shared = settings.shard_count is not None and is_server_url(settings.effective_database_url)
    return now - timedelta(seconds=HIDDEN_SECONDS) if is_shared else None


@dataclass(frozen=True, slots=True)
class EngineAlone:
    """An engine without a chat, for whoever measures it."""

    engine: Engine
    encoder: TurnEncoder
    num_cache_tokens: int
    """What the KV cache holds in all."""
    device: str
    """What it runs on, as its maker calls it."""


@asynccontextmanager
async def open_engine_alone(
    settings: Settings, *, on_progress: Callable[[int, int], None] | None = None
) -> AsyncIterator[EngineAlone]:
    """Open what answers, and nothing that is kept: no database is touched.

    Raises:
        ConfigError: as the part that refuses says.
    """
    steps = _LatestStep()
    alone = settings.model_copy(update={"idle_unload_minutes": None})
    model = await _find_model(alone, on_progress or LoggedProgress("downloading"))
    with open_running_file(None) as running:
        async with model.open_engine(on_progress or LoggedProgress("loading"), running, steps) as engine:
            encoder = TurnEncoder(model.tokenizer, model.chat_format)
            if settings.engine_url is not None:
                yield EngineAlone(engine, encoder, 0, settings.engine_url)
                return
            from bot.inference.loading.build import name_of_device  # noqa: PLC0415 - see `_read_model`
            from bot.inference.model.kv_cache import BLOCK_SIZE  # noqa: PLC0415

            num_cache_tokens = steps.latest.num_blocks * BLOCK_SIZE
            yield EngineAlone(engine, encoder, num_cache_tokens, name_of_device(settings.device))


@dataclass(frozen=True, slots=True)
class ReplayParts:
    """What makes answers again: first what needs no engine, and then that."""

    replay: Replay
    num_bytes: int
    """What loading the model reads."""
    open_engine: Callable[[], AbstractAsyncContextManager[Engine]]


@asynccontextmanager
async def open_replay(
    settings: Settings, *, on_progress: Callable[[int, int], None] | None = None
) -> AsyncIterator[ReplayParts]:
    """Open what makes answers again; the database is only read, so that a daemon may use it at the same time.

    Raises:
        ConfigError, StoreError: as the part that refuses says.
    """
    async with open_for_reading(settings.effective_database_url) as database:
        model = await _find_model(settings, on_progress or LoggedProgress("downloading"))
        encoder = TurnEncoder(model.tokenizer, model.chat_format)
        transcripts = Transcripts(database)
        summaries = Summaries(database, transcripts)
        replay = Replay(MadeAnswers(database), transcripts, summaries, encoder, name_setup(settings))
        with open_running_file(None) as running:
            progress = on_progress or LoggedProgress("loading")
            yield ReplayParts(replay, model.num_bytes, partial(model.open_engine, progress, running, LogObserver()))


def name_setup(settings: Settings) -> str:
    """Which model answers, and how it is set up, as far as that may change what it says."""
    if settings.engine_url is not None:
        return f"{settings.model or 'the only model'} on the server at {settings.engine_url}"
    from bot.inference.loading.build import name_of_device  # noqa: PLC0415 - see `_read_model`

    model = settings.model or "the demonstration model"
    kinds = f"weights {settings.weights}, KV cache {settings.kv_cache}"
    return f"{model} ({kinds}) on {name_of_device(settings.device)}"


class _LatestStep(Observer):
    latest = StepRecord()

    def on_step(self, record: StepRecord) -> None:
        self.latest = record


@asynccontextmanager
async def _open_local(
    load: "Callable[[ReportProgress], LoadedModel]",
    idle_limits: IdleLimits | None,
    on_progress: Callable[[int, int], None],
    running: RunningFile,
    observer: Observer,
) -> AsyncIterator[Engine]:
    from bot.inference.local import open_local_engine  # noqa: PLC0415 - see `_read_model`

    engine: Engine | None = None
    try:
        async with open_local_engine(
            load, on_progress=on_progress, on_running=running.write, observer=observer, idle_limits=idle_limits
        ) as engine:
            yield engine
    finally:
        if engine is not None and engine.failure is None:
            running.write(())  # it ended in order: what it ran is not to blame for anything


@asynccontextmanager
async def _open_remote(
    settings: Settings,
    tokenizer: "Tokenizer",
    chat_format: ChatFormat,
    _on_progress: Callable[[int, int], None],
    _running: RunningFile,
    observer: Observer,
) -> AsyncIterator[Engine]:
    from bot.inference.remote.engine import open_remote_engine  # noqa: PLC0415 - only where it is used

    async with open_remote_engine(_remote_options(settings), tokenizer, chat_format, observer) as engine:
        yield engine


def _remote_options(settings: Settings) -> "RemoteOptions":
    from bot.discord.proxy import proxy_beyond  # noqa: PLC0415
    from bot.inference.remote.engine import RemoteOptions  # noqa: PLC0415
    from bot.inference.remote.server import Wanted  # noqa: PLC0415

    url, key = (settings.engine_url or "").removesuffix("/v1"), settings.engine_api_key
    wanted = Wanted(url, settings.model, settings.context_window, settings.engine_requests)
    return RemoteOptions(wanted, None if key is None else key.get_secret_value(), proxy_beyond(url))


async def describe_server(settings: Settings) -> str:
    """What the server at TRINITY_ENGINE_URL runs and takes, in a line.

    Raises:
        ConfigError: it can't be used with these settings.
        EngineUnavailable: it isn't there.
    """
    from bot.inference.remote.engine import ask_server  # noqa: PLC0415

    model = await _find_model(settings, LoggedProgress("downloading"))
    server = await ask_server(_remote_options(settings), model.tokenizer, model.chat_format)
    encoder = TurnEncoder(model.tokenizer, model.chat_format)
    _settle_budget(settings, encoder, model.context_window, server.max_sequence_tokens)
    prompts = "token ids" if server.takes_token_ids else "text"
    return (
        f"{server.kind} at {settings.engine_url} runs {server.model}: {server.window:,} tokens at a time, "
        f"{server.max_running} requests at once, prompts as {prompts}"
    )


@asynccontextmanager
async def noted_deaths(inbox: Inbox, history: History, running_file: Path | None) -> AsyncIterator[RunningFile]:
    """Commit what an earlier process ran when it died, and note what this one runs."""
    with open_running_file(running_file) as running:
        # Forgotten first: a death in between then blames a question once too little, not once too often.
        running.write(())
        await inbox.note_deaths(running.left)
        await history.summaries.note_deaths(running.left)
        yield running


async def _find_model(settings: Settings, on_progress: Callable[[int, int], None]) -> Model:
    """Find the model's folder, downloading it if need be, and read what can be read in a moment."""
    if settings.engine_url is not None:
        return await in_daemon_thread(partial(_read_remote_model, settings, settings.engine_url), name=_READING)
    if settings.model is None:
        return await in_daemon_thread(partial(_read_model, settings, DEMO_MODEL), name=_READING)
    environ = dict(os.environ)
    if settings.hf_token is not None:
        environ["HF_TOKEN"] = settings.hf_token.get_secret_value()
    folder = await find_model_folder(
        settings.model, made_models=settings.made_models, environ=environ, on_progress=on_progress
    )
    return await in_daemon_thread(partial(_read_model, settings, folder), name=_READING)


def has_abandoned_threads() -> bool:
    """Whether something is still being read or imported that nobody waits for any more."""
    return any(thread.name == _READING for thread in threading.enumerate())


def _read_model(settings: Settings, folder: Path) -> Model:
    """Read what a model's folder says of it. Imports what is slow to import: it runs beside the loop."""
    from bot.inference.loading import build  # noqa: F401, PLC0415 - `_load` needs it, and is to find it imported
    from bot.inference.loading.chat_template import read_chat_template  # noqa: PLC0415
    from bot.inference.loading.config import read_shape  # noqa: PLC0415
    from bot.inference.loading.files import find_weight_files  # noqa: PLC0415

    shape = read_shape(folder)
    context_window = _settle_window(settings, folder, shape.context_window)
    find_weight_files(folder)  # what is missing is said before anything is allocated
    tokenizer = load_tokenizer(folder, num_embeddings=shape.vocab_size)
    template = read_chat_template(folder)
    chat_format = choose_format(tokenizer, template, settings.chat_format, where=str(folder), setting="TRINITY_MODEL")
    live_patterns(chat_format.tags)  # compiled here, beside the loop, and not by the first answer
    load = partial(_load, settings, folder, shape.eos_token_ids.union(chat_format.stop_ids))
    minutes, num_bytes = settings.idle_unload_minutes, sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    open_engine = partial(_open_local, load, None if minutes is None else IdleLimits(60 * minutes))
    return Model(str(folder), num_bytes, context_window, tokenizer, chat_format, open_engine)


def _read_remote_model(settings: Settings, url: str) -> Model:
    """Read the vocabulary of a model that a server runs; the rest is the server's to say."""
    from bot.inference.loading.chat_template import read_chat_template  # noqa: PLC0415

    given = settings.tokenizer
    beside = None if settings.model is None else Path(settings.model, "tokenizer.json")
    if given is None and beside is not None and os.path.isfile(beside):  # noqa: PTH113 - pathlib's may raise
        given = beside.parent
    if given is None:
        problem = (
            "has to name the tokenizer.json of the model that the server runs: prompts are counted, and built, here"
        )
        raise ConfigError("TRINITY_TOKENIZER", problem)
    tokenizer = load_tokenizer(given, setting="TRINITY_TOKENIZER")
    folder = given.parent if given.suffix == ".json" else given
    template = read_chat_template(folder)
    chat_format = choose_format(
        tokenizer, template, settings.chat_format, where=str(folder), setting="TRINITY_TOKENIZER"
    )
    live_patterns(chat_format.tags)
    context_window = settings.context_window or _UNKNOWN_WINDOW
    open_engine = partial(_open_remote, settings, tokenizer, chat_format)
    return Model(url, 0, context_window, tokenizer, chat_format, open_engine)


def _load(
    settings: Settings, folder: Path, stop_ids: frozenset[int], report_progress: "ReportProgress"
) -> "LoadedModel":
    """Load the model that was read; on the engine's thread."""
    from bot.inference.loading.build import build_runner  # noqa: PLC0415 - see `_read_model`
    from bot.inference.messages import LoadedModel  # noqa: PLC0415
    from bot.inference.model.kv_cache import CacheKind  # noqa: PLC0415
    from bot.inference.model.weights import MatrixKind  # noqa: PLC0415

    runner = build_runner(
        folder,
        settings.device,
        context_window=settings.context_window,
        gpu_memory_gib=settings.gpu_memory_gib,
        gpu_memory_fraction=settings.gpu_memory_fraction,
        weights_kind=MatrixKind.INT8 if settings.weights == "int8" else MatrixKind.FLOAT,
        cache_kind=CacheKind.INT8 if settings.kv_cache == "int8" else CacheKind.FLOAT,
        progress=report_progress,
    )
    speculates = settings.speculation == "auto"
    if settings.idle_unload_minutes is not None and not runner.is_on_card:
        log.info("TRINITY_IDLE_UNLOAD_MINUTES changes nothing here: the model is in this machine's memory, on no card")
    return LoadedModel(
        runner,
        read_tokenizer(folder),
        runner.model_hash,
        stop_ids,
        speculates,
        runner.memory_in_use,
        runner if runner.is_on_card else None,
        runner.weigh,
    )


def check_model(
    settings: Settings, folder: Path, trained_window: int, tokenizer: "Tokenizer", chat_format: ChatFormat
) -> None:
    """Refuse settings that ask for more than a model takes, as a start does before it is loaded.

    Raises:
        ConfigError: they do.
    """
    window = _settle_window(settings, folder, trained_window)
    _settle_budget(settings, TurnEncoder(tokenizer, chat_format), window, window)


def _settle_window(settings: Settings, folder: Path, trained_window: int) -> int:
    if settings.context_window is not None and settings.context_window > trained_window:
        problem = f"the model in {folder} was trained for {trained_window} tokens and can't read more"
        raise ConfigError("TRINITY_CONTEXT_WINDOW", problem)
    return settings.context_window or trained_window


def _settle_budget(
    settings: Settings, encoder: TurnEncoder, context_window: int, max_sequence_tokens: int
) -> TokenBudget:
    """How the window is shared; refuses the operator's persona where it leaves too little room."""
    budget = TokenBudget(context_window, max_sequence_tokens, settings.max_new_tokens)
    persona = settings.default_persona or DEFAULT
    try:
        if persona.is_operators:
            check_prompt(persona.prompt, encoder, budget)
    except PersonaError as error:
        raise ConfigError("TRINITY_DEFAULT_PERSONA", str(error)) from error
    return budget


def _retention(
    history: History, days: int | None, certain_now: Callable[[], datetime | None] | None
) -> Retention | None:
    if days is None:
        return None
    return Retention(history, days, certain_now or utc_now, HOURLY if certain_now else DAILY)


async def keep_house(chat: Chat, retention: Retention | None) -> None:
    """Delete what was reset a minute ago, what is older than it may get, and what guilds that were left held."""
    while True:
        try:
            if retention is not None:
                await retention.run_if_due()
            await chat.delete_left_guilds()
            await asyncio.sleep(HOUSEKEEPING_SECONDS)
            await chat.delete_hidden()
        except StoreError as error:
            log.warning("what was reset or is too old could not be deleted yet: %s", error)
            await asyncio.sleep(HOUSEKEEPING_SECONDS)


class LoggedProgress:
    """Logs a line for each tenth of what takes a while, and every half minute in which something was done."""

    def __init__(self, doing: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._doing = doing
        self._clock = clock
        self._logged_at = clock()
        self._tenths = 0

    def __call__(self, done: int, total: int) -> None:
        tenths = 10 * done // total if total else 0
        is_next_tenth = tenths > self._tenths and total >= _SLOW_BYTES
        if is_next_tenth or self._clock() - self._logged_at >= _PROGRESS_INTERVAL_SECONDS:
            self._tenths, self._logged_at = max(tenths, self._tenths), self._clock()
            percent = 100 * done // total if total else 0
            event = {"event": "progress", "doing": self._doing, "done_bytes": done, "total_bytes": total}
            log.info("%s the model: %d %% of %.1f GiB", self._doing, percent, total / 2**30, extra={"event": event})
