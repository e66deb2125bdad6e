"""`trinity top` and `trinity status`: what the operator's page shows, at a terminal."""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

import aiohttp
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from bot.errors import EngineUnavailable

_LOOK_SECONDS = 1.0
_ANSWER_SECONDS = 5.0
_HOUR_SECONDS = 3600.0
_NUM_BARS = 60
_BARS = " ▁▂▃▄▅▆▇█"
_STYLES = {"ready": "green", "starting": "yellow", "paused": "yellow", "stopping": "yellow", "unavailable": "red"}
_MAX_ERRORS = 5
_NOT_READY = 69


class NobodyAnswers(EngineUnavailable):
    """Nothing is served at the operations address; exit status 69."""


def url_of(address: tuple[str, int]) -> str:
    """Where to ask a bot that listens at `address`; one that listens everywhere is asked on this machine."""
    host, port = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address[0], address[0]), address[1]  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


async def show_status(url: str, console: Console, *, as_json: bool) -> int:
    """Show the present state once; returns the exit status: 0 if the bot is ready, else 69.

    Raises:
        NobodyAnswers: nothing is served there.
    """
    async with aiohttp.ClientSession() as http:
        state = await _ask(http, url)
    if as_json:
        console.file.write(json.dumps(state, indent=2) + "\n")
    else:
        show_once(console, picture(state))
    return 0 if all(check["is_ok"] for check in state["checks"]) else _NOT_READY


def show_once(console: Console, picture: RenderableType) -> None:
    """Print; a reader that is gone is a BrokenPipeError as everywhere, where rich would end the process itself."""
    with console.capture() as shown:
        console.print(picture)
    console.file.write(shown.get())
    console.file.flush()


async def watch(url: str, console: Console) -> None:
    """Show the state as it changes, until Ctrl-C.

    Raises:
        NobodyAnswers: nothing is served there to begin with; a bot that goes away later is waited for.
    """
    async with aiohttp.ClientSession() as http:
        state = await _ask(http, url)
        with Live(picture(state), console=console, screen=True, auto_refresh=False) as live:
            while True:
                await asyncio.sleep(_LOOK_SECONDS)
                try:
                    state, problem = await _ask(http, url), ""
                except NobodyAnswers:
                    problem = "nobody answers; this is what was heard last"
                live.update(picture(state, problem), refresh=True)


async def _ask(http: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS), http.get(f"{url}/state") as response:
            if response.status == 200:
                return _understood(await response.json())
            problem = f"it answers with {response.status}"
    except (aiohttp.ContentTypeError, ValueError):
        raise NobodyAnswers(
            f"What answers at {url} isn't understood: it is another program, or a Trinity of another version, which is "
            "still to be started again."
        ) from None
    except (OSError, TimeoutError, aiohttp.ClientError) as error:
        problem = type(error).__name__
    raise NobodyAnswers(
        f"Nothing is served at {url} ({problem}). Does the daemon run, with this TRINITY_OPERATIONS_ADDRESS?"
    )


def _understood(state: Any) -> dict[str, Any]:
    """The state, if it can be shown.

    Raises:
        ValueError: it is another program's, or another version's.
    """
    try:
        picture(state)
        all(check["is_ok"] for check in state["checks"])
    except (LookupError, TypeError, AttributeError, ValueError):
        raise ValueError from None
    return dict(state)


def picture(state: dict[str, Any], problem: str = "") -> RenderableType:
    """All of it."""
    queue, engine = state["queue"], state["engine"]
    head = Text.assemble(
        ("Trinity ", "bold"), state["version"], "  ", (state["state"], f"bold {_STYLES.get(state['state'], '')}"),
        f"  up {_span(state['uptime_seconds'])}", (f"  {problem}" if problem else "", "red"),
    )  # fmt: skip
    checks = Text("  ").join(
        Text(
            f"{'✓' if check['is_ok'] else '✗'} {check['name']}: {check['words']}", "green" if check["is_ok"] else "red"
        )
        for check in state["checks"]
    )
    facts = Table.grid(padding=(0, 3))
    facts.add_row("questions", f"{queue['running']} being answered", f"{queue['waiting']} waiting", _oldest(queue))
    facts.add_row("engine", f"{engine['running']} running", f"{engine['waiting']} waiting", _requests(engine))
    facts.add_row("KV cache", _blocks(engine), f"{engine['findable_blocks']} to start from", _warm(engine))
    if memory := engine["memory"]:
        used, own, total = (memory[part] / 2**30 for part in ("used", "own", "total"))
        facts.add_row("card", f"{used:.1f} of {total:.1f} GiB", f"{own:.1f} by Trinity", "")
    return Group(head, checks, "", facts, "", *_plots(state.get("history", [])), *_answers(state), *_errors(state))


def _oldest(queue: dict[str, Any]) -> str:
    return f"the oldest for {queue['oldest_seconds']:.0f} s" if queue["waiting"] else ""


def _requests(engine: dict[str, Any]) -> str:
    return f"{engine['requests']:,} requests, {engine['failed']:,} failed"


def _blocks(engine: dict[str, Any]) -> str:
    return f"{engine['blocks'] - engine['available_blocks']:,} of {engine['blocks']:,} blocks"


def _warm(engine: dict[str, Any]) -> str:
    return f"{engine['warm_conversations']} conversations warm" + (", card given back" if engine["asleep"] else "")


def _plots(history: Sequence[Sequence[float | None]]) -> Iterator[RenderableType]:
    if not history:
        return
    for index, words in ((1, "tokens a second"), (2, "seconds to first words")):
        bars, high = sparkline(history, index)
        yield Text.assemble((bars, "cyan"), f"  {words}, at most {high:.3g} within the hour")
    yield ""


def sparkline(history: Sequence[Sequence[float | None]], index: int) -> tuple[str, float]:
    """The last hour as a line of bars, each a minute's highest, and the highest of all."""
    end, bars = history[-1][0] or time.time(), [0.0] * _NUM_BARS
    for point in history:
        value, age = point[index], end - (point[0] or 0)
        if value is not None and 0 <= age < _HOUR_SECONDS:
            place = _NUM_BARS - 1 - int(age / _HOUR_SECONDS * _NUM_BARS)
            bars[place] = max(bars[place], value)
    high = max(bars)
    # What isn't zero is seen.
    heights = (0 if not bar else max(1, round(bar / high * (len(_BARS) - 1))) for bar in bars)
    return "".join(_BARS[height] for height in heights), high


def _answers(state: dict[str, Any]) -> Iterator[RenderableType]:
    if not state["answers"]:
        return
    table = Table(title="under way", title_justify="left", box=None, padding=(0, 2), pad_edge=False)
    for name in ("channel", "doing"):
        table.add_column(name)
    columns = {
        "seconds": "seconds", "prompt": "prompt_tokens", "cached": "cached_tokens", "new": "new_tokens",
        "tokens/s": "tokens_per_second",
    }  # fmt: skip
    for name in columns:
        table.add_column(name, justify="right")
    for answer in state["answers"]:
        values = (answer.get(column) for column in columns.values())
        table.add_row(answer["channel"], answer["doing"], *("–" if value is None else str(value) for value in values))
    yield table


def _errors(state: dict[str, Any]) -> Iterator[RenderableType]:
    if state["errors"]:
        lines = (
            Text.assemble(
                time.strftime("%H:%M:%S ", time.localtime(error["at"])),
                (error["level"], "yellow"),
                " ",
                error["message"],
            )
            for error in state["errors"][:_MAX_ERRORS]
        )
        yield Panel(Text("\n").join(lines), title="last warnings and errors", title_align="left")


def _span(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    spans = [
        f"{number} {unit}" for number, unit in ((days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")) if number
    ]
    return " ".join(spans[:2]) or "0 s"
