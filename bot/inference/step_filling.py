"""Writes a step's plain values into host arrays: padded, with every token's place in the cache worked out."""

from collections.abc import Sequence

import numpy as np

from bot.inference.kv_cache import BLOCK_SIZE
from bot.inference.ops import Span
from bot.inference.step import DecodeRow, PrefillChunk
from bot.inference.step_inputs import HostArrays


def fill_decode(host: HostArrays, rows: Sequence[DecodeRow], bucket: int) -> None:
    """Write decode rows, padded to `bucket`; a block table that is there already isn't written again."""
    padding = [0] * (bucket - len(rows))
    slots = [row.block_ids[row.position // BLOCK_SIZE] * BLOCK_SIZE + row.position % BLOCK_SIZE for row in rows]
    host["decode_positions"][:bucket] = [row.position for row in rows] + padding
    host["decode_kv_slots"][:bucket] = slots + padding
    tables = [row.block_ids for row in rows] + [()] * len(padding)
    for number, table in enumerate(tables):
        if host.known_tables[number] != table:
            _fill_table(host["decode_tables"][number], table)
            host.known_tables[number] = table


def _fill_table(row: "np.ndarray", table: Sequence[int]) -> None:
    row[: len(table)] = table
    row[len(table) :] = 0


def fill_prefill(host: HostArrays, chunks: Sequence[PrefillChunk], bucket: int) -> tuple[Span, ...]:
    """Write packed chunks, padded to `bucket`; where each lies in the pass."""
    spans: list[Span] = []
    first = 0
    for number, chunk in enumerate(chunks):
        span = Span(first, len(chunk.token_ids), chunk.start, number)
        positions = np.arange(span.start, span.end, dtype=np.int32)
        table = np.asarray(chunk.block_ids, dtype=np.int32)
        within = slice(first, first + span.num_rows)
        host["token_ids"][within] = chunk.token_ids
        host["positions"][within] = positions
        host["kv_slots"][within] = table[positions // BLOCK_SIZE] * BLOCK_SIZE + positions % BLOCK_SIZE
        _fill_table(host["tables"][number], chunk.block_ids)
        spans.append(span)
        first += span.num_rows
    for name in ("token_ids", "positions", "kv_slots"):
        host[name][first:bucket] = 0
    return tuple(spans)


def fill_tiles(tiles: "np.ndarray", spans: tuple[Span, ...], tile_rows: int) -> int:
    """Cut the spans into tiles of query rows for the prefill attention; how many there are."""
    number = 0
    for span in spans:
        for offset in range(0, span.num_rows, tile_rows):
            num_rows = min(tile_rows, span.num_rows - offset)
            tiles[number] = (span.first_row + offset, num_rows, span.start + offset, span.table_row)
            number += 1
    return number
