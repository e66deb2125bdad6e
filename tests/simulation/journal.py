"""What happened in a simulation, event by event: two runs of one seed have the same journal, to the last number."""

import hashlib
from collections import deque

from tests.simulation.loop import SimulatedLoop


class Journal:
    """Lines with the time and the step of the loop; only the last ones are kept, and a hash of all."""

    def __init__(self, loop: SimulatedLoop, *, keeps: int = 400, prints: bool = False) -> None:
        self.num_lines = 0
        self.last: deque[str] = deque(maxlen=keeps)
        self._loop = loop
        self._hash = hashlib.blake2b(digest_size=16)
        self._prints = prints

    def note(self, *facts: object) -> None:
        """Write down an event."""
        line = f"{self._loop.time():.6f} {self._loop.num_steps} {' '.join(map(str, facts))}"
        self.num_lines += 1
        self._hash.update(line.encode())
        self.last.append(line)
        if self._prints:
            print(line, flush=True)

    @property
    def digest(self) -> str:
        """A name for the whole journal."""
        return self._hash.hexdigest()
