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

from bot.demo_model.training.cases import DISTANCES, Case, long_cases, recall_cases, silent_cases, skill_cases
from bot.demo_model.training.chat_format import WordEncoder, with_system
from bot.demo_model.training.greedy import Greedy
from bot.demo_model.training.personas import TRINITY_PROMPT
from bot.demo_model.training.probes import PROBES, SILENT, Probe
from bot.demo_model.training.probes_final import FINAL_PROBES, FINAL_SILENT

ACKNOWLEDGES = re.compile(
    r"got it|nice to meet|i will remember|noted|your .* (is|are) |you (live|work|come|like|speak) ", re.IGNORECASE
)
MOST_TOKENS = 150


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
    answers = greedy.answers([case.prompt for case in cases], most_tokens)
    right: dict[str, list[bool]] = defaultdict(list)
    wrong = []
    for case, answer in zip(cases, answers, strict=True):
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


def evaluate_folder(folder: Path, report_file: Path, per_skill: int = 100, *, with_long: bool = True) -> dict:
    """Runs everything on the checkpoint in `folder` and writes the report."""
    started = time.monotonic()
    greedy = Greedy(folder)
    rng = random.Random(20_261_122)
    encoder = WordEncoder(greedy.tokenizer)
    skills, wrong = _score(greedy, skill_cases(rng, encoder, per_skill, most_rows=40 * per_skill), MOST_TOKENS)
    print(f"skills after {time.monotonic() - started:.0f} s", flush=True)
    distances, lost = {}, []
    for distance in DISTANCES:
        scored, missed = _score(greedy, recall_cases(rng, encoder, distance, per_skill), MOST_TOKENS)
        distances |= scored
        lost += missed
    silent = silent_cases(rng, encoder, 2 * per_skill)
    silent_answers = greedy.answers([case.prompt for case in silent], MOST_TOKENS)
    silent_wrong = [
        (case.question, answer) for case, answer in zip(silent, silent_answers, strict=True) if acknowledges(answer)
    ]
    hand_written = [*SILENT, *FINAL_SILENT]
    hand_silent = [
        answers[0] for answers in greedy.chat([[with_system(TRINITY_PROMPT, text)] for text in hand_written])
    ]
    silent_wrong += [
        (text, answer) for text, answer in zip(hand_written, hand_silent, strict=True) if acknowledges(answer)
    ]
    probes, probe_misses = _probe(greedy, PROBES)
    final, final_misses = _probe(greedy, FINAL_PROBES)
    print(f"probes after {time.monotonic() - started:.0f} s", flush=True)
    long, long_wrong = _score(greedy, long_cases(encoder), 1400) if with_long else ({}, [])
    report = {
        "skills": skills, "distances": distances, "long": long.get("long"), "probes": probes, "final_probes": final,
        "tells_nothing": {"cases": len(silent) + len(hand_written), "wrong_acknowledgements": len(silent_wrong)},
        "wrong": wrong, "lost": lost, "long_wrong": long_wrong, "probe_misses": probe_misses, "final_misses": final_misses, "acknowledged": silent_wrong, "seconds": round(time.monotonic() - started),
    }  # fmt: skip
    report_file.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print_table(report)
    return report


def _probe(greedy: Greedy, probes: tuple[Probe, ...]) -> tuple[dict, list[dict]]:
    conversations = []
    for probe in probes:
        first, *rest = probe.says
        conversations.append([with_system(TRINITY_PROMPT if probe.system is None else probe.system, first), *rest])
    answers = [turns[-1] for turns in greedy.chat(conversations)]
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
        "\ntells nothing",
        report["tells_nothing"],
        f"\n{report['seconds']} s",
    )


if __name__ == "__main__":
    evaluate_folder(
        Path(sys.argv[1]), Path(sys.argv[1]) / "evaluation.json", int(sys.argv[2]) if len(sys.argv) > 2 else 100
    )
