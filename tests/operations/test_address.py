"""The operations address: what it shows, whom it lets look and change something, and how it ends."""

import asyncio
import json
import logging
import math
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.conversation.chat_format import TurnEncoder
from bot.errors import ConfigError
from bot.observer import GatewayChange, StepRecord
from bot.operations.address import MAX_STREAMS, OperationsOptions, Watch, is_own_host, open_operations
from bot.operations.check_up import CheckUp, CheckUpFailed
from bot.operations.last_hour import Point
from bot.operations.overview import Overview
from tests.conversation.vocabularies import load_any_vocabulary
from tests.discord.house import ask
from tests.engines import EchoEngine
from tests.operations.operated import Operated, open_address, open_operated, until


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> TurnEncoder:
    return TurnEncoder(load_any_vocabulary("small", tmp_path_factory.mktemp("vocabulary")))


@pytest.fixture
async def operated(tmp_path: Path, encoder: TurnEncoder) -> AsyncIterator[Operated]:
    async with open_operated(tmp_path, encoder) as opened:
        yield opened


async def metrics(operated: Operated) -> dict[str, float]:
    _, text = await operated.get("/metrics")
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {
        sample.name + "".join(f" {value}" for _, value in sorted(sample.labels.items())): sample.value
        for sample in samples
    }


async def test_whoever_is_ready_says_so_and_whoever_is_not_says_why(operated: Operated) -> None:
    ready = await operated.get("/readyz")
    operated.house.engine.step_seconds = 15.0
    operated.watch.overview.on_gateway(GatewayChange.LOST)
    status, text = await operated.get("/readyz")

    assert ready[0] == 200
    assert ready[1].endswith("\nready\n")
    assert status == 503
    assert [line for line in text.splitlines() if line.startswith("NOT")] == [
        "NOT gateway: down",
        "NOT worker: in one step for 15 s",
    ]


async def test_a_question_that_waits_for_a_minute_makes_the_bot_unready(tmp_path: Path, encoder: TurnEncoder) -> None:
    engine = EchoEngine(is_held=True)
    async with open_operated(tmp_path, encoder, engine) as operated:
        now = 0.0
        operated.house.chat.queue._clock = lambda: now
        asking = asyncio.create_task(ask(operated.house))
        await until(lambda: operated.house.chat.queue.num_running)

        now = 61.0
        status, text = await operated.get("/readyz", Accept="application/json")
        engine.gate.set()
        await asking

    assert status == 503
    assert [check["words"] for check in json.loads(text)["checks"] if not check["is_ok"]] == [
        "the oldest question waits for 61 s"
    ]


async def test_before_anything_is_open_it_lives_and_is_not_ready() -> None:
    async with (
        open_address(Watch(Overview(lambda: False))) as url,
        aiohttp.ClientSession() as http,
        http.get(f"{url}/healthz") as lives,
        http.get(f"{url}/readyz") as ready,
    ):
        text = await ready.text()

    assert lives.status == 200
    assert ready.status == 503
    assert "NOT model: not loaded yet" in text
    assert "NOT database: not open yet" in text


async def test_an_answer_is_counted_and_nobodys_words_or_ids_are_in_the_metrics(operated: Operated) -> None:
    before = await metrics(operated)
    question = await ask(operated.house, "swordfish")
    after = await metrics(operated)
    _, text = await operated.get("/metrics")

    assert before["trinity_answers_total stop"] == 0
    assert after["trinity_answers_total stop"] == 1
    assert after["trinity_questions_total answered"] == 1
    assert after["trinity_first_words_seconds_count"] == 1
    assert after["trinity_prompt_tokens_count"] == 1
    assert after["trinity_discord_requests_total create"] == 1
    assert after["trinity_discord_responses_total POST 200"] > before["trinity_discord_responses_total POST 200"]
    assert after["trinity_gateway_changes_total connected"] == 1
    assert after["trinity_database_seconds_count write"] > 0
    assert after["trinity_state ready"] == 1
    assert "swordfish" not in text
    assert not any(str(number) in text for number in (question.id, question.channel.id, question.author.id))


async def test_every_series_that_can_be_foreseen_is_there_before_its_first_event(operated: Operated) -> None:
    present = await metrics(operated)

    assert {"trinity_answers_total loop", "trinity_discord_rate_limited_total", "trinity_trims_total"} <= set(present)
    assert present["trinity_discord_requests_failed_total edit"] == 0
    assert present["trinity_database_errors_total write"] == 0
    assert present["trinity_discord_responses_total PATCH 429"] == 0


async def test_a_gauge_that_cannot_be_read_costs_only_itself(
    operated: Operated, caplog: pytest.LogCaptureFixture
) -> None:
    operated.watch.overview.engine = object()

    for _ in range(2):
        present = await metrics(operated)

    assert math.isnan(present["trinity_engine_step_seconds"])
    assert present["trinity_gateway_up"] == 1
    assert caplog.text.count("trinity_engine_step_seconds can't be read") == 1


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "text/plain"),
        ("*/*", "text/plain"),
        ("application/openmetrics-text;version=1.0.0", "application/openmetrics-text"),
        ("application/openmetrics-text;q=0,text/plain", "text/plain"),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1",
         "application/openmetrics-text"),
        ("application/openmetrics-text;q=0.2,text/plain;q=0.9", "text/plain"),
        ("application/openmetrics-text;q=nonsense", "text/plain"),
    ],
)  # fmt: skip
async def test_the_format_is_the_one_that_is_preferred(accept: str, kind: str) -> None:
    async with (
        open_address(Watch(Overview(lambda: False))) as url,
        aiohttp.ClientSession() as http,
        http.get(f"{url}/metrics", headers={"Accept": accept}) as response,
    ):
        text = await response.text()

    assert response.headers["Content-Type"].startswith(f"{kind}; version=")
    assert text.endswith("# EOF\n") == (kind != "text/plain")


async def test_a_pause_refuses_new_questions_in_words_until_it_ends(operated: Operated) -> None:
    paused = await operated.post("/control/pause")
    refused = await ask(operated.house, state="refused")
    _, ready = await operated.get("/readyz")
    present = await metrics(operated)
    resumed = await operated.post("/control/resume")
    answered = await ask(operated.house)

    assert paused == (200, "New questions are refused.")
    assert "no new questions for the moment" in operated.house.server.answer_to(refused).text
    assert ready.endswith("\nready\n")
    assert present["trinity_intake_paused"] == 1
    assert present["trinity_questions_total refused"] == 1
    assert resumed[0] == 200
    assert operated.house.server.answer_to(answered).text.startswith("echo")


@pytest.mark.parametrize(
    "token", [None, "", "wrong", "operators-secret-tokeN", "\N{SNOWMAN}".encode().decode("latin-1")]
)
async def test_without_the_operators_token_nothing_is_changed(operated: Operated, token: str | None) -> None:
    status, said = await operated.post("/control/pause", token)

    assert status == 401
    assert said == "That isn't the operator's token."
    assert not operated.house.chat.queue.is_paused


async def test_without_a_token_in_the_settings_nobody_is_an_operator() -> None:
    async with (
        open_address(Watch(Overview(lambda: False)), token=None) as url,
        aiohttp.ClientSession() as http,
        http.post(f"{url}/control/pause", headers={"Authorization": "Bearer "}) as response,
    ):
        said = (await response.json())["said"]

    assert response.status == 403
    assert "TRINITY_OPERATOR_TOKEN" in said


async def test_a_drain_goes_the_way_of_a_signal(operated: Operated) -> None:
    said = await operated.post("/control/drain")

    assert said == (200, "Running answers may finish, then the process ends.")
    assert len(operated.ends) == 1


async def test_what_the_doctor_finds_is_shown(tmp_path: Path, encoder: TurnEncoder) -> None:
    finding = {"topic": "files", "state": "bad", "said": ".env can be read by others", "mend": "chmod 600 .env"}
    doctor = ("echo", json.dumps({"is_ready": False, "findings": [finding]}))
    async with open_operated(tmp_path, encoder, doctor=doctor) as operated:
        said = await operated.post("/control/examine")
        await asyncio.sleep(1)  # what was put together for the last one who looked
        state = json.loads((await operated.get("/state"))[1])

    assert said == (200, "1 to be mended; see below.")
    assert state["doctor"]["findings"] == [finding]


async def test_a_doctor_without_an_answer_is_none() -> None:
    check_up = CheckUp(("sleep", "60"), limit_seconds=0.05)

    with pytest.raises(CheckUpFailed, match="no end within"):
        await check_up.examine()
    with pytest.raises(CheckUpFailed, match="can't be read"):
        await CheckUp(("echo", "[]")).examine()

    assert check_up.latest is None


async def test_what_cannot_be_done_is_said(operated: Operated) -> None:
    assert (await operated.post("/control/reload"))[0] == 409
    assert (await operated.post("/control/dance"))[0] == 404


async def test_a_reload_says_what_came_of_it(operated: Operated) -> None:
    async def reload() -> str:
        return "taken over: TRINITY_TEMPERATURE"

    async def refuse() -> str:
        raise ConfigError("TRINITY_TEMPERATURE", "has to be a number")

    operated.watch.overview.reload = reload
    taken_over = await operated.post("/control/reload")
    operated.watch.overview.reload = refuse
    refused = await operated.post("/control/reload")

    assert taken_over == (200, "taken over: TRINITY_TEMPERATURE")
    assert refused == (409, "TRINITY_TEMPERATURE: has to be a number")


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        ("127.0.0.1:9464", True),
        ("localhost", True),
        ("LocalHost.:80", True),
        ("[::1]:9464", True),
        ("10.0.0.5:9464", True),
        ("trinity:9464", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example:9464", False),
        ("", False),
        ("[::1", False),
    ],
)
def test_a_name_that_leads_here_by_somebody_elses_will_is_refused(host: str, is_own: bool) -> None:
    assert is_own_host(host, "trinity") == is_own


async def test_a_foreign_host_header_gets_nothing(operated: Operated) -> None:
    for path in ("/", "/metrics", "/state", "/nowhere"):
        status, text = await operated.get(path, Host="evil.example")
        assert status == 421
        assert "trinity_" not in text


async def test_the_page_runs_nothing_but_itself(operated: Operated) -> None:
    async with operated.http.get(operated.url) as response:
        policy = response.headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"


async def next_event(response: aiohttp.ClientResponse) -> tuple[str, object]:
    async with asyncio.timeout(30):
        name = (await response.content.readline()).decode().removeprefix("event: ").strip()
        data = (await response.content.readline()).decode().removeprefix("data: ")
        await response.content.readline()
    return name, json.loads(data)


async def test_the_page_is_told_what_runs_by_channel_and_number_and_never_a_word(
    tmp_path: Path, encoder: TurnEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    engine = EchoEngine(is_held=True, words_before_gate=1)
    async with open_operated(tmp_path, encoder, engine) as operated:
        asking = asyncio.create_task(ask(operated.house, "swordfish"))
        await until(lambda: any(exchange.has_begun for exchange in operated.house.chat.exchanges))
        operated.watch.overview.on_step(StepRecord(num_running=1, num_blocks=100, num_available_blocks=60))
        logging.getLogger("bot").warning("a line\nwith operators-secret-token")
        operated.watch.hour.close_point()

        async with operated.http.get(f"{operated.url}/events") as response:
            first, second = await next_event(response), await next_event(response)
        engine.gate.set()
        await asking

    channel = str(operated.house.server.channel("general").id)
    assert (first[0], len(first[1])) == ("history", 1)
    name, state = second
    (answer,) = state["answers"]
    assert name == "state"
    assert (answer["channel"], answer["doing"], answer["new_tokens"]) == (channel, "writing", 1)
    assert (state["state"], state["engine"]["available_blocks"]) == ("ready", 60)
    assert state["errors"][0]["message"].startswith("a line\\nwith [redacted]")
    assert "swordfish" not in json.dumps(state)


async def test_an_open_event_stream_does_not_hold_up_the_end() -> None:
    loop = asyncio.get_running_loop()
    async with aiohttp.ClientSession() as http:
        async with open_address(Watch(Overview(lambda: False))) as url:
            response = await http.get(f"{url}/events")
            await next_event(response)
            began_at = loop.time()
        seconds = loop.time() - began_at
        response.close()

    assert seconds < 20  # aiohttp's own way takes two minutes


async def test_a_stream_that_nobody_reads_does_not_hold_up_the_end() -> None:
    loop = asyncio.get_running_loop()
    watch = Watch(Overview(lambda: False))
    watch.hour.points.extend([Point(1.0, 2.0, 3.0)] * 360)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        async with open_address(watch) as url:
            client.connect(("127.0.0.1", int(url.rpartition(":")[2])))
            client.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await asyncio.sleep(0.2)
            began_at = loop.time()
        seconds = loop.time() - began_at

    assert seconds < 20


async def test_no_more_streams_are_served_than_it_can_bear() -> None:
    async with open_address(Watch(Overview(lambda: False))) as url, aiohttp.ClientSession() as http:
        streams = [await http.get(f"{url}/events") for _ in range(MAX_STREAMS)]
        async with http.get(f"{url}/events") as one_too_many:
            status = one_too_many.status
        for stream in streams:
            stream.close()

    assert status == 503


async def test_an_address_that_is_taken_is_said_once_and_disturbs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = taken.getsockname()
        async with open_operations(OperationsOptions(address), Watch(Overview(lambda: False))) as url:
            await until(lambda: caplog.text)
            is_served = url()

    assert is_served is None
    assert f"127.0.0.1:{address[1]} can't be listened at" in caplog.text
    assert "TRINITY_OPERATIONS_ADDRESS" in caplog.text


async def test_without_an_address_nothing_is_served() -> None:
    async with open_operations(OperationsOptions(None), Watch(Overview(lambda: False))) as url:
        assert url() is None
