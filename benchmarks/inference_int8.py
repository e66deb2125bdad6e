"""The benchmark's part for eight bits: weights, keys and values as INT8 beside FP16, on one card in one process.

All kinds get the same prompts. Weights of a kind are made anew, so a kind has the card to itself.
"""

import asyncio
import time

from benchmarks.inference_answers import answer, opened
from benchmarks.inference_setting import Report, Setting
from benchmarks.inference_steps import step_seconds
from bot.inference.engine import SamplingParams
from bot.inference.local import LocalEngine
from bot.inference.model.kv_cache import CacheKind
from bot.inference.model.weights import MatrixKind

_KINDS = {
    "FP16": (MatrixKind.FLOAT, CacheKind.FLOAT),
    "INT8 weights": (MatrixKind.INT8, CacheKind.FLOAT),
    "INT8 KV": (MatrixKind.FLOAT, CacheKind.INT8),
    "INT8 weights and KV": (MatrixKind.INT8, CacheKind.INT8),
}
_STEPS = ((1, 500), (1, 3500), (8, 1250), (32, 1250), (64, 1250))
_WANTED = {
    ("INT8 weights", "decode step, batch 1, context 500"): "<= 0.60",
    ("INT8 weights", "32 conversations at once, 256 new"): ">= 1.12",
    ("INT8 weights", "prefill of 48 unseen prompts"): "<= 1.11",
    ("INT8 KV", "decode step, batch 64, context 1250"): "<= 0.725",
    ("INT8 KV", "64 conversations at once, 256 new"): ">= 1.25",
}


def int8(setting: Setting, report: Report) -> None:
    """Each kind in turn; the ratio is to FP16's figure of the same name."""
    setting.leave()
    in_fp16: dict[str, float] = {}
    for kind, (weights_kind, cache_kind) in _KINDS.items():
        one = Setting(
            is_tiny=setting.is_tiny, shape=setting.shape_name, weights_kind=weights_kind, cache_kind=cache_kind
        )
        figures = _measure(one)
        one.leave()
        for name, (figure, unit) in figures.items():
            floor = in_fp16.setdefault(name, figure)
            wanted = _WANTED.get((kind, name), "")
            report.add(f"{kind}: {name}", figure, unit, floor=floor, ratio=figure / floor, wanted=wanted)


def _measure(setting: Setting) -> dict[str, tuple[float, str]]:
    """Figures by name, with their units."""
    runner = setting.runner
    setting.fill_cache()
    figures = {
        "weights": (setting.weights.num_bytes / 2**30, "GiB"),
        "room in the cache": (float((runner.num_blocks - 1) * runner.block_size), "tokens"),
    }
    for num_rows, context in _STEPS:
        seconds = step_seconds(runner, num_rows, setting.scaled(context), SamplingParams())
        figures[f"decode step, batch {num_rows}, context {context}"] = (seconds * 1e3, "ms")
    return figures | asyncio.run(_serve(setting))


async def _serve(setting: Setting) -> dict[str, tuple[float, str]]:
    figures = {}
    async with opened(setting, setting.runner) as engine:
        await _ask_at_once(setting, engine, 2, setting.scaled(64), "first")
        for number in (32, 64):
            num_new = setting.scaled(256)
            seconds = await _ask_at_once(setting, engine, number, num_new, f"{number}")
            figures[f"{number} conversations at once, 256 new"] = (number * num_new / seconds, "tok/s")
        number = 8 if setting.is_tiny else 48
        seconds = await _ask_at_once(setting, engine, number, 1, "prefill")
        figures["prefill of 48 unseen prompts"] = (seconds * 1e3, "ms")
    return figures


async def _ask_at_once(setting: Setting, engine: LocalEngine, number: int, num_new: int, owner: str) -> float:
    """Seconds until `number` unseen prompts are answered."""
    prompts = [setting.prompt(length) for length in setting.lengths(number)]
    start = time.perf_counter()
    found = await asyncio.gather(*(answer(engine, p, num_new, f"{owner} {k}") for k, p in enumerate(prompts)))
    seconds = time.perf_counter() - start
    assert all(len(one.token_ids) == num_new for one in found)
    return seconds
