"""The same Chat at a terminal prompt: one person, one conversation, answers as they come."""

import asyncio
import getpass
import itertools
import os
import re
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from bot.chat.chat import Chat, Exchange, Finished, InboxState, Notice, Scope, StopReason, TextDelta
from bot.chat.settings_desk import Origin, ShownSetting
from bot.conversation.channel_settings import find_setting
from bot.conversation.messages import ConversationKey, Question
from bot.conversation.persona import Persona, normal_name
from bot.conversation.sanitize import has_visible_text
from bot.errors import DatabaseBusy, EngineUnavailable, InvalidSetting, UserError
from bot.inference.engine import FinishReason
from bot.streams import forsake_standard_streams
from bot.terminal.input import PROMPT, Input
from bot.terminal.output import TerminalOutput
from bot.terminal.remembering import follow

TERMINAL = ConversationKey(platform="terminal", channel_id=1)
AUTHOR_ID = 1

DEMONSTRATION = (
    "Hello! Who are you?",
    "My name is Alice and my favourite colour is green.",
    "What is my name?",
    "What is my favourite colour?",
    "/reset",
    "What is my name?",
)

HELP = """\
Write a message and press Enter; Trinity answers out of this conversation's history.
  /again                     another answer in place of the last one
  /continue                  go on with the last answer
  /reset                     forget this conversation
  /undo                      bring it back, within a minute
  /persona show              the persona in use, and its prompt
  /persona list              all personas
  /persona use NAME          speak to another persona
  /persona set NAME PROMPT   make a persona, or change one of yours
  /persona delete NAME       delete one of yours
  /persona clear             go back to the persona you began with
  /remember TEXT             keep a fact in mind, in every answer
  /memory list               the facts that are kept in mind, and what they cost
  /forget N                  no longer keep one in mind
  /memory mode MODE          what becomes of turns that no longer fit: recall, summary or window
  /context                   what Trinity will see next, in tokens
  /export FILE               write this conversation to a file: Markdown, or JSON where its name ends in .json
  /settings                  how answers are drawn, how long they get, and what is remembered
  /settings set NAME VALUE   choose one of these for here
  /settings clear NAME       take that back
  /help                      this list
  /quit                      leave (quit, exit and Ctrl-D do too)
Ctrl-C stops an answer, and what was said of it stays; while nothing is being answered, Ctrl-C leaves. What is pasted is
one message, however many lines it has, and Alt-Enter begins a new line. To send a message that begins with /, put a
blank before it."""

_OFFERED = ("temperature", "top_p", "top_k", "longest_answer", "memory")
"""The settings that mean something here: the others are about channels with several people."""
_ENDING = (signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP)
_LEAVING_WORDS = ("quit", "exit", "quit()", "exit()")
"""Typed without a slash, these leave as well: nobody asks a model just that."""

_FAREWELL_SECONDS = 2.0
"""For the last words to somebody who typed: a terminal that shows nothing any more doesn't hold the end up."""
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


async def chat_at_terminal(
    chat: Chat, source: Input, console: Console, key: ConversationKey = TERMINAL, *, is_alone: bool = True
) -> None:
    """Talk until the lines end, `/quit`, SIGTERM, or Ctrl-C while nothing is being answered.

    Where nobody types, signals are left to the caller. `is_alone` is False where another terminal uses this database:
    an unanswered question may be the other one's.

    Raises:
        TrinityError: an error that doesn't pass while one waits, such as a lost engine.
    """
    if is_alone:
        for exchange in await chat.resume(key.platform):
            # Whoever asked has left the terminal, and can ask again.
            async with exchange:
                await exchange.finish(InboxState.EXPIRED if exchange.previous is None else InboxState.ANSWERED)
    await _Session(chat, source, console, key).run()


class _SessionEnded(Exception):
    """Leaves the loop over lines."""


class _Session:
    def __init__(self, chat: Chat, source: Input, console: Console, key: ConversationKey) -> None:
        self._chat = chat
        self._input = source
        self._output = TerminalOutput(console)
        self._key = key
        self._message_ids = itertools.count(time.time_ns() // 1000)
        self._task: asyncio.Task[None] | None = None
        self._exchange: Exchange | None = None
        """What is being answered."""
        self._is_interrupted = False
        self._is_ended = False
        self._is_line_open = False
        self._is_answer_silent = False
        """The answer's name stands there, and nothing behind it yet."""

    async def run(self) -> None:
        if self._input.is_interactive:
            self._small("Ctrl-C stops an answer, Ctrl-D leaves, /help lists the commands.")
        with suppress(_SessionEnded), self._input.opened(), self._signals():
            await self._shown()
            while (line := await self._input.next()) is not None:
                if not self._input.is_interactive:
                    self._say(f"{PROMPT}{line}", style="bold")
                    await self._shown()
                await self._take(line)
                await self._shown()
        if self._input.is_interactive:
            await self._take_leave()

    async def _take(self, line: str) -> None:
        try:
            if self._input.is_interactive and line.strip().lower() in _LEAVING_WORDS:
                raise _SessionEnded
            if line.startswith("/"):
                await self._command(line)
            elif has_visible_text(line):
                await self._ask(line.strip())
        except (UserError, EngineUnavailable, DatabaseBusy) as error:
            self._small(str(error))

    async def _ask(self, content: str) -> None:
        await self._answer(self._chat.open(self._question(content)))

    async def _answer_anew(self, begin: Callable[[ConversationKey, int, int], Awaitable[Exchange]]) -> None:
        """Answer the last question once more, or go on with its answer."""
        last = await self._chat.last_turn(self._key)
        await self._answer(await begin(self._key, last.message_id if last else 0, AUTHOR_ID))

    async def _answer(self, exchange: Exchange) -> None:
        persona = await self._chat.personas.show(self._key)
        is_replaced = exchange.previous is not None  # which stays valid, whatever comes of this one
        async with exchange:
            state = InboxState.ANSWERED if is_replaced else InboxState.FAILED
            try:
                self._exchange = exchange
                with self._input.quiet(self._interrupt, self._end):
                    await self._show_answer(exchange, persona.name)
                is_unsaid = exchange.stopped is StopReason.ASKED and exchange.finish_reason is None
                state = InboxState.WITHDRAWN if is_unsaid else InboxState.ANSWERED
            except asyncio.CancelledError as cancelled:
                state = InboxState.ANSWERED if is_replaced else InboxState.WITHDRAWN
                self._continue_or_leave(cancelled)
                self._small("Stopped.")
            finally:
                self._exchange = None
                await exchange.finish(state)

    def _question(self, content: str) -> Question:
        return Question(
            conversation=self._key,
            message_id=next(self._message_ids),
            author_id=AUTHOR_ID,
            author_name=_user_name(),
            content=content,
            created_at=datetime.now(UTC),
            is_direct=True,
        )

    async def _show_answer(self, exchange: Exchange, name: str) -> None:
        notices = []
        self._say(f"{name}: ", style="bold cyan", end="")
        self._is_answer_silent = True
        await self._shown()
        async with aclosing(exchange.events()) as events:
            async for event in events:
                match event:
                    case TextDelta(text):
                        self._say(text, end="")
                    case Notice(text):
                        notices.append(text)
                    case Finished(FinishReason.LENGTH):
                        notices.append("The answer is as long as TRINITY_MAX_NEW_TOKENS lets it be; /continue goes on.")
                    case Finished(FinishReason.ABORTED):
                        notices.append("This conversation was reset meanwhile, so that answer is forgotten too.")
                await self._shown()
        if exchange.stopped is StopReason.ASKED:
            self._small("Stopped.")
            return
        self._say("")
        for notice in notices:
            self._small(notice)

    async def _command(self, line: str) -> None:
        name, *words = line[1:].split(maxsplit=1) or [""]
        match name.lower(), (words[0] if words else ""):
            case "reset", "":
                await self._chat.reset(self._key)
                self._input.forget()
                hint = " For a minute, /undo brings it back." if self._input.is_interactive else ""
                self._small(f"This conversation is forgotten.{hint}")
            case "undo", "":
                await self._chat.undo_reset(self._key)
                self._small("This conversation is remembered again.")
            case "again", "":
                await self._answer_anew(self._chat.again)
            case "continue", "":
                await self._answer_anew(self._chat.continue_answer)
            case "persona", rest:
                await self._persona(rest)
            case "settings", rest:
                await self._settings(rest)
            case ((("memory" | "remember" | "forget" | "context") as command), rest):
                self._say(await follow(self._chat, self._key, (AUTHOR_ID, _user_name()), command, rest))
            case "export", file_name:
                self._small(await self._export(file_name))
            case "help", "":
                self._say(HELP)
            case (("quit" | "exit"), ""):
                raise _SessionEnded
            case _:
                problem = f"There is no command {line.strip()!r}. /help lists them."
                self._small(f"{problem} To send it as a message, put a blank before it.")

    async def _export(self, file_name: str) -> str:
        """Write the conversation to a file that isn't there yet; returns what to say of it."""
        if not file_name:
            return "Where to? /export FILE, such as /export talk.md"
        path = Path(file_name)
        copy = await self._chat.memory.copy(self._key, as_json=path.suffix.lower() == ".json")
        if not (copy.num_turns or copy.num_pins):
            return "Nothing is remembered here."
        try:
            await asyncio.to_thread(_write_new, path, copy.text)
        except FileExistsError:
            return f"{path} exists already, and stays as it is: give another name."
        except OSError as error:
            return f"{path} can't be written: {error.strerror}"
        rest = "" if copy.is_whole else "; older ones didn't fit"
        return f"Written to {path}. Questions with their answers: {copy.num_turns:,}{rest}."

    async def _persona(self, rest: str) -> None:
        action, name, prompt = (*rest.split(maxsplit=2), "", "", "")[:3]
        match action.lower(), name, prompt:
            case (("show" | ""), "", ""):
                persona = await self._chat.personas.show(self._key)
                self._say(f"{persona.name}: {persona.prompt}")
            case "list", "", "":
                in_use = normal_name((await self._chat.personas.show(self._key)).name)
                for persona in await self._chat.personas.list(self._key):
                    self._say(f"{'*' if normal_name(persona.name) == in_use else ' '} {persona.name}")
            case "use", str(name), "" if name:
                self._say_persona(await self._chat.personas.use(self._key, name, AUTHOR_ID))
            case "set", str(name), str(prompt) if prompt:
                kept = await self._chat.personas.set(self._key, name, prompt, AUTHOR_ID)
                self._small(f"{kept.name} is kept. /persona use {kept.name} lets you speak to it.")
            case "delete", str(name), "" if name:
                await self._chat.personas.delete(self._key, name, AUTHOR_ID)
                self._small(f"{name} is deleted.")
            case "clear", "", "":
                self._say_persona(await self._chat.personas.clear(self._key, AUTHOR_ID))
            case _:
                self._small("/persona takes show, list, use NAME, set NAME PROMPT, delete NAME or clear.")

    async def _settings(self, rest: str) -> None:
        settings = self._chat.settings
        action, name, value = (*rest.split(maxsplit=2), "", "", "")[:3]
        match action.lower(), name, value:
            case (("show" | ""), "", ""):
                for shown in settings.show(self._key):
                    if shown.setting.name in _OFFERED:
                        origin = " (chosen here)" if shown.origin is Origin.HERE else ""
                        self._say(f"{shown.setting.name} = {shown.value}{origin}: {shown.setting.meaning}")
            case "set", str(name), str(value) if value:
                self._require_offered(name)
                self._say_setting(await settings.set(self._key, Scope.CHANNEL, name, value, AUTHOR_ID))
            case "clear", str(name), "" if name:
                self._say_setting(await settings.clear(self._key, Scope.CHANNEL, name))
            case _:
                self._small("/settings takes show, set NAME VALUE or clear NAME.")

    def _require_offered(self, name: str) -> None:
        setting = find_setting(name)
        if setting is not None and setting.name not in _OFFERED:
            raise InvalidSetting(f"{setting.name} means nothing here: nobody else is in this conversation.")

    def _say_setting(self, shown: ShownSetting) -> None:
        self._small(f"{shown.setting.name} is {shown.value} here.")

    def _say_persona(self, persona: Persona) -> None:
        self._small(f"You are speaking to {persona.name} now.")

    def _small(self, text: str) -> None:
        if self._is_line_open and not self._is_answer_silent:
            self._say("")
        self._say(text, style="dim")

    def _say(self, text: str, *, style: str | None = None, end: str = "\n") -> None:
        # Text of models and personas must not control the terminal.
        self._output.add(_CONTROL_CHARACTERS.sub("", text), style=style, end=end)
        self._is_line_open = not end
        self._is_answer_silent = False

    async def _take_leave(self) -> None:
        self._say("")
        try:
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await self._shown()
        except _SessionEnded:
            return
        except TimeoutError:
            forsake_standard_streams()

    async def _shown(self) -> None:
        """Wait until what was said is read; a window that was closed ends the talk."""
        try:
            await self._output.written()
        except OSError:
            if not self._input.is_interactive:
                raise
            forsake_standard_streams()
            raise _SessionEnded from None

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """While somebody types, let Ctrl-C, SIGTERM and the like cancel what this task waits for."""
        if not self._input.is_interactive:
            yield
            return
        loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        calls = {signal.SIGINT: self._interrupt, **dict.fromkeys(_ENDING, self._end)}
        for number, call in calls.items():
            loop.add_signal_handler(number, call)
        try:
            yield
        except asyncio.CancelledError as cancelled:
            self._continue_or_leave(cancelled)
        finally:
            for number in calls:
                loop.remove_signal_handler(number)

    def _interrupt(self) -> None:
        """Stop the answer, and keep what was said of it; where that was done, or there is none, end what is awaited."""
        if self._exchange is not None and self._exchange.can_stop:
            self._exchange.stop(StopReason.ASKED, keep=True)
        else:
            self._cancel()

    def _cancel(self) -> None:
        self._is_interrupted = True
        if self._task is not None:
            self._task.cancel()

    def _end(self) -> None:
        self._is_ended = True
        self._cancel()

    def _continue_or_leave(self, cancelled: asyncio.CancelledError) -> None:
        """Go on after Ctrl-C, leave after SIGTERM; any other cancellation is raised again."""
        task = asyncio.current_task()
        if not self._is_interrupted or task is None:
            raise cancelled
        self._is_interrupted = False
        task.uncancel()
        if self._is_ended:
            raise _SessionEnded


def _write_new(path: Path, text: str) -> None:
    """Only for the person at this terminal, like the history it is a copy of."""
    with suppress(RuntimeError):  # somebody's home who isn't there: then it is a folder's name
        path = path.expanduser()
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "w", encoding="utf-8", errors="replace") as stream:
        stream.write(text)


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as containers have
        return "you"
