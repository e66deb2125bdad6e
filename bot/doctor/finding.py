"""What a check says: one line, how bad it is, and what mends it."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"
    """Worth knowing, and no mistake."""
    UNKNOWN = "unknown"
    """It can't be found out from here, just now."""
    BAD = "bad"
    """A start would fail, or people would get no answer."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of what a check says."""

    topic: str
    state: State
    said: str
    mend: str = ""
    """What to do about it; empty where there is nothing to do."""


class Topic:
    """Makes the findings of one topic."""

    def __init__(self, name: str) -> None:
        self.name = name

    def ok(self, said: str) -> Finding:
        """All is well."""
        return Finding(self.name, State.OK, said)

    def note(self, said: str, mend: str = "") -> Finding:
        """Worth knowing."""
        return Finding(self.name, State.NOTE, said, mend)

    def unknown(self, said: str, mend: str = "") -> Finding:
        """Not to be found out."""
        return Finding(self.name, State.UNKNOWN, said, mend)

    def bad(self, said: str, mend: str = "") -> Finding:
        """Something has to be mended."""
        return Finding(self.name, State.BAD, said, mend)
