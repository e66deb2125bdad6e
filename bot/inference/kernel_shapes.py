"""Tile sizes of the kernels, by what they were measured to be best at; every figure is from one NVIDIA H200."""

from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Tile:
    """`rows` outputs by `columns` inputs in a program of `num_warps` warps, `num_stages` loads in flight."""

    rows: int
    columns: int
    num_warps: int
    num_stages: int = 1


@dataclass(frozen=True, slots=True)
class Split:
    """Decode attention: into how many shares each row is cut, and the warps and loads in flight of a program."""

    shares: int
    num_warps: int
    num_stages: int


def _decode() -> dict[int, Split]:
    return {
        1: Split(32, 1, 2),
        2: Split(16, 1, 2),
        4: Split(8, 2, 2),
        8: Split(4, 2, 2),
        16: Split(2, 2, 2),
        32: Split(4, 2, 2),
        64: Split(2, 1, 2),
    }


@dataclass(frozen=True, slots=True)
class KernelShapes:
    """One set of choices; the defaults suit a Llama of 7B and are safe for any other. Tables are by the most rows."""

    gemv_qkv: Tile = Tile(1, 4096, 4)
    gemv_output: Tile = Tile(2, 2048, 4)
    gemv_gated: Tile = Tile(1, 4096, 4)
    gemv_down: Tile = Tile(2, 2048, 4)
    gemv_head: Tile = Tile(2, 2048, 8)
    skinny_output: dict[int, Tile] = field(default_factory=lambda: {16: Tile(32, 128, 4, 6)})
    """Above the last, cuBLAS is faster; so it is for every wider product."""
    skinny_down: dict[int, Tile] = field(default_factory=lambda: {16: Tile(32, 128, 4, 6)})
    skinny_lines_ahead: int = 0
    """Cache lines of 64 weights that are fetched while the kernel ahead runs; a power of two, or none."""
    decode: dict[int, Split] = field(default_factory=_decode)
    prefill: dict[int, Tile] = field(default_factory=lambda: {64: Tile(16, 128, 4, 3), 128: Tile(64, 128, 4, 2)})
    """Query rows by keys of a prefill attention program, by the pass's tokens."""
    prefill_most: Tile = Tile(64, 64, 4, 2)

    @staticmethod
    def for_capability(capability: tuple[int, int]) -> "KernelShapes":
        """The choices for a card: those with less than 160 KiB of shared memory for a program take smaller tiles."""
        has_much = capability == (8, 0) or capability[0] in (9, 10)
        return KernelShapes() if has_much else KernelShapes(prefill={64: Tile(16, 64, 4, 2)})

    def prefill_tile(self, num_tokens: int) -> Tile:
        """The prefill attention's tile in a pass of `num_tokens`."""
        return first_fitting(self.prefill, num_tokens) or self.prefill_most

    def split(self, num_rows: int) -> Split:
        """How decode attention cuts each of `num_rows` rows."""
        return first_fitting(self.decode, num_rows) or Split(1, 2, 2)


def first_fitting(table: dict[int, T], number: int) -> T | None:
    """The entry with the least key that is not under `number`."""
    fitting = [key for key in table if key >= number]
    return table[min(fitting)] if fitting else None
