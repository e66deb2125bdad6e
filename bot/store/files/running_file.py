"""A file that says what the engine runs, so that after a crash the questions that may have caused it are known.

It is written from the engine's thread whenever what it runs changes, before the step that runs it, and costs neither a
commit nor a wait: the file is mapped into memory, and the kernel keeps what was written there when the process is
killed. After the machine went down it says nothing, for that was no question's fault.
"""

import json
import logging
import mmap
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)

_SLOT_BYTES = 32 * 1024
_FIRST_SLOT = 4096
_SIZE = _FIRST_SLOT + 2 * _SLOT_BYTES
_HEAD = struct.Struct("<II")  # length and checksum of what follows
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class RunningFile:
    """The open file. `left` is what an earlier process ran when it died: names, one of them empty if unknown."""

    def __init__(self, memory: mmap.mmap | None, boot_id: str) -> None:
        self._memory = memory
        self._boot_id = boot_id
        self.left = self._read()

    def write(self, names: Sequence[str]) -> None:
        """Note what runs from now on. The older note stays whole until the new one is."""
        if self._memory is None:
            return
        known = list(names)
        while len(text := json.dumps([self._boot_id, known]).encode()) > _SLOT_BYTES - _HEAD.size:
            known = [*known[: len(known) // 2], ""]  # that there were more must not be lost
        slot = 1 - self._memory[0] % 2
        place = _FIRST_SLOT + slot * _SLOT_BYTES
        note = _HEAD.pack(len(text), zlib.crc32(text)) + text
        self._memory[place : place + len(note)] = note
        self._memory[0] = slot

    def _read(self) -> tuple[str, ...]:
        if self._memory is None:
            return ()
        place = _FIRST_SLOT + self._memory[0] % 2 * _SLOT_BYTES
        length, checksum = _HEAD.unpack_from(self._memory, place)
        text = self._memory[place + _HEAD.size : place + _SLOT_BYTES][:length]
        if not length or zlib.crc32(text) != checksum:
            return ()
        boot_id, names = json.loads(text)
        return tuple(names) if boot_id == self._boot_id else ()


@contextmanager
def open_running_file(path: Path | None, boot_id: str | None = None) -> Iterator[RunningFile]:
    """Open the file, or stand in for it where there is none or it can't be had: nothing depends on it but blame.

    `boot_id` tells one start of the machine from the next; the kernel's by default.
    """
    memory = None
    if path is not None:
        try:
            memory = _mapped(path)
        except OSError as error:
            log.warning("%s can't be used, so a question that ends the process isn't found out: %s", path, error)
    try:
        yield RunningFile(memory, _read_boot_id() if boot_id is None else boot_id)
    finally:
        if memory is not None:
            memory.close()


def _mapped(path: Path) -> mmap.mmap:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        missing = _SIZE - os.fstat(descriptor).st_size
        if missing > 0:
            # Written, not only made longer: where the disk is full this fails, and not a later write to the memory.
            os.pwrite(descriptor, bytes(missing), _SIZE - missing)
        return mmap.mmap(descriptor, _SIZE)
    finally:
        os.close(descriptor)


def _read_boot_id() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
