"""The kinds of values that people can choose for a channel: how each is typed, checked, kept and written out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.errors import InvalidSetting
from bot.words import Phrase, phrase

Value = float | int | bool | str
"""What a choice is kept as, in JSON."""


class Kind(Protocol):
    """One kind of value."""

    @property
    def suggestions(self) -> tuple[str, ...]:
        """Values that are offered while one types."""
        ...

    def parse(self, text: str) -> Value:
        """The value that somebody typed.

        Raises:
            InvalidSetting: it is none of this kind; the error says what would be.
        """
        ...

    def check(self, value: object) -> Value:
        """A value as it was kept.

        Raises:
            ValueError: it is none of this kind.
        """
        ...

    def written(self, value: Value) -> str: ...


@dataclass(frozen=True, slots=True)
class Number:
    """A number within bounds; `is_above_low` leaves the lower bound itself out."""

    low: float
    high: float
    suggestions: tuple[str, ...]
    is_above_low: bool = False
    is_whole: bool = False

    def parse(self, text: str) -> Value:
        """`text` as a number, to four digits behind the point; a decimal comma is as good as one.

        What is smaller than that makes no difference to anybody, and may be no number to a graphics card.
        """
        try:
            number = round(float(text.strip().replace(",", ".")), 4)
            return self.check(int(number) if self.is_whole and number.is_integer() else number)
        except (ValueError, OverflowError):
            raise InvalidSetting(self._expected()) from None

    def check(self, value: object) -> Value:
        """`value` if it is a number of this kind."""
        if isinstance(value, bool) or not isinstance(value, int if self.is_whole else int | float):
            raise ValueError("no such number")
        if not self.low <= value <= self.high or (self.is_above_low and value == self.low):
            raise ValueError("out of bounds")
        return value

    def written(self, value: Value) -> str:
        """The number, without zeros that say nothing."""
        return str(value).removesuffix(".0")

    def _expected(self) -> Phrase:
        if self.is_above_low:
            return phrase("number_above_wanted", low=self.low, high=self.high)
        return phrase("whole_number_wanted" if self.is_whole else "number_wanted", low=self.low, high=self.high)


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of some words."""

    words: tuple[str, ...]

    @property
    def suggestions(self) -> tuple[str, ...]:
        return self.words

    def parse(self, text: str) -> Value:
        """The word, in whatever case it is typed."""
        word = text.strip().lower()
        if word not in self.words:
            raise InvalidSetting(_wanted(self.words))
        return word

    def check(self, value: object) -> Value:
        """`value` if it is one of the words."""
        if not isinstance(value, str) or value not in self.words:
            raise ValueError("not one of the words")
        return value

    def written(self, value: Value) -> str:
        return str(value)


@dataclass(frozen=True, slots=True)
class Switch:
    """On or off."""

    suggestions: tuple[str, ...] = ("on", "off")

    def parse(self, text: str) -> Value:
        """Whether it is to be on."""
        word = text.strip().lower()
        if word in ("on", "yes", "true"):
            return True
        if word in ("off", "no", "false"):
            return False
        raise InvalidSetting(_wanted(self.suggestions))

    def check(self, value: object) -> Value:
        """`value` if it is True or False."""
        if not isinstance(value, bool):
            raise ValueError("neither on nor off")
        return value

    def written(self, value: Value) -> str:
        return "on" if value else "off"


def _wanted(words: Sequence[str]) -> Phrase:
    *others, last = words
    return phrase("one_of_wanted", others=", ".join(f"`{word}`" for word in others), last=last)
