import asyncio
import io
import json
import os
import signal
import stat
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from bot.chat.chat import InboxState, Notice, TextDelta
from bot.conversation.messages import ConversationKey
from bot.errors import EngineFailed, EngineOverloaded
from bot.inference.engine import FinishReason
from bot.terminal.input import PipedInput, ScriptedInput
from bot.terminal.session import DEMONSTRATION, TERMINAL, chat_at_terminal
from bot.terminal.standard_input import open_standard_input
from bot.words import phrase
from tests.fake_chat import FakeChat


class KeyboardInput:
    """Somebody at a keyboard: strings are lines, events are waited for before Ctrl-C is pressed."""

    is_interactive = True

    def __init__(self, *lines):
        self._lines = list(lines)

    async def next(self):
        if not self._lines:
            return None
        line = self._lines.pop(0)
        if line is KeyboardInterrupt:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()
        return line

    def opened(self):
        return nullcontext()

    def quiet(self, stop, leave):
        return nullcontext()

    def forget(self):
        self.is_forgotten = True


async def talk(chat, *lines, source=None):
    """Return the transcript."""
    shown = io.StringIO()
    await chat_at_terminal(chat, source or ScriptedInput(lines), Console(file=shown, width=40))
    return shown.getvalue()


async def test_answer_is_shown_below_the_question_that_was_piped():
    chat = FakeChat()

    transcript = await talk(chat, "hello", "\u200b", "and a line that is longer than the forty columns of this console")

    assert transcript.splitlines() == [
        "You: hello",
        "Trinity: You said hello",
        "You: \u200b",
        "You: and a line that is longer than the forty columns of this console",
        "Trinity: You said hello, and a line that is longer than the forty columns of this console",
    ]


async def test_how_answers_are_drawn_is_shown_chosen_and_taken_back():
    chat = FakeChat()

    transcript = await talk(
        chat, "/settings set temperature 0,7", "/settings", "/settings clear temperature",
        "/settings set session person", "/settings set top_p 9", "/settings nonsense", "/settings set memory window",
        "/memory mode recall", "/memory mode nothing", "/memory",
    )  # fmt: skip

    lines = transcript.splitlines()
    assert "temperature is 0.7 here." in lines
    assert any(line.startswith("temperature = 0.7 (chosen here): ") for line in lines)
    assert "temperature is 0.5 here." in lines
    assert not any(line.startswith("session = ") for line in lines)
    assert "memory is window here." in lines
    assert "memory is recall here." in lines
    assert "That has to be `recall`, `summary` or `window`." in lines
    assert "/memory takes list, or mode with recall, summary or window." in lines
    assert "session means nothing here: nobody else is in this conversation." in lines
    assert "/settings takes show, set NAME VALUE or clear NAME." in lines
    assert [*chat.settings.values] == ["memory"]


async def test_facts_are_kept_in_mind_listed_and_forgotten():
    chat = FakeChat()

    transcript = await talk(
        chat, "/memory list", "/remember", "/remember My cat is called Rex.", "/remember I like  tea.", "/memory list",
        "/forget", "/forget one", "/forget 7", "/forget 1", "/memory list",
    )  # fmt: skip

    lines = transcript.splitlines()
    assert "Nothing is kept in mind here. /remember TEXT adds a fact." in lines
    assert any(line.startswith("What? /remember TEXT") for line in lines)
    kept = "That is kept in mind as number 2. It costs 12 tokens in every prompt; all together 33 of 300."
    assert kept in lines
    assert lines.count("2. I like  tea.") == 2
    assert lines.count("1. My cat is called Rex.") == 1
    assert any(line.startswith("Which one? /forget N") for line in lines)
    assert phrase("unknown_pin", number="one") in lines
    assert "There is no number 7." in lines
    assert "Number 1 is forgotten. What is left costs 12 of 300 tokens." in lines
    assert [pin.author_id for pin in chat.pins.kept] == [1]


async def test_a_reset_is_undone():
    transcript = await talk(FakeChat(), "one", "/reset", "/undo", "two", "/undo")

    assert "Trinity: You said one, two" in transcript
    assert "There is nothing to bring back." in transcript


async def test_a_conversation_is_written_to_a_new_file_only(tmp_path):
    markdown, as_json = tmp_path / "talk.md", tmp_path / "talk.JSON"

    transcript = await talk(
        FakeChat(), "/export", f"/export {markdown}", "one", f"/export {markdown}", "two", f"/export {markdown}",
        f"/export {as_json}", f"/export {tmp_path / 'nowhere' / 'talk.md'}",
    )  # fmt: skip

    assert markdown.read_text() == "one"
    assert stat.S_IMODE(markdown.stat().st_mode) == 0o600
    assert json.loads(as_json.read_text()) == ["one", "two"]
    assert transcript.count("Questions with their answers: ") == 2
    for problem in ("Where to?", "Nothing is remembered here.", "exists already", "can't be written: No such file"):
        assert transcript.count(problem) == 1


async def test_typed_question_is_not_echoed():
    transcript = await talk(FakeChat(), source=KeyboardInput("hello"))

    assert "You: hello" not in transcript
    assert "Trinity: You said hello" in transcript


async def test_question_belongs_to_the_terminal_and_has_an_id_of_its_own():
    chat = FakeChat()

    await talk(chat, "one", "two")
    await talk(chat, "three")

    assert {question.conversation for question in chat.questions} == {TERMINAL}
    assert TERMINAL.platform == "terminal"
    assert len({question.message_id for question in chat.questions}) == 3
    assert max(question.message_id for question in chat.questions) < 2**63
    assert all(question.is_direct for question in chat.questions)
    assert chat.states == [(content, InboxState.ANSWERED) for content in ("one", "two", "three")]


async def test_notices_stand_apart_after_the_answer():
    chat = FakeChat({"hello": [Notice("I forgot the oldest."), TextDelta("Hi.")], "reason": FinishReason.LENGTH})

    transcript = await talk(chat, "hello")

    assert transcript.splitlines()[1:] == [
        "Trinity: Hi.",
        "I forgot the oldest.",
        "The answer is as long as TRINITY_MAX_NEW_TOKENS lets it be; /continue goes on.",
    ]


async def test_refusal_is_said_and_the_conversation_goes_on():
    chat = FakeChat({"too much": [TextDelta("Well"), EngineOverloaded("Please ask again later.")]})

    transcript = await talk(chat, "too much", "hello")

    assert "Trinity: Well\nPlease ask again later.\nYou: hello\nTrinity: You said" in transcript
    assert chat.states == [("too much", InboxState.FAILED), ("hello", InboxState.ANSWERED)]


async def test_refusal_without_an_answer_stands_in_the_answers_place():
    chat = FakeChat({"too much": [EngineOverloaded("Please ask again later.")]})

    transcript = await talk(chat, "too much")

    assert transcript == "You: too much\nTrinity: Please ask again later.\n"


async def test_lost_engine_ends_the_conversation():
    chat = FakeChat({"hello": [EngineFailed("The GPU is lost.")]})

    with pytest.raises(EngineFailed):
        await talk(chat, "hello", "still there?")

    assert chat.states == [("hello", InboxState.FAILED)]


async def test_nothing_in_an_answer_steers_the_terminal():
    content = "hello\x1b]0;owned\x07"
    chat = FakeChat({content: [TextDelta("a\x1b[2J\x07\rb\x9b1m\tc\n[bold]:smile:[/bold] ")]})

    transcript = await talk(chat, content)

    assert transcript == "You: hello]0;owned\nTrinity: a[2Jb1m c\n[bold]:smile:[/bold] \n"


async def test_reset_forgets():
    chat = FakeChat()

    transcript = await talk(chat, "one", "/reset", "two")

    assert chat.calls == [("reset", TERMINAL)]
    assert transcript.splitlines()[-1] == "Trinity: You said two"


async def test_what_an_earlier_start_left_unanswered_is_closed():
    chat = FakeChat(open_questions=[SimpleNamespace(content="tell me")])

    await talk(chat, "hello")

    assert chat.states == [("tell me", InboxState.EXPIRED), ("hello", InboxState.ANSWERED)]


async def test_what_another_terminal_is_being_answered_stays_open():
    chat = FakeChat(open_questions=[SimpleNamespace(content="tell me")])

    await chat_at_terminal(chat, ScriptedInput(["hello"]), Console(file=io.StringIO()), is_alone=False)

    assert chat.states == [("hello", InboxState.ANSWERED)]


async def test_answer_that_a_reset_elsewhere_has_ended_is_said_to_be_forgotten():
    chat = FakeChat({"hello": [TextDelta("Hi.")], "reason": FinishReason.ABORTED})

    transcript = await talk(chat, "hello")

    assert transcript.splitlines()[1:] == [
        "Trinity: Hi.",
        "This conversation was reset meanwhile, so that answer is forgotten too.",
    ]


async def test_the_last_answer_is_replaced_or_gone_on_with():
    chat = FakeChat()

    transcript = await talk(chat, "/again", "hello", "/again", "/continue")

    assert [what for what, _ in chat.calls] == ["again", "continue"]
    assert transcript.count("Trinity: You said hello") == 3
    assert "There is no answer here." in transcript
    assert [state for _, state in chat.states] == [InboxState.ANSWERED] * 3


async def test_where_another_answer_fails_the_old_one_stays():
    chat = FakeChat()
    chat.script["hello"] = [EngineOverloaded()]

    await talk(chat, "hello", "/again")

    assert [state for _, state in chat.states] == [InboxState.FAILED, InboxState.ANSWERED]


async def test_unknown_command_is_no_message():
    chat = FakeChat()

    transcript = await talk(chat, "/rest", "/", "/reset now", " /etc/passwd is a file")

    assert transcript.count("There is no command") == 3
    assert chat.heard == ["/etc/passwd is a file"]


@pytest.mark.parametrize("command", ["/quit", "/exit", "/QUIT"])
async def test_quit_leaves_at_once(command):
    chat = FakeChat()

    await talk(chat, command, "hello")

    assert chat.questions == []


@pytest.mark.parametrize("line", ["quit", " Exit ", "exit()"])
async def test_a_bare_farewell_leaves_where_somebody_types_and_is_a_message_of_a_pipe(line):
    typed, piped = FakeChat(), FakeChat()

    await talk(typed, source=KeyboardInput(line, "hello"))
    await talk(piped, line)

    assert typed.questions == []
    assert piped.heard == [line.strip()]


async def test_an_answer_bears_the_name_of_the_persona_in_use():
    transcript = await talk(FakeChat(), "/persona set Pirate Arr.", "hello", "/persona use Pirate", "hello")

    assert "\nTrinity: You said hello\n" in transcript
    assert "\nPirate: You said hello, hello\n" in transcript


async def test_a_reset_forgets_what_was_typed_too():
    source = KeyboardInput("hello", "/reset")

    await talk(FakeChat(), source=source)

    assert source.is_forgotten


async def test_help_names_every_command():
    transcript = await talk(FakeChat(), "/help")

    assert all(
        command in transcript for command in ("/reset", "/persona set NAME PROMPT", "/export FILE", "/quit", "Ctrl-C")
    )


async def test_persona_is_made_chosen_shown_and_deleted():
    chat = FakeChat()

    transcript = await talk(
        chat,
        "/persona set Pirate Speak like  a pirate.",
        "/persona use Pirate",
        "/persona show",
        "/persona list",
        "hello",
        "/persona clear",
        "/persona delete Pirate",
        "/persona",
    )

    assert "Pirate: Speak like  a pirate.\n" in transcript
    assert "  Trinity\n* Pirate\n" in transcript
    assert "You are speaking to Pirate now." in transcript
    assert transcript.endswith("Pirate is deleted.\nYou: /persona\nTrinity: Your name is Trinity.\n")


@pytest.mark.parametrize("command", ["use", "use a b", "set", "set a", "delete", "show all", "clear it", "unknown"])
async def test_persona_command_that_lacks_something_is_explained(command):
    transcript = await talk(FakeChat(), f"/persona {command}")

    assert "/persona takes show, list, use NAME" in transcript


async def test_unknown_persona_is_said():
    transcript = await talk(FakeChat(), "/persona use Nobody")

    assert "There is no persona Nobody." in transcript


async def test_ctrl_c_stops_the_answer_and_then_the_program():
    reached = asyncio.Event()
    chat = FakeChat({"tell me": [TextDelta("Once"), reached]})
    source = KeyboardInput("tell me", "hello", KeyboardInterrupt, "never heard")

    async def press_ctrl_c():
        await reached.wait()
        os.kill(os.getpid(), signal.SIGINT)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(press_ctrl_c())
        talking = tasks.create_task(talk(chat, source=source))

    assert "Trinity: Once\nStopped.\nTrinity: You said tell me, hello\n" in talking.result()
    assert chat.states == [("tell me", InboxState.ANSWERED), ("hello", InboxState.ANSWERED)]


async def test_a_second_ctrl_c_ends_an_answer_that_does_not_stop():
    reached = asyncio.Event()
    chat = FakeChat({"tell me": [TextDelta("Once"), reached]}, is_stuck=True)
    source = KeyboardInput("tell me", "hello", KeyboardInterrupt)

    async def press_ctrl_c_twice():
        await reached.wait()
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(press_ctrl_c_twice())
        talking = tasks.create_task(talk(chat, source=source))

    assert "Trinity: Once\nStopped.\nTrinity: You said tell me, hello\n" in talking.result()
    assert chat.states == [("tell me", InboxState.WITHDRAWN), ("hello", InboxState.ANSWERED)]


async def test_stopped_stands_where_the_answer_would_if_no_word_of_it_was_there():
    reached = asyncio.Event()
    source = KeyboardInput("tell me", KeyboardInterrupt)

    async def press_ctrl_c():
        await reached.wait()
        os.kill(os.getpid(), signal.SIGINT)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(press_ctrl_c())
        talking = tasks.create_task(talk(FakeChat({"tell me": [reached]}), source=source))

    assert "Trinity: Stopped.\n" in talking.result()


async def test_cancel_from_elsewhere_is_no_ctrl_c():
    reached = asyncio.Event()
    chat = FakeChat({"tell me": [reached]})
    talking = asyncio.create_task(talk(chat, source=KeyboardInput("tell me", "hello")))
    await reached.wait()

    talking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await talking
    assert chat.heard == ["tell me"]


async def test_demonstration_tells_asks_resets_and_asks_again():
    chat = FakeChat()

    transcript = await talk(chat, *DEMONSTRATION)

    assert chat.calls == [("reset", TERMINAL)]
    assert transcript.count("What is my name?") >= 2


async def test_conversation_can_be_another_than_the_terminals_own():
    chat, key = FakeChat(), ConversationKey("terminal", 7)

    await chat_at_terminal(chat, ScriptedInput(["/reset", "hello"]), Console(file=io.StringIO()), key)

    assert chat.calls == [("reset", key)]
    assert chat.questions[0].conversation == key


async def read_all(lines):
    result = []
    while (line := await lines.next()) is not None:
        result.append(line)
    return result


@pytest.mark.parametrize("content", [b"one\n\n  \ntwo \xc3\xa9\r\n\xff three", b"one\ntwo"])
async def test_piped_lines_come_whole_whatever_their_bytes(tmp_path, content):
    path = tmp_path / "lines"
    path.write_bytes(content)

    with path.open("rb") as file:
        lines = PipedInput(file.fileno())
        first = lines.peek()
        rest = await read_all(lines)

    expected = [line for line in content.decode(errors="replace").split("\n") if line.strip()]
    assert first == expected[0]
    assert rest == expected


async def test_a_line_without_an_end_is_cut_and_the_next_one_is_whole(tmp_path: Path) -> None:
    endless = tmp_path / "lines"
    endless.write_text("x" * 1_000_000 + "\nwhole\n", encoding="utf-8")

    with endless.open("rb") as file:
        lines = PipedInput(file.fileno())
        cut, whole = await lines.next(), await lines.next()

    assert cut is not None
    assert len(cut) < 500_000
    assert whole == "whole"


async def test_piped_line_is_there_before_the_pipe_ends():
    reader, writer = os.pipe()
    lines = PipedInput(reader)

    os.write(writer, b"one\ntw")
    first = await lines.next()
    second = asyncio.create_task(lines.next())
    await asyncio.sleep(0)
    assert not second.done()
    os.write(writer, b"o\n")
    assert (first, await second) == ("one", "two")
    os.close(writer)

    assert await lines.next() is None
    os.close(reader)


async def test_descriptor_that_cannot_be_read_is_the_end(tmp_path):
    descriptor = os.open(tmp_path, os.O_RDONLY)

    try:
        assert await PipedInput(descriptor).next() is None
    finally:
        os.close(descriptor)


def test_whoever_looks_on_is_told_that_a_pipe_is_waited_for(monkeypatch):
    reader, writer = os.pipe()

    with os.fdopen(reader) as piped:
        monkeypatch.setattr("sys.stdin", piped)
        lines = open_standard_input(lambda: os.write(writer, b"at last\n"), waiting_seconds=0.01)
        assert lines.peek() == "at last"

    os.close(writer)


def test_nobody_is_at_a_closed_or_empty_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    assert open_standard_input() is None

    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        assert open_standard_input() is None
    assert open_standard_input() is None
