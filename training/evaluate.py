"""The evaluation: held-out cases by skill, recall by distance, changed personas, long answers, hand-written probes.

`python -m training.evaluate FOLDER [CASES]` writes FOLDER/evaluation.json and prints a table.
"""

import json
import random
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from training.cases import DISTANCES, Case, long_cases, recall_cases, skill_cases, switch_cases
from training.greedy import Greedy
from training.probes import KNOWN, NEVER_TRAINED, Probe, acknowledges, read_probes, silent_statements
from training.rows import WordEncoder

REPORT_NAME = "evaluation.json"
_SHORT_TOKENS = 120
"""Enough for every answer of the short skills."""
_LONG_TOKENS = 1700
_SEED = 20_261_122
Report = dict[str, Any]


def score(right: int, cases: int) -> Report:
    """A share as the report has it."""
    return {"right": right, "cases": cases}


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
    return {skill: score(sum(each), len(each)) for skill, each in right.items()}, wrong


def _of_probes(greedy: Greedy, probes: tuple[Probe, ...]) -> tuple[Report, list[Report]]:
    answers = greedy.last_answers(probes, _SHORT_TOKENS)
    misses = [
        {"says": probe.says, "wants": probe.wants, "got": answer}
        for probe, answer in zip(probes, answers, strict=True)
        if not probe.passes(answer)
    ]
    return score(len(probes) - len(misses), len(probes)), misses


def _of_silent(greedy: Greedy) -> tuple[Report, list[Report]]:
    texts = silent_statements()
    probes = tuple(Probe((text,), (), (), read_probes(NEVER_TRAINED)[0].systems[:1]) for text in texts)
    answers = greedy.last_answers(probes, _SHORT_TOKENS)
    told = [{"says": text, "got": got} for text, got in zip(texts, answers, strict=True) if acknowledges(got)]
    return score(len(texts) - len(told), len(texts)), told


def evaluate_folder(folder: Path, per_skill: int = 100) -> Report:
    """Runs everything on the checkpoint in `folder`; the report is written after each part, with what there is."""
    greedy, started = Greedy(folder), time.monotonic()
    rng, encoder = random.Random(_SEED), WordEncoder()
    parts: dict[str, Callable[[], tuple[Report, list[Report]]]] = {
        "probes": lambda: _of_probes(greedy, read_probes(NEVER_TRAINED)),
        "known_probes": lambda: _of_probes(greedy, read_probes(KNOWN)),
        "silent": lambda: _of_silent(greedy),
        "skills": lambda: _by_skill(greedy, skill_cases(rng, encoder, per_skill, 60 * per_skill), _SHORT_TOKENS),
        "personas": lambda: _by_skill(greedy, switch_cases(rng, encoder, per_skill), _SHORT_TOKENS),
        "distances": lambda: _by_skill(greedy, _far_cases(rng, encoder, per_skill), _SHORT_TOKENS),
        "long": lambda: _by_skill(greedy, long_cases(encoder), _LONG_TOKENS),
    }
    report: Report = {"misses": {}}
    for name, part in parts.items():
        report[name], report["misses"][name] = part()
        report["seconds"] = round(time.monotonic() - started)
        text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
        (folder / REPORT_NAME).write_text(text, encoding="utf-8")
        print(f"{name} evaluated, {report['seconds']} s", flush=True)
    print_table(report)
    return report


def _far_cases(rng: random.Random, encoder: WordEncoder, count: int) -> list[Case]:
    return [case for distance in (*DISTANCES, 0) for case in recall_cases(rng, encoder, distance, count)]


def print_table(report: Report) -> None:
    """Every share, the lowest first within each part."""
    for part in ("skills", "personas", "distances", "long"):
        for skill, entry in sorted(report[part].items(), key=lambda item: item[1]["right"] / item[1]["cases"]):
            print(f"{entry['right'] / entry['cases']:.3f} {entry['right']:4d}/{entry['cases']:<4d} {part}: {skill}")
    for part in ("probes", "known_probes", "silent"):
        print(f"{part}: {report[part]['right']} of {report[part]['cases']}")


if __name__ == "__main__":
    evaluate_folder(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 100)
