"""Held-out cases: conversations whose last answer is known, made with values that training never saw."""

import random
from collections import Counter, defaultdict
from dataclasses import dataclass

from bot.demo_model.training import long_answers, personas, turns_ask, turns_facts, turns_talk
from bot.demo_model.training.chat_format import BOS, WordEncoder, question_text, with_system
from bot.demo_model.training.rows import FILLER, RowWriter, choose

DISTANCES = (300, 1200, 2000, 2900)


@dataclass(frozen=True)
class Case:
    """A prompt and the one right answer."""

    skill: str
    prompt: list[int]
    answer: str
    question: str


def _skill(tag: str) -> str:
    """The name under which a turn's tag is counted."""
    if tag.startswith("styled"):
        return "styled once"
    return "not told" if tag.startswith("not told") and tag not in ("not told other", "not told note") else tag


def _prompt_case(writer: RowWriter, ids: list[int], user: str, answer: str, skill: str) -> Case:
    text = user if ids else with_system(writer.conversation.persona.prompt, user)
    question = writer.encoder.encode(question_text(text))
    return Case(skill, [*ids, BOS, *question], answer, user)


def skill_cases(rng: random.Random, encoder: WordEncoder, per_skill: int, *, most_rows: int = 4000) -> list[Case]:
    """Cases harvested from held-out rows: at most `per_skill` of every kind of turn, and one in styled personas."""
    found: dict[str, list[Case]] = defaultdict(list)
    for row in range(most_rows):
        writer = RowWriter(rng, encoder, 900, held_out=True)
        writer.fill()
        ids: list[int] = []
        ends = [at + 1 for at, token in enumerate(writer.ids) if token == 2]
        has_style = bool(writer.conversation.persona.styles)
        for drawn, end in zip(writer.turns, ends, strict=True):
            skill = (
                "persona style"
                if has_style and rng.random() < 0.3 and drawn.skill != "style wish"
                else _skill(drawn.skill)
            )
            if drawn.is_learnt and skill != "long" and len(found[skill]) < per_skill and rng.random() < 0.7:
                found[skill].append(_prompt_case(writer, ids, drawn.user, drawn.answer, skill))
            ids = writer.ids[:end]
        if (
            row > 400
            and row % 100 == 0
            and len(found) > 40
            and all(len(cases) >= per_skill for cases in found.values())
        ):
            break
    return [case for cases in found.values() for case in cases]


def recall_cases(rng: random.Random, encoder: WordEncoder, distance: int, count: int) -> list[Case]:
    """One fact, then at least `distance` tokens of other talk, then the question."""
    cases: list[Case] = []
    while len(cases) < count:
        writer = RowWriter(rng, encoder, 4000, held_out=True)
        c = writer.conversation
        key = turns_facts.draw_key(c)
        writer.add(turns_facts.tell_fact(c, key=key))
        told_at, teller = len(writer.ids), c.speaker
        while len(writer.ids) - told_at < distance:
            writer.next_speaker()
            writer.add(choose(FILLER, rng)(c))
        c.speaker = teller
        drawn = turns_ask.question_about(c, key)
        cases.append(_prompt_case(writer, writer.ids, drawn.user, drawn.answer, f"recall at {distance}"))
    return cases


def paste_cases(rng: random.Random, encoder: WordEncoder, count: int) -> list[Case]:
    """One fact, then a long pasted text without sense and a turn or two, then the question."""
    cases: list[Case] = []
    while len(cases) < count:
        writer = RowWriter(rng, encoder, 4000, held_out=True)
        c = writer.conversation
        key = turns_facts.draw_key(c)
        writer.add(turns_facts.tell_fact(c, key=key))
        teller = c.speaker
        writer.next_speaker()
        writer.add(turns_talk.nonsense(c, rng.choice((300, 1000, 1500))))
        for _ in range(rng.randint(0, 2)):
            writer.next_speaker()
            writer.add(choose(FILLER, rng)(c))
        c.speaker = teller
        drawn = turns_ask.question_about(c, key)
        cases.append(_prompt_case(writer, writer.ids, drawn.user, drawn.answer, "recall after a long paste"))
    return cases


def silent_cases(rng: random.Random, encoder: WordEncoder, count: int) -> list[Case]:
    """Statements that tell nothing: any acknowledgement of them is wrong."""
    cases = []
    for _ in range(count):
        writer = RowWriter(rng, encoder, 4000, held_out=True)
        c = writer.conversation
        c.persona = personas.Persona("Trinity", personas.TRINITY_PROMPT)
        for _ in range(rng.randint(0, 3)):
            writer.add(choose(FILLER, rng)(c))
        drawn = turns_talk.unanswerable(c, statement=True)
        cases.append(_prompt_case(writer, writer.ids, drawn.user, drawn.answer, "tells nothing"))
    return cases


def long_cases(encoder: WordEncoder) -> list[Case]:
    """Long answers with Trinity's prompt, exact to the character."""
    asked = [(f"Count to {n}", long_answers.count_answer(n)) for n in (7, 23, 50, 101, 250, 300, 400)]
    asked += [(f"Write the alphabet {n} times", long_answers.alphabet_answer(n)) for n in (2, 5, 12)]
    asked += [(f"Say 'banana split' {n} times", long_answers.repeat_answer("banana split", n)) for n in (4, 20, 50, 90)]
    asked += [("say banana 50 times", long_answers.repeat_answer("banana", 50))]
    asked += [
        ("Tell me a long story", long_answers.story_answer()),
        ("Show me some Python code", long_answers.code_answer()),
        ("Write a long code block", long_answers.long_code_answer()),
    ]
    cases = []
    for question, answer in asked:
        ids = encoder.encode(question_text(with_system(personas.TRINITY_PROMPT, question)))
        cases.append(Case("long", [BOS, *ids], answer, question))
    return cases


def counts(cases: list[Case]) -> Counter:
    return Counter(case.skill for case in cases)
