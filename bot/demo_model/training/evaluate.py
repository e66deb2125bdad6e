"""The evaluation: held-out cases by skill, recall by distance, long answers, statements that tell nothing, own phrasings.

`python -m bot.demo_model.training.evaluate FOLDER` writes FOLDER/evaluation.json and prints a table.
"""

import json
import random
import re
import sys
import time
from collections import defaultdict
from pathlib import Path

from bot.demo_model.training.cases import (
    DISTANCES,
    Case,
    long_cases,
    paste_cases,
    recall_cases,
    silent_cases,
    skill_cases,
)
from bot.demo_model.training.chat_format import WordEncoder, encode_prompt, with_system
from bot.demo_model.training.greedy import Greedy
from bot.demo_model.training.personas import TRINITY_PROMPT
from bot.demo_model.training.probes import PROBES, SILENT, Probe
from bot.demo_model.training.probes_final import FINAL_PROBES, FINAL_SILENT
from bot.demo_model.training.probes_fresh import FRESH_PROBES, FRESH_SILENT

ACKNOWLEDGES = re.compile(
    r"got it|nice to meet|i will remember|noted|your .* (is|are) |you (live|work|come|like|speak) ", re.IGNORECASE
)
SHORT_TOKENS = 120
"""Enough for every answer of the short skills."""


def acknowledges(answer: str) -> bool:
    """True when an answer claims to have learnt something."""
    return ACKNOWLEDGES.search(answer) is not None


def passes(probe: Probe, answer: str) -> bool:
    said = answer.lower()
    right = any(wanted.lower() in said for wanted in probe.wants) and not any(
        word.lower() in said for word in probe.avoids
    )
    return (
        right and "can't say anything useful about that" not in said
        if "demonstration" not in " ".join(probe.wants)
        else right
    )


def _score(greedy: Greedy, cases: list[Case], most_tokens: int) -> tuple[dict[str, dict], list[dict]]:
    """Shares by skill; only where the right answer isn't the model's, the model's is decoded."""
    marks = greedy.matches([case.prompt for case in cases], [case.answer for case in cases])
    doubtful = [case for case, mark in zip(cases, marks, strict=True) if not mark]
    answers = iter(greedy.answers([case.prompt for case in doubtful], most_tokens))
    right: dict[str, list[bool]] = defaultdict(list)
    wrong = []
    for case, mark in zip(cases, marks, strict=True):
        answer = case.answer if mark else next(answers)
        right[case.skill].append(answer == case.answer)
        if answer != case.answer:
            wrong.append(
                {
                    "skill": case.skill,
                    "question": case.question[-300:],
                    "wanted": case.answer[:300],
                    "got": answer[:300],
                }
            )
    return {
        skill: {"cases": len(marks), "right": sum(marks), "share": round(sum(marks) / len(marks), 4)}
        for skill, marks in right.items()
    }, wrong


def _score_distances(greedy: Greedy, rng: random.Random, encoder: WordEncoder, count: int) -> tuple[dict, list[dict]]:
    cases = [case for distance in DISTANCES for case in recall_cases(rng, encoder, distance, count)]
    cases += paste_cases(rng, encoder, count)
    return _score(greedy, cases, SHORT_TOKENS)


def _silent(greedy: Greedy, rng: random.Random, encoder: WordEncoder, count: int) -> tuple[int, list[tuple[str, str]]]:
    """How many statements that tell nothing were made, and those that were acknowledged."""
    cases = silent_cases(rng, encoder, count)
    hand_written = [*SILENT, *FINAL_SILENT, *FRESH_SILENT]
    questions = [case.question for case in cases] + hand_written
    prompts = [case.prompt for case in cases]
    prompts += [encode_prompt(greedy.tokenizer, [], with_system(TRINITY_PROMPT, text)) for text in hand_written]
    answers = greedy.answers(prompts, SHORT_TOKENS)
    return len(prompts), [pair for pair in zip(questions, answers, strict=True) if acknowledges(pair[1])]


def evaluate_folder(folder: Path, report_file: Path, per_skill: int = 100, *, with_long: bool = True) -> dict:
    """Runs everything on the checkpoint in `folder` and writes the report, after each part what there is."""
    started = time.monotonic()
    greedy = Greedy(folder)
    rng = random.Random(20_261_122)
    encoder = WordEncoder(greedy.tokenizer)
    report: dict = {}

    def write(**parts: object) -> None:
        report.update(parts, seconds=round(time.monotonic() - started))
        report_file.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"{', '.join(parts)} after {report['seconds']} s", flush=True)

    skills, wrong = _score(greedy, skill_cases(rng, encoder, per_skill, most_rows=40 * per_skill), SHORT_TOKENS)
    write(skills=skills, wrong=wrong)
    distances, lost = _score_distances(greedy, rng, encoder, per_skill)
    write(distances=distances, lost=lost)
    num_silent, acknowledged = _silent(greedy, rng, encoder, 2 * per_skill)
    fresh = sum(text in FRESH_SILENT for text, _ in acknowledged)
    counts = {"cases": num_silent, "wrong_acknowledgements": len(acknowledged), "of_the_last_list": fresh}
    write(tells_nothing=counts, acknowledged=acknowledged)
    probes, probe_misses = _probe(greedy, PROBES)
    final, final_misses = _probe(greedy, FINAL_PROBES)
    fresh, fresh_misses = _probe(greedy, FRESH_PROBES)
    write(probes=probes, final_probes=final, fresh_probes=fresh)
    write(probe_misses=probe_misses, final_misses=final_misses, fresh_misses=fresh_misses)
    long, long_wrong = _score(greedy, long_cases(encoder), 1400) if with_long else ({}, [])
    write(long=long.get("long"), long_wrong=long_wrong)
    print_table(report)
    return report


def _probe(greedy: Greedy, probes: tuple[Probe, ...]) -> tuple[dict, list[dict]]:
    conversations = []
    for probe in probes:
        first, *rest = probe.says
        conversations.append([with_system(TRINITY_PROMPT if probe.system is None else probe.system, first), *rest])
    answers = [turns[-1] for turns in greedy.chat(conversations, SHORT_TOKENS)]
    misses = [
        {"says": probe.says, "wants": probe.wants, "got": answer}
        for probe, answer in zip(probes, answers, strict=True)
        if not passes(probe, answer)
    ]
    right = len(probes) - len(misses)
    return {"cases": len(probes), "right": right, "share": round(right / len(probes), 4)}, misses


def print_table(report: dict) -> None:
    for skill, score in sorted(report["skills"].items(), key=lambda item: item[1]["share"]):
        print(f"{score['share']:.3f} {score['right']:4d}/{score['cases']:<4d} {skill}")
    for name in ("distances",):
        for skill, score in report[name].items():
            print(f"{score['share']:.3f} {score['right']:4d}/{score['cases']:<4d} {skill}")
    print(
        "long",
        report["long"],
        "\nprobes",
        report["probes"],
        "\nfinal probes",
        report["final_probes"],
        "\nfresh probes",
        report["fresh_probes"],
        "\ntells nothing",
        report["tells_nothing"],
        f"\n{report['seconds']} s",
    )


if __name__ == "__main__":
    evaluate_folder(
        Path(sys.argv[1]), Path(sys.argv[1]) / "evaluation.json", int(sys.argv[2]) if len(sys.argv) > 2 else 100
    )
