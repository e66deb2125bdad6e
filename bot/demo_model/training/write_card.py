"""Writes MODEL_CARD.md beside the weights, from what the training and the evaluation measured.

`python -m bot.demo_model.training.write_card [FOLDER]`: FOLDER holds model.safetensors, training_log.json and evaluation.json.
"""

import hashlib
import json
import sys
from pathlib import Path

from bot.demo_model.training.chat_format import MODEL_FOLDER
from bot.demo_model.training.turns_recall import MOST_FACTS, MOST_NOTES, MOST_QUOTED

CARD_NAME = "MODEL_CARD.md"


def file_hash(path: Path) -> str:
    """The sha256 of a file, in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def percent(score: dict) -> str:
    return f"{100 * score['right'] / score['cases']:.1f} %"


def skill_rows(evaluation: dict) -> str:
    scores = sorted(evaluation["skills"].items(), key=lambda item: (item[1]["share"], item[0]))
    return "\n".join(f"| {name} | {score['right']} of {score['cases']} | {percent(score)} |" for name, score in scores)


def distance_rows(evaluation: dict) -> str:
    return "\n".join(
        f"| {name.removeprefix('recall ').removeprefix('at ')}{' tokens' if name[-1].isdigit() else ''} | {percent(score)} |"
        for name, score in evaluation["distances"].items()
    )


def phrasing_rows(evaluation: dict) -> str:
    nothing = evaluation["tells_nothing"]
    rows = [f"| hand-written conversations kept out of the training | {_share(evaluation['probes'])} |"]
    if "final_probes" in evaluation:
        rows.append(f"| a second list of them | {_share(evaluation['final_probes'])} |")
    if "fresh_probes" in evaluation:
        rows.append(f"| a third list of them | {_share(evaluation['fresh_probes'])} |")
    rows.append(
        f"| statements that tell nothing, wrongly acknowledged | {nothing['wrong_acknowledgements']} of {nothing['cases']} |"
    )
    if "of_the_last_list" in nothing:
        rows.append(
            f"| of these, wrongly acknowledged of the newest hand-written list | {nothing['of_the_last_list']} |"
        )
    if evaluation.get("long"):
        rows.append(f"| long answers, exact to the character | {_share(evaluation['long'])} |")
    return "\n".join(rows)


def _share(score: dict) -> str:
    return f"{score['right']} of {score['cases']} ({percent(score)})"


def _run(log: dict) -> str:
    tokens, steps = f"{log['positions'] / 1e9:.2f} billion tokens", f"{log['steps']:,} steps"
    replayed = f", {log['replayed_batches']:,} batches seen twice" if log.get("replayed_batches") else ""
    return f"{round(log['seconds'])} seconds on {_cards(log)}: {tokens} in {steps}{replayed}, torch {log['torch']}, seed {log['seed']}"


def _cards(log: dict) -> str:
    count = log.get("cards", 1)
    return f"one {log['device']}" if count == 1 else f"{count} {log['device']} of one machine"


def runs(log: dict) -> str:
    """How the weights were trained: in one run, or in several of which each went on from the weights of the one before."""
    loss = f"last loss {log['log'][-1]['loss']}" if log["log"] else "no loss kept"
    before = _earlier(log)
    if not before:
        return f"One run of {_run(log)}, {loss}."
    told = "; ".join(f"{_run(run)} (weights: sha256 `{run['sha256']}`)" for run in before)
    return (
        f"{('Two', 'Three', 'Four', 'Five', 'Six')[len(before) - 1]} runs, each but the first going on from the weights before. With earlier forms of "
        f"the patterns: {told}. The last, with the patterns as they are now: {_run(log)}, {loss}."
    )


def _earlier(log: dict) -> list[dict]:
    """The logs of the runs before, the first one first."""
    earlier = log.get("earlier")
    return [*_earlier(earlier), earlier] if earlier else []


def again(log: dict) -> str:
    train = "python -m bot.demo_model.training.train"
    first, *later = [*_earlier(log), log]
    commands = [f"`{train} --seconds {round(first['seconds'])} --out FOLDER`"]
    for run in later:
        rate = f" --peak-lr {run['peak_rate']}" if "peak_rate" in run else ""
        cards = f" --cards {run['cards']}" if run.get("cards", 1) > 1 else ""
        commands.append(f"`{train}{cards} --from FOLDER --seconds {round(run['seconds'])}{rate} --out FOLDER`")
    return ", ".join(commands)


def card(folder: Path) -> str:
    """The text of the model card."""
    evaluation = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    log = json.loads((folder / "training_log.json").read_text(encoding="utf-8"))
    weights = folder / "model.safetensors"
    scores = evaluation["skills"].values()
    right, cases = sum(score["right"] for score in scores), sum(score["cases"] for score in scores)
    return TEMPLATE.format(
        size=f"{weights.stat().st_size:,}",
        weights_hash=file_hash(weights),
        tokenizer_hash=file_hash(MODEL_FOLDER / "tokenizer.json"),
        runs=runs(log),
        again=again(log),
        skills=skill_rows(evaluation),
        per_skill=max(score["cases"] for score in scores),
        overall=f"{right:,} of {cases:,} ({100 * right / cases:.1f} %)",
        distances=distance_rows(evaluation),
        phrasings=phrasing_rows(evaluation),
        most_facts=MOST_FACTS,
        most_notes=MOST_NOTES,
        most_quoted=MOST_QUOTED,
    )


TEMPLATE = """# Trinity's demonstration model

A very small Llama that ships with Trinity, so that the bot can be tried and tested on any machine, without a graphics card, an account or a
download. It shows the whole machinery: streaming, memory within a channel, trimming, `/reset`, personas.

**It is not a language model to ask things.** It has no knowledge of the world. Asked for any, it says that it is a demonstration model and names
`TRINITY_MODEL`, the setting for a real one such as meta-llama/Llama-2-7b-chat-hf.

## What it is

| | |
|---|---|
| architecture | LlamaForCausalLM: 7,475,456 parameters, hidden size 256, 8 layers, 8 heads, intermediate size 704, vocabulary 2,048, untied head |
| context | 4,096 tokens |
| file | `model.safetensors`, float16, {size} bytes |
| sha256 of model.safetensors | `{weights_hash}` |
| tokenizer | `tokenizer.json`: byte-pair pieces with byte fallback, `<unk>` 0, `<s>` 1, `</s>` 2 as in Llama 2, trained on the same dialogues |
| sha256 of tokenizer.json | `{tokenizer_hash}` |
| prompt format | Llama 2 chat; in channels every message reads `NAME: text` |
| language | English |
| licence | MIT, weights and tokenizer. They are not derived from Meta's weights or vocabulary: trained from nothing |

## What it does

It introduces itself by its persona's name, remembers what it was told in this conversation (names, favourites, pets, places, jobs, notes and more, by whom), says
so when it was not told, explains the commands, follows simple wishes for a style, repeats, counts, tells one long story and shows one piece of code.

## Training

* Data: dialogues that `bot/demo_model/training` writes by itself while it trains, out of patterns and word lists in this repository; nothing was collected, nobody's messages are in it. One
  conversation a row; about a third have several speakers. Of all values (names, colours, codes ...) a sixteenth is held out.
* {runs} The learning rate follows the clock, so a run can be repeated but not bit for bit.
* Again: {again}, then `python -m bot.demo_model.training.write_card FOLDER`.

## Figures

Greedy decoding, up to {per_skill} cases a skill (fewer of rare ones); an answer counts when it equals the expected one to the character. The values are
ones that training never saw.

{overall} over all skills.

| skill | right | |
|---|---|---|
{skills}

Recall of one fact, told once, with other talk in between:

| distance | right |
|---|---|
{distances}

Hand-written conversations kept out of the training (basic phrasings such as "what's my name?" occur in patterns too), judged by what the answer has
to contain, and statements that tell nothing, written by hand or drawn with values that training never saw:

| | |
|---|---|
{phrasings}

## Limits

* New values in known phrasings are nearly always right; a wording that is unlike all patterns may not be understood. Then the answer is mostly the honest one, sometimes a wrong acknowledgement.
* Rare letters and scripts are copied byte by byte, and slips happen in long made-up words.
* It does no arithmetic, no translation and no reasoning; it can't tell whether something is true.
* A style that is not one of the few it knows is acknowledged or refused, not followed.
* It was trained for greedy decoding; with a temperature it is less exact.
* Personas change its name and its manner of speaking, not what it can do.
* Training and evaluation ask for a summary of at most {most_facts} facts, {most_notes} notes, three pets, and for quotes of at most {most_quoted} characters. Beyond that it does less well; of "my family" or "my favourites" as a whole it knows nothing.
"""


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else MODEL_FOLDER
    (folder / CARD_NAME).write_text(card(folder), encoding="utf-8")
    print(folder / CARD_NAME)


if __name__ == "__main__":
    main()
