"""Tile sizes of the kernels, by what they were measured to be best at, on one NVIDIA H200 or one H100."""

from dataclasses import dataclass, field, replace
from typing import TypeVar

from bot.inference.model.kv_cache import CacheKind
from bot.inference.model.weights import MatrixKind

T = TypeVar("T")

DENSE_NUMBERS = 32 * 1024**2
"""How many numbers of an eight-bit matrix become floats at a time: half of that, or less, costs products their rate."""
LEAST_DENSE_NUMBERS = 8 * 1024**2
"""The same where passes are short, as on a small card, which has better uses for its memory."""


@dataclass(frozen=True, slots=True)
class Tile:
    """`rows` outputs by `columns` inputs in a program of `num_warps` warps, `num_stages` loads in flight.

    The sum over the inputs is cut into `shares`, each a program of its own (skinny products into the residual only).
    Matrix-vector kernels over eight-bit weights have `programs` for each of the card's multiprocessors, which share the
    outputs and take some at a time.
    """

    rows: int
    columns: int
    num_warps: int
    num_stages: int = 1
    shares: int = 1
    programs: int = 1


@dataclass(frozen=True, slots=True)
class Split:
    """Decode attention: into how many shares a row is cut at most, and the warps and loads in flight of a program.

    A share has at least `blocks` blocks of the cache, so that in rows of various lengths shares are about as long.
    """

    shares: int
    num_warps: int
    num_stages: int
    blocks: int = 1


@dataclass(frozen=True, slots=True)
class AttentionTile:
    """Attention on tensor cores: `tokens` queries by `keys` keys at a time, and the warps and loads in flight.

    A tile's keys are cut into at most `shares`, each a program of its own, of at least `least` times `keys` keys.
    """

    tokens: int
    keys: int
    num_warps: int
    num_stages: int
    shares: int = 1
    least: int = 1


@dataclass(frozen=True, slots=True)
class PackedTile:
    """Attention of large prefill passes on Hopper, of `least_rows` and more; the rest as in `AttentionTile`."""

    tokens: int
    keys: int
    num_warps: int
    num_stages: int
    least_rows: int


def _decode() -> dict[int, Split]:
    return {
        1: Split(32, 1, 2, 1),
        2: Split(32, 1, 1, 1),
        4: Split(16, 1, 1, 4),
        8: Split(16, 1, 1, 4),
        16: Split(8, 1, 1, 8),
        32: Split(8, 1, 2, 8),
        64: Split(8, 1, 2, 16),
    }


def _grouped() -> dict[int, AttentionTile]:
    return {
        2: AttentionTile(1, 64, 2, 2, shares=8),
        4: AttentionTile(1, 32, 2, 2, shares=8),
        8: AttentionTile(1, 64, 2, 3, shares=4),
        16: AttentionTile(1, 32, 1, 3, shares=4),
        32: AttentionTile(1, 32, 1, 3, shares=2, least=8),
        64: AttentionTile(1, 32, 1, 3, shares=2, least=16),
    }


def _prefill() -> dict[int, AttentionTile]:
    return {128: AttentionTile(64, 64, 4, 2, shares=4), 256: AttentionTile(64, 64, 4, 2, shares=2)}


def _skinny_qkv() -> dict[int, Tile]:
    return {64: Tile(32, 128, 4, 4)}


def _skinny_gated() -> dict[int, Tile]:
    return {32: Tile(32, 128, 4, 3), 64: Tile(64, 128, 8, 4)}


def _skinny_down() -> dict[int, Tile]:
    return {32: Tile(64, 128, 4, 6, shares=2), 64: Tile(64, 128, 4, 4, shares=2)}


@dataclass(frozen=True, slots=True)
class KernelShapes:
    """One set of choices; the defaults suit a Llama of 7B and are safe for any other. Tables are by the most rows."""

    gemv_qkv: Tile = Tile(1, 4096, 4)
    gemv_output: Tile = Tile(2, 2048, 4)
    gemv_gated: Tile = Tile(1, 4096, 4)
    gemv_down: Tile = Tile(2, 2048, 4)
    gemv_head: Tile = Tile(2, 2048, 8)
    skinny_qkv: dict[int, Tile] = field(default_factory=_skinny_qkv)
    skinny_gated: dict[int, Tile] = field(default_factory=_skinny_gated)
    skinny_output: dict[int, Tile] = field(default_factory=lambda: {32: Tile(64, 128, 4, 6, shares=2)})
    """Above the last, cuBLAS is faster."""
    skinny_down: dict[int, Tile] = field(default_factory=_skinny_down)
    skinny_head: dict[int, Tile] = field(default_factory=lambda: {64: Tile(128, 128, 8, 3)})
    decode: dict[int, Split] = field(default_factory=_decode)
    grouped: dict[int, AttentionTile] = field(default_factory=_grouped)
    """Decode attention where query heads share keys; above the last, and on cards without tensor cores, `decode`."""
    least_grouped: int = 2
    """With fewer rows `decode` is faster."""
    prefill: dict[int, AttentionTile] = field(default_factory=_prefill)
    """By the pass's tokens."""
    prefill_most: AttentionTile = AttentionTile(64, 64, 4, 2)
    packed: PackedTile | None = PackedTile(64, 64, 4, 3, least_rows=257)
    """None on cards that lack descriptors, or the shared memory for so many stages."""
    most_sampled_alone: int = 32768
    """Vocabularies up to here are sampled by one program for each row; of larger ones it has a chunk."""
    sampled_chunk: int = 4096

    @staticmethod
    def for_capability(
        capability: tuple[int, int],
        weights_kind: MatrixKind = MatrixKind.FLOAT,
        cache_kind: CacheKind = CacheKind.FLOAT,
    ) -> "KernelShapes":
        """The choices for a card: those with less shared memory for a program than an H200 take smaller tiles."""
        shapes = KernelShapes() if weights_kind is MatrixKind.FLOAT else _EIGHT_BIT_WEIGHTS
        if cache_kind is CacheKind.INT8:
            shapes = replace(shapes, decode=_EIGHT_BIT_DECODE)
        if capability[0] in (9, 10):
            return shapes
        pair, single = {16: Tile(32, 128, 4, 3)}, {16: Tile(32, 128, 4, 6)}
        small = replace(
            shapes, packed=None, skinny_qkv=pair, skinny_gated=pair, skinny_output=single, skinny_down=single
        )
        return replace(small, skinny_head={} if weights_kind is MatrixKind.FLOAT else single)

    @property
    def skinny_tables(self) -> tuple[dict[int, Tile], ...]:
        """All of the skinny products' tiles."""
        products = (self.skinny_qkv, self.skinny_gated, self.skinny_output, self.skinny_down, self.skinny_head)
        return tuple(table for table in products if table)

    def prefill_tile(self, num_tokens: int) -> AttentionTile:
        """The prefill attention's tile in a pass of `num_tokens`."""
        return first_fitting(self.prefill, num_tokens) or self.prefill_most

    def split(self, num_rows: int) -> Split:
        """How decode attention cuts each of `num_rows` rows."""
        return first_fitting(self.decode, num_rows) or Split(1, 2, 2)


def first_fitting(table: dict[int, T], number: int) -> T | None:
    """The entry with the least key that is not under `number`."""
    fitting = [key for key in table if key >= number]
    return table[min(fitting)] if fitting else None


_EIGHT_BIT_WEIGHTS = KernelShapes(
    gemv_qkv=Tile(2, 4096, 8, programs=4),
    gemv_output=Tile(8, 4096, 4, programs=3),
    gemv_gated=Tile(2, 4096, 8, programs=4),
    gemv_down=Tile(2, 16384, 8, programs=2),
    gemv_head=Tile(8, 4096, 4, programs=6),
    skinny_qkv={32: Tile(64, 256, 4, 4), 64: Tile(32, 128, 4, 4)},
    skinny_gated={
        16: Tile(32, 128, 4, 4),
        32: Tile(64, 128, 4, 4),
        64: Tile(32, 128, 4, 3),
    },
    skinny_output={
        16: Tile(64, 256, 4, 4, shares=3),
        32: Tile(64, 128, 4, 6, shares=3),
        64: Tile(64, 256, 4, 3, shares=2),
    },
    skinny_down={32: Tile(64, 128, 4, 6, shares=3), 64: Tile(64, 256, 4, 4, shares=2)},
    skinny_head={32: Tile(64, 128, 4, 3), 64: Tile(128, 128, 8, 3)},
)

_EIGHT_BIT_DECODE = {
    2: Split(32, 1, 1, 1),
    4: Split(16, 1, 1, 4),
    8: Split(8, 1, 1, 4),
    16: Split(4, 1, 2, 4),
    32: Split(4, 1, 2, 8),
    64: Split(8, 1, 2, 16),
}
