import pytest
from sqlalchemy import event

from bot.conversation.messages import ConversationKey
from bot.conversation.persona import DEFAULT, PLAIN, TRINITY, Persona
from bot.errors import StoreError
from bot.store.files.database import Database
from bot.store.rows.history import History
from bot.store.rows.personas import Personas, load_settings
from tests.store.said import DIRECT, ELSEWHERE, HERE, MORNING, THREAD, ask, hold_turn

ADA = {"author_id": 5, "author_name": "Ada"}
OTHER_GUILD = ConversationKey("discord", 900, 8)


@pytest.fixture
def personas(database: Database) -> Personas:
    return Personas(database)


async def names(personas: Personas, key: ConversationKey) -> list[str]:
    return [own.name for own in await personas.list_own(key)]


async def chosen(personas: Personas, key: ConversationKey) -> Persona:
    return (await personas.settings(key)).persona


async def test_a_guild_shares_its_personas_with_nobody_else(personas):
    await personas.save(HERE, "Pirate", "Talk like a pirate.", **ADA)
    await personas.save(DIRECT, "Secret", "Whisper.", **ADA)

    assert await names(personas, ELSEWHERE) == ["Pirate"]
    assert await names(personas, THREAD) == ["Pirate"]
    assert await names(personas, DIRECT) == ["Secret"]
    assert await names(personas, OTHER_GUILD) == []


async def test_names_are_the_same_whatever_their_case(personas):
    await personas.save(HERE, "Pirate", "Arr.", **ADA)
    await personas.save(HERE, "PIRATE", "Ahoy!", author_id=6, author_name="Bob")

    own = await personas.find_own(HERE, " pirate ")

    assert (own.name, own.prompt, own.changed_by, own.changed_at) == ("PIRATE", "Ahoy!", 6, MORNING)
    assert await names(personas, HERE) == ["PIRATE"]


async def test_a_choice_is_a_channels_own_and_a_threads_by_inheritance(personas):
    await personas.choose(HERE, "plain", **ADA)

    assert await chosen(personas, HERE) == PLAIN
    assert await chosen(personas, THREAD) == PLAIN
    assert await chosen(personas, ELSEWHERE) == DEFAULT


async def test_a_threads_own_choice_comes_first_until_it_is_cleared(personas):
    await personas.choose(HERE, "plain", **ADA)
    await personas.choose(THREAD, "Trinity", **ADA)
    own = await chosen(personas, THREAD)

    cleared = [await personas.clear_choice(THREAD, **ADA), await personas.clear_choice(THREAD, **ADA)]

    assert own == TRINITY
    assert cleared == [True, False]
    assert await chosen(personas, THREAD) == PLAIN


async def test_a_conversation_comes_with_the_prompt_of_its_guilds_persona(database, personas):
    await personas.save(HERE, "Pirate", "Arr.", **ADA)
    await personas.choose(HERE, "pirate", **ADA)

    loaded = [(await History(database).load(key)).settings.persona for key in (HERE, THREAD, ELSEWHERE)]

    assert loaded == [Persona("pirate", "Arr."), Persona("pirate", "Arr."), DEFAULT]


async def test_a_changed_prompt_reaches_the_channels_that_chose_it(personas):
    await personas.save(HERE, "Pirate", "Arr.", **ADA)
    await personas.choose(ELSEWHERE, "Pirate", **ADA)

    await personas.save(HERE, "Pirate", "Ahoy!", **ADA)

    assert await chosen(personas, ELSEWHERE) == Persona("Pirate", "Ahoy!")


async def test_a_deleted_persona_is_chosen_nowhere_any_more(personas):
    await personas.save(HERE, "Pirate", "Arr.", **ADA)
    await personas.save(OTHER_GUILD, "Pirate", "Yo ho.", **ADA)
    for key in (HERE, ELSEWHERE, OTHER_GUILD):
        await personas.choose(key, "Pirate", **ADA)

    deleted = [await personas.delete(HERE, "pirate", **ADA), await personas.delete(HERE, "pirate", **ADA)]

    assert deleted == [True, False]
    assert [await chosen(personas, key) for key in (HERE, ELSEWHERE)] == [DEFAULT, DEFAULT]
    assert await chosen(personas, OTHER_GUILD) == Persona("Pirate", "Yo ho.")


async def test_every_change_is_on_record(personas):
    await personas.save(HERE, "Pirate", "Arr.", **ADA)
    await personas.choose(ELSEWHERE, "Pirate", author_id=6, author_name="Bob")
    await personas.clear_choice(ELSEWHERE, **ADA)
    await personas.choose(DIRECT, "plain", **ADA)

    changes = await personas.changes(HERE)

    assert [(change.action, change.author_name, change.name, change.channel_id) for change in changes] == [
        ("clear", "Ada", None, 200),
        ("use", "Bob", "Pirate", 200),
        ("set", "Ada", "Pirate", 100),
    ]
    assert (changes[-1].prompt, changes[-1].changed_at) == ("Arr.", MORNING)
    assert [change.action for change in await personas.changes(DIRECT)] == ["use"]


async def test_a_deleted_personas_record_says_only_that_it_was_deleted(personas, database, file):
    await personas.save(HERE, "Pirate", "Arr, the canary is called Gertrude.", author_id=6, author_name="Bob")
    await personas.save(HERE, "ＰＩＲＡＴＥ", "Arr, more of Gertrude.", author_id=6, author_name="Bob")
    await personas.choose(ELSEWHERE, "pirate", author_id=6, author_name="Bob")
    await personas.save(HERE, "Poet 2", "Roses.", **ADA)
    await personas.delete(HERE, "Pirate", **ADA)

    changes = await personas.changes(HERE)

    assert [(change.action, change.author_name, change.author_id, change.prompt) for change in changes] == [
        ("delete", "", 0, None),
        ("set", "Ada", ADA["author_id"], "Roses."),
    ]
    await database.erase_traces()
    assert b"Gertrude" not in file.read_bytes()


async def test_a_change_that_wrote_the_name_otherwise_is_taken_back_with_the_name(personas):
    await personas.save(HERE, "Pirate", "Arr.", **ADA)
    await personas.save(HERE, "pirate", "Yo ho.", **ADA)

    undone = await personas.undo(HERE, **ADA)

    assert (undone.name, undone.prompt) == ("pirate", "Yo ho.")
    own = await personas.find_own(HERE, "PIRATE")
    assert (own.name, own.prompt) == ("Pirate", "Arr.")


async def test_what_changed_nothing_is_not_on_record(personas):
    await personas.clear_choice(HERE, **ADA)
    await personas.delete(HERE, "Nobody", **ADA)

    assert await personas.changes(HERE) == []


async def test_a_prompt_of_any_length_is_kept(personas):
    prompt = "😀 " * 50_000

    await personas.save(HERE, "Long", prompt, **ADA)

    assert (await personas.find_own(HERE, "Long")).prompt == prompt


@pytest.mark.parametrize("name", ["", "x" * 33])
async def test_the_schema_refuses_a_name_that_should_not_have_come_so_far(personas, name):
    with pytest.raises(StoreError):
        await personas.save(HERE, name, "Prompt", **ADA)

    assert await personas.changes(HERE) == []


async def test_a_channel_is_deleted_with_its_choice_where_all_was_said_in_its_threads(database, personas):
    await hold_turn(database, ask(1, key=THREAD))
    await personas.choose(HERE, "pirate", **ADA)

    await History(database).delete_channel("discord", HERE.channel_id)

    assert await chosen(personas, HERE) == DEFAULT


async def test_a_channels_deletion_takes_its_choice_and_a_direct_messages_personas(database, personas):
    await personas.save(DIRECT, "Secret", "Whisper.", **ADA)
    await personas.choose(DIRECT, "Secret", **ADA)
    await personas.save(HERE, "Pirate", "Arr.", **ADA)

    for key in (DIRECT, HERE):
        await History(database).delete_channel("discord", key.channel_id)

    assert await chosen(personas, DIRECT) == DEFAULT
    assert await names(personas, DIRECT) == []
    assert await names(personas, HERE) == ["Pirate"]


@pytest.mark.parametrize("text", ["'); DROP TABLE personas; --", "a\x00b", "\udead", "% ; -- /* */ \\"])
async def test_hostile_names_and_prompts_come_back_as_text(personas, text):
    await personas.save(HERE, text, text, author_id=5, author_name=text)
    await personas.choose(HERE, text, **ADA)

    repaired = text.replace("\x00", "\ufffd").replace("\udead", "\ufffd")
    assert await chosen(personas, HERE) == Persona(repaired, repaired)
    assert (await personas.find_own(HERE, text)).name == repaired


async def test_a_conversations_settings_are_read_with_one_statement(database, personas):
    await personas.save(HERE, "Pirate", "Arr.", **ADA)
    await personas.choose(HERE, "pirate", **ADA)
    statements = []

    async def work(connection):
        event.listen(connection.sync_connection, "before_cursor_execute", lambda *args: statements.append(args[2]))
        return await load_settings(connection, THREAD, HERE.channel_id)

    assert (await database.read(work)).persona == Persona("pirate", "Arr.")
    assert len(statements) == 1
