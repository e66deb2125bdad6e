"""Somebody at a real terminal: what they type, paste and press, and what the terminal is like afterwards."""

import ast
import shlex
import signal
import sys
import termios
from contextlib import contextmanager

import pytest

from tests import talk_at_keyboard
from tests.screens import terminal_for, terminal_with


@pytest.fixture
def talk(tmp_path):
    @contextmanager
    def talking(**environ):
        states = tmp_path / "states"
        with terminal_for(talk_at_keyboard.talk, states, tmp_path / "history", **environ) as terminal:
            terminal.states = lambda: ast.literal_eval(states.read_text())
            terminal.wait_for("^You:")
            yield terminal

    return talking


def echoes(modes):
    return bool(modes[3] & termios.ECHO) and bool(modes[3] & termios.ICANON)


LEAVING = {
    "Ctrl-C": "\x03",
    "Ctrl-D": "\x15\x04",
    "Ctrl-backslash": "\x1c",
    "exit": "\x15 Exit \r",
    "SIGTERM": signal.SIGTERM,
    "SIGQUIT": signal.SIGQUIT,
}


@pytest.mark.parametrize("leave", LEAVING.values(), ids=LEAVING)
def test_somebody_at_a_keyboard_is_answered_and_finds_the_terminal_as_it_was(talk, leave):
    with talk() as terminal:
        terminal.press("helo\x7flo\r")
        terminal.wait_for("^Trinity: You said hello\nYou:$")
        terminal.press("half a line")
        terminal.wait_for("^You: half a line$")
        if isinstance(leave, str):
            terminal.press(leave)
        else:
            terminal.send(leave)
        status = terminal.wait_for_end()

        assert (status, terminal.states()) == (0, [("hello", "answered")])
        assert terminal.lines[-1] == "left in order"
        assert terminal.modes == terminal.modes_before


def test_lines_that_are_pasted_are_one_message_and_come_back_by_the_arrow_key(talk):
    with talk() as terminal:
        terminal.paste("first\nsecond\n\nlast")
        terminal.wait_for(r"last$")
        terminal.press("\r")
        terminal.wait_for("^Trinity: You said first\nsecond\n\nlast\nYou:$")
        terminal.press("above\x1b\rbelow\r")
        terminal.wait_for("last, above\nbelow\nYou:$")
        terminal.press("\x1b[A")
        terminal.wait_for("^You: above\n     below$")
        terminal.press("\x15\x15\x15\x04\x04\x04\x03")
        terminal.wait_for_end()

        assert [content for content, _ in terminal.states()] == ["first\nsecond\n\nlast", "above\nbelow"]


def test_lines_of_an_earlier_start_come_back_by_the_arrow_key_until_a_reset(talk, tmp_path):
    for keys, shown in (("hello there\r", "^Trinity: "), ("\x1b[A", "^You: hello there$")):
        with talk() as terminal:
            terminal.press(keys)
            terminal.wait_for(shown)
            terminal.press("\x15/reset\r" if "\x1b" in keys else "\x04")
            terminal.wait_for("forgotten|left in order")

    assert "hello" not in (tmp_path / "history").read_text()


def test_what_is_typed_and_pasted_during_an_answer_stays_out_of_it_and_is_the_next_lines(talk):
    with talk() as terminal:
        terminal.press("tell me\r")
        terminal.wait_for("^Trinity: Once$")
        terminal.press("and them\x7fn?\r")
        terminal.paste("two\nlines")
        terminal.press("\r\x04")
        terminal.send(signal.SIGUSR1)
        terminal.wait_for_end()

        assert "Trinity: OnceYou said tell me" in terminal.lines
        assert [content for content, _ in terminal.states()] == ["tell me", "and then?", "two\nlines"]
        assert terminal.modes == terminal.modes_before


def test_ctrl_c_stops_the_answer_and_the_talk_goes_on(talk):
    with talk() as terminal:
        terminal.press("tell me\r")
        terminal.wait_for("^Trinity: Once$")
        terminal.press("\x03")
        terminal.wait_for("^Stopped.\nYou:$")
        terminal.press("hello\r\x04")
        terminal.wait_for_end()

        assert terminal.states() == [("tell me", "answered"), ("hello", "answered")]


@pytest.mark.parametrize("leave", ["\x1c", signal.SIGTERM], ids=["Ctrl-backslash", "SIGTERM"])
def test_leaving_in_an_answer_leaves_the_terminal_as_it_was(talk, leave):
    with talk() as terminal:
        terminal.press("tell me\r")
        terminal.wait_for("^Trinity: Once$")
        assert not echoes(terminal.modes)
        if isinstance(leave, str):
            terminal.press(leave)
        else:
            terminal.send(leave)
        status = terminal.wait_for_end()

        assert (status, terminal.states()) == (0, [("tell me", "withdrawn")])
        assert terminal.modes == terminal.modes_before


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_a_window_that_shows_nothing_more_holds_up_no_signal(talk, term):
    with talk(TERM=term) as terminal:
        terminal.press("tell all\r")
        terminal.wait_for("^Trinity: and so on")
        terminal.freeze()
        terminal.send(signal.SIGTERM)
        status = terminal.wait_for_end()

        assert (status, terminal.states()) == (0, [("tell all", "withdrawn")])
        assert terminal.modes == terminal.modes_before


@pytest.mark.parametrize("keys", ["", "tell me\r"], ids=["prompt", "answer"])
def test_a_window_that_is_closed_is_a_quiet_end(talk, tmp_path, keys):
    with talk() as terminal:
        terminal.press(keys)
        terminal.wait_for("^Trinity: Once$" if keys else "^You:$")
        terminal.close_window()
        status = terminal.wait_for_end()

        assert status == 0
        assert terminal.states() == ([("tell me", "withdrawn")] if keys else [])


def test_a_stopped_talk_gives_the_terminal_back_and_goes_on_when_it_is_continued(talk, tmp_path):
    command = shlex.join([sys.executable, talk_at_keyboard.__file__, str(tmp_path / "states")])
    with terminal_with("sh", "-i", PS1="$ ", ENV="") as terminal:
        terminal.wait_for(r"^\$$")
        terminal.press(f"stty sane; {command}\r")
        terminal.wait_for("^You:$")
        terminal.press("half\x1a")
        terminal.wait_for(r"(?s)Ctrl-C.*Stopped.*^\$$")
        assert echoes(terminal.modes)
        terminal.press("fg\r")
        terminal.wait_for("^You: half$")
        terminal.press("\x15tell me\r")
        terminal.wait_for("^Trinity: Once$")
        terminal.press("\x1a")
        terminal.wait_for(r"(?s)Once.*Stopped.*^\$$")
        assert echoes(terminal.modes)
        terminal.press("fg\r")
        terminal.wait_for(r"(?s)Once.*Stopped.*fg\n/")  # the command's line, which may be broken anywhere
        terminal.wait_until(lambda: not echoes(terminal.modes), "the talk to have the terminal again")
        terminal.press("\x03")
        terminal.wait_for("^Stopped.\nYou:$")
        terminal.press("\x04")
        terminal.wait_for(r"left in order\n\$$")
        assert echoes(terminal.modes)


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_without_a_cursor_edits_its_lines_itself(talk, term):
    with talk(TERM=term) as terminal:
        terminal.press("helo\x7flo\n")
        terminal.wait_for("^Trinity: You said hello\nYou:$")
        terminal.press("tell me\n")
        terminal.wait_for("^Trinity: Once$")
        terminal.press("\x03")
        terminal.wait_for("^Stopped.\nYou:$")
        terminal.press("tell me\n")
        terminal.wait_for("^You: tell me\nTrinity: Once$")
        terminal.press("unseen\n")
        terminal.send(signal.SIGUSR1)
        terminal.wait_for("^Trinity: OnceYou said hello, tell me\nYou: (unseen\n)?Trinity: You said .*, unseen\nYou:$")
        terminal.press("\x04")
        terminal.wait_for_end()

        assert terminal.modes == terminal.modes_before


def test_letters_of_any_script_are_taken_where_the_locale_knows_none(tmp_path):
    states = tmp_path / "states"
    environ = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}

    with terminal_with(sys.executable, talk_at_keyboard.__file__, str(states), **environ) as terminal:
        terminal.wait_for("^You:$")
        terminal.press("Gr\u00fc\u00dfe, \u4f60\u597d\r")
        terminal.wait_for("^Trinity: You said .*\nYou:$")
        terminal.press("\x04")
        terminal.wait_for("left in order")

    assert states.read_text(encoding="utf-8") == repr([("Gr\u00fc\u00dfe, \u4f60\u597d", "answered")])


def test_a_line_is_shown_whole_after_the_window_was_made_narrower(talk):
    with talk() as terminal:
        terminal.press("a line of more than forty columns, to be seen in full")
        terminal.wait_for("in full$")
        terminal.resize(40)
        terminal.wait_for("^You: a line of more than forty columns,$")
        terminal.press("!")
        terminal.wait_for("in full!$")

        assert "".join(terminal.lines).count("forty columns") == 1
