"""The evaluation: held-out cases by skill, recall by distance, long answers, statements that tell nothing, own phrasings.

`python -m bot.demo_model.training.evaluate FOLDER` writes FOLDER/evaluation.json and prints a table.
"""

import json
import random
import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable
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
from bot.demo_model.training.probes_later import LATER_SILENT

ACKNOWLEDGES = re.compile(
    r"got it|nice to meet|i will remember|noted|your .* (is|are) |you (live|work|come|like|speak) ", re.IGNORECASE
)
SHORT_TOKENS = 120
"""Enough for every answer of the short skills."""
SEED = 20_261_122
SHARE_SECONDS = 60
"""How long the first rank waits for the other ranks' reports once its own is done."""


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


def evaluate_cases(greedy: Greedy, per_skill: int, seed: int) -> dict:
    """Shares by skill and by distance, and what statements that tell nothing are answered; the cases are drawn by the seed."""
    rng, encoder = random.Random(seed), WordEncoder(greedy.tokenizer)
    skills, wrong = _score(greedy, skill_cases(rng, encoder, per_skill, most_rows=40 * per_skill), SHORT_TOKENS)
    far = [case for distance in DISTANCES for case in recall_cases(rng, encoder, distance, per_skill)]
    distances, lost = _score(greedy, far + paste_cases(rng, encoder, per_skill), SHORT_TOKENS)
    silent = silent_cases(rng, encoder, 2 * per_skill)
    counts, acknowledged = _silent(greedy, [(case.question, case.prompt) for case in silent])
    return {
        "skills": skills,
        "wrong": wrong,
        "distances": distances,
        "lost": lost,
        "tells_nothing": counts,
        "acknowledged": acknowledged,
    }


def evaluate_lists(greedy: Greedy, *, with_long: bool = True) -> dict:
    """What was written by hand: statements that tell nothing, conversations, long answers."""
    report: dict = {}
    asked = [(text, _fresh_prompt(greedy, text)) for text in (*SILENT, *FINAL_SILENT, *FRESH_SILENT, *LATER_SILENT)]
    report["tells_nothing"], report["acknowledged"] = _silent(greedy, asked)
    for name, probes in (("probe", PROBES), ("final", FINAL_PROBES), ("fresh", FRESH_PROBES)):
        scores, report[f"{name}_misses"] = _probe(greedy, probes)
        report["probes" if name == "probe" else f"{name}_probes"] = scores
    long, report["long_wrong"] = (
        _score(greedy, long_cases(WordEncoder(greedy.tokenizer)), 1400) if with_long else ({}, [])
    )
    return report | {"long": long.get("long")}


def _fresh_prompt(greedy: Greedy, text: str) -> list[int]:
    return encode_prompt(greedy.tokenizer, [], with_system(TRINITY_PROMPT, text))


def _silent(greedy: Greedy, asked: list[tuple[str, list[int]]]) -> tuple[dict, list[tuple[str, str]]]:
    """How many statements that tell nothing there are, and those that were acknowledged."""
    answers = greedy.answers([prompt for _, prompt in asked], SHORT_TOKENS)
    acknowledged = [(text, answer) for (text, _), answer in zip(asked, answers, strict=True) if acknowledges(answer)]
    last = sum(text in LATER_SILENT for text, _ in acknowledged)
    counts = {"cases": len(asked), "wrong_acknowledgements": len(acknowledged), "of_the_last_list": last}
    return counts, acknowledged


def merged(reports: list[dict]) -> dict:
    """The sum of several reports: counts are added, lists are joined, shares are of the sums."""
    total: dict = {}
    for report in reports:
        for name, part in report.items():
            if name in ("skills", "distances"):
                scores = total.setdefault(name, {})
                for skill, score in part.items():
                    scores[skill] = _sum(scores.get(skill, {}), score)
            elif name == "tells_nothing":
                total[name] = _sum(total.get(name, {}), part)
            elif isinstance(part, list):
                total[name] = [*total.get(name, []), *part]
            else:
                total[name] = part
    return total


def _sum(one: dict, other: dict) -> dict:
    total = {name: one.get(name, 0) + count for name, count in other.items()}
    return total | ({"share": round(total["right"] / total["cases"], 4)} if "right" in total else {})


def write_report(report: dict, file: Path) -> None:
    """Writes a report in one go: whoever waits for the file finds all of it."""
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    unfinished.replace(file)


def evaluate_folder(folder: Path, report_file: Path, per_skill: int = 100, *, with_long: bool = True) -> dict:
    """Runs everything on the checkpoint in `folder` and writes the report, after each part what there is."""
    return _evaluate(folder, report_file, per_skill, [], with_long=with_long)


def evaluate_share(folder: Path, per_skill: int, rank: int, count: int) -> None:
    """One rank's share of the evaluation. The first one also asks what is written by hand, and joins all shares."""
    own = -(-per_skill // count)
    shares = [folder / f"evaluation-{other}.json" for other in range(1, count)]
    if rank == 0:
        _evaluate(folder, folder / "evaluation.json", own, shares)
    else:
        write_report(evaluate_cases(Greedy(folder), own, SEED + rank), shares[rank - 1])


def _evaluate(folder: Path, report_file: Path, per_skill: int, shares: list[Path], *, with_long: bool = True) -> dict:
    started = time.monotonic()
    greedy = Greedy(folder)
    report: dict = {}
    parts: list[Callable[[], list[dict]]] = [
        lambda: [evaluate_cases(greedy, per_skill, SEED)],
        lambda: [evaluate_lists(greedy, with_long=with_long)],
        lambda: _shares(shares),
    ]
    for part in parts:
        report = merged([report, *part()]) | {"seconds": round(time.monotonic() - started)}
        write_report(report, report_file)
        print(f"evaluated for {report['seconds']} s", flush=True)
    print_table(report)
    return report


def _shares(files: list[Path]) -> list[dict]:
    """The other ranks' reports, as far as they come in time."""
    reports = []
    patience = time.monotonic() + SHARE_SECONDS
    for file in files:
        while not file.exists() and time.monotonic() < patience:
            time.sleep(0.2)
        if file.exists():
            reports.append(json.loads(file.read_text(encoding="utf-8")))
            file.unlink()
        else:
            print(f"{file.name} did not come in time: its cases are not counted", flush=True)
    return reports


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
