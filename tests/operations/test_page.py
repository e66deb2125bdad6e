"""The operator's page as a browser shows it: live, for keyboard and screen reader, in light and dark, on a phone.

It takes a Chromium, and npm for the rules of accessibility, so it is a part of `make soak`.
"""

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from bot.conversation.chat_format import TurnEncoder
from bot.operations.address import Watch
from bot.operations.overview import Overview
from tests.conversation.vocabularies import load_any_vocabulary
from tests.discord.house import ask
from tests.engines import EchoEngine
from tests.operations.browser import CHROMIUM, Page, open_page
from tests.operations.operated import TOKEN, Operated, open_address, open_operated, until
from tests.operations.sample import show_sample

AXE = "axe-core@4.10.3"
WINDOWS = {"wide": {"width": 1200, "height": 900}, "phone": {"width": 390, "height": 844, "is_phone": True}}

RUN_AXE = """axe.run().then((found) => ({
    num_passed: found.passes.length,
    violations: found.violations.map((each) => each.id + ": " + each.nodes.map((node) => node.html).join(" ")),
}))"""

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here, so nobody has looked at the page"),
]


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    if shutil.which("npm") is None:
        pytest.skip("there is no npm here, so the page was not held against the rules of accessibility")
    folder = tmp_path_factory.mktemp("axe")
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder, AXE]
    if subprocess.run(command, timeout=300, check=False).returncode != 0:
        pytest.skip(f"npm can't get {AXE}, so the page was not held against the rules of accessibility")
    return (folder / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
async def operated(tmp_path: Path) -> AsyncIterator[Operated]:
    encoder = TurnEncoder(load_any_vocabulary("small", tmp_path))
    async with open_operated(tmp_path, encoder, EchoEngine(is_held=True, words_before_gate=1)) as opened:
        yield opened
        opened.house.engine.gate.set()


async def text_of(page: Page, selector: str) -> str:
    return await page.evaluate(f"document.querySelector({json.dumps(selector)}).textContent")


async def test_the_page_follows_what_happens_and_shows_no_word_of_it(operated: Operated) -> None:
    async with open_page(operated.url) as page:
        await page.until("document.getElementById('state').textContent === 'ready'")
        quiet = await page.evaluate("document.getElementById('answers-box').hidden")
        asking = asyncio.create_task(ask(operated.house, "swordfish"))
        await page.until("document.querySelector('#answers td')")
        channel = await text_of(page, "#answers td")
        words = await page.evaluate("document.documentElement.outerHTML")
        operated.house.engine.gate.set()
        await asking
        await page.until("document.getElementById('answers-box').hidden")
        operated.watch.hour.close_point()
        show_sample(operated.watch)
        await page.evaluate("location.reload()")
        await page.until("document.getElementById('speed')?.getAttribute('aria-label').startsWith('now ')")

    assert quiet is True
    assert channel == str(operated.house.server.channel("general").id)
    assert "swordfish" not in words
    assert page.problems == []


async def test_everything_can_be_done_with_the_keyboard_alone(operated: Operated) -> None:
    queue = operated.house.chat.queue

    async with open_page(operated.url) as page:
        await page.until("!document.getElementById('controls').hidden && document.querySelector('#checks li')")
        await tab_to(page, "token")
        await page.type("wrong")
        await tab_to(page, "pause")
        await page.press("Enter")
        await page.until("document.getElementById('said').textContent")
        refused, was_paused = await text_of(page, "#said"), queue.is_paused
        await page.evaluate("document.getElementById('token').select()")
        await page.type(TOKEN)
        await tab_to(page, "pause")
        await page.press("Enter")
        await until(lambda: queue.is_paused)
        await page.until("document.getElementById('state').textContent === 'paused'")
        await tab_to(page, "resume")
        await page.press(" ")
        await until(lambda: not queue.is_paused)
        await tab_to(page, "drain")
        await page.press("Enter")
        first = await page.evaluate("document.activeElement.id")
        await page.press("Escape")
        is_open = await page.evaluate("document.getElementById('sure').open")
        num_ends = len(operated.ends)
        await page.press("Enter")
        await page.press("Tab")
        await page.press("Enter")
        await until(lambda: operated.ends)

    assert (refused, was_paused) == ("That isn't the operator's token.", False)
    assert (first, is_open, num_ends) == ("sure-no", False, 0)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_the_rules_of_accessibility_find_nothing(
    operated: Operated, axe: str, window: str, *, dark: bool
) -> None:
    asking = asyncio.create_task(ask(operated.house))
    await until(lambda: any(exchange.has_begun for exchange in operated.house.chat.exchanges))
    show_sample(operated.watch)

    async with open_page(operated.url) as page:
        await page.look(**WINDOWS[window], dark=dark)
        await page.until("document.querySelector('#answers td') && document.querySelector('#errors li')")
        await page.evaluate(f"{axe}\n;1")
        found = await page.evaluate(RUN_AXE)
        too_wide = await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    operated.house.engine.gate.set()
    await asking

    assert found["violations"] == []
    assert found["num_passed"] > 15
    assert too_wide is False
    assert page.problems == []


async def test_a_screen_reader_is_told_what_the_plots_and_meters_show(operated: Operated) -> None:
    show_sample(operated.watch)

    async with open_page(operated.url) as page:
        await page.until("document.getElementById('speed')?.getAttribute('aria-label').startsWith('now ')")
        tree = (await page.send("Accessibility.getFullAXTree"))["nodes"]

    named = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in tree if not node["ignored"]]
    assert any(role == "image" and "tokens a second, at most" in name for role, name in named)
    assert any(role == "meter" and name.startswith("KV cache: ") for role, name in named)
    assert any(role == "meter" and "GiB in use" in name for role, name in named)
    assert {name for role, name in named if role == "region"} >= {"Can she answer?", "Questions", "Memory"}


async def test_a_page_that_was_cut_off_says_so_and_comes_back() -> None:
    watch, browser = Watch(Overview(lambda: False)), AsyncExitStack()

    async with browser:
        async with open_address(watch) as url:
            page = await browser.enter_async_context(open_page(url))
            await page.until("document.getElementById('state').textContent === 'starting'")
        await page.until("document.getElementById('link').textContent.includes('lost')")
        async with open_address(watch, port=int(url.rpartition(":")[2])):
            await page.until("document.getElementById('link').textContent === ''")


async def tab_to(page: Page, name: str) -> None:
    """Press Tab until something has the focus, at most once around the page."""
    for _ in range(40):
        focus: Any = await page.evaluate("document.activeElement.id || document.activeElement.name || ''")
        if focus == name:
            return
        await page.press("Tab")
    raise AssertionError(f"Tab never leads to {name}")
