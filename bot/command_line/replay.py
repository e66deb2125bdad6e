"""`trinity replay MESSAGE_LINK`: makes an answer again, and says whether it comes out the same."""

import asyncio
import json
import sys
from dataclasses import asdict
from typing import Any

import typer
from rich.console import Console
from rich.progress import Progress

from bot.app import open_replay
from bot.chat.replay import Difference, Rebuilt
from bot.conversation.chat_format import TurnEncoder
from bot.discord.links import read_message_link
from bot.errors import CannotReplay
from bot.logs import configure_logging, escape_control_characters
from bot.settings.settings import Settings

SAME, DIFFERS = 0, 1
_PLATFORM = "discord"
_NO_LINK = (
    "That is no link to a message on Discord. They look like https://discord.com/channels/1/2/3: a right click on the "
    "answer, then Copy Message Link. What is said at the terminal (trinity chat) has no links and can't be replayed."
)
_NUM_TOKENS_BEFORE = 12


def replay(settings: Settings, link: str, *, as_json: bool) -> int:
    """Make an answer again; the exit status says whether it is the same."""
    configure_logging("WARNING", settings.log_format, secrets=settings.secrets)
    try:
        return asyncio.run(_replay(settings, link, as_json=as_json))
    except CannotReplay as error:
        if not as_json:
            raise
        typer.echo(json.dumps({"result": "stopped", "reason": error.reason, "said": str(error)}, indent=2))
        return error.exit_status


async def _replay(settings: Settings, link: str, *, as_json: bool) -> int:
    linked = read_message_link(link)
    if linked is None:
        raise CannotReplay("link", _NO_LINK)
    progress = Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
    bar = progress.add_task("Loading the model", total=None, visible=False)

    def show(done: int, total: int) -> None:
        progress.update(bar, completed=done, total=total, visible=True)

    async with open_replay(settings, on_progress=show) as parts:
        replay = parts.replay
        rebuilt = await replay.rebuild(_PLATFORM, linked.message_id)
        if not as_json:
            typer.echo(_told(rebuilt))
        typer.echo(_announced(parts.num_bytes, len(rebuilt.made.token_ids)), err=True)
        with progress:
            async with parts.open_engine() as engine:
                progress.update(bar, description="Answering", completed=0, total=None, visible=True)
                difference = await replay.compare(rebuilt, engine)
    if as_json:
        typer.echo(json.dumps(_facts(rebuilt, difference, replay.encoder, replay.setup), indent=2))
    else:
        typer.echo(_verdict(rebuilt, difference, replay.encoder))
        if difference is not None and rebuilt.recipe.setup != replay.setup:
            typer.echo(f"It was made by {rebuilt.recipe.setup}; this was {replay.setup}.")
    return SAME if difference is None else DIFFERS


def _announced(num_bytes: int, num_tokens: int) -> str:
    """What it takes now."""
    if not num_bytes:
        return f"Now the server is asked for {num_tokens} tokens."
    size = f"{num_bytes / 1024**3:.1f} GiB" if num_bytes > 1024**3 else f"{num_bytes >> 20} MiB"
    beside = "as for a start and beside a daemon that runs"
    return f"Now {size} of weights are loaded, {beside}, and {num_tokens} tokens generated."


def _told(rebuilt: Rebuilt) -> str:
    made, sampling, num_before = rebuilt.made, rebuilt.request.sampling, rebuilt.recipe.num_beginning
    how = "greedy" if sampling.temperature == 0 else f"seed {sampling.seed}, temperature {sampling.temperature:g}"
    return (
        f"Answered at {made.answered_at:%Y-%m-%d %H:%M:%S} UTC by {rebuilt.recipe.setup}.\n"
        f"The prompt is the same: {len(rebuilt.request.prompt_token_ids)} tokens (earlier turns: "
        f"{len(made.prompt_turn_ids)}, notes: {rebuilt.num_notes}); {how}."
    ) + ("" if num_before is None else f"\nIts first {num_before} characters were there before: it goes on with them.")


def _verdict(rebuilt: Rebuilt, difference: Difference | None, encoder: TurnEncoder) -> str:
    num_tokens = len(rebuilt.made.token_ids)
    if difference is None:
        return f"match: all {num_tokens} tokens are the same."
    was, now = (_shown(encoder, token_id) for token_id in (difference.was, difference.now))
    before = encoder.tokenizer.decode([*rebuilt.made.token_ids[: difference.index][-_NUM_TOKENS_BEFORE:]])
    lines = [
        f"differs: token {difference.index + 1} of {num_tokens} was {was} and is {now}, "
        f"after “{escape_control_characters(before)}”."
    ]
    if difference.logit_gap is None:
        lines.append("By how much, this engine can't say.")
        return "\n".join(lines)
    old, new = difference.weights
    lines.append(f"Their logits are {old.logit:.4f} and {new.logit:.4f}: a gap of {difference.logit_gap:.4f}.")
    if difference.score_gap is None:
        lines.append("One of them the filters (top-k, top-p) leave out.")
    elif rebuilt.request.sampling.temperature:
        lines.append(f"With the draw's random numbers they are {difference.score_gap:.4f} apart.")
    return "\n".join(lines)


def _shown(encoder: TurnEncoder, token_id: int) -> str:
    piece = encoder.tokenizer.id_to_token(token_id) or ""
    return f"“{escape_control_characters(piece)}” ({token_id})"


def _facts(rebuilt: Rebuilt, difference: Difference | None, encoder: TurnEncoder, setup: str) -> dict[str, Any]:
    made = rebuilt.made
    facts: dict[str, Any] = {
        "result": "match" if difference is None else "differs",
        "answered_at": made.answered_at.isoformat(),
        "finish_reason": made.finish_reason,
        "num_prompt_tokens": len(rebuilt.request.prompt_token_ids),
        "prompt_hash": rebuilt.recipe.prompt_hash,
        "num_turns": len(made.prompt_turn_ids),
        "num_notes": rebuilt.num_notes,
        "num_tokens": len(made.token_ids),
        "sampling": asdict(rebuilt.request.sampling),
        "made_by": rebuilt.recipe.setup,
        "replayed_by": setup,
    }
    if difference is not None:
        tokens: dict[str, dict[str, Any]] = {
            name: {"id": token_id, "piece": encoder.tokenizer.id_to_token(token_id)}
            for name, token_id in (("was", difference.was), ("now", difference.now))
        }
        for weight, token in zip(difference.weights, tokens.values(), strict=False):
            token |= {"logit": weight.logit, "score": weight.score}
        gaps = {"logit_gap": difference.logit_gap, "score_gap": difference.score_gap}
        facts["difference"] = {"index": difference.index, **tokens, **gaps}
    return facts
