"""A talk with a chat that answers by itself, as a program: `talk_at_keyboard.py STATES [HISTORY]`.

"tell me" is answered as far as "Once", and to its end when SIGUSR1 comes; "tell all" without an end. How the questions
ended is written to STATES.
"""

import asyncio
import signal
import sys
from pathlib import Path

from rich.console import Console

from bot.chat.chat import TextDelta
from bot.streams import mend_standard_streams, write_within
from bot.terminal.session import chat_at_terminal
from bot.terminal.standard_input import open_standard_input
from tests.fake_chat import FakeChat


class SlowChat(FakeChat):
    async def reply(self, question):
        if question.content == "tell me":
            yield TextDelta("Once")
            await signalled.wait()
        while question.content == "tell all":
            yield TextDelta("and so on, ")
        async for event in super().reply(question):
            yield event


async def main(history=None):
    global signalled  # noqa: PLW0603
    signalled = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, signalled.set)
    chat = SlowChat()
    lines = open_standard_input(history_file=history)
    await chat_at_terminal(chat, lines, Console())
    return [(content, state.value) for content, state in chat.states]


def talk(states, *arguments):
    mend_standard_streams()
    ended = asyncio.run(main(*map(Path, arguments)))
    Path(states).write_text(repr(ended), encoding="utf-8")
    write_within(sys.stdout, "left in order\n", 1.0)


if __name__ == "__main__":
    talk(*sys.argv[1:])
