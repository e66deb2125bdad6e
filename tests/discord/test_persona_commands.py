"""Personas are previewed, written in forms, taken back, exported and imported on a loopback Discord."""

import base64
import json
import struct
import zlib
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from bot.discord.commands.personas import MAY_NOT_CHANGE
from bot.errors import NothingToUndo
from bot.words import phrase
from tests.discord.conftest import OpenHouse
from tests.discord.house import House, ask
from tests.loopback import Interaction, LoopbackDiscord, Permission, judge, without_waits


@pytest.fixture
async def house(server: LoopbackDiscord, enter: OpenHouse) -> AsyncIterator[House]:
    server.person("Mod", permissions=Permission.MANAGE_CHANNELS)
    async with enter(server) as opened:
        await server.wait_until(lambda: server.bot.commands)
        yield opened
    judge(server)


async def use(house: House, command: str, *, person: str = "Mod", **options: object) -> Interaction:
    server = house.server
    used = await server.person(person).uses(command, server.channel("general"), **options)
    return await used.answered(timeout=30.0)


async def test_a_preview_answers_its_asker_and_leaves_nothing(house: House) -> None:
    await ask(house, "before")
    house.engine.answer = lambda _: "Ahoy!"

    used = await use(house, "/persona preview", person="Alice", prompt="You are a captain.", question="who?")

    assert used.text.startswith("Ahoy!")
    assert used.is_ephemeral
    assert "of 512 tokens" in used.text
    assert "You are a captain." in house.prompts[-1]
    assert "before" not in house.prompts[-1]
    assert house.engine.requests[-1].priority == 1
    assert house.engine.requests[-1].cache_owner in house.engine.forgotten
    assert house.chat.queue.num_running == 0
    assert len((await house.chat.memory.copy(house.key, as_json=True)).text.split("asked_at")) == 2


async def test_a_form_makes_a_persona_and_changes_it(house: House) -> None:
    mod = house.server.person("Mod")

    opened = await use(house, "/persona create")
    made = await (await mod.submits(opened, name="own", prompt="You are\nbrief.")).answered()
    edited = await use(house, "/persona edit", name="OWN")
    changed = await (await mod.submits(edited, prompt="You are long.")).answered()

    assert "of 512 tokens" in made.text
    assert "You are\\nbrief." in json.dumps(edited.modal)
    assert not changed.is_ephemeral
    assert (await house.chat.personas.find(house.key, "own")).prompt == "You are long."


async def test_a_form_is_neither_shown_nor_taken_from_who_may_not(house: House) -> None:
    server = house.server
    refused = await use(house, "/persona create", person="Alice")
    opened = await use(house, "/persona create")
    server.guild.members[server.person("Mod").id].roles.clear()
    taken = await (await server.person("Mod").submits(opened, name="own", prompt="x")).answered()

    assert refused.modal is None
    assert refused.text == MAY_NOT_CHANGE
    assert taken.text == f"{MAY_NOT_CHANGE}\n{phrase('form_text_back')}"
    assert "own" not in [persona.name for persona in await house.chat.personas.list(house.key)]


async def test_a_form_that_was_open_while_the_bot_restarted_is_taken(server: LoopbackDiscord, enter: OpenHouse) -> None:
    mod, general = server.person("Mod", permissions=Permission.MANAGE_CHANNELS), server.channel("general")
    async with enter(server) as house:
        await house.personas.save(house.key, "own", "You are brief.", author_id=1, author_name="")
        opened = await (await mod.uses("/persona create", general)).answered()
        edited = await (await mod.uses("/persona edit", general, name="own")).answered()
    async with enter(server) as house:
        made = await (await mod.submits(opened, name="new", prompt="You are new.")).answered()
        changed = await (await mod.submits(edited, prompt="You are long.")).answered()

        assert not made.is_ephemeral
        assert not changed.is_ephemeral
        kept = [(await house.chat.personas.find(house.key, name)).prompt for name in ("own", "new")]
        assert kept == ["You are long.", "You are new."]
    judge(server)


async def test_what_no_persona_is_made_of_is_given_back(house: House) -> None:
    opened = await use(house, "/persona create")
    prompt = "word " * 790

    refused = await (await house.server.person("Mod").submits(opened, name="own", prompt=prompt)).answered()

    assert refused.is_ephemeral
    assert phrase("form_text_back") in refused.text
    assert [content.decode() for content in refused.responses[0].files.values()] == [f"own\n\n{prompt}"]


async def test_a_built_in_persona_opens_no_form(house: House) -> None:
    assert (await use(house, "/persona edit", name="pirate")).text == phrase("built_in_stays", name="pirate")


async def test_a_prompt_that_no_form_holds_is_told(house: House) -> None:
    await house.personas.save(house.key, "own", "word " * 900, author_id=1, author_name="")

    refused = await use(house, "/persona edit", name="own")

    assert refused.modal is None
    assert refused.text == phrase("form_too_small", name="own")


async def test_to_be_changed_or_deleted_only_what_was_made_here_is_suggested(house: House) -> None:
    mod, general = house.server.person("Mod"), house.server.channel("general")
    await use(house, "/persona set", name="poetic", prompt="You are one.")

    suggested = {
        command: [
            choice["value"]
            for choice in (await (await mod.completes(command, general, "name", "po")).answered()).choices
        ]
        for command in ("/persona use", "/persona edit", "/persona delete")
    }

    assert suggested == {
        "/persona use": ["poet", "poetic"], "/persona edit": ["poetic"], "/persona delete": ["poetic"]
    }  # fmt: skip


async def test_changes_are_shown_and_taken_back(house: House) -> None:
    for prompt in ("You are one.", "You are two."):
        await use(house, "/persona set", name="own", prompt=prompt)
    undone = await use(house, "/persona undo")
    prompt = (await house.chat.personas.find(house.key, "own")).prompt
    await use(house, "/persona use", name="own")
    await use(house, "/persona use", name="pirate")
    back = await use(house, "/persona undo")
    shown = await use(house, "/persona history", person="Alice")

    assert "**own**" in undone.text
    assert prompt == "You are one."
    assert "**own**" in back.text
    assert (await house.chat.personas.show(house.key)).name == "own"
    assert shown.text.count("wrote **own**") == 3
    assert f"<@{house.server.person('Mod').id}>" in shown.text
    assert shown.is_ephemeral


async def test_what_is_not_on_record_is_not_taken_back(house: House) -> None:
    first = await use(house, "/persona undo")
    await use(house, "/persona set", name="own", prompt="You are one.")
    made = await use(house, "/persona undo")
    await use(house, "/persona delete", name="own")
    deleted = await use(house, "/persona undo")

    assert first.text == made.text == deleted.text == str(NothingToUndo(phrase("nothing_to_undo")))


def png(card: dict[str, object]) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    text = b"chara\0" + base64.b64encode(json.dumps(card).encode())
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IDAT", b"") + chunk(b"tEXt", text) + chunk(b"IEND", b"")


CARD = {"name": "Ada", "description": "{{char}} is brief.", "first_mes": "Hi!"}


async def test_cards_are_imported_and_exported_and_others_are_refused_in_words(enter: OpenHouse) -> None:
    files = {
        "ada.png": png(CARD),
        "long.json": json.dumps({**CARD, "description": "{{char}} has a long story. " * 200}).encode(),
        "none.png": b"\x89PNG\r\n\x1a\n",
        "large.png": b"x" * (9 * 2**20),
    }

    async def serve(request: web.Request) -> web.Response:
        return web.Response(body=files[request.match_info["name"]])

    server = LoopbackDiscord(without_waits())
    server.mount(lambda app: app.router.add_get("/files/{name}", serve))
    server.person("Mod", permissions=Permission.MANAGE_CHANNELS)
    async with server, enter(server) as house:

        async def imports(path: str, person: str = "Mod", size: int = 10, host: str = "", **options: str) -> str:
            place = f"{host or server.api_url.rpartition('/api')[0]}/files/{path}"
            file = {"id": "77", "filename": path, "size": size, "url": place, "proxy_url": place}
            return (await use(house, "/persona import", person=person, file=file, **options)).text

        assert await imports("ada.png", "Alice") == MAY_NOT_CHANGE
        taken = await imports("ada.png")
        assert "of 512 tokens" in taken
        assert "`first_mes`" in taken
        assert "`description`" in await imports("long.json")
        assert await imports("none.png") == phrase("card_unknown")
        assert await imports("large.png") == await imports("ada.png", size=10**9) == phrase("card_too_large", limit=8)
        assert await imports("ada.png", host="http://127.0.0.1:9") == phrase("card_not_fetched")
        exported = await use(house, "/persona export", person="Alice", name="Ada")
        files["again.json"] = next(iter(exported.responses[0].files.values()))
        await imports("again.json", name="other")
        assert (await house.chat.personas.find(house.key, "other")).prompt == "Ada is brief."
        assert sorted(each.name for each in await house.chat.personas.list(house.key))[:1] == ["Ada"]
    judge(server)
