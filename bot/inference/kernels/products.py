"""Products of many rows: skinny ones on tensor cores, and cuBLAS's, for which eight-bit weights become floats again."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import triton
from torch import Tensor

from bot.inference.kernels import int8, skinny
from bot.inference.kernels.eight_bit_cache import KVTarget
from bot.inference.kernels.launch import KernelLauncher
from bot.inference.kernels.tiles import KernelShapes, Tile, first_fitting
from bot.inference.model.shape import LlamaShape
from bot.inference.model.weights import Matrix, MatrixKind

_ALIGNMENT = 128
"""A product's width is a multiple of it, as far as may be: of other widths cuBLAS takes three times as long."""


class DenseProducts:
    """cuBLAS's products. Rows of an eight-bit matrix become floats in a buffer, some at a time, and are multiplied."""

    def __init__(self, launcher: KernelLauncher, num_floats: int, device: torch.device, dtype: torch.dtype) -> None:
        self._launcher = launcher
        self._floats = torch.empty(num_floats, device=device, dtype=dtype)

    def tensors(self) -> tuple[Tensor, ...]:
        """What they keep on the device."""
        return (self._floats,)

    def project(self, values: Tensor, weight: Matrix, out: Tensor) -> None:
        """`out = values @ weight.T`."""
        if weight.scale is None:
            torch.mm(values, weight.data.t(), out=out)
            return
        for first, floats in self._parts(weight):
            torch.mm(values, floats.t(), out=out[:, first : first + len(floats)])

    def add(self, x: Tensor, values: Tensor, weight: Matrix) -> None:
        """`x += values @ weight.T`."""
        if weight.scale is None:
            x.addmm_(values, weight.data.t())
            return
        for first, floats in self._parts(weight):
            x[:, first : first + len(floats)].addmm_(values, floats.t())

    def _parts(self, weight: Matrix) -> Iterator[tuple[int, Tensor]]:
        """The matrix's rows as floats, one part after the other in the same place, and each part's first row."""
        height, width = weight.data.shape
        num_parts = -(-height // (len(self._floats) // width))
        num_rows = -(-height // (num_parts * _ALIGNMENT)) * _ALIGNMENT
        if num_rows * width > len(self._floats):
            num_rows = len(self._floats) // width
        block = min(4096, triton.next_power_of_2(width))
        for first in range(0, height, num_rows):
            floats = self._floats[: min(num_rows, height - first) * width].view(-1, width)
            self._launcher.run(
                int8.dequantise_rows_kernel, (len(floats), triton.cdiv(width, block)),
                weight.data, weight.scale, floats, first, WIDTH=width, BLOCK=block, num_warps=4,
            )  # fmt: skip
            yield first, floats


@dataclass(frozen=True, slots=True)
class Values:
    """What skinny products multiply weights with: rows of floats, or halves of integers with a scale for each row."""

    numbers: Tensor
    scales: Tensor | None
    num_rows: int


class SkinnyProducts:
    """Skinny products on one card. Where no tile is given for so many rows, or none divides, cuBLAS does better."""

    def __init__(
        self,
        shape: LlamaShape,
        shapes: KernelShapes,
        launcher: KernelLauncher,
        device: torch.device,
        kind: MatrixKind,
    ) -> None:
        self._shape = shape
        self._shapes = shapes
        self._launcher = launcher
        tables = (shapes.skinny_output, shapes.skinny_down)
        tiles = [(most, tile) for table in tables for most, tile in table.items() if tile.shares > 1]
        num_parts = max((_block_rows(most) * tile.shares for most, tile in tiles), default=0)
        num_groups = max((-(-shape.hidden_size // tile.rows) for _, tile in tiles), default=0)
        self._partial_sums = torch.zeros(num_parts * shape.hidden_size, dtype=torch.float32, device=device)
        self._arrivals = torch.zeros(num_groups, dtype=torch.int32, device=device)
        most_rows = 0 if kind is MatrixKind.FLOAT else max(most for table in shapes.skinny_tables for most in table)
        width = max(shape.hidden_size, shape.q_size, shape.intermediate_size)
        self._halves = torch.empty(2 * most_rows * width, dtype=torch.int8, device=device)
        self._scales = torch.empty(most_rows, dtype=torch.float32, device=device)

    def tensors(self) -> tuple[Tensor, ...]:
        """What they keep on the device."""
        return (self._partial_sums, self._arrivals, self._halves, self._scales)

    def qkv_tile(self, num_rows: int) -> Tile | None:
        """The tile for queries, keys and values."""
        return _dividing(self._shapes.skinny_qkv, num_rows, self._shape.qkv_size // 2, self._shape.hidden_size)

    def gated_tile(self, num_rows: int) -> Tile | None:
        """The tile for gates and ups."""
        return _dividing(self._shapes.skinny_gated, num_rows, self._shape.intermediate_size, self._shape.hidden_size)

    def add_tile(self, num_rows: int, weight: Matrix) -> Tile | None:
        """The tile for the product with `weight` that joins the residual stream."""
        is_down = weight.data.shape[1] == self._shape.intermediate_size
        table = self._shapes.skinny_down if is_down else self._shapes.skinny_output
        return _dividing(table, num_rows, *weight.data.shape)

    def head_tile(self, num_rows: int, head: Matrix) -> Tile | None:
        """The tile for logits."""
        return _dividing(self._shapes.skinny_head, num_rows, *head.data.shape)

    def halves(self, x: Tensor, norm: Tensor | None) -> Values:
        """Rows of x, normed where there is a norm, as products with eight-bit weights take them."""
        num_rows, width = x.shape
        self._launcher.run(
            int8.halves_kernel, (num_rows,), x, norm, self._halves, self._scales, self._shape.rms_norm_eps,
            WIDTH=width, BLOCK=triton.next_power_of_2(width), num_warps=8,
        )  # fmt: skip
        return Values(self._halves, self._scales, num_rows)

    def project_qkv(
        self, tile: Tile, values: Values, weight: Matrix, qkv: Tensor, rotation: tuple[Tensor, ...], target: KVTarget
    ) -> None:
        """Project, rotate, store; `rotation` is cosines, sines and positions."""
        shape = self._shape
        self._launcher.run(
            skinny.skinny_qkv_kernel, (shape.qkv_size // 2 // tile.rows,),
            values.numbers, values.scales, weight.data, weight.scale, weight.bias, qkv, target.cache, *rotation,
            target.slots, target.half, values.num_rows,
            WIDTH=shape.hidden_size, HEADS=shape.num_heads, KV_HEADS=shape.num_kv_heads, HEAD_DIM=shape.head_dim,
            BLOCK_SIZE=target.block_size, **_tiling(tile, values.num_rows),
        )  # fmt: skip

    def project_gated(self, tile: Tile, values: Values, weight: Matrix, activated: Tensor) -> None:
        shape = self._shape
        self._launcher.run(
            skinny.skinny_gated_kernel, (shape.intermediate_size // tile.rows,),
            values.numbers, values.scales, weight.data, weight.scale, activated, values.num_rows,
            WIDTH=shape.hidden_size, OUT_WIDTH=shape.intermediate_size, **_tiling(tile, values.num_rows),
        )  # fmt: skip

    def add(self, tile: Tile, x: Tensor, values: Values, weight: Matrix) -> None:
        """`x += values @ weight.T`."""
        self._product(tile, values, weight, x, x)

    def project_head(self, tile: Tile, values: Values, head: Matrix, logits: Tensor) -> None:
        self._product(tile, values, head, None, logits)

    def _product(self, tile: Tile, values: Values, weight: Matrix, residual: Tensor | None, out: Tensor) -> None:
        out_width, width = weight.data.shape
        self._launcher.run(
            skinny.skinny_kernel, (out_width // tile.rows, tile.shares),
            values.numbers, values.scales, weight.data, weight.scale, residual, out, self._partial_sums,
            self._arrivals, values.num_rows,
            WIDTH=width, OUT_WIDTH=out_width, SHARES=tile.shares, **_tiling(tile, values.num_rows),
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
