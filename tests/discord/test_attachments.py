"""Text files beside a question, from a CDN on loopback: what is read, what is said, and what is never asked for."""

import asyncio
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace

import discord
import pytest
from aiohttp import web

from bot.discord.attachments import MAX_BYTES, AttachmentReader, Unread, is_text
from bot.discord.intake import TEXT_ONLY
from bot.words import phrase
from tests.discord.conftest import OpenHouse
from tests.discord.house import House, ask
from tests.loopback import LoopbackDiscord, Message, judge

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


async def attach(
    house: House, files: dict[str, bytes], text: str = "what is this?", state: str = "answered"
) -> Message:
    server = house.server
    question = await server.person("Alice").attaches(server.channel("general"), files, text)
    await house.reaches(question, "answered")
    return question


def attachment(url: str = "https://cdn.discordapp.com/attachments/1/2/a.txt", **fields: object) -> discord.Attachment:
    data = {"id": "1", "filename": "a.txt", "size": 5, "url": url, "proxy_url": url} | fields
    return discord.Attachment(data=data, state=SimpleNamespace(http=None))


async def test_a_text_file_is_read_and_remembered(house: House) -> None:
    question = await attach(house, {"notes.txt": b"The meeting is on Friday."})
    await ask(house, "and when?")

    assert "what is this?\n\nnotes.txt:\n```\nThe meeting is on Friday.\n```" in house.prompts[0]
    assert "The meeting is on Friday." in house.prompts[1]
    assert not house.server.answer_to(question).text.startswith("-#")
    judge(house.server).require(turns=2, replies=2)


async def test_a_file_alone_is_a_question(house: House) -> None:
    await attach(house, {"message.txt": "Grüße, and what does this mean?".encode()}, text="")

    assert "message.txt:\n```\nGrüße, and what does this mean?\n```" in house.prompts[0]


async def test_a_long_file_is_cut_and_that_is_said(house: House) -> None:
    log = b"".join(b"line %d of the log\n" % number for number in range(4000))

    question = await attach(house, {"x.log": log})

    assert "x.log (the first " in house.prompts[0]
    assert house.server.answer_to(question).text.startswith("-# I read the first ")
    assert " of 4,000 lines of x.log.\n" in house.server.answer_to(question).text


async def test_the_encoding_of_a_file_is_guessed_and_that_is_said(house: House) -> None:
    words = "Встреча начнётся в пятницу в три часа дня. Не забудьте материалы."

    question = await attach(house, {"план.txt": words.encode("cp1251")})

    assert f"план.txt:\n```\n{words}\n```" in house.prompts[0]
    note = phrase("file_guessed", name="план.txt", encoding="Windows-1251")
    assert house.server.answer_to(question).text.startswith(f"-# {note}\n")


async def test_the_name_of_a_file_is_read_as_it_is_written(house: House) -> None:
    question = await attach(house, {"__init__.py": b"pass\n" * 4000, "__gone__.py": PNG})

    shown = house.server.answer_to(question).text
    assert "-# \\_\\_gone\\_\\_.py doesn't hold text" in shown
    assert " lines of \\_\\_init\\_\\_.py.\n" in shown
    assert "[attached: __gone__.py]\n\n__init__.py (the first " in house.prompts[0]


async def test_a_picture_beside_it_is_named_to_model_and_person(house: House) -> None:
    question = await attach(house, {"photo.png": PNG, "a.py": b"print(1)"})

    assert "what is this?\n\n[attached: photo.png]\n\na.py:\n```\nprint(1)\n```" in house.prompts[0]
    assert house.server.answer_to(question).text.startswith(f"-# {TEXT_ONLY}\n")
    assert [path.rpartition("/")[2] for path in house.server.cdn.requests] == ["a.py"]


@pytest.mark.parametrize(
    ("name", "content", "note"),
    [
        ("gone.txt", None, "I couldn't get gone.txt from Discord"),
        ("large.log", b"x" * (MAX_BYTES + 1), "large.log is larger than 100 kB"),
        ("picture.txt", PNG, "picture.txt doesn't hold text"),
    ],
    ids=["gone", "large", "binary"],
)
async def test_what_cannot_be_read_is_told_and_the_rest_answered(
    house: House, name: str, content: bytes | None, note: str
) -> None:
    if content is None:
        house.server.cdn.serve_by = lambda _: _status(404)

    question = await attach(house, {name: content or b""})

    assert f"[attached: {name}]" in house.prompts[0]
    assert house.server.answer_to(question).text.startswith(f"-# {note}")


async def test_a_file_alone_that_cannot_be_read_is_told(house: House) -> None:
    server = house.server
    server.cdn.serve_by = lambda _: _status(500)

    question = await server.person("Alice").attaches(server.channel("general"), {"x.log": b"hi"})
    await server.wait_until(lambda: server.answer_to(question))

    assert server.answer_to(question).text == "I couldn't get x.log from Discord, so I haven't read it."
    assert house.engine.requests == []


async def test_while_a_file_is_fetched_typing_is_shown_and_others_are_answered(house: House) -> None:
    server, alice, bob = house.server, house.server.person("Alice"), house.server.person("Bob")
    server.cdn.gate.clear()

    slow = await alice.attaches(server.channel("general"), {"x.log": b"hi"}, "first")
    behind = await bob.says(server.channel("general"), "second", mention=True)
    elsewhere = await bob.says(server.channel("other"), "third", mention=True)
    await house.reaches(elsewhere, "answered")
    await server.wait_until(lambda: [act for act in server.journal.acts if act.kind == "typing"])
    states = await house.state(slow), await house.state(behind)
    server.cdn.gate.set()
    await house.reaches(behind, "answered")

    assert states == (None, None)
    assert ["third" in prompt for prompt in house.prompts] == [True, False, False]
    assert "first" in house.prompts[1]
    judge(server).require(turns=3, replies=3)


async def test_a_question_that_is_deleted_while_its_file_is_fetched_is_not_answered(house: House) -> None:
    server, alice = house.server, house.server.person("Alice")
    server.cdn.gate.clear()

    question = await alice.attaches(server.channel("general"), {"x.log": b"swordfish"}, "first")
    await server.wait_until(lambda: server.cdn.requests)
    await alice.deletes(question)
    await ask(house, "the end")

    assert await house.state(question) is None
    assert not any("swordfish" in prompt for prompt in house.prompts)


async def test_after_a_restart_the_file_is_not_fetched_again(server: LoopbackDiscord, enter: OpenHouse) -> None:
    async with enter(server, drain_seconds=0.0) as house:
        house.engine.gate.clear()
        question = await server.person("Alice").attaches(server.channel("general"), {"x.log": b"swordfish"}, "first")
        await server.wait_until(lambda: house.engine.requests)
    server.cdn.serve_by = lambda _: _status(404)
    async with enter(server) as house:
        await house.reaches(question, "answered")

    assert "x.log:\n```\nswordfish\n```" in house.prompts[-1]
    assert len(server.cdn.requests) == 1


async def test_a_fetch_that_a_restart_cuts_off_is_made_again(server: LoopbackDiscord, enter: OpenHouse) -> None:
    alice, bob, general = server.person("Alice"), server.person("Bob"), server.channel("general")
    async with enter(server, drain_seconds=0.0) as house:
        await ask(house, "hello")
        server.cdn.gate.clear()
        question = await alice.attaches(general, {"x.log": b"swordfish"}, "first")
        behind = await bob.says(general, "second", mention=True)
        await server.wait_until(lambda: server.cdn.requests)
    server.cdn.gate.set()
    async with enter(server) as house:
        await house.reaches(behind, "answered")
        state = await house.state(question)

    assert state == "answered"
    assert "swordfish" in house.prompts[0]


async def test_an_edit_of_a_waiting_question_keeps_its_file(house: House) -> None:
    server, alice = house.server, house.server.person("Alice")
    house.engine.gate.clear()
    await ask(house, "hold", state="answering")
    question = await alice.attaches(server.channel("general"), {"x.log": b"swordfish"}, "first")
    await house.reaches(question, "received")

    await alice.edits(question, f"{server.bot.mention} second")
    await server.wait_until(lambda: len(server.cdn.requests) == 2)
    house.engine.gate.set()
    await house.reaches(question, "answered")

    assert "swordfish" in house.prompts[-1]


# ---- What is never asked for


async def _status(status: int) -> web.Response:
    return web.Response(status=status)


@pytest.fixture
async def elsewhere() -> AsyncIterator[LoopbackDiscord]:
    """A server that nobody may be led to."""
    async with LoopbackDiscord() as running:
        yield running


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/attachments/1/a.txt",
        "http://localhost:{port}/attachments/1/a.txt",
        "http://cdn.discordapp.com@127.0.0.1:{port}/attachments/1/a.txt",
        "http://cdn.discordapp.com/attachments/1/a.txt",
        "https://cdn.discordapp.com.evil.invalid/a.txt",
        "https://cdn.discordapp.com:8443/a.txt",
        "https://user@cdn.discordapp.com/a.txt",
        "https://evilcdn.discordapp.com/a.txt",
        "file:///etc/passwd",
        "/etc/passwd",
        "",
        "https://[::1",
    ],
)
async def test_nothing_is_fetched_from_other_hosts(elsewhere: LoopbackDiscord, url: str) -> None:
    reader = AttachmentReader()

    [result] = await reader.read([attachment(url.replace("{port}", str(elsewhere.port)))])

    assert isinstance(result, Unread)
    assert elsewhere.cdn.requests == []


async def test_no_redirect_is_followed(server: LoopbackDiscord, elsewhere: LoopbackDiscord) -> None:
    there = elsewhere.cdn.upload(1, "secret.txt", b"secret")

    async def lead_away(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": there["url"]})

    server.cdn.serve_by = lead_away
    here = server.cdn.upload(1, "a.txt", b"hello")

    [result] = await AttachmentReader(server.api_url).read([attachment(here["url"])])

    assert isinstance(result, Unread)
    assert elsewhere.cdn.requests == []


@pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "gzip"}], ids=["endless", "compressed"])
async def test_no_more_is_read_than_allowed(server: LoopbackDiscord, headers: dict) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 10_000)
        except ConnectionError:
            return response

    server.cdn.serve_by = endless
    here = server.cdn.upload(1, "a.txt", b"hello")

    [result] = await AttachmentReader(server.api_url).read([attachment(here["url"])])

    assert isinstance(result, Unread)


async def test_a_silent_host_is_given_up(server: LoopbackDiscord, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.discord.attachments.FETCH_SECONDS", 0.1)
    server.cdn.gate.clear()
    here = server.cdn.upload(1, "a.txt", b"hello")

    started = time.monotonic()
    results = await AttachmentReader(server.api_url).read([attachment(here["url"])] * 3)

    assert all(isinstance(result, Unread) for result in results)
    assert time.monotonic() - started < 5
    server.cdn.gate.set()
    await asyncio.sleep(0)


async def test_the_token_does_not_go_with_the_request(house: House) -> None:
    await attach(house, {"a.txt": b"hello"})

    [headers] = house.server.cdn.headers
    assert "Authorization" not in headers
    assert house.server.token not in str(headers)


# ---- What is text


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("message.txt", "text/plain; charset=utf-8", True), ("x.LOG", None, True), ("a.ts", "video/mp2t", True),
        ("Makefile", "text/x-makefile", True), ("data", "application/json", True), (".gitignore", None, True),
        ("photo.png", "image/png", False), ("a.md", "image/png", False), ("x.zip", "application/zip", False),
        ("x.svg", "image/svg+xml", False), ("x.exe", None, False), ("x", None, False),
    ],
)  # fmt: skip
def test_what_is_text_is_told_by_type_or_name(name: str, kind: str | None, expected: bool) -> None:
    fields = {"filename": name} | ({} if kind is None else {"content_type": kind})

    assert is_text(attachment(**fields)) is expected
