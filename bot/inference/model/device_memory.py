"""Gives a card's memory back while nobody asks, and takes it again.

Tensors stay the objects that they are; what goes and comes is the memory behind them, so that nobody who holds one, or
a view of one, has to know of it. (CUDA graphs do: they hold addresses.) What has to outlast it lies in pinned host
memory meanwhile, from which a card reads eight times as fast as from any other. Pinning is slow, nine seconds for 12.5
GiB: it is done slab by slab while everything is still in its place, and once only, since weights don't change.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

_SLAB_BYTES = 64 * 1024**2
"""A power of two, which is what PyTorch rounds pinned memory up to. Pinned and filled in 50 ms."""
_SPARE_BYTES = 1024**3
"""Left to everything else on the host."""
_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


class HostMemoryLow(MemoryError):
    """The host has no room for what would have to be kept in its memory."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A run of a storage's bytes, and where in a slab it is kept."""

    storage: torch.UntypedStorage
    first: int
    place: int
    num_bytes: int

    def on_device(self) -> Tensor:
        return _bytes_of(self.storage)[self.first : self.first + self.num_bytes]

    def on_host(self, slab: Tensor) -> Tensor:
        """The same in their slab."""
        return slab[self.place : self.place + self.num_bytes]


class DeviceMemory:
    """The memory behind some tensors of one device.

    Args:
        kept: tensors whose numbers come back. They are copied once: what is written to them later is lost.
        void: tensors that are zeros afterwards.
    """

    def __init__(
        self, device: torch.device, kept: Iterable[Tensor], void: Iterable[Tensor], slab_bytes: int = _SLAB_BYTES
    ) -> None:
        self._device = device
        self._kept = _storages(kept)
        self._void = {address: storage for address, storage in _storages(void).items() if address not in self._kept}
        self._sizes = {address: storage.nbytes() for address, storage in (self._kept | self._void).items()}
        self._layout = list(_pack(self._kept.values(), slab_bytes))
        self._slabs: list[Tensor] = []

    @property
    def num_kept_bytes(self) -> int:
        """What is in the host's memory meanwhile."""
        return sum(self._sizes[address] for address in self._kept)

    @property
    def num_bytes(self) -> int:
        """What is given back."""
        return sum(self._sizes.values())

    def save(self) -> bool:
        """Copy one more slab to the host; whether all is there.

        Raises:
            HostMemoryLow: there is no room for all of it.
        """
        if self._is_saved:
            return True
        if not self._slabs:
            _require_room(self.num_kept_bytes + _SPARE_BYTES)
        pieces = self._layout[len(self._slabs)]
        size = pieces[-1].place + pieces[-1].num_bytes
        try:
            slab = torch.empty(size, dtype=torch.uint8, pin_memory=self._is_cuda)
        except RuntimeError as error:
            raise HostMemoryLow(f"no memory can be pinned: {error}") from error
        for piece in pieces:
            piece.on_host(slab).copy_(piece.on_device(), non_blocking=True)
        self._synchronize()
        self._slabs.append(slab)
        return self._is_saved

    def release(self) -> None:
        """Give the memory back. All is saved, and nothing runs on the device that reads or writes it.

        Raises:
            RuntimeError: it isn't all saved, or there is some that can't be given back, such as what numpy has seen of
                the host's; then none is.
        """
        if not self._is_saved:
            raise RuntimeError("what is to be kept is not saved")
        storages = (*self._kept.values(), *self._void.values())
        if not all(storage.resizable() for storage in storages):
            raise RuntimeError("some of the memory can't be given back")
        self._synchronize()
        for storage in storages:
            storage.resize_(0)
        if self._is_cuda:
            torch.cuda.empty_cache()

    def restore(self) -> None:
        """Take memory again, and put back what was kept.

        Raises:
            torch.OutOfMemoryError: others have it now; nothing is held.
        """
        try:
            for address, storage in self._kept.items():
                storage.resize_(self._sizes[address])
            for pieces, slab in zip(self._layout, self._slabs, strict=True):
                for piece in pieces:
                    piece.on_device().copy_(piece.on_host(slab), non_blocking=True)
            for address, storage in self._void.items():
                storage.resize_(self._sizes[address])
                _bytes_of(storage).zero_()
            self._synchronize()
        except torch.OutOfMemoryError:
            self.release()
            raise

    @property
    def _is_cuda(self) -> bool:
        return self._device.type == "cuda"

    @property
    def _is_saved(self) -> bool:
        return len(self._slabs) == len(self._layout)

    def _synchronize(self) -> None:
        if self._is_cuda:
            torch.cuda.synchronize(self._device)


def _storages(tensors: Iterable[Tensor]) -> dict[int, torch.UntypedStorage]:
    """What lies behind tensors, each once, by its address."""
    storages = map(Tensor.untyped_storage, tensors)
    return {storage.data_ptr(): storage for storage in storages if storage.nbytes()}


def _bytes_of(storage: torch.UntypedStorage) -> Tensor:
    return torch.empty(0, dtype=torch.uint8, device=storage.device).set_(storage)


def _pack(storages: Iterable[torch.UntypedStorage], slab_bytes: int) -> Iterator[list[_Piece]]:
    """Lay storages out one behind the other, cut wherever a slab ends."""
    pieces: list[_Piece] = []
    place = 0
    for storage in storages:
        first = 0
        while first < storage.nbytes():
            num_bytes = min(storage.nbytes() - first, slab_bytes - place)
            pieces.append(_Piece(storage, first, place, num_bytes))
            first, place = first + num_bytes, place + num_bytes
            if place == slab_bytes:
                yield pieces
                pieces, place = [], 0
    if pieces:
        yield pieces


def _require_room(num_bytes: int) -> None:
    room = host_room()
    if room is not None and room < num_bytes:
        raise HostMemoryLow(f"{num_bytes / 2**30:.1f} GiB of this machine's memory are needed, {room / 2**30:.1f} free")


def host_room(meminfo: Path = _MEMINFO, cgroup: Path = _CGROUP) -> int | None:
    """Bytes that may still be taken of the host's memory, or of a container's share; None where nothing says."""
    rooms = []
    available = _numbers(meminfo).get("MemAvailable:")
    if available is not None:
        rooms.append(available * 1024)
    limit, used = _number(cgroup / "memory.max"), _number(cgroup / "memory.current")
    if limit is not None and used is not None:
        rooms.append(limit - used + _numbers(cgroup / "memory.stat").get("inactive_file", 0))
    return min(rooms, default=None)


def _number(path: Path) -> int | None:
    text = _read(path).strip()
    return int(text) if text.isdecimal() else None  # "max" is no limit


def _numbers(path: Path) -> dict[str, int]:
    rows = [line.split() for line in _read(path).splitlines()]
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdecimal()}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""
