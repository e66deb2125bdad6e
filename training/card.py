"""Writes MODEL_CARD.md beside the weights, from what the training and the evaluation measured.

`python -m training.card FOLDER [FIGURES]`: FOLDER holds model.safetensors and tokenizer.json, FIGURES training_log.json
and evaluation.json (else they lie in FOLDER). The text around the figures stands in patterns/card.md.
"""

import hashlib
import json
import string
import sys
from pathlib import Path
from typing import Any

from training.asking import MOST_FACTS, MOST_NOTES, MOST_QUOTED
from training.evaluate import REPORT_NAME
from training.grammar import FOLDER
from training.long_answers import MOST_COUNTED
from training.train import LOG_NAME

CARD_NAME = "MODEL_CARD.md"
FIGURES = Path(__file__).parent / "figures"
Report = dict[str, Any]


def file_hash(path: Path) -> str:
    """The sha256 of a file, in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def share(entry: Report) -> str:
    """A score as a table shows it."""
    return f"{entry['right']:,} of {entry['cases']:,} ({100 * entry['right'] / entry['cases']:.1f} %)"


def total(entries: Report) -> Report:
    """The sum of several scores."""
    return {name: sum(entry[name] for entry in entries.values()) for name in ("right", "cases")}


def _rows(entries: Report, *, lowest_first: bool) -> str:
    shown = list(entries.items())
    if lowest_first:
        shown.sort(key=lambda item: (item[1]["right"] / item[1]["cases"], item[0]))
    return "\n".join(f"| {name} | {share(entry)} |" for name, entry in shown)


def _run(log: Report) -> str:
    tokens, steps = f"{log['positions'] / 1e9:.2f} billion tokens", f"{log['steps']:,} steps"
    replayed = f" ({log['replayed_batches']:,} batches seen twice)" if log["replayed_batches"] else ""
    last = f"last loss {log['log'][-1]['loss']}" if log["log"] else "no loss kept"
    return (
        f"{log['seconds']:.0f} seconds on one {log['device']}: {tokens} in {steps}{replayed}, torch {log['torch']}, "
        f"seed {log['seed']}, peak rate {log['peak_rate']}, {last}" + (f". {log['remark']}" if "remark" in log else "")
    )


def _origin(log: Report) -> str:
    if not log["earlier"]:
        return "From nothing, in one run"
    told = f"On from weights with sha256 `{log['earlier']['sha256']}`"
    if "positions" in log["earlier"]:
        told += (
            f" (before: {log['earlier']['positions'] / 1e9:.2f} billion tokens in {log['earlier']['seconds']:,.0f} s)"
        )
    return told


def card(folder: Path, figures: Path) -> str:
    """The text of the model card."""
    evaluation: Report = json.loads((figures / REPORT_NAME).read_text(encoding="utf-8"))
    log: Report = json.loads((figures / LOG_NAME).read_text(encoding="utf-8"))
    skills, silent = evaluation["skills"], evaluation["silent"]
    template = string.Template((FOLDER / "card.md").read_text(encoding="utf-8"))
    return template.substitute(
        size=f"{(folder / 'model.safetensors').stat().st_size:,}",
        weights_hash=file_hash(folder / "model.safetensors"),
        tokenizer_hash=file_hash(folder / "tokenizer.json"),
        origin=_origin(log),
        run=_run(log),
        skills=_rows(skills, lowest_first=True),
        per_skill=max(entry["cases"] for entry in skills.values()),
        overall=share(total(skills)),
        personas=_rows(evaluation["personas"], lowest_first=False),
        distances=_rows(evaluation["distances"], lowest_first=False),
        long=share(evaluation["long"]["long"]),
        probes=share(evaluation["probes"]),
        known_probes=share(evaluation["known_probes"]),
        acknowledged=f"{silent['cases'] - silent['right']} of {silent['cases']}",
        most_facts=MOST_FACTS,
        most_notes=MOST_NOTES,
        most_quoted=MOST_QUOTED,
        most_counted=MOST_COUNTED,
    )


def main() -> None:
    """Writes the card of the folder named on the command line."""
    folder = Path(sys.argv[1])
    figures = Path(sys.argv[2]) if len(sys.argv) > 2 else folder
    (folder / CARD_NAME).write_text(card(folder, figures), encoding="utf-8")
    print(folder / CARD_NAME)


if __name__ == "__main__":
    main()
