"""The benchmark's part for a card that is given back: what stays on it, and how soon it answers again."""

import asyncio
import time
from statistics import median

import torch

from benchmarks.inference_answers import answer, opened
from benchmarks.inference_setting import Report, Setting
from bot.inference.idle import IdleLimits

_LIMITS = IdleLimits(1.0)
_NUM_NAPS = 5
_PROMPT_TOKENS = 500


def idle(setting: Setting, report: Report) -> None:
    """Sleep and wake several times; the card has to be this process's alone."""
    if setting.device.type != "cuda":  # memory that numpy has seen can't be given back
        setting.drop_runner()
        setting.use_kernels = False
    _time_memory(setting, report)
    asyncio.run(_ask_asleep(setting, report))
    if not setting.use_kernels:
        setting.drop_runner()
        setting.use_kernels = True


def _time_memory(setting: Setting, report: Report) -> None:
    """What each part of it takes, without an engine's thread."""
    runner = setting.runner
    _add_used(setting, report, "the driver shows, awake", "")
    began_at = time.perf_counter()
    while not runner.save():
        pass
    seconds, num_gib = time.perf_counter() - began_at, runner.memory.num_kept_bytes / 2**30
    report.add("to copy the model to pinned memory, once", seconds, "s", note=f"{num_gib:.1f} GiB")
    releases, restores = [], []
    for _ in range(_NUM_NAPS):
        began_at = time.perf_counter()
        runner.release()
        releases.append(time.perf_counter() - began_at)
        began_at = time.perf_counter()
        runner.restore()
        restores.append(time.perf_counter() - began_at)
    report.add("to let go of the card", median(releases), "s", note=_span(releases))
    report.add("to take it back", median(restores), "s", note=_span(restores))


async def _ask_asleep(setting: Setting, report: Report) -> None:
    """The first token of a question that wakes the engine, beside one that doesn't; prompts are never seen before."""
    num_prompt, num_new = setting.scaled(_PROMPT_TOKENS), 16
    async with opened(setting, setting.runner, _LIMITS) as engine:
        await answer(engine, setting.prompt(num_prompt), num_new, "first")
        awake, waking, gaps, later_gaps = [], [], [], []
        for nap in range(_NUM_NAPS):
            while not engine.is_asleep:  # noqa: ASYNC110  (what is waited for is the engine thread's state)
                await asyncio.sleep(0.01)
            if nap == 0:
                _add_used(setting, report, "the driver shows, asleep", "<= 2")
            found = await answer(engine, setting.prompt(num_prompt), num_new, f"{nap} waking")
            waking.append(found.first)
            gaps.append(max(found.gaps))
            found = await answer(engine, setting.prompt(num_prompt), num_new, f"{nap} awake")
            awake.append(found.first)
            later_gaps.append(max(found.gaps))
    report.add("first token, awake", median(awake) * 1e3, "ms", note=f"longest gap {median(later_gaps) * 1e3:.1f} ms")
    note = f"{_span(waking)}; longest gap {median(gaps) * 1e3:.1f} ms"
    report.add("first token of the question that wakes it", median(waking) * 1e3, "ms", note=note)
    report.add("that is later by", max(waking) - median(awake), "s", wanted="<= 1", note="the slowest")


def _add_used(setting: Setting, report: Report, name: str, wanted: str) -> None:
    if setting.device.type == "cuda":
        free, total = torch.cuda.mem_get_info(setting.device)
        report.add(name, (total - free) / 2**30, "GiB", wanted=wanted)


def _span(times: list[float]) -> str:
    return f"{min(times):.2f} to {max(times):.2f} s in {len(times)}"
