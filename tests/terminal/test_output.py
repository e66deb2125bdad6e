import asyncio
import os

import pytest
from rich.console import Console

from bot.terminal.output import TerminalOutput

MUCH = "and so on, " * 50_000  # more than any pipe holds


@pytest.fixture
def pipe():
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as read, os.fdopen(writer, "w") as written:
        yield read, written


async def test_a_reader_that_stops_holds_up_neither_the_loop_nor_whoever_leaves(pipe):
    reader, writer = pipe
    output = TerminalOutput(Console(file=writer, width=40))

    output.add(MUCH)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await output.written()
    output.add("and the end")
    reading = asyncio.create_task(asyncio.to_thread(reader.read, len(MUCH) + len("\nand the end\n")))
    await output.written()

    assert await reading == f"{MUCH}\nand the end\n".encode()


async def test_a_reader_that_leaves_is_told_to_whoever_waits(pipe):
    reader, writer = pipe
    output = TerminalOutput(Console(file=writer, width=40))
    reader.close()

    output.add("to nobody")

    with pytest.raises(BrokenPipeError):
        await output.written()


async def test_a_pipe_that_somebody_has_set_to_refuse_waits_for_its_reader(pipe):
    reader, writer = pipe
    os.set_blocking(writer.fileno(), False)
    output = TerminalOutput(Console(file=writer, width=40))

    output.add(MUCH)
    reading = asyncio.create_task(asyncio.to_thread(reader.read, len(MUCH)))
    await output.written()

    assert await reading == MUCH.encode()
