"""Writes MODEL_CARD.md beside the weights, from what the training and the evaluation measured.

`python -m training.card FOLDER [FIGURES]`: FOLDER holds model.safetensors and tokenizer.json, FIGURES training_log.json
and evaluation.json (else they lie in FOLDER). The text around the figures stands in patterns/card.md.
"""

import json
import string
import sys
from pathlib import Path

from training.asking import MOST_FACTS, MOST_NOTES, MOST_QUOTED
from training.conversation import MOST_TOGETHER
from training.evaluate import REPORT_NAME, Report
from training.grammar import FOLDER
from training.long_answers import MOST_COUNTED
from training.train import LOG_NAME, file_hash

CARD_NAME = "MODEL_CARD.md"
FIGURES = Path(__file__).parent / "figures"


def share(entry: Report) -> str:
    """A score as a table shows it."""
    return f"{entry['right']:,} of {entry['cases']:,} ({100 * entry['right'] / entry['cases']:.1f} %)"


def total(entries: Report) -> Report:
    """The sum of several scores."""
    return {name: sum(entry[name] for entry in entries.values()) for name in ("right", "cases")}


def _lowest_first(entries: Report) -> Report:
    return dict(sorted(entries.items(), key=lambda item: (item[1]["right"] / item[1]["cases"], item[0])))


def _rows(entries: Report) -> str:
    return "\n".join(f"| {name} | {share(entry)} |" for name, entry in entries.items())


def _run(log: Report) -> str:
    origin, earlier = "From nothing, in one run", log["earlier"]
    if earlier:
        origin = f"On from weights with sha256 `{earlier['sha256']}`"
        if "positions" in earlier:
            origin += f" (before: {earlier['positions'] / 1e9:.2f} billion tokens in {earlier['seconds']:,.0f} s)"
    twice = " (each batch twice)" if log.get("twice") else ""
    return (
        f"{origin}: {log['seconds']:.0f} seconds on one {log['device']}: {log['positions'] / 1e9:.2f} billion tokens"
        f"{twice} in {log['steps']:,} steps, torch {log['torch']}, seed {log['seed']}, peak rate {log['peak_rate']}, "
        f"last loss {log['log'][-1]['loss']}" + (f". {log['remark']}" if "remark" in log else "")
    )


def _averaged(log: Report) -> str:
    """What a run's weights were averaged with afterwards, as a line of the list."""
    if "averaged" not in log:
        return ""
    parts = " and ".join(f"{part['share']} of `{part['sha256']}`" for part in log["averaged"])
    return (
        f"* Then the average of that run's weights and of those that it went on from: {parts}, by `training.average`.\n"
    )


def _command(log: Report) -> str:
    twice = " --twice" if log.get("twice") else ""
    return f"--seconds {log['seconds']:.0f} --peak-lr {log['peak_rate']} --seed {log['seed']}{twice}"


def card(folder: Path, figures: Path) -> str:
    """The text of the model card."""
    evaluation: Report = json.loads((figures / REPORT_NAME).read_text(encoding="utf-8"))
    log: Report = json.loads((figures / LOG_NAME).read_text(encoding="utf-8"))
    skills, memory, silent = evaluation["skills"], evaluation["memory"], evaluation["silent"]
    return string.Template((FOLDER / "card.md").read_text(encoding="utf-8")).substitute(
        size=f"{(folder / 'model.safetensors').stat().st_size:,}",
        weights_hash=file_hash(folder / "model.safetensors"),
        tokenizer_hash=file_hash(folder / "tokenizer.json"),
        run=_run(log),
        averaged=_averaged(log),
        options=_command(log),
        skills=_rows(_lowest_first(skills)),
        per_skill=max(entry["cases"] for entry in skills.values()),
        overall=share(total(skills)),
        memory=_rows(_lowest_first(memory)),
        per_memory=max(entry["cases"] for entry in memory.values()),
        memory_overall=share(total(memory)),
        personas=_rows(evaluation["personas"]),
        distances=_rows(evaluation["distances"]),
        long=share(evaluation["long"]["long"]),
        probes=share(evaluation["probes"]),
        known_probes=share(evaluation["known_probes"]),
        acknowledged=f"{silent['cases'] - silent['right']} of {silent['cases']}",
        most_facts=MOST_FACTS,
        most_notes=MOST_NOTES,
        most_pets=MOST_TOGETHER,
        most_quoted=MOST_QUOTED,
        most_counted=MOST_COUNTED,
    )


if __name__ == "__main__":
    model = Path(sys.argv[1])
    figures = Path(sys.argv[2]) if len(sys.argv) > 2 else model
    (model / CARD_NAME).write_text(card(model, figures), encoding="utf-8")
