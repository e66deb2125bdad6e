"""`trinity status` and `trinity top`: what the operations address says, at a terminal."""

import asyncio
import io
import json
import os
import socket
from contextlib import suppress

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from rich.console import Console

from bot.command_line.watching import status, top
from bot.errors import ConfigError
from bot.operations.address import Watch
from bot.operations.overview import Overview
from bot.operations.top import NobodyAnswers, show_once, show_status, sparkline, url_of, watch
from bot.settings.settings import Settings
from tests.operations.operated import open_address
from tests.operations.sample import show_sample


async def test_the_state_is_shown_once_and_the_status_says_whether_it_is_well() -> None:
    watched, said = Watch(Overview(lambda: False)), io.StringIO()
    show_sample(watched)

    async with open_address(watched) as url:
        exit_status = await show_status(url, Console(file=said, width=160), as_json=False)

    assert exit_status == 69
    assert "starting" in said.getvalue()
    assert "✗ model: not loaded yet" in said.getvalue()
    assert "480 of 2,210 blocks" in said.getvalue()
    assert "27 conversations warm" in said.getvalue()
    assert "tokens a second, at most" in said.getvalue()


async def test_as_json_it_is_what_the_address_says() -> None:
    said = io.StringIO()

    async with open_address(Watch(Overview(lambda: False))) as url:
        await show_status(url, Console(file=said), as_json=True)

    assert json.loads(said.getvalue())["state"] == "starting"


def test_a_reader_that_is_gone_is_told_as_everywhere() -> None:
    reader, writer = os.pipe()
    os.close(reader)

    with suppress(BrokenPipeError), os.fdopen(writer, "w", encoding="utf-8") as gone, pytest.raises(BrokenPipeError):
        show_once(Console(file=gone), "the state")


async def test_where_nobody_is_it_says_where_it_has_asked() -> None:
    async with open_address(Watch(Overview(lambda: False))) as url:
        pass

    with pytest.raises(NobodyAnswers, match=url):
        await show_status(url, Console(file=io.StringIO()), as_json=False)


@pytest.mark.parametrize("text", ["{}", "[]", '{"state": "ready", "checks": [{}]}', "{", "null"])
@pytest.mark.parametrize("content_type", ["application/json", "text/html"])
async def test_what_another_program_says_there_is_not_taken_for_a_state(text: str, content_type: str) -> None:
    async def state(_request: web.Request) -> web.Response:
        return web.Response(text=text, content_type=content_type)

    app = web.Application()
    app.router.add_get("/state", state)
    async with TestServer(app) as other:
        with pytest.raises(NobodyAnswers, match="isn't understood"):
            await show_status(str(other.make_url("")).rstrip("/"), Console(file=io.StringIO()), as_json=True)


async def test_a_bot_that_goes_away_is_waited_for() -> None:
    said = io.StringIO()
    console = Console(file=said, width=160, force_terminal=True, legacy_windows=False)
    async with open_address(Watch(Overview(lambda: False))) as url:
        watching = asyncio.create_task(watch(url, console))
        async with asyncio.timeout(60):
            while "starting" not in said.getvalue():  # noqa: ASYNC110 - a screen has no event
                await asyncio.sleep(0.01)
    async with asyncio.timeout(60):
        while "nobody answers" not in said.getvalue():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)

    assert watching.cancelled()


def test_a_minute_without_anything_is_a_gap_in_the_line() -> None:
    bars, high = sparkline([[0.0, 1.0], [1800.0, None], [3599.0, 2.0]], 1)

    assert (bars[0], bars[30], bars[-1], high) == ("▄", " ", "█", 2.0)


@pytest.mark.parametrize(
    ("address", "url"),
    [(("0.0.0.0", 1), "http://127.0.0.1:1"), (("::", 2), "http://[::1]:2"), (("trinity", 3), "http://trinity:3")],
)
def test_a_bot_that_listens_everywhere_is_asked_here(address: tuple[str, int], url: str) -> None:
    assert url_of(address) == url


def test_a_bot_without_an_address_cannot_be_asked() -> None:
    with pytest.raises(ConfigError, match="TRINITY_OPERATIONS_ADDRESS: is off"):
        status(Settings(operations_address="off"))


def test_where_nobody_looks_at_a_terminal_the_state_is_shown_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and doesn't listen
        port = taken.getsockname()[1]
        with pytest.raises(NobodyAnswers, match=f"at http://127.0.0.1:{port} "):
            top(Settings(operations_address=f"0.0.0.0:{port}"))
