"""How much may be asked within an hour: the operator's choice, which the store counts by."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TurnLimits:
    """The most turns within an hour; None is no limit."""

    person: int | None = None
    guild: int | None = None

    def __bool__(self) -> bool:
        return self.person is not None or self.guild is not None


NO_LIMITS = TurnLimits()
