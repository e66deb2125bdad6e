"""What people see while they wait, and while an answer grows, end to end on a loopback Discord."""

from tests.discord.conftest import OpenHouse
from tests.engines import EchoEngine
from tests.loopback import LoopbackDiscord, judge

TABLE = "See:\n\n| Name | Age |\n|---|---|\n| Ann | 7 |\n| Bartholomew | 41 |\n\nThat is all."
SHOWN_AT_FIRST = "See:\n\n```\nName  Age\n----  ---\nAnn   7\n```"
SHOWN = "See:\n\n```\nName         Age\n-----------  ---\nAnn          7\nBartholomew  41\n```\n\nThat is all."


async def test_a_table_grows_as_an_aligned_block_and_is_stored_as_it_was_said(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    engine = EchoEngine(answer=lambda _: TABLE, words_before_gate=12, is_held=True)
    alice, general = server.person("Alice"), server.channel("general")

    async with enter(server, engine=engine) as house:
        question = await alice.says(general, "who?", mention=True)
        await general.answer_to(question, until=lambda text: text == SHOWN_AT_FIRST)
        engine.gate.set()
        await house.reaches(question, "answered")
        stored = (await house.history.load(house.key)).turns[-1].answer

    assert server.answer_to(question).text == SHOWN
    assert stored == TABLE
    judge(server).require(turns=1, replies=1)
