"""Describes what a payload of Discord's has to look like before discord.py may parse it.

discord.py reads many fields without a default, and one that is missing, null or of another type raises an error in the
middle of a guild. A `Shape` says which fields are read, of which type they are, and what stands in for one that can't
be read. Its result holds those fields and nothing else, so that new fields of Discord's can do no harm.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeGuard

MAX_SNOWFLAKE = 2**63
"""Databases keep integers with a sign; Discord's ids stay below this until the year 2084."""
MAX_INTEGER = 2**53
"""The largest number that every JSON reader keeps exactly; no count, flag or position of Discord's is larger."""

READ_ERRORS = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
"""What reading a value of any shape may raise: of a wrong type, out of range, or nested too deeply."""

Read = Callable[[Any], Any]
"""Returns a value in the form in which discord.py takes it; raises `OutOfShape` for any other."""


class OutOfShape(ValueError):
    """A value isn't what it has to be. The text names fields and types, never the value: it may be what people said."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Which fields of an object are read, and what becomes of one that is missing, null or of another type.

    Args:
        required: without these the object is unreadable.
        filled: these get the value beside them, or what it returns if it is a function.
        optional: these are left out.
        strict: left out where they are missing or null; anything else that can't be read makes the object unreadable.
        finish: a last change to the fields that were read.
    """

    required: Mapping[str, Read] = field(default_factory=dict)
    filled: Mapping[str, tuple[Read, Any]] = field(default_factory=dict)
    optional: Mapping[str, Read] = field(default_factory=dict)
    strict: Mapping[str, Read] = field(default_factory=dict)
    finish: Callable[[dict[str, Any]], None] | None = None

    def __call__(self, payload: Any) -> dict[str, Any]:
        """Read an object.

        Raises:
            OutOfShape: it isn't an object, or one of the fields that it needs can't be read.
        """
        if not isinstance(payload, dict):
            raise OutOfShape(f"{type(payload).__name__} in place of an object")
        result: dict[str, Any] = {}
        for name, read in self.required.items():
            result[name] = _named(name, read, payload.get(name))
        for name, read in self.strict.items():
            if payload.get(name) is not None:
                result[name] = _named(name, read, payload[name])
        for name, read in self.optional.items():
            if payload.get(name) is not None:
                try:
                    result[name] = read(payload[name])
                except OutOfShape:
                    continue
        for name, (read, default) in self.filled.items():
            try:
                result[name] = read(payload.get(name))
            except OutOfShape:
                result[name] = default() if callable(default) else default
        if self.finish is not None:
            self.finish(result)
        return result

    def with_fields(self, **groups: Mapping[str, Any]) -> "Shape":
        """The same shape with more fields, named by their group."""
        names = ("required", "filled", "optional", "strict")
        merged = {name: {**getattr(self, name), **groups.get(name, {})} for name in names}
        return Shape(**merged, finish=self.finish)


def _named(name: str, read: Read, value: Any) -> Any:
    try:
        return read(value)
    except OutOfShape as error:
        raise OutOfShape(f"{name}: {error}") from None


def is_snowflake(value: Any) -> TypeGuard[str | int]:
    """Whether this is an id: a number of 63 bits, or its decimal digits."""
    if isinstance(value, str):
        return value.isascii() and value.isdigit() and len(value) <= 20 and int(value) < MAX_SNOWFLAKE
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_SNOWFLAKE


def snowflake(value: Any) -> str | int:
    """An id."""
    if not is_snowflake(value):
        raise OutOfShape(f"{type(value).__name__} in place of an id")
    return value


def bits(value: Any) -> str | int:
    """Permissions: a decimal number that may have more than 64 bits, as digits or as it is."""
    is_digits = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 100
    if not is_digits and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise OutOfShape(f"{type(value).__name__} in place of permissions")
    return value  # type: ignore[no-any-return]


def integer(value: Any) -> int:
    """A whole number."""
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MAX_INTEGER:
        raise OutOfShape(f"{type(value).__name__} in place of a number")
    return value


def text(value: Any) -> str:
    """A text, which may be empty."""
    if not isinstance(value, str):
        raise OutOfShape(f"{type(value).__name__} in place of a text")
    return value


def boolean(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise OutOfShape(f"{type(value).__name__} in place of true or false")
    return value


def moment(value: Any) -> str:
    """A time in ISO 8601; one without an offset is taken for UTC, as all of Discord's are."""
    try:
        parsed = datetime.fromisoformat(text(value))
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).isoformat()
    except (ValueError, OverflowError):
        raise OutOfShape("a text that is no time") from None


def each(read: Read) -> Read:
    """A list of what `read` reads; what it can't read is left out, and the rest is kept."""

    def read_all(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise OutOfShape(f"{type(value).__name__} in place of a list")
        result = []
        for item in value:
            try:
                result.append(read(item))
            except OutOfShape:
                continue
        return result

    return read_all


def null_or(read: Read) -> Read:
    """What `read` reads, or null."""
    return lambda value: None if value is None else read(value)
