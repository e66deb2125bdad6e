"""Products of a few rows with large weights: which tile each takes, and its launch."""

import torch
from torch import Tensor

from bot.inference import skinny_kernels as skinny
from bot.inference.kernel_launch import KernelLauncher
from bot.inference.kernel_shapes import KernelShapes, Tile, first_fitting
from bot.inference.kv_cache import BLOCK_SIZE
from bot.inference.loading import LlamaShape


class SkinnyProducts:
    """Skinny products on one card. Where no tile is given for so many rows, or none divides, cuBLAS does better."""

    def __init__(self, shape: LlamaShape, shapes: KernelShapes, launcher: KernelLauncher, device: torch.device) -> None:
        self._shape = shape
        self._shapes = shapes
        self._launcher = launcher
        tables = (shapes.skinny_output, shapes.skinny_down)
        tiles = [(most, tile) for table in tables for most, tile in table.items() if tile.shares > 1]
        num_parts = max((_block_rows(most) * tile.shares for most, tile in tiles), default=0)
        num_groups = max((-(-shape.hidden_size // tile.rows) for _, tile in tiles), default=0)
        self._partial_sums = torch.zeros(num_parts * shape.hidden_size, dtype=torch.float32, device=device)
        self._arrivals = torch.zeros(num_groups, dtype=torch.int32, device=device)

    def qkv_tile(self, num_rows: int) -> Tile | None:
        """The tile for queries, keys and values."""
        return _dividing(self._shapes.skinny_qkv, num_rows, self._shape.qkv_size // 2, self._shape.hidden_size)

    def gated_tile(self, num_rows: int) -> Tile | None:
        """The tile for gates and ups."""
        return _dividing(self._shapes.skinny_gated, num_rows, self._shape.intermediate_size, self._shape.hidden_size)

    def add_tile(self, num_rows: int, weight: Tensor) -> Tile | None:
        """The tile for the product with `weight` that joins the residual stream."""
        is_down = weight.shape[1] == self._shape.intermediate_size
        table = self._shapes.skinny_down if is_down else self._shapes.skinny_output
        return _dividing(table, num_rows, *weight.shape)

    def project_qkv(
        self, tile: Tile, values: Tensor, weight: Tensor, qkv: Tensor, cache: Tensor, rotation: tuple[Tensor | int, ...]
    ) -> None:
        """Project, rotate, store; `rotation` is what `rotate_and_store_kernel` takes behind its cache."""
        shape = self._shape
        self._launcher.run(
            skinny.skinny_qkv_kernel, (shape.qkv_size // 2 // tile.rows,),
            values, weight, qkv, cache, *rotation, values.shape[0],
            WIDTH=shape.hidden_size, HEADS=shape.num_heads, KV_HEADS=shape.num_kv_heads, HEAD_DIM=shape.head_dim,
            BLOCK_SIZE=BLOCK_SIZE, **_tiling(tile, values.shape[0]),
        )  # fmt: skip

    def project_gated(self, tile: Tile, values: Tensor, weight: Tensor, activated: Tensor) -> None:
        """Project and gate."""
        shape = self._shape
        self._launcher.run(
            skinny.skinny_gated_kernel, (shape.intermediate_size // tile.rows,),
            values, weight, activated, values.shape[0],
            WIDTH=shape.hidden_size, OUT_WIDTH=shape.intermediate_size, **_tiling(tile, values.shape[0]),
        )  # fmt: skip

    def add(self, tile: Tile, x: Tensor, values: Tensor, weight: Tensor) -> None:
        """`x += values @ weight.T`."""
        out_width, width = weight.shape
        self._launcher.run(
            skinny.skinny_add_kernel, (out_width // tile.rows, tile.shares),
            x, values, weight, self._partial_sums, self._arrivals, x.shape[0],
            WIDTH=width, OUT_WIDTH=out_width, SHARES=tile.shares, **_tiling(tile, x.shape[0]),
        )  # fmt: skip


def _dividing(table: dict[int, Tile], num_rows: int, out_width: int, width: int) -> Tile | None:
    tile = first_fitting(table, num_rows)
    if tile is None or out_width % tile.rows or width % tile.columns:
        return None
    return tile


def _tiling(tile: Tile, num_rows: int) -> dict[str, int]:
    return {
        "BLOCK_M": _block_rows(num_rows),
        "BLOCK_N": tile.rows,
        "BLOCK_K": tile.columns,
        "STAGES": tile.num_stages,
        "num_warps": tile.num_warps,
    }


def _block_rows(num_rows: int) -> int:
    """Rows of a tile: what tensor cores take at least, or the next power of two."""
    return max(16, 1 << (num_rows - 1).bit_length())
