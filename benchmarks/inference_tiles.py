"""The benchmark's part for who tunes a card: whole steps with tiles other than those that the card gets by default.

A kernel by itself says little of a step, in which it begins while the one before it drains. Each set of tiles gets a
runner of its own, whose self-test holds every kernel to plain torch; one that doesn't agree is logged and replaced.
"""

from collections.abc import Callable
from dataclasses import replace

import torch

from benchmarks.inference_setting import Report, Setting
from benchmarks.inference_steps import step_seconds
from bot.inference.engine import SamplingParams
from bot.inference.kernels.tiles import KernelShapes, Tile
from bot.inference.loading.build import MemoryLimits
from bot.inference.model.kv_cache import BLOCK_SIZE
from bot.inference.model.weights import MatrixKind

_STEPS = ((1, 500), (1, 3500), (8, 1250), (32, 1250), (64, 1250))
_NUM_BLOCKS = 1 + 64 * -(-1250 // BLOCK_SIZE)
_FETCHED_TILES = 8
"""Of a skinny product's weights: 64 KiB for a program, and some 10 MB for all that are at work."""
_SKINNY = ("skinny_qkv", "skinny_gated", "skinny_output", "skinny_down", "skinny_head")
_GEMV = ("gemv_qkv", "gemv_output", "gemv_gated", "gemv_down", "gemv_head")


def tiles(setting: Setting, report: Report) -> None:
    """Every set of tiles in turn, for both kinds of weights; the ratio is to the tiles of now."""
    setting.leave()
    capability = (9, 0) if setting.is_tiny else torch.cuda.get_device_capability(setting.device)
    for kind in (MatrixKind.FLOAT, MatrixKind.INT8):
        one = Setting(is_tiny=setting.is_tiny, shape=setting.shape_name, weights_kind=kind)
        if not setting.is_tiny:
            one.limits = MemoryLimits(num_blocks=_NUM_BLOCKS, max_prefill_tokens=512)
        now = KernelShapes.for_capability(capability, kind)
        in_now: dict[str, float] = {}
        names = ["now", "early, fetched"] if setting.is_tiny else _CHANGES
        for name in names:
            one.drop_runner()
            one.tiles = _CHANGES[name](now)
            runner = one.runner
            one.fill_cache()
            for num_rows, context in _STEPS[:3] if setting.is_tiny else _STEPS:
                step = f"{kind.value}: decode step, batch {num_rows}, context {context}"
                seconds = step_seconds(runner, num_rows, one.scaled(context), SamplingParams())
                floor = in_now.setdefault(step, seconds * 1e3)
                report.add(f"{step}, {name}", seconds * 1e3, "ms", floor=floor, ratio=seconds * 1e3 / floor)
        one.leave()


def _early(shapes: KernelShapes) -> KernelShapes:
    return replace(shapes, is_early=True)


def _fetched(shapes: KernelShapes) -> KernelShapes:
    """Weights, keys and values fetched while the kernel before is still at work."""
    changed: dict[str, object] = {name: _table(getattr(shapes, name)) for name in _SKINNY}
    for name in _GEMV:
        tile = getattr(shapes, name)
        changed[name] = replace(tile, ahead=tile.turns - 1)
    alone = replace(shapes.split(1), ahead=1)
    return replace(shapes, decode=shapes.decode | {1: alone}, **changed)  # type: ignore[arg-type]


def _table(skinny: dict[int, Tile]) -> dict[int, Tile]:
    return {most: replace(tile, ahead=_FETCHED_TILES) for most, tile in skinny.items()}


def _longer(shapes: KernelShapes) -> KernelShapes:
    """Matrix-vector programs with twice the turns, and the widest product in two pieces."""
    fetched = _fetched(shapes)
    if shapes.gemv_qkv.turns == 1:  # weights of floats have none
        return fetched
    changed = {}
    for name in _GEMV:
        tile = getattr(shapes, name)
        changed[name] = replace(tile, turns=2 * tile.turns, ahead=2 * tile.turns - 1)
    changed["gemv_down"] = Tile(2, 8192, 4, turns=8, ahead=7, tail=4096)
    return replace(fetched, **changed)


_CHANGES: dict[str, Callable[[KernelShapes], KernelShapes]] = {
    "now": lambda shapes: shapes,
    "early": _early,
    "fetched": _fetched,
    "early, fetched": lambda shapes: _early(_fetched(shapes)),
    "early, fetched, longer": lambda shapes: _early(_longer(shapes)),
}
