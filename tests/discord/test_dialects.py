"""Servers that keep Discord's rules in other words: what its documentation leaves open makes no difference."""

import itertools
import sqlite3
from pathlib import Path

import pytest

from bot.conversation.chat_format import TurnEncoder
from tests.discord.house import open_house
from tests.engines import EchoEngine
from tests.locks import lock
from tests.loopback import RateLimited, Reset, Rules, Status, judge, judge_database, without_waits
from tests.loopback.proxy import Dialect, Json, everywhere, open_dialect

ANSWER = " ".join(f"word{number}" for number in range(400))
_MESSAGE_FIELDS = {
    "id", "channel_id", "guild_id", "author", "content", "timestamp", "edited_timestamp", "tts", "mention_everyone",
    "mentions", "mention_roles", "attachments", "embeds", "pinned", "type", "message_reference",
}  # fmt: skip
_GUILD_FIELDS = {"id", "name", "channels", "roles", "members", "owner_id"}


def is_message(thing: dict[str, Json]) -> bool:
    return "content" in thing and "author" in thing


class WithoutLimits(Dialect):
    """No rate limit headers at all."""

    def headers(self, headers: dict[str, str]) -> dict[str, str]:
        return {name: value for name, value in headers.items() if not name.lower().startswith("x-ratelimit")}


class OtherBuckets(Dialect):
    """A bucket's name that is another one each time."""

    numbers = itertools.count()

    def headers(self, headers: dict[str, str]) -> dict[str, str]:
        return headers | {"X-RateLimit-Bucket": f"bucket-{next(self.numbers)}"}


class Compressing(Dialect):
    """zlib-stream; the others send text, whatever was asked for."""

    compresses = True


class LateHello(Dialect):
    hello_delay_seconds = 1.0


class Talkative(Dialect):
    """Fields and events that nobody knows yet."""

    def answer(self, path: str, body: Json) -> Json:
        return everywhere(lambda thing: thing | {"shiny": {"new": [1, None, "x"]}}, body)

    def frames(self, frame: Json) -> list[Json]:
        unknown = {"op": 0, "t": "SHINY_UPDATE", "s": frame.get("s"), "d": {"id": "1"}}
        extra = [unknown] if frame["op"] == 0 and frame["t"] not in ("READY", "RESUMED") else []
        return [frame | {"d": self.answer("", frame["d"])}, *extra, {"op": 99, "d": None}]


class Bare(Dialect):
    """Messages and guilds with what they must have, and nothing else."""

    def answer(self, path: str, body: Json) -> Json:
        return everywhere(self._strip, body)

    def frames(self, frame: Json) -> list[Json]:
        return [frame | {"d": self.answer("", frame["d"])}]

    def _strip(self, thing: dict[str, Json]) -> dict[str, Json]:
        kept = _MESSAGE_FIELDS if is_message(thing) else _GUILD_FIELDS if "owner_id" in thing else thing.keys()
        return {name: value for name, value in thing.items() if name in kept}


class Unpeopled(Dialect):
    """Guilds that tell neither roles nor members."""

    def frames(self, frame: Json) -> list[Json]:
        if frame.get("t") == "GUILD_CREATE":
            frame["d"] |= {"members": [], "roles": []}
        return [frame]


class Null(Dialect):
    """null in answers where something could have been left out; in events discord.py itself wouldn't take it."""

    def answer(self, path: str, body: Json) -> Json:
        is_page = isinstance(body, list)  # those are discord.py's to read
        return body if is_page else everywhere(self._fill, body)

    def _fill(self, thing: dict[str, Json]) -> dict[str, Json]:
        return {"message_reference": None, "nonce": None, "flags": None} | thing if is_message(thing) else thing


class OldestFirst(Dialect):
    """Pages of messages in the other order."""

    def answer(self, path: str, body: Json) -> Json:
        return body[::-1] if isinstance(body, list) and path.endswith("/messages") else body


class Untold(Dialect):
    """Channels don't say which message is their newest."""

    def frames(self, frame: Json) -> list[Json]:
        def strip(thing: dict[str, Json]) -> dict[str, Json]:
            return {name: value for name, value in thing.items() if name != "last_message_id"}

        return [frame | {"d": everywhere(strip, frame["d"])}]


class DeadResumeServer(Dialect):
    """The server at which sessions are to be resumed is gone."""

    resume_url = "ws://127.0.0.1:9/"


class SilentResume(Dialect):
    """Events are replayed, but RESUMED never comes."""

    def frames(self, frame: Json) -> list[Json]:
        return [] if frame.get("t") == "RESUMED" else [frame]


COMMON = (Talkative, Bare, OldestFirst)
OTHERS = (
    WithoutLimits, OtherBuckets, Compressing, LateHello, Unpeopled, Null, Untold, DeadResumeServer, SilentResume
)  # fmt: skip


@pytest.mark.no_cover
@pytest.mark.parametrize(
    "dialect",
    [*COMMON, *(pytest.param(dialect, marks=pytest.mark.soak) for dialect in OTHERS)],
    ids=lambda dialect: dialect.__name__,
)
async def test_a_day_on_another_server_goes_like_any_other(
    dialect: type[Dialect], tmp_path: Path, encoder: TurnEncoder
) -> None:
    """An answer, a lost connection, a restart in the middle of an answer, and what was missed meanwhile."""
    engine = EchoEngine(answer=lambda _: ANSWER, words_before_gate=300)
    async with open_dialect(without_waits(), dialect()) as server:
        alice, general = server.person("Alice"), server.channel("general")
        async with open_house(server, tmp_path, encoder, engine, drain_seconds=0) as house:
            first = await alice.says(general, "hello", mention=True)
            await house.reaches(first, "answered")
            server.gateway.abort()
            second = await alice.says(general, "still there?", mention=True)
            await house.reaches(second, "answered", 20)
            direct = await alice.dms("and in private?")
            await house.reaches(direct, "answered")
            engine.gate.clear()
            begun = await alice.says(general, "go on", mention=True)
            await server.wait_until(lambda: (answer := server.answer_to(begun)) and len(answer.text) > 1000)
        missed = await alice.says(general, "missed", mention=True)
        deleted = await alice.says(general, "never mind", mention=True)
        await alice.deletes(deleted)
        async with open_house(server, tmp_path, encoder, EchoEngine(answer=lambda _: ANSWER)) as house:
            for question in (begun, missed):
                await house.reaches(question, "answered", 20)

        for question in (first, second, direct, begun, missed):
            assert "".join(server.answer_to(question).text.split()) == ANSWER.replace(" ", "")
        assert server.gateway.counts["resumes"] == 1
        judge(server).require(turns=6, replies=5)
    judge_database(house.database_path).require(answered=5)


@pytest.mark.parametrize(
    "fault",
    [
        Status(503, after_effect=True, is_html=True),
        pytest.param(Status(502, is_html=True), marks=pytest.mark.soak),
        pytest.param(Status(500, after_effect=True, is_html=True), marks=pytest.mark.soak),
        pytest.param(Reset(), marks=pytest.mark.soak),
    ],
    ids=str,
)
async def test_errors_in_html_are_errors_like_others(fault, tmp_path: Path, encoder: TurnEncoder) -> None:
    async with open_dialect(without_waits(), WithoutLimits()) as server:
        server.faults.add(fault, method="POST", route="/channels/*/messages", nth=1)
        async with open_house(server, tmp_path, encoder) as house:
            question = await server.person("Alice").says(server.channel("general"), "hello", mention=True)
            await house.reaches(question, "answered", 30)

        judge(server).require(turns=1, replies=1)


class NoVia(Dialect):
    """Rate limits in JSON, without the header that tells Discord's own from its proxy's."""

    def headers(self, headers: dict[str, str]) -> dict[str, str]:
        return {name: value for name, value in headers.items() if name.lower() != "via"}


async def test_a_rate_limit_without_a_via_header_is_no_ban(tmp_path: Path, encoder: TurnEncoder) -> None:
    async with open_dialect(Rules(identify_interval_seconds=0.0), NoVia()) as server:
        server.faults.add(RateLimited(1.0), method="POST", route="/channels/*/messages", nth=1)
        async with open_house(server, tmp_path, encoder) as house:
            question = await server.person("Alice").says(server.channel("general"), "hello", mention=True)
            elsewhere = await server.person("Bob").says(server.channel("random"), "hello", mention=True)
            await house.reaches(elsewhere, "answered")
            await house.reaches(question, "answered", 15)

        assert server.journal.statuses()[429] == 1
        judge(server).require(turns=2, replies=2)


class Wordless(Dialect):
    """Interactions are acknowledged without a body."""

    def answer(self, path: str, body: Json) -> Json:
        return None if path.endswith("/callback") else body


@pytest.mark.parametrize("is_slow", [False, True])
async def test_a_command_is_answered_where_acknowledgements_are_empty(
    is_slow: bool, tmp_path: Path, encoder: TurnEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_dialect(without_waits(), Wordless()) as server:
        async with open_house(server, tmp_path, encoder) as house:
            other = sqlite3.connect(house.database_path, timeout=60, isolation_level=None)
            if is_slow:
                await lock(other)
            reset = await server.person("Alice").uses("/reset", server.channel("general"))
            await server.wait_until(lambda: reset.acknowledged_at)
            other.close()
            await server.wait_until(lambda: reset.text)

        assert "forg" in reset.text
    assert "Traceback" not in caplog.text
