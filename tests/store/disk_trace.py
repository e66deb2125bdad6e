"""What a process wrote into a folder, in order, and what of it a disk would hold if the power had gone at any moment.

The trace comes from trace_writes.c. What was written before a file's last sync is there. Of what came later, any part
may be: disks write in the order that they like, a sector at a time (SQLite's own crash tests assume the same:
https://sqlite.org/testing.html#crash_testing).
"""

import random
import struct
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

SECTOR_BYTES = 512
_HEAD = struct.Struct("<cQHI")


@dataclass(frozen=True, slots=True)
class Act:
    """One thing done to a file: `kind` is (w)rite, (t)runcate, (s)ync, (u)nlink or (r)ename, `data` the new name."""

    kind: str
    name: str
    offset: int
    data: bytes


class Unsynced(Enum):
    """What becomes of writes that no sync followed."""

    LOST = "lost"
    SOME = "some"
    """Each sector is there or not, by chance."""
    KEPT = "kept"
    """As after kill -9."""


def read_trace(file: Path) -> list[Act]:
    return list(_acts(file.read_bytes()))


def _acts(trace: bytes) -> Iterator[Act]:
    position = 0
    while position < len(trace):
        kind, offset, name_length, data_length = _HEAD.unpack_from(trace, position)
        start = position + _HEAD.size
        name = trace[start : start + name_length].decode()
        position = start + name_length + data_length
        yield Act(kind.decode(), name, offset, trace[position - data_length : position])


def leave_after_power_cut(
    acts: Sequence[Act], folder: Path, unsynced: Unsynced, chance: random.Random, *, without: Collection[str] = ()
) -> None:
    """Put into `folder` what the disk holds after `acts`; files whose names end with one of `without` are left out.

    The names of files (created, removed, renamed) are taken to last at once, as a journalled file system keeps them.
    """
    contents: dict[str, bytearray] = {}
    pending: dict[str, list[Act]] = {}
    for act in acts:
        if act.name == "." or act.name.endswith(tuple(without)):
            continue
        if act.kind == "u":
            contents.pop(act.name, None)
            pending.pop(act.name, None)
        elif act.kind == "r":
            contents[act.data.decode()] = contents.pop(act.name, bytearray())
            pending[act.data.decode()] = pending.pop(act.name, [])
        elif act.kind == "s":
            _apply(contents.setdefault(act.name, bytearray()), pending.pop(act.name, []))
        else:
            contents.setdefault(act.name, bytearray())
            pending.setdefault(act.name, []).append(act)
    for name, content in contents.items():
        _apply(content, _survivors(pending.get(name, []), unsynced, chance))
        (folder / name).write_bytes(content)


def _apply(content: bytearray, acts: Sequence[Act]) -> None:
    for act in acts:
        if act.kind == "t":
            del content[act.offset :]
            content.extend(bytes(act.offset - len(content)))
        else:
            content.extend(bytes(max(0, act.offset + len(act.data) - len(content))))
            content[act.offset : act.offset + len(act.data)] = act.data


def _survivors(acts: Sequence[Act], unsynced: Unsynced, chance: random.Random) -> list[Act]:
    if unsynced is Unsynced.KEPT:
        return list(acts)
    if unsynced is Unsynced.LOST:
        return []
    return [part for act in acts for part in _sectors(act) if chance.random() < 0.5]


def _sectors(act: Act) -> Iterator[Act]:
    """A write as the disk sees it, cut where its sectors end."""
    if act.kind != "w":
        yield act
        return
    start = act.offset
    while start < act.offset + len(act.data):
        end = min(act.offset + len(act.data), (start // SECTOR_BYTES + 1) * SECTOR_BYTES)
        yield Act("w", act.name, start, act.data[start - act.offset : end - act.offset])
        start = end
