"""How well old messages are found again, and what it costs.

    python -m benchmarks.memory --locomo FOLDER [--together] [--json FILE]
    python -m benchmarks.memory --cost [--sizes 1000,10000] [--picture FILE] [--json FILE]
    python -m benchmarks.memory --demo --look-up [--words other] [--turns 50,200,500] [--cases 60]
    python -m benchmarks.memory --demo [--turns 50,200,500] [--cases 8] [--modes recall,pins] [--json FILE]

FOLDER holds LoCoMo's conversations (Maharana et al., 2024, arXiv 2402.17753), each in a file of its own with what
`locomo10.json` has of it, or that file: `session_N`, `session_N_date_time` and `qa`. Every turn is a message of its
speaker, with the caption of a picture where one was sent. Each question of the categories 1 to 4 is asked after the
last session; R@k is the mean share of a question's evidence among the k messages found first. Evidence is what names a
turn that is there, however that is spelled (`D:11:26`, `D30:05`); a question without any isn't asked. With
`--together` all conversations are one channel's, their messages in the order of their times.
"""

import argparse
import asyncio
import json
import platform
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean, median
from typing import Any, TypeVar

from bot.conversation.recall import Passage, RecallIndex

T = TypeVar("T")
DEPTHS = (5, 10, 25)
CATEGORIES = (1, 2, 3, 4)
_TURN = re.compile(r"D:?(\d+):(\d+)")
_MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)
_LONG_AGO = datetime(2023, 1, 1, tzinfo=UTC)


@dataclass
class Talk:
    """A conversation of the dataset; `names` are the turns' own, in the order of `passages`."""

    passages: list[Passage] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    questions: list[tuple[str, set[str]]] = field(default_factory=list)


def read_talks(path: Path) -> dict[str, Talk]:
    """The conversations in a file, by their names: one, or a list of them."""
    content = json.loads(path.read_text("utf-8"))
    if isinstance(content, dict):
        return {path.stem: talk_of(content)}
    return {
        str(record.get("sample_id", f"{path.stem} {place}")): talk_of(record) for place, record in enumerate(content)
    }


def talk_of(record: dict[str, Any]) -> Talk:
    """A conversation with those of its questions that have evidence."""
    record = {**record.get("conversation", {}), **record}
    talk = Talk()
    for said_at, turn in turns_of(record):
        caption, text = turn.get("blip_caption"), turn.get("text") or ""
        text = f"[{caption}] {text}" if caption else text
        talk.passages.append(Passage(len(talk.passages), turn["speaker"], text, said_at))
        talk.names.append(_named(turn["dia_id"])[0])
    there = {*talk.names}
    for asked in record["qa"]:
        evidence = there.intersection(_named(str(asked.get("evidence"))))
        if asked["category"] in CATEGORIES and evidence:
            talk.questions.append((asked["question"], evidence))
    return talk


def _named(text: str) -> list[str]:
    """The turns that a text names, each spelled the one way."""
    return [f"D{int(session)}:{int(turn)}" for session, turn in _TURN.findall(text)]


def turns_of(record: dict[str, Any]) -> Iterator[tuple[datetime, dict[str, Any]]]:
    """All turns with the time at which they were said, a minute apart."""
    numbers = sorted(int(key.split("_")[1]) for key in record if re.fullmatch(r"session_\d+", key))
    began = _LONG_AGO
    for number in numbers:
        said = record.get(f"session_{number}_date_time")
        began = datetime.strptime(said, "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC) if said else began + _DAY
        for index, turn in enumerate(record[f"session_{number}"] or ()):
            yield began + index * _MINUTE, turn


def together(talks: Sequence[Talk]) -> Talk:
    """All conversations as one."""
    said = sorted((p.said_at, number, at) for number, talk in enumerate(talks) for at, p in enumerate(talk.passages))
    whole = Talk(names=[f"{number} {talks[number].names[at]}" for _, number, at in said])
    whole.passages = [replace(talks[number].passages[at], id=place) for place, (_, number, at) in enumerate(said)]
    for number, talk in enumerate(talks):
        whole.questions += [(asked, {f"{number} {name}" for name in names}) for asked, names in talk.questions]
    return whole


def measure(talk: Talk) -> tuple[list[dict[int, float]], list[float]]:
    """The share of evidence found at each depth, and the milliseconds, of each question."""
    index = RecallIndex(talk.passages)
    shares, times = [], []
    for question, evidence in talk.questions:
        began = time.process_time()
        found = index.find(question, max(DEPTHS))
        times.append(1000 * (time.process_time() - began))
        names = [talk.names[each] for each in found]
        shares.append({depth: len(evidence & {*names[:depth]}) / len(evidence) for depth in DEPTHS})
    return shares, times


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__.split("\n")[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--locomo", type=Path, metavar="FOLDER")
    what.add_argument("--demo", action="store_true", help="each mode with the demonstration model; see memory_demo.py")
    what.add_argument("--cost", action="store_true", help="up to a million turns; see memory_cost.py")
    parser.add_argument("--together", action="store_true", help="all of FOLDER as one channel")
    parser.add_argument("--sizes", type=_list_of(int), default=[1000, 10_000, 100_000, 1_000_000], help="of the table")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="the costs as SVG")
    parser.add_argument("--turns", type=_list_of(int), default=[50, 100, 200, 500], help="from a fact to its question")
    parser.add_argument("--words", choices=("plain", "other"), default="plain", help="of facts and questions")
    parser.add_argument("--look-up", action="store_true", help="only whether facts are found, without the model")
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="other weights of the same kind")
    parser.add_argument("--cases", type=int, default=8, help="of each mode and distance; six questions each")
    parser.add_argument("--modes", type=_list_of(str), default=None)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if arguments.demo:
        return demo(arguments)
    if arguments.cost:
        return cost(arguments)
    return locomo(parser, arguments)


def cost(arguments: argparse.Namespace) -> None:
    from benchmarks import memory_cost

    result = memory_cost.main(arguments.sizes, arguments.picture)
    if arguments.json:
        result["machine"] = platform.platform()
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


def demo(arguments: argparse.Namespace) -> None:
    from benchmarks import memory_demo

    if arguments.look_up:
        result = {"looked_up": memory_demo.looked_up(arguments.turns, arguments.cases, arguments.words)}
        if arguments.json:
            arguments.json.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
        return
    print(memory_demo.HEAD)
    modes = arguments.modes or memory_demo.MODES
    model = arguments.model or memory_demo.DEMO_MODEL
    table, wrong = asyncio.run(memory_demo.run(arguments.turns, arguments.cases, modes, arguments.words, model))
    if arguments.json:
        result = {"demo": table, "wrong": wrong, "machine": platform.platform()}
        arguments.json.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")


def locomo(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    paths = sorted(arguments.locomo.glob("*.json"))
    if not paths:
        parser.error(f"{arguments.locomo} holds no .json files")
    all_shares, all_times, rows = [], [], []
    talks = {name: talk for path in paths for name, talk in read_talks(path).items()}
    if not any(talk.questions for talk in talks.values()):
        parser.error(f"{arguments.locomo} holds no questions with evidence")
    if arguments.together:
        talks = {"together": together([*talks.values()])}
    for name, talk in talks.items():
        shares, times = measure(talk)
        all_shares += shares
        all_times += times
        rows.append({"name": name, "turns": len(talk.passages), "questions": len(shares), **summary(shares)})
        print(f"{name}: {len(talk.passages)} turns, {len(shares)} questions, {line(shares)}")
    cost = {"median_ms": round(median(all_times), 2), "most_ms": round(max(all_times), 2)}
    print(f"a question: {cost['median_ms']} ms in the median, {cost['most_ms']} ms at most ({platform.machine()})")
    if arguments.json:
        result = {"locomo": rows, "all": summary(all_shares), "cost": cost, "machine": platform.platform()}
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    print(line(all_shares))


def _list_of(kind: Callable[[str], T]) -> Callable[[str], list[T]]:
    return lambda text: [kind(part) for part in text.split(",")]


def summary(shares: list[dict[int, float]]) -> dict[str, float]:
    return {f"R@{depth}": round(mean(share[depth] for share in shares), 4) for depth in DEPTHS if shares}


def line(shares: list[dict[int, float]]) -> str:
    return " ".join(f"R@{depth} {mean(share[depth] for share in shares):.3f}" for depth in DEPTHS if shares)


if __name__ == "__main__":
    main()
