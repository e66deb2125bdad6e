import asyncio
import errno
import threading

from bot.doctor.examination import Check, examine, exit_status
from bot.doctor.finding import Finding, State, Topic
from bot.errors import ConfigError
from bot.tasks import in_daemon_thread

TOPIC = Topic("a topic")


async def found(*checks):
    return [finding async for finding in examine(checks)]


def check(topic, *findings, after=None, seconds=30.0):
    async def run():
        if isinstance(after, Exception):
            raise after
        if after is not None:
            await after()
        return findings

    return Check(topic, run, seconds)


async def test_what_hangs_or_fails_keeps_nothing_else_from_being_told():
    hanging = threading.Event()

    async def hang():
        await in_daemon_thread(hanging.wait, name="looking for ever")

    findings = await found(
        check("slow", after=asyncio.Event().wait, seconds=0.01),
        check("stuck", after=hang, seconds=0.01),
        check("broken", after=ZeroDivisionError("by zero")),
        check("closed", after=PermissionError(errno.EACCES, "Permission denied", "/root/data")),
        check("refused", after=ConfigError("TRINITY_SEED", "is wrong")),
        check("fine", TOPIC.ok("well")),
    )
    hanging.set()

    assert [(finding.topic, finding.state) for finding in findings] == [
        ("slow", State.UNKNOWN),
        ("stuck", State.UNKNOWN),
        ("broken", State.UNKNOWN),
        ("closed", State.BAD),
        ("refused", State.BAD),
        ("a topic", State.OK),
    ]
    assert "ZeroDivisionError" in findings[2].said
    assert findings[3].said == "/root/data: Permission denied"
    assert findings[4].said == "TRINITY_SEED: is wrong"


async def test_checks_run_beside_one_another_and_are_told_in_order():
    met = asyncio.Barrier(2)

    findings = await found(
        check("a", TOPIC.ok("first"), after=met.wait), check("b", TOPIC.ok("second"), after=met.wait)
    )

    assert [finding.said for finding in findings] == ["first", "second"]


def test_the_exit_status_says_the_worst():
    def status(*states):
        return exit_status([Finding("x", state, "y") for state in states])

    assert status() == status(State.OK, State.NOTE) == 0
    assert status(State.OK, State.UNKNOWN) == 69
    assert status(State.UNKNOWN, State.BAD, State.OK) == 78
