"""What is new in one channel is committed in its order, also where the database is away for some of it."""

import asyncio

from bot.chat.outage import Outage
from bot.errors import DatabaseBusy


class Commits:
    """What was committed; the first two tries of `refused` take a moment, and fail."""

    def __init__(self, refused: str) -> None:
        self.refused = [refused, refused]
        self.done: list[str] = []
        self.held: list[str] = []

    async def of(self, name: str) -> bool:
        if name in self.refused:
            self.refused.remove(name)
            await asyncio.sleep(0)
            raise DatabaseBusy("locked")
        self.done.append(name)
        return True

    async def by(self, outage: Outage, name: str, channel: int, *, is_alone: bool = True) -> bool:
        async def is_there() -> bool:
            return name in self.done

        commit, on_wait = lambda: self.of(name), lambda: self.held.append(name)
        return await outage.commit_once(commit, is_there, on_wait, channel, is_alone=is_alone)


async def test_no_question_overtakes_one_of_its_channel_that_was_refused() -> None:
    outage, commits = Outage(limit_seconds=30), Commits(refused="first")

    results = await asyncio.gather(*(commits.by(outage, name, 1) for name in ("first", "second", "third")))

    assert commits.done == ["first", "second", "third"]
    assert commits.held == ["first", "second", "third"]
    assert results == [True, True, True]


async def test_another_channel_does_not_wait_for_a_first_try() -> None:
    outage, commits = Outage(limit_seconds=30), Commits(refused="slow")

    await asyncio.gather(commits.by(outage, "slow", 1), commits.by(outage, "other", 2))

    assert commits.done == ["other", "slow"]
    assert commits.held == ["slow"]


async def test_what_is_cancelled_before_its_first_try_holds_nobody_up() -> None:
    outage, commits = Outage(limit_seconds=30), Commits(refused="first")
    first, second, third = (asyncio.create_task(commits.by(outage, name, 1)) for name in ("first", "second", "third"))
    await asyncio.sleep(0)

    second.cancel()

    assert await asyncio.gather(first, third) == [True, True]
    assert commits.done == ["first", "third"]


async def test_refusals_are_committed_together_but_behind_a_question_that_came_before() -> None:
    outage, commits = Outage(limit_seconds=30), Commits(refused="question")
    together = asyncio.Barrier(3)

    async def refuse(name: str) -> bool:
        async def commit() -> bool:
            await together.wait()
            commits.done.append(name)
            return True

        return await outage.commit_once(commit, commit, lambda: None, 1, is_alone=False)

    async with asyncio.timeout(30):
        await asyncio.gather(commits.by(outage, "earlier", 1), *(refuse(name) for name in ("a", "b", "c")))
        question = asyncio.create_task(commits.by(outage, "question", 1))
        await asyncio.sleep(0)
        await asyncio.gather(question, commits.by(outage, "refusal", 1, is_alone=False))

    assert commits.done[:1] + commits.done[4:] == ["earlier", "question", "refusal"]
