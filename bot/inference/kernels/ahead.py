# ruff: noqa: N803, N806 - Triton's constants are in capitals, and a kernel is one function
# mypy: ignore-errors
"""What a kernel does before the one ahead of it has ended: let the next one begin, and fetch what nobody writes."""

import os

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

IS_INTERPRETED: tl.constexpr = tl.constexpr(os.environ.get("TRITON_INTERPRET") == "1")
_LINE: tl.constexpr = tl.constexpr(128)
EARLIEST: tl.constexpr = tl.constexpr(2)


@triton.jit
def let_next_begin(PDL: tl.constexpr):
    """The first thing that a kernel does: with PDL at its EARLIEST the next may begin as soon as this one has."""
    if PDL == EARLIEST:
        gdc_launch_dependents()


@triton.jit
def wait_for_inputs(PDL: tl.constexpr):
    """What the pass computes may be read and written behind this (see `launch`)."""
    if PDL:
        gdc_wait()
    if PDL == 1:
        gdc_launch_dependents()


@triton.jit
def fetch(pointer, first_byte, NUM_BYTES: tl.constexpr):
    """Have bytes in one piece brought into the second-level cache; nothing waits for them."""
    if NUM_BYTES > 0 and not IS_INTERPRETED:
        NUM_LINES: tl.constexpr = (NUM_BYTES + _LINE - 1) // _LINE
        lines = tl.minimum(tl.arange(0, triton.next_power_of_2(NUM_LINES)), NUM_LINES - 1)
        places = [pointer.to(tl.int64) + first_byte + lines.to(tl.int64) * _LINE]
        tl.inline_asm_elementwise(
            "prefetch.global.L2 [$1]; mov.b32 $0, 0;", "=r,l", places, dtype=tl.int32, is_pure=False, pack=1
        )  # fmt: skip


@triton.jit
def fetch_columns(pointer, rows, first, WIDTH: tl.constexpr, NUM_COLUMNS: tl.constexpr):
    """The same of some columns, a power of two, of rows that are WIDTH wide."""
    if NUM_COLUMNS > 0 and not IS_INTERPRETED:
        SIZE: tl.constexpr = pointer.dtype.element_ty.primitive_bitwidth // 8
        lines = first * SIZE + tl.arange(0, NUM_COLUMNS * SIZE // _LINE) * _LINE
        in_row = tl.minimum(lines, WIDTH * SIZE - _LINE)
        places = [pointer.to(tl.int64) + rows[:, None].to(tl.int64) * (WIDTH * SIZE) + in_row[None, :]]
        tl.inline_asm_elementwise(
            "prefetch.global.L2 [$1]; mov.b32 $0, 0;", "=r,l", places, dtype=tl.int32, is_pure=False, pack=1
        )  # fmt: skip
