"""A paste that arrives in several messages is one question."""

from tests.discord.conftest import OpenHouse
from tests.discord.house import House, ask
from tests.loopback import LoopbackDiscord

FIRST = " ".join(f"word{number}" for number in range(300))[:1950]


async def test_a_paste_of_two_messages_is_one_question(house: House) -> None:
    server, alice = house.server, house.server.person("Alice")

    first = await alice.says(server.channel("general"), FIRST, mention=True)
    await alice.says(server.channel("general"), "and this?", mention=True)
    await house.reaches(first, "answered")
    await ask(house, "the end")

    assert len(house.engine.requests) == 2
    assert f"{FIRST}\nand this?" in house.prompts[0]


async def test_somebody_elses_message_is_no_part_of_it(house: House) -> None:
    bob = house.server.person("Bob")

    first = await house.server.person("Alice").dms(FIRST)
    other = await bob.dms("hello")
    for question in (first, other):
        await house.reaches(question, "answered")

    assert len(house.engine.requests) == 2


async def test_a_part_is_not_answered_after_a_restart(server: LoopbackDiscord, enter: OpenHouse) -> None:
    alice = server.person("Alice")
    async with enter(server) as house:
        first = await alice.dms(FIRST)
        second = await alice.dms("and this?")
        await house.reaches(first, "answered")
        await house.reaches(second, "answered")
    async with enter(server) as house:
        await ask(house, "the end")

    assert len(house.engine.requests) == 1


async def test_a_paste_that_a_stop_comes_into_is_one_question_after_the_restart(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    alice = server.person("Alice")
    async with enter(server, drain_seconds=0.0) as house:
        await house.reaches(await alice.dms("hello"), "answered")
        house.engine.words_before_gate = 1
        house.engine.gate.clear()  # however quickly both of them come, nothing is answered here
        first = await alice.dms(FIRST)
        second = await alice.dms("and this?")
        await server.wait_until(lambda: house.chat.exchanges.asked_by("discord", first.id))
        house.stop.set()
        await house.end()
    async with enter(server) as house:
        await house.reaches(first, "answered")
        await house.reaches(second, "answered")
        later = await alice.dms("and now?")
        await house.reaches(later, "answered")

    assert len(house.engine.requests) == 2
    assert f"{FIRST}\nand this?" in house.prompts[0]


async def test_a_message_that_came_later_than_a_paste_goes_on_is_a_question_of_its_own_after_a_restart(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    alice = server.person("Alice")
    async with enter(server) as house:
        await house.reaches(await alice.dms("hello", age_seconds=120), "answered")
    first = await alice.dms(FIRST, age_seconds=60)
    second = await alice.dms("and this?", age_seconds=50)
    async with enter(server) as house:
        await house.reaches(first, "answered")
        await house.reaches(second, "answered")

    assert len(house.engine.requests) == 2


async def test_after_a_restart_it_is_known_what_belongs_to_a_paste(server: LoopbackDiscord, enter: OpenHouse) -> None:
    alice = server.person("Alice")
    async with enter(server) as house:
        first = await alice.dms(FIRST)
        second = await alice.dms("swordfish")
        await house.reaches(first, "answered")
    async with enter(server) as house:
        await alice.edits(second, "marlin")
        await server.wait_until(lambda: len(house.prompts) == 1 and not len(house.chat.exchanges))
    async with enter(server) as house:
        await alice.deletes(second)
        await server.wait_until(lambda: house.engine.forgotten)
        await house.reaches(await alice.dms("and now?"), "answered")

        assert "marlin" not in house.prompts[0]
        assert "word1 " not in house.prompts[0]


async def test_what_is_deleted_of_a_paste_while_nobody_listens_is_remembered_no_more(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    alice = server.person("Alice")
    async with enter(server) as house:
        first = await alice.dms(FIRST)
        second = await alice.dms("swordfish")
        await house.reaches(first, "answered")
    await alice.deletes(second)
    async with enter(server) as house:
        await house.reaches(await alice.dms("and now?"), "answered")

        assert "swordfish" not in house.prompts[0]


async def test_who_deletes_a_part_deletes_the_question(house: House) -> None:
    server, alice = house.server, house.server.person("Alice")
    first = await alice.dms(FIRST)
    second = await alice.dms("swordfish")
    await house.reaches(first, "answered")

    await alice.deletes(second)
    await server.wait_until(lambda: house.engine.forgotten)
    await house.reaches(await alice.dms("and now?"), "answered")

    assert "swordfish" in house.prompts[0]
    assert "swordfish" not in house.prompts[1]


async def test_an_edit_of_a_part_is_one_of_the_whole_question(house: House) -> None:
    alice = house.server.person("Alice")
    first = await alice.dms(FIRST)
    second = await alice.dms("swordfish")
    await house.reaches(first, "answered")

    await alice.edits(first, f"Look: {FIRST}")
    await house.server.wait_until(lambda: len(house.prompts) == 2 and not len(house.chat.exchanges))
    await alice.edits(second, "marlin")
    await house.server.wait_until(lambda: len(house.prompts) == 3 and not len(house.chat.exchanges))

    assert f"Look: {FIRST}\nswordfish" in house.prompts[1]
    assert f"Look: {FIRST}\nmarlin" in house.prompts[2]
