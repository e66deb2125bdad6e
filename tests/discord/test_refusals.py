"""What each refusal of Discord's means, and what follows from it, end to end on a loopback Discord."""

from dataclasses import dataclass

import pytest
from aiohttp import web

from bot.delivery.outcomes import NOT_TAKEN, NOT_TAKEN_NOW
from bot.delivery.parts import is_growing
from bot.delivery.refusals import Refusal, Verdict, bounded_wait, refused_fields, verdict_on
from tests.discord.conftest import OpenHouse
from tests.discord.house import ask
from tests.engines import EchoEngine
from tests.loopback import Garbled, LoopbackDiscord, Status, judge
from tests.loopback.wire import Call, json_answer

CREATES = "/channels/*/messages"
EDITS = "/channels/*/messages/*"
JSON = "application/json"
HTML = "text/html; charset=utf-8"
ANSWER = "one two three four five six seven eight"
STORY = "Here is the start of a story about a darn fox and its den"
LONG_STORY = " ".join(f"word{number}" for number in range(500)) + " darn and so on"


@pytest.fixture
def engine() -> EchoEngine:
    return EchoEngine(answer=lambda _: ANSWER, seconds_per_word=0.02)


@dataclass(frozen=True, slots=True)
class Filter:
    """Refuses every text with a certain word in it."""

    word: str
    code: int = 240000
    errors: dict | None = None

    async def before(self, call: Call) -> web.Response | None:
        content = (await call.body()).get("content") or ""
        body = {"code": self.code, "message": "blocked"} | ({"errors": self.errors} if self.errors else {})
        return json_answer(body, status=400) if self.word in content else None

    async def after(self, call: Call, answer: web.Response) -> web.Response:
        return answer


CONTENT_ERRORS = {"content": {"_errors": [{"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 2000 or fewer."}]}}


def refuse(server: LoopbackDiscord, action: Filter) -> None:
    server.faults.add(action, route=CREATES, method="POST")
    server.faults.add(action, route=EDITS, method="PATCH")


@pytest.mark.parametrize(
    ("status", "code", "content_type", "verdict"),
    [
        (400, 0, HTML, Verdict.OUTAGE),
        (400, 0, JSON, Verdict.WRONG),
        (400, 50035, JSON, Verdict.WRONG),
        (400, 200000, JSON, Verdict.CONTENT_REFUSED),
        (400, 240000, JSON, Verdict.CONTENT_REFUSED),
        (400, 40060, JSON, Verdict.INTERACTION_GONE),
        (400, 50083, JSON, Verdict.LOST),
        (401, 0, JSON, Verdict.TOKEN_REFUSED),
        (401, 50027, JSON, Verdict.INTERACTION_GONE),
        (401, 0, HTML, Verdict.OUTAGE),
        (401, 0, "", Verdict.OUTAGE),
        (403, 0, HTML, Verdict.OUTAGE),
        (403, 0, JSON, Verdict.UNCLEAR),
        (403, 20016, JSON, Verdict.LIMITED),
        (403, 20028, JSON, Verdict.LIMITED),
        (403, 40333, JSON, Verdict.OUTAGE),
        (403, 50001, JSON, Verdict.LOST),
        (403, 50007, JSON, Verdict.LOST),
        (403, 50013, JSON, Verdict.LOST),
        (403, 99999, JSON, Verdict.UNCLEAR),
        (404, 10003, JSON, Verdict.LOST),
        (404, 10008, JSON, Verdict.MESSAGE_GONE),
        (404, 10062, JSON, Verdict.INTERACTION_GONE),
        (404, 10015, JSON, Verdict.INTERACTION_GONE),
        (404, 0, JSON, Verdict.UNCLEAR),
        (404, 0, "text/plain", Verdict.UNCLEAR),
        (404, 0, HTML, Verdict.OUTAGE),
        (408, 0, JSON, Verdict.OUTAGE),
        (413, 40005, JSON, Verdict.CONTENT_REFUSED),
        (429, 0, JSON, Verdict.LIMITED),
        (429, 50013, JSON, Verdict.LIMITED),
        (429, 0, HTML, Verdict.BANNED),
        (500, 50013, JSON, Verdict.OUTAGE),
        (502, 0, HTML, Verdict.OUTAGE),
        (503, 130000, JSON, Verdict.OUTAGE),
        (520, 0, "", Verdict.OUTAGE),
        (302, 0, HTML, Verdict.OUTAGE),
    ],
)
def test_a_refusal_is_judged_by_code_and_content_type(
    status: int, code: int, content_type: str, verdict: Verdict
) -> None:
    assert verdict_on(Refusal(status, code, content_type)) is verdict


def test_a_global_rate_limit_holds_everything_back() -> None:
    assert verdict_on(Refusal(429, 0, JSON, is_global=True)) is Verdict.BANNED


def test_a_form_whose_content_is_refused_is_a_refused_text() -> None:
    fields = refused_fields(CONTENT_ERRORS)

    assert fields == ("content BASE_TYPE_MAX_LENGTH",)
    assert verdict_on(Refusal(400, 50035, JSON, fields=fields)) is Verdict.CONTENT_REFUSED


def test_errors_that_are_nested_without_end_can_be_read() -> None:
    errors: dict = {}
    for _ in range(10_000):
        errors = {"a": errors}

    assert refused_fields(errors) == ()


@pytest.mark.parametrize("errors", [None, [], "text", 7, {"a": None}, {"_errors": None}, {"_errors": ["x"]}, {"a": []}])
def test_errors_of_any_shape_can_be_read(errors: object) -> None:
    assert len(refused_fields(errors)) <= 1


@pytest.mark.parametrize(
    ("asked_for", "seconds"),
    [("2.5", 2.5), (3, 3.0), ("-1", 0.0), ("inf", 3600.0), ("1e999", 3600.0), ("nan", 1.0), ("soon", 1.0), (None, 1.0)],
)
def test_a_wait_is_one_that_can_be_waited(asked_for: object, seconds: float) -> None:
    assert bounded_wait(asked_for) == seconds


@pytest.mark.parametrize(
    "fault",
    [Status(403, code=40333), Status(403, is_html=True), Status(404, is_html=True), Status(403), Garbled(),
     Garbled(after_effect=True), Garbled(b"<html>", content_type="text/html", after_effect=True),
     Garbled(b'{"id": null}', after_effect=True), Garbled(b'{"id": "99999999999999999999"}', after_effect=True),
     Garbled(b'{"id": "5", "content": 7}', after_effect=True), Garbled(b"[" * 100_000),
     Garbled(headers=(("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset-After", "nan"))),
     Garbled(headers=(("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset-After", "soon")))],
    ids=lambda fault: str(fault)[:80],
)  # fmt: skip
async def test_what_passes_by_itself_costs_no_answer_and_no_channel(
    server: LoopbackDiscord, enter: OpenHouse, engine: EchoEngine, fault
) -> None:
    async with enter(server, engine=engine) as house:
        planned = [
            server.faults.add(fault, method="POST", route=CREATES, nth=1),
            server.faults.add(fault, method="PATCH", route=EDITS, nth=1),
        ]
        first = await ask(house)
        second = await ask(house, "and again?")

    assert [fault.num_hits for fault in planned] == [1, 1]
    assert [server.answer_to(question).text for question in (first, second)] == [ANSWER, ANSWER]
    judge(server).require(turns=2, replies=2)


async def test_a_refusal_that_never_says_why_is_told_after_a_few_tries(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    engine = EchoEngine(answer=lambda _: ANSWER, words_before_gate=2, is_held=True)
    async with enter(server, engine=engine) as house:
        question = await server.person("Alice").says(server.channel("general"), "hello", mention=True)
        await server.wait_until(lambda: server.answer_to(question))
        server.faults.add(Status(403, code=99999), method="PATCH", route=EDITS, times=3)
        engine.gate.set()
        await house.reaches(question, "failed")
        await ask(house, "and now?")

    assert NOT_TAKEN_NOW in server.answer_to(question).text


@pytest.mark.parametrize("what", ["typing", "registration"])
async def test_what_is_only_by_the_way_ends_no_session(
    server: LoopbackDiscord, enter: OpenHouse, engine: EchoEngine, what: str
) -> None:
    route, method = {"typing": ("/channels/*/typing", "POST"), "registration": ("/applications/*/commands", "GET")}[
        what
    ]
    planned = server.faults.add(Garbled(), route=route, method=method)
    engine.seconds_per_word = 0.3  # so that somebody waits

    async with enter(server, engine=engine) as house:
        await server.wait_until(lambda: planned.num_hits or what == "typing")
        for _ in range(3):
            question = await ask(house)

    assert planned.num_hits
    assert house.num_ready == 1
    assert server.answer_to(question).text == ANSWER


async def test_an_empty_answer_to_the_login_is_an_outage(
    server: LoopbackDiscord, enter: OpenHouse, caplog: pytest.LogCaptureFixture
) -> None:
    planned = server.faults.add(Garbled(), route="/users/@me", method="GET", times=1)

    async with enter(server) as house:
        await ask(house)

    assert planned.num_hits == 1
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    "action", [Filter("darn"), Filter("darn", 200000), Filter("darn", 50035, CONTENT_ERRORS)], ids=lambda a: a.code
)
async def test_an_answer_that_discord_stops_taking_ends_in_words(
    server: LoopbackDiscord, enter: OpenHouse, action: Filter
) -> None:
    engine = EchoEngine(answer=lambda _: STORY, words_before_gate=3, is_held=True)
    async with enter(server, engine=engine) as house:
        refuse(server, action)
        question = await server.person("Alice").says(server.channel("general"), "a story", mention=True)
        await server.wait_until(lambda: server.answer_to(question))
        engine.gate.set()
        await house.reaches(question, "failed")
        engine.answer = lambda _: ANSWER
        await ask(house, "and now?")

    said = server.answer_to(question).text
    assert not is_growing(said)
    assert said.startswith("Here")
    assert said.endswith(f"\n-# {NOT_TAKEN}")
    assert "story about" not in house.prompts[-1]


async def test_an_answer_of_which_discord_takes_nothing_is_a_notice(server: LoopbackDiscord, enter: OpenHouse) -> None:
    async with enter(server, engine=EchoEngine(answer=lambda _: "darn it")) as house:
        refuse(server, Filter("darn"))
        question = await ask(house, state="failed")

    assert server.answer_to(question).text == NOT_TAKEN


async def test_a_later_part_that_is_refused_leaves_the_first_and_ends_in_words(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    async with enter(server, engine=EchoEngine(answer=lambda _: LONG_STORY)) as house:
        refuse(server, Filter("darn"))
        question = await ask(house, state="failed")

    parts = [part.content for part in server.answer_to(question).parts]
    assert parts[0].startswith("word0 word1")
    assert NOT_TAKEN in parts[-1]
    assert not any("darn" in part or is_growing(part) for part in parts)


async def test_where_the_words_below_are_refused_too_only_the_words_stay(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    engine = EchoEngine(answer=lambda _: STORY, words_before_gate=3, is_held=True)
    async with enter(server, engine=engine) as house:
        question = await server.person("Alice").says(server.channel("general"), "a story", mention=True)
        await server.wait_until(lambda: server.answer_to(question))
        refuse(server, Filter("Here"))
        engine.gate.set()
        await house.reaches(question, "failed")

    assert server.answer_to(question).text == NOT_TAKEN


async def test_where_every_text_is_refused_nothing_stays(server: LoopbackDiscord, enter: OpenHouse) -> None:
    engine = EchoEngine(answer=lambda _: STORY, words_before_gate=3, is_held=True)
    general = server.channel("general")
    async with enter(server, engine=engine) as house:
        question = await server.person("Alice").says(general, "a story", mention=True)
        await server.wait_until(lambda: server.answer_to(question))
        refuse(server, Filter(""))
        engine.gate.set()
        await house.reaches(question, "failed")

    assert [message.id for message in general.visible_messages()] == [question.id]


async def test_a_mute_ends_when_discord_says_and_the_answer_goes_on(server: LoopbackDiscord, enter: OpenHouse) -> None:
    engine = EchoEngine(answer=lambda _: ANSWER, is_held=True)
    async with enter(server, engine=engine) as house:
        question = await server.person("Alice").says(server.channel("general"), "hello", mention=True)
        await server.wait_until(lambda: engine.requests)
        server.world.time_out(server.guild, server.bot.user, 3)
        engine.gate.set()
        await house.reaches(question, "answered", 30)
        await ask(house, "and now?")

    assert server.answer_to(question).text == ANSWER
    assert len([call for call in server.journal.calls if call.status == 403]) == 1


async def test_a_token_that_is_refused_by_mistake_costs_nothing(
    server: LoopbackDiscord, enter: OpenHouse, engine: EchoEngine
) -> None:
    async with enter(server, engine=engine) as house:
        server.faults.add(Status(401, message="401: Unauthorized"), method="POST", route=CREATES, nth=1)
        await ask(house, seconds=60)

    assert house.num_ready == 1
    judge(server).require(turns=1, replies=1)


async def test_a_token_that_is_refused_for_good_ends_the_run_and_leaves_the_question_open(
    server: LoopbackDiscord, enter: OpenHouse, engine: EchoEngine
) -> None:
    async with enter(server, engine=engine) as house:
        server.faults.add(Status(401, message="401: Unauthorized"))
        question = await server.person("Alice").says(server.channel("general"), "hello", mention=True)
        ended = await house.end()
        state = await house.state(question)

    assert "token" in str(ended)
    assert ended.exit_status == 78
    assert state in {"received", "waiting", "answering"}


@dataclass(frozen=True, slots=True)
class Limited:
    """A rate limit that says how long in a way of its own."""

    body: dict

    async def before(self, call: Call) -> web.Response | None:
        return json_answer({"message": "limited"} | self.body, status=429, headers={"Via": "1.1 x"})

    async def after(self, call: Call, answer: web.Response) -> web.Response:
        return answer


@pytest.mark.parametrize(
    "body",
    [{}, {"retry_after": None}, {"retry_after": "soon"}, {"retry_after": "soon", "global": True},
     {"retry_after": [], "global": True}, {"retry_after": -1, "global": True}],
    ids=str,
)  # fmt: skip
async def test_a_rate_limit_that_cannot_be_read_is_over_soon(
    server: LoopbackDiscord, enter: OpenHouse, body: dict
) -> None:
    async with enter(server) as house:
        planned = server.faults.add(Limited(body), method="POST", route=CREATES, times=1)
        await ask(house)
        await ask(house, "and again?")

    assert planned.num_hits == 1
    judge(server).require(turns=2, replies=2)


async def test_a_rate_limit_of_an_hour_in_one_channel_holds_up_no_other(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    alice = server.person("Alice")
    async with enter(server, drain_seconds=0) as house:
        server.faults.add(
            Limited({"retry_after": 3600.0, "global": True}),
            method="POST",
            route=CREATES,
            channel=server.channel("slow"),
        )
        await alice.says(server.channel("slow"), "hello", mention=True)
        await ask(house)

    assert server.journal.statuses()[429] <= 1
