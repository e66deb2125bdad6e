"""Tile sizes of the kernels, by what they were measured to be best at; every figure is from one NVIDIA H200."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Tile:
    """`rows` outputs by `columns` inputs in a program of `num_warps` warps, `num_stages` loads in flight."""

    rows: int
    columns: int
    num_warps: int
    num_stages: int = 1


@dataclass(frozen=True, slots=True)
class KernelShapes:
    """One set of choices; the defaults suit a Llama of 7B and are safe for any other."""

    gemv_qkv: Tile = Tile(4, 1024, 4)
    gemv_output: Tile = Tile(8, 512, 8)
    gemv_gated: Tile = Tile(4, 1024, 4)
    gemv_down: Tile = Tile(8, 512, 8)
    gemv_head: Tile = Tile(2, 2048, 8)
    skinny_qkv: Tile = Tile(16, 128, 4, 4)
    skinny_output: Tile = Tile(16, 256, 4, 4)
    skinny_gated: Tile = Tile(16, 128, 4, 4)
    skinny_down: Tile = Tile(16, 256, 4, 4)
    most_skinny_rows: int = 16
    """Above, cuBLAS is faster."""
    decode_warps: int = 2
    decode_stages: int = 1
    decode_splits: dict[int, int] = field(default_factory=lambda: {1: 16, 2: 16, 4: 8, 8: 4, 16: 2, 32: 1, 64: 1})
    prefill_few: Tile = Tile(16, 64, 4, 2)
    """Query rows by keys of a prefill attention program in passes of up to `most_few_tokens`."""
    prefill_many: Tile = Tile(64, 64, 4, 2)
    most_few_tokens: int = 128

    def prefill(self, num_tokens: int) -> Tile:
        """The prefill attention's tile in a pass of `num_tokens`."""
        return self.prefill_few if num_tokens <= self.most_few_tokens else self.prefill_many

    def splits(self, num_rows: int) -> int:
        """Into how many shares decode attention cuts each of `num_rows` rows."""
        fitting = [rows for rows in self.decode_splits if rows >= num_rows]
        return self.decode_splits[min(fitting)] if fitting else 1
