"""What the model would run on: the card, its driver and its free memory, and what fits there in which setting."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bot.doctor.finding import Finding, Topic

TOPIC = Topic("card")
FACTS_PROGRAM = (sys.executable, "-m", "bot.doctor.card_facts")
_DRIVER_FILE = Path("/proc/driver/nvidia/version")
_GIB = 1024**3
_OLDEST_CAPABILITY = (7, 5)
_MOST_REASON = 300


async def look_at_card(
    asked: dict[str, Any],
    weights: str,
    kv_cache: str,
    program: Sequence[str] = FACTS_PROGRAM,
    *,
    daemon: int | None = None,
) -> list[Finding]:
    """Ask torch, in a process that is killed when nobody waits for it any more.

    Args:
        asked: as `card_facts` reads it.
        weights: what TRINITY_WEIGHTS says.
        kv_cache: what TRINITY_KV_CACHE says.
        program: answers with the facts.
        daemon: the process that runs with these settings already, and holds its memory of the card.
    """
    process = await asyncio.create_subprocess_exec(
        *program,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        start_new_session=True,  # Ctrl-C is for us
    )
    try:
        output, errors = await process.communicate(json.dumps(asked).encode())
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    if process.returncode != 0:
        reason = (errors.decode(errors="replace").strip().splitlines() or ["no reason given"])[-1][:_MOST_REASON]
        if daemon is not None:  # which may have all of the card's memory
            return [TOPIC.note(f"it can't be looked at while the daemon (process {daemon}) runs: {reason}")]
        return [TOPIC.bad(f"torch can't be used here: {reason}", "install again: make run")]
    return list(judge_card(json.loads(output), weights, kv_cache, _driver(), daemon=daemon))


def _driver() -> str:
    """The NVIDIA driver's version; empty where none is loaded."""
    try:
        words = _DRIVER_FILE.read_text().split()
    except OSError:
        return ""
    return next((word for word in words if word[:1].isdigit() and "." in word), "unknown")


def judge_card(
    facts: dict[str, Any], weights: str, kv_cache: str, driver: str, *, daemon: int | None = None
) -> Iterator[Finding]:
    """Say what the facts mean, with what is set and with the other settings."""
    if facts["problem"]:
        yield TOPIC.bad(facts["problem"])
        return
    if "card" in facts:
        yield from _judge_kind(facts, driver)
    else:
        yield _why_no_card(facts, driver)
    if not facts["fits"]:
        yield TOPIC.note("what fits is said once the model is here, and all settings can be used")
        return
    if "card" in facts and daemon is not None:
        yield TOPIC.note(f"the daemon (process {daemon}) has its memory; what fits is only seen while it is stopped")
        return
    chosen = next(each for each in facts["fits"] if (each["weights"], each["kv_cache"]) == (weights, kv_cache))
    others = [each for each in facts["fits"] if each is not chosen and each["tokens"]]
    where = "on the card" if "card" in facts else "in this machine's memory"
    if chosen["tokens"]:
        yield TOPIC.ok(f"as set, {_in_words(chosen)} fit {where}")
    else:
        needed, usable = chosen["weights_bytes"] / _GIB, max(0, facts["usable"]) / _GIB
        said = f"as set, the model doesn't fit: its weights take {needed:.1f} GiB, and {usable:.1f} can be used {where}"
        best = max(others, key=lambda each: int(each["tokens"]), default=None)
        mend = "free memory there, or use a smaller model" if best is None else f"set {_called(best)}"
        yield TOPIC.bad(said, mend)
    for each in (each for each in others if each["tokens"] != chosen["tokens"]):
        yield TOPIC.note(f"with {_called(each)}, about {_in_words(each)}")


def _judge_kind(facts: dict[str, Any], driver: str) -> Iterator[Finding]:
    major, minor = facts["capability"]
    said = (
        f"{facts['card']} (compute capability {major}.{minor}), driver {driver or 'unknown'}, "
        f"{facts['free'] / _GIB:.1f} of {facts['total'] / _GIB:.1f} GiB free"
    )
    if (major, minor) < _OLDEST_CAPABILITY:
        yield TOPIC.bad(f"{said}: it is older than Turing", "use a newer card, or TRINITY_DEVICE=cpu")
    else:
        yield TOPIC.ok(said)


def _why_no_card(facts: dict[str, Any], driver: str) -> Finding:
    memory = f"{facts['free'] / _GIB:.1f} of {facts['total'] / _GIB:.1f} GiB of memory free"
    if driver and facts["cuda"] is None:
        mend = "remove .venv and make it anew: with a card, PyTorch is installed with CUDA"
        return TOPIC.bad(f"a driver is there ({driver}), and this PyTorch is the build for the CPU; {memory}", mend)
    if driver:
        said = f"a driver is there ({driver}), and torch finds no card that it can use; {memory}"
        return TOPIC.bad(said, f"update the driver: this PyTorch is built for CUDA {facts['cuda']}; look at nvidia-smi")
    return TOPIC.note(f"no NVIDIA card: she computes on the CPU, slowly; {memory}")


def _called(fit: dict[str, Any]) -> str:
    return f"TRINITY_WEIGHTS={fit['weights']} TRINITY_KV_CACHE={fit['kv_cache']}"


def _in_words(fit: dict[str, Any]) -> str:
    return f"{fit['tokens']:,} tokens, {fit['conversations']} conversations of {fit['window']:,}"
