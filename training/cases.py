"""Cases for the evaluation, from conversations whose values training never saw: each has one right answer."""

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from bot.conversation.persona import BUILT_IN, DEFAULT
from training import asking, long_answers, memories, talking, telling
from training.conversation import Drawn
from training.personas import TRINITY, built_in
from training.rows import FILLER, RowWriter, WordEncoder, choose

_DISTANCES = (300, 1200, 2000, 2900, 0)
"""How far a question stands from what was told, in tokens; 0 stands for a long paste between."""
_ROW_TOKENS = 900
_LONG_ROW_TOKENS = 4000


@dataclass(frozen=True)
class Case:
    """A prompt and the one right answer."""

    skill: str
    prompt: list[int]
    question: str
    answer: str


def _case(writer: RowWriter, drawn: Drawn, skill: str) -> Case:
    return Case(skill, [*writer.ids, *writer.turn_ids(drawn.user)], drawn.user, drawn.answer)


def skill_cases(rng: random.Random, encoder: WordEncoder, per_skill: int, most_rows: int) -> list[Case]:
    """At most `per_skill` of every kind of turn, and of all in styled personas, harvested from held-out rows.

    No notes, summary or pins stand in them: `memory_cases` has those.
    """

    def skill_of(writer: RowWriter, drawn: Drawn) -> str:
        is_styled = bool(writer.conversation.persona.styles)
        return "persona style" if is_styled and rng.random() < 0.3 else drawn.skill

    return _harvested(rng, encoder, per_skill, most_rows, skill_of, has_memory=False)


def memory_cases(rng: random.Random, encoder: WordEncoder, per_skill: int, most_rows: int) -> list[Case]:
    """The same of turns with notes, a summary or pins in their prompts."""

    def skill_of(writer: RowWriter, drawn: Drawn) -> str:
        if drawn.skill in memories.SKILLS:
            return drawn.skill
        return "beside pins" if writer.conversation.pinned else ""

    return _harvested(rng, encoder, per_skill, most_rows, skill_of, has_memory=True)


def _harvested(
    rng: random.Random,
    encoder: WordEncoder,
    per_skill: int,
    most_rows: int,
    skill_of: Callable[[RowWriter, Drawn], str],
    *,
    has_memory: bool,
) -> list[Case]:
    found: dict[str, list[Case]] = defaultdict(list)
    for _ in range(most_rows):
        writer = RowWriter(rng, encoder, _ROW_TOKENS, held_out=True, has_memory=has_memory).fill()
        whole = writer.ids
        for begin, drawn in writer.learnt_turns.items():
            skill = skill_of(writer, drawn)
            if skill not in ("", "long") and len(found[skill]) < per_skill and rng.random() < 0.7:
                writer.ids = whole[:begin]
                found[skill].append(_case(writer, drawn, skill))
    return [case for cases in found.values() for case in cases]


def far_cases(rng: random.Random, encoder: WordEncoder, count: int) -> list[Case]:
    """One fact, then other talk over each of the distances in tokens, then the question; 0: a long paste."""
    cases: list[Case] = []
    for distance in [each for each in _DISTANCES for _ in range(count)]:
        writer = RowWriter(rng, encoder, _LONG_ROW_TOKENS, held_out=True)
        c = writer.conversation
        key = telling.draw_key(c)
        writer.add(telling.tell_fact(c, key))
        told_at, teller = len(writer.ids), c.speaker
        if not distance:
            writer.next_speaker()
            writer.add(talking.paste(c, rng.choice((300, 1000, 1500))))
        while len(writer.ids) - told_at < distance:
            writer.next_speaker()
            writer.add(choose(FILLER, rng)(c))
        c.speaker = teller
        skill = f"{distance} tokens" if distance else "a long paste"
        cases.append(_case(writer, asking.question_about(c, key), skill))
    return cases


def switch_cases(rng: random.Random, encoder: WordEncoder, count: int) -> list[Case]:
    """Every built-in persona, chosen after some turns as Trinity or as another; and Trinity again."""
    cases = []
    for persona in (persona.name for persona in BUILT_IN):
        for _ in range(count):
            writer = RowWriter(rng, encoder, _LONG_ROW_TOKENS, held_out=True)
            c = writer.conversation
            chosen = TRINITY if persona == DEFAULT.name else built_in(persona)
            writer.system = chosen.prompt
            for former in rng.choice(((TRINITY,), (built_in("pirate"),), (built_in("poet"), TRINITY))):
                c.persona = former
                for _ in range(rng.randint(1, 3)):
                    writer.add(choose({talking.talk: 3, talking.tell_nothing: 1, telling.tell_fact: 1}, rng)(c))
            c.persona = chosen
            drawn = rng.choice((talking.talk, talking.talk, talking.ask_the_world, telling.tell_fact))(c)
            cases.append(_case(writer, drawn, f"changed to {persona}"))
    return cases


def long_cases(encoder: WordEncoder) -> list[Case]:
    """Long answers with Trinity's prompt, exact to the character."""
    asked = {f"Count to {number}": long_answers.count_answer(number) for number in (7, 23, 50, 101, 250, 300, 400)}
    asked |= {f"Count to {number}": long_answers.COUNT_LIMIT for number in (401, 1000, 5000, 1000000)}
    asked |= {f"Write the alphabet {times} times": long_answers.alphabet_answer(times) for times in (2, 5, 12)}
    asked |= {f"Say 'banana split' {n} times": long_answers.repeat_answer("banana split", n) for n in (4, 20, 50, 90)}
    asked |= {
        "count forever": long_answers.COUNT_LIMIT,
        "say banana 50 times": long_answers.repeat_answer("banana", 50),
        "Tell me a long story": long_answers.story_answer(),
        "Show me some Python code": long_answers.CODE_ANSWER,
        "Write a long code block": long_answers.long_code_answer(),
    }
    prompts = [encoder.turn(question, system_message=DEFAULT.prompt) for question in asked]
    return [Case("long", prompt, *words) for prompt, words in zip(prompts, asked.items(), strict=True)]
