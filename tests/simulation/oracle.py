"""What has to be true after every simulation, whatever happened in it."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.delivery.parts import Purpose, is_growing
from tests.simulation.discord import BOT_ID, Message
from tests.simulation.people import Forgetting, People
from tests.simulation.script import MARK

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

_OPEN = ("received", "waiting", "answering")
_FENCE = re.compile(r"```(?:python)?")
_FOLLOWED_SECONDS = 0.5
"""So long after it is told of a deletion a process begins no answer to what was deleted."""
_LONG_SECONDS = 20.0
"""So long after its deletion nobody begins to answer a question, whatever was on its way."""


@dataclass(slots=True)
class Row:
    """What the inbox has of a question, and the answer in the history."""

    state: str
    generation: int
    answer: str | None
    finish_reason: str | None


def judge(simulation: "Simulation") -> list[str]:
    """All that is wrong; nothing, if all is well."""
    file = simulation.disk.folder / "trinity.db"
    with closing(sqlite3.connect(file)) as connection:
        rows = _rows(connection)
        problems = [*_of_database(connection), *simulation.discord.violations]
    problems += _of_questions(simulation, rows)
    # What was missed while the database is away is found behind what waits for it; and a ban keeps what was missed from
    # being fetched, for longer than anybody waits.
    is_found_late = simulation.is_db_faulty and (len(simulation.lives) > 1 or simulation.num_drops)
    if not (is_found_late or simulation.may_be_banned):
        problems += _of_order(simulation, rows)
    problems += _of_prompts(simulation)
    problems += _of_deleted(simulation)
    problems += _of_strays(simulation)
    return problems


def _rows(connection: sqlite3.Connection) -> dict[int, Row]:
    query = """
        SELECT inbox.message_id, inbox.state, inbox.generation, answers.content, answers.finish_reason FROM inbox
        LEFT JOIN messages AS answers ON answers.turn_id = inbox.turn_id AND answers.role = 'assistant'
    """
    return {message_id: Row(*values) for message_id, *values in connection.execute(query)}


def _of_database(connection: sqlite3.Connection) -> Iterator[str]:
    (integrity,) = connection.execute("PRAGMA integrity_check").fetchone()
    if integrity != "ok":
        yield f"integrity_check: {integrity}"
    if broken := connection.execute("PRAGMA foreign_key_check").fetchall():
        yield f"foreign_key_check: {broken}"
    for message_id, state in connection.execute("SELECT message_id, state FROM inbox"):
        if state in _OPEN:
            yield f"question {message_id} is still {state}"
    (hidden,) = connection.execute("SELECT count(*) FROM messages WHERE hidden_at IS NOT NULL").fetchone()
    if hidden:
        yield f"{hidden} messages that were reset are still there"
    (left,) = connection.execute(
        "SELECT count(*) FROM inbox WHERE content <> '' AND state NOT IN ('received', 'waiting', 'answering')"
    ).fetchone()
    if left:
        yield f"{left} questions that are done with still have their words in the inbox"


def _of_questions(simulation: "Simulation", rows: dict[int, Row]) -> Iterator[str]:
    shown: dict[int, list[Message]] = {}
    for message in simulation.discord.messages.values():
        if message.author_id == BOT_ID and message.key is not None:
            shown.setdefault(message.key.question_id, []).append(message)
    for question in simulation.people.questions:
        ever = shown.get(question.id, [])
        yield from _of_question(simulation, question, ever, rows.get(question.id))


def _of_question(simulation: "Simulation", question: Message, ever: list[Message], row: Row | None) -> Iterator[str]:
    there = [each for each in ever if each.is_there]
    answer = [each for each in there if _purpose(each) in (Purpose.ANSWER, Purpose.FILE)]
    notices = [each for each in there if _purpose(each) == Purpose.NOTICE]
    named = f"question {question.id} ({question.content[:12]!r}, {row.state if row else 'unknown'})"
    places = [(_purpose(each), each.key.part) for each in answer if each.key]
    if len(set(places)) < len(places):
        yield f"{named} is answered twice: {places}"
    if len(notices) > 1:
        yield f"{named} has {len(notices)} notices"
    for each in there:
        if is_growing(each.content):
            yield f"{named}: a part was left growing: {each.content[:60]!r}"
    gone_at = question.deleted_at
    was_followed = simulation.was_followed("delete", question.id)
    if gone_at is not None and was_followed and any(each.at > gone_at + _LONG_SECONDS for each in answer):
        yield f"{named} was answered although it was deleted long before"
    if any(simulation.was_gone_at_start(question, each.at) for each in answer):
        yield f"{named} was answered although it was deleted before the process began"
    was_touched = any(each.deleted_at is not None and not each.deleted_by_bot for each in ever)
    if not question.is_there or was_touched:
        return
    if row is not None and row.answer is not None and row.state == "answered":
        said = [each for each in answer if _purpose(each) == Purpose.ANSWER]
        yield from _of_text(simulation, named, question, row, said, [each for each in answer if each.file_text])
    if answer or notices:
        return
    if (why_not := _excuse(simulation, question, row)) is None:
        yield f"{named} is neither answered nor told"
    else:
        simulation.journal.note("excused", question.id, why_not)


def _purpose(message: Message) -> str:
    return message.key.purpose if message.key else ""


def _excuse(simulation: "Simulation", question: Message, row: Row | None) -> str | None:
    """Why a question may stand there without a word."""
    if row is not None and row.state == "refused":
        return "refused in a flood"
    forgettings = [each for each in simulation.people.forgettings if _forgets(each, question)]
    if any(each.ended_at is None or each.ended_at >= question.at for each in forgettings):
        return "reset or erased"
    if row is None and simulation.is_beyond_reach(question):
        return "nobody was told of it"
    if row is not None and row.state == "failed" and (simulation.faults_unclear or simulation.may_database_be_lost):
        return "nothing could be said"
    return None


def _forgets(forgetting: Forgetting, question: Message) -> bool:
    return forgetting.channel_id == question.channel.id or forgetting.person_id == question.author_id


def _of_text(
    simulation: "Simulation", named: str, question: Message, row: Row, said: list[Message], files: list[Message]
) -> Iterator[str]:
    if not said:
        yield f"{named} has an answer in the history, and none is shown"
        return
    said.sort(key=lambda each: each.key.part if each.key else 0)
    ids = [each.id for each in said]
    if ids != sorted(ids):
        yield f"{named}: its parts stand in the order {[each.key.part for each in said if each.key]}"
    stored = _bare(row.answer or "")
    text = _bare("\n".join(each.content for each in said))
    if files:
        if _bare(files[-1].file_text or "") != stored:
            yield f"{named}: the file has {files[-1].file_text!r}"
        if not stored.startswith(text):
            yield f"{named} reads {text[:80]!r}..., not the beginning of {stored[:80]!r}"
    elif text != stored:
        yield f"{named} reads {text[-80:]!r} ({len(text)}), stored is {stored[-80:]!r} ({len(stored)})"
    mine = [each for each in simulation.asked if each.name.endswith(f":{question.id}")]
    pieces = [_bare(each.said) for each in mine]
    # Where an answer was gone on with, and nothing was added (an empty piece), the older one stands.
    if row.finish_reason in ("stop", "length") and not any(stored.endswith(piece) for piece in pieces):
        yield f"{named}: nobody said {stored[-80:]!r}"


def _bare(text: str) -> str:
    """A text without small lines, fences and white space: what a split may add or take."""
    lines = [line for line in text.split("\n") if not line.startswith("-# ")]
    return "".join(_FENCE.sub("", "\n".join(lines)).split()).replace("\u2060", "")


def _of_order(simulation: "Simulation", rows: dict[int, Row]) -> Iterator[str]:
    """A person's answers in a channel begin in the order of their questions, unless an edit made a question anew."""
    # What a reset ends at once is told at once, in any order.
    judged = {
        each.id
        for each in simulation.people.questions
        if each.edited_at is None and each.id in rows and rows[each.id].answer is not None
    }
    for channel in simulation.people.channels:
        firsts: dict[int, dict[int, int]] = {}
        for message in channel.messages:
            key = message.key
            if key and key.purpose == Purpose.ANSWER and key.part == 0 and key.generation == 0 and message.is_there:
                asker = simulation.discord.messages[key.question_id].author_id
                if key.question_id in judged:
                    firsts.setdefault(asker, {})[key.question_id] = message.id
        for asker, begun in firsts.items():
            ids = [begun[question] for question in sorted(begun)]
            if ids != sorted(ids):
                yield f"channel {channel.id}: answers to {asker} are not in the order of the questions"


def _of_prompts(simulation: "Simulation") -> Iterator[str]:
    people = simulation.people
    place_of_answer = {f"a{asked.number}x": _channel_of(simulation, asked.name) for asked in simulation.asked}
    question_of_answer = {f"a{asked.number}x": int(asked.name.rpartition(":")[2]) for asked in simulation.asked}
    first_asked = simulation.first_asked()
    probes = {each.id for each in people.questions[-len(people.channels) :]}
    for asked in simulation.asked:
        here = _channel_of(simulation, asked.name)
        question_id = int(asked.name.rpartition(":")[2])
        for mark in asked.marks:
            place = people.marks[mark].channel.id if mark in people.marks else place_of_answer[mark]
            if place != here:
                yield f"request {asked.number} in channel {here} has {mark} of channel {place}"
        for forgetting in people.forgettings:
            if forgetting.is_undone or forgetting.num_asked_after is None:
                continue
            if asked.number < forgetting.num_asked_after:
                continue
            for mark in asked.marks:
                if not _was_said_before(people, mark, forgetting):
                    continue
                source = people.marks[mark].id if mark in people.marks else question_of_answer[mark]
                before = first_asked.get(source)
                message = simulation.discord.messages[source]
                was_before = before is not None and before < forgetting.num_asked and _forgets(forgetting, message)
                if was_before and (source != question_id or forgetting.channel_id is not None):
                    yield f"request {asked.number} has {mark}, which was forgotten at {forgetting.begun_at:.1f}"
        if question_id in probes:
            yield from _of_probe(simulation, asked.number, asked.marks, question_of_answer)


def _of_deleted(simulation: "Simulation") -> Iterator[str]:
    """Nobody is asked for an answer to what the same process had heard was deleted."""
    for asked in simulation.asked:
        question_id = int(asked.name.rpartition(":")[2])
        life, at = simulation.heard.get(("delete", question_id), (0, 0.0))
        if life == asked.life and asked.at > at + _FOLLOWED_SECONDS:
            yield f"request {asked.number} is about question {question_id}, which had been deleted at {at:.1f}"


def _was_said_before(people: People, mark: str, forgetting: Forgetting) -> bool:
    if mark in people.said_at:
        return people.said_at[mark] < forgetting.begun_at
    return int(mark[1:-1]) < forgetting.num_asked


def _of_probe(
    simulation: "Simulation", number: int, marks: tuple[str, ...], question_of_answer: dict[str, int]
) -> Iterator[str]:
    """At the very end nothing that was taken back is remembered, and nothing as it read before an edit."""
    people = simulation.people
    for mark in marks:
        question_id = people.marks[mark].id if mark in people.marks else question_of_answer[mark]
        question = simulation.discord.messages[question_id]
        if not question.is_there and simulation.was_followed("delete", question_id):
            yield f"request {number} has {mark} of a question that was deleted"
        is_old = mark in people.marks and mark not in MARK.findall(question.content)
        if is_old and question.is_there and simulation.was_followed("edit", question_id):
            yield f"request {number} has {mark}, which was edited away"


def _channel_of(simulation: "Simulation", name: str) -> int:
    return simulation.discord.messages[int(name.rpartition(":")[2])].channel.id


def _of_strays(simulation: "Simulation") -> Iterator[str]:
    for message in simulation.discord.messages.values():
        if message.author_id == BOT_ID and message.is_there and message.key is None:
            yield f"message {message.id} belongs to nothing"
    if simulation.discord.num_refusals > 60 and not simulation.faults_unclear:
        yield f"{simulation.discord.num_refusals} requests were refused"
