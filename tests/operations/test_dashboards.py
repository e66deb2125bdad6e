"""The dashboard and the alerts ask for what is there: by name at once, and by a real Prometheus in `make soak`."""

import asyncio
import json
import re
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import bot
from bot.conversation.chat_format import TurnEncoder
from bot.operations.address import Watch
from bot.operations.overview import Overview
from tests.conversation.vocabularies import load_any_vocabulary
from tests.discord.house import ask
from tests.operations.operated import open_operated
from tests.operations.sample import show_sample

DEPLOY = Path(bot.__file__).parents[1] / "deploy"
PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
EXPRESSION = re.compile(r"^\s+expr: (.+)$", re.MULTILINE)
COMPARISON = re.compile(r" (?:==|<|>) [\d.]+$")

with_prometheus = [
    pytest.mark.soak,
    pytest.mark.skipif(
        PROMETHEUS is None or PROMTOOL is None, reason="there is no Prometheus here, so no query was tried by one"
    ),
]


def dashboard_queries() -> Iterator[str]:
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"].replace("$__rate_interval", "1m")


def alert_queries() -> list[str]:
    return EXPRESSION.findall((DEPLOY / "alerts.yml").read_text())


def test_every_metric_that_is_asked_for_is_there() -> None:
    metrics = Watch(Overview(lambda: False)).metrics
    metrics.refresh()
    text = metrics.render("").body.decode()

    asked_for = {
        name for query in (*dashboard_queries(), *alert_queries()) for name in re.findall(r"trinity_\w+", query)
    }

    assert len(asked_for) > 30
    assert {name for name in asked_for if not re.search(rf"^{name}[ {{]", text, re.MULTILINE)} == set()


def test_every_alert_says_what_it_means_and_what_to_do() -> None:
    text = (DEPLOY / "alerts.yml").read_text()

    assert len(alert_queries()) == text.count("summary:") == text.count("description:") == text.count("severity:")


@pytest.fixture
def encoder(tmp_path: Path) -> TurnEncoder:
    return TurnEncoder(load_any_vocabulary("small", tmp_path))


@asynccontextmanager
async def open_prometheus(target: str, folder: Path) -> AsyncIterator[str]:
    with socket.socket() as once:
        once.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{once.getsockname()[1]}"
    config = (DEPLOY / "prometheus.yml").read_text()
    config = config.replace("127.0.0.1:9464", target).replace("15s", "500ms")
    (folder / "prometheus.yml").write_text(config)
    shutil.copy(DEPLOY / "alerts.yml", folder)
    with open(folder / "log", "wb") as log:  # noqa: ASYNC230, PTH123
        process = await asyncio.create_subprocess_exec(
            *(str(PROMETHEUS), f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"),
            f"--web.listen-address={address}", stdout=log, stderr=log,
        )  # fmt: skip
    try:
        async with asyncio.timeout(60):
            while "ready to receive web requests" not in (folder / "log").read_text():  # noqa: ASYNC110 - a process
                await asyncio.sleep(0.05)
        yield f"http://{address}"
    finally:
        process.terminate()
        await process.wait()


async def query(http: aiohttp.ClientSession, url: str, expression: str) -> list[Any]:
    async with http.get(f"{url}/api/v1/query", params={"query": expression}) as response:
        told = await response.json()
    assert told["status"] == "success", (expression, told)
    return told["data"]["result"]


class TestPrometheus:
    pytestmark = with_prometheus

    async def test_every_query_has_an_answer(self, tmp_path: Path, encoder: TurnEncoder) -> None:
        silent, firing = [], []
        async with open_operated(tmp_path, encoder) as operated, aiohttp.ClientSession() as http:
            show_sample(operated.watch)
            target = operated.url.removeprefix("http://")
            async with open_prometheus(target, tmp_path) as url:
                for _ in range(3):
                    await ask(operated.house)
                    await asyncio.sleep(1)  # two scrapes
                async with asyncio.timeout(60):
                    while not await query(http, url, "rate(trinity_answers_total[1m])"):  # noqa: ASYNC110 - a process
                        await asyncio.sleep(0.1)
                for each in (*dashboard_queries(), *(COMPARISON.sub("", each) for each in alert_queries())):
                    if not await query(http, url, each):
                        silent.append(each)
                for each in alert_queries():
                    if await query(http, url, each):
                        firing.append(each)
                (answers,) = await query(http, url, "sum(trinity_answers_total)")

        assert silent == []
        assert firing == []
        assert answers["value"][1] == "3"

    async def test_the_rules_are_ones_that_prometheus_takes(self) -> None:
        for kind, name in (("rules", "alerts.yml"), ("config", "prometheus.yml")):
            process = await asyncio.create_subprocess_exec(
                str(PROMTOOL), "check", kind, str(DEPLOY / name), stdout=asyncio.subprocess.PIPE
            )
            said, _ = await process.communicate()
            assert process.returncode == 0, said.decode()
