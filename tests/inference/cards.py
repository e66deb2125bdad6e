"""Cards that aren't there: what Triton asks of a driver while it compiles and loads kernels, without launching any."""

from dataclasses import dataclass, field
from typing import Any

from triton.backends.compiler import GPUTarget


@dataclass
class Card:
    """What Triton asks of a driver, answered for a card of compute capability `capability`."""

    number: int
    """The compiler keeps kernels by it: no number that a real card has."""
    capability: tuple[int, int]
    shared_kib: int
    """Shared memory that one program may have (CUDA's programming guide, technical specifications)."""
    loaded: list[str] = field(default_factory=list)
    most_shared: int = 0

    @property
    def utils(self) -> "Card":
        return self

    def get_current_device(self) -> int:
        return self.number

    def get_current_stream(self, _device: int) -> int:
        return 0

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", 10 * self.capability[0] + self.capability[1], 32)

    def launcher_cls(self, _source: Any, _metadata: Any) -> object:
        return object()

    def get_device_properties(self, _device: int) -> dict[str, int]:
        return {"max_shared_mem": self.shared_kib * 1024}

    def load_binary(self, name: str, binary: bytes, shared: int, _device: int) -> tuple[object, object, int, int, int]:
        assert binary
        self.loaded.append(name)
        self.most_shared = max(self.most_shared, shared)
        return object(), object(), 0, 0, 1024


CARDS = {
    "T4": Card(100, (7, 5), 64),
    "A100": Card(101, (8, 0), 163),
    "A10, 3090": Card(102, (8, 6), 99),
    "L4, 4090": Card(103, (8, 9), 99),
    "H100": Card(104, (9, 0), 227),
    "B200": Card(105, (10, 0), 227),
    "5090": Card(106, (12, 0), 99),
}
