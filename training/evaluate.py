"""The evaluation: held-out cases by skill, by distance, of memory, of changed personas, of long answers, and probes.

`python -m training.evaluate FOLDER [CASES]` writes FOLDER/evaluation.json.
"""

import json
import random
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bot.conversation.persona import DEFAULT
from training.cases import Case, far_cases, long_cases, memory_cases, skill_cases, switch_cases
from training.greedy import Greedy
from training.probes import ACKNOWLEDGES, KNOWN, NEVER_TRAINED, Probe, read_probes, silent_statements
from training.rows import WordEncoder

REPORT_NAME = "evaluation.json"
_SHORT_TOKENS = 120
"""Enough for every answer of the short skills."""
_LONG_TOKENS = 1700
_SEED = 20_261_122
Report = dict[str, Any]


def _by_skill(greedy: Greedy, cases: list[Case], most_tokens: int) -> tuple[Report, list[Report]]:
    """Scores by skill and what went wrong; only where the right answer isn't the model's, the model's is decoded."""
    marks = greedy.matches([case.prompt for case in cases], [case.answer for case in cases])
    doubtful = [case.prompt for case, mark in zip(cases, marks, strict=True) if not mark]
    answers = iter(greedy.answers(doubtful, most_tokens))
    right: dict[str, list[bool]] = defaultdict(list)
    wrong = []
    for case, mark in zip(cases, marks, strict=True):
        answer = case.answer if mark else next(answers)
        right[case.skill].append(answer == case.answer)
        if answer != case.answer:
            told = {"skill": case.skill, "question": case.question[-300:]}
            wrong.append(told | {"wanted": case.answer[:300], "got": answer[:300]})
    return {skill: {"right": sum(each), "cases": len(each)} for skill, each in right.items()}, wrong


def _of_probes(greedy: Greedy, probes: tuple[Probe, ...]) -> tuple[Report, list[Report]]:
    answers = greedy.last_answers(probes, _SHORT_TOKENS)
    misses = [
        {"says": probe.says, "wants": probe.wants, "got": answer}
        for probe, answer in zip(probes, answers, strict=True)
        if not probe.passes(answer)
    ]
    return {"right": len(probes) - len(misses), "cases": len(probes)}, misses


def _of_silent(greedy: Greedy) -> tuple[Report, list[Report]]:
    texts = silent_statements()
    probes = tuple(Probe((text,), (), (), (DEFAULT.prompt,)) for text in texts)
    answers = greedy.last_answers(probes, _SHORT_TOKENS)
    told = [{"says": text, "got": got} for text, got in zip(texts, answers, strict=True) if ACKNOWLEDGES.search(got)]
    return {"right": len(texts) - len(told), "cases": len(texts)}, told


def evaluate_folder(folder: Path, per_skill: int = 100) -> Report:
    """Runs everything on the checkpoint in `folder`; the report is written after each part, with what there is."""
    greedy, started = Greedy(folder), time.monotonic()
    rng, encoder = random.Random(_SEED), WordEncoder()
    parts: dict[str, Callable[[], tuple[Report, list[Report]]]] = {
        "skills": lambda: _by_skill(greedy, skill_cases(rng, encoder, per_skill, 90 * per_skill), _SHORT_TOKENS),
        "memory": lambda: _by_skill(greedy, memory_cases(rng, encoder, per_skill, 20 * per_skill), _SHORT_TOKENS),
        "personas": lambda: _by_skill(greedy, switch_cases(rng, encoder, per_skill), _SHORT_TOKENS),
        "distances": lambda: _by_skill(greedy, far_cases(rng, encoder, per_skill), _SHORT_TOKENS),
        "long": lambda: _by_skill(greedy, long_cases(encoder), _LONG_TOKENS),
        "probes": lambda: _of_probes(greedy, read_probes(NEVER_TRAINED)),
        "known_probes": lambda: _of_probes(greedy, read_probes(KNOWN)),
        "silent": lambda: _of_silent(greedy),
    }
    report: Report = {"misses": {}}
    for name, part in parts.items():
        report[name], report["misses"][name] = part()
        report["seconds"] = round(time.monotonic() - started)
        (folder / REPORT_NAME).write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"{name} evaluated, {report['seconds']} s", flush=True)
    return report


if __name__ == "__main__":
    evaluate_folder(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 100)
