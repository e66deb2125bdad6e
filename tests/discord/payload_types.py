"""Discord's payloads as discord.py types them, read from its sources: examples of each, and what may be wrong with one.

`discord.types` can't be imported when the program runs (its modules import each other in a circle), so the TypedDicts
are read as a syntax tree. Discord's own openapi description isn't at hand where the tests run; it isn't used.
"""

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import discord
from discord.state import ConnectionState

_MAX_DEPTH = 4
_WRONG = (7, "wrong", [], {}, True, ["wrong"], {"id": "wrong"}, 1.5, -1)
_ABSENT = object()
Path_ = tuple[str | int, ...]


@dataclass(slots=True)
class Payload:
    """One TypedDict: the annotation of each field."""

    fields: dict[str, ast.expr] = field(default_factory=dict)
    bases: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Known:
    """What fields of these names hold in an example, so that it speaks of things that are there."""

    values: dict[str, Any]


class PayloadTypes:
    """All TypedDicts and aliases of discord.types, by name."""

    def __init__(self) -> None:
        self.payloads: dict[str, Payload] = {}
        self.aliases: dict[str, ast.expr] = {}
        for file in sorted((Path(discord.__file__).parent / "types").glob("*.py")):
            self._read(ast.parse(file.read_text(encoding="utf-8")))

    def _read(self, module: ast.Module) -> None:
        for node in module.body:
            if isinstance(node, ast.ClassDef):
                fields = {
                    line.target.id: line.annotation
                    for line in node.body
                    if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
                }
                self.payloads[node.name] = Payload(
                    fields, [base.id for base in node.bases if isinstance(base, ast.Name)]
                )
            elif isinstance(node, ast.Assign):
                names = [target.id for target in node.targets if isinstance(target, ast.Name)]
                self.aliases |= dict.fromkeys(names, node.value)

    def events(self) -> dict[str, ast.expr]:
        """The type of each event's payload, by the annotations of discord.py's own parsers."""
        found = {}
        for name, parse in inspect.getmembers(ConnectionState, inspect.isfunction):
            annotation = parse.__annotations__.get("data") if name.startswith("parse_") else None
            if annotation is not None:
                found[name.removeprefix("parse_").upper()] = ast.parse(annotation.rsplit(".", 1)[-1], mode="eval").body
        return found

    def arms(self, kind: ast.expr) -> list[ast.expr]:
        """What a type may be: the arms of a union, and of the unions in it."""
        if isinstance(kind, ast.Name) and kind.id in self.aliases:
            return self.arms(self.aliases[kind.id])
        if not isinstance(kind, ast.Subscript) or not isinstance(kind.value, ast.Name) or kind.value.id != "Union":
            return [kind]
        parts = kind.slice.elts if isinstance(kind.slice, ast.Tuple) else [kind.slice]
        return [arm for part in parts for arm in self.arms(part)]

    def example(self, kind: ast.expr, known: Known, depth: int = 0) -> Any:
        """A whole value of a type, with its optional fields, as deep as makes sense; `_ABSENT` beyond that."""
        if isinstance(kind, ast.Constant):
            return self.example(ast.parse(kind.value, mode="eval").body, known, depth) if kind.value else None
        if isinstance(kind, ast.Name | ast.Attribute):
            return self._named_example(kind.id if isinstance(kind, ast.Name) else kind.attr, known, depth)
        if not isinstance(kind, ast.Subscript):
            raise NotImplementedError(ast.dump(kind))
        outer = kind.value.id if isinstance(kind.value, ast.Name) else kind.value.attr
        inner = kind.slice.elts[0] if isinstance(kind.slice, ast.Tuple) else kind.slice
        if outer == "Literal":
            return inner.value if isinstance(inner, ast.Constant) else None
        if outer in {"List", "list", "Sequence"}:
            item = self.example(inner, known, depth + 1)
            return [] if item is _ABSENT else [item]
        if outer in {"Dict", "dict"}:
            return {}
        return self.example(inner, known, depth)  # Optional, Union, NotRequired, Required

    def _named_example(self, name: str, known: Known, depth: int) -> Any:
        plain = {"int": 1, "str": "text", "bool": False, "float": 1.0, "Snowflake": "1", "SnowflakeList": ["1"]}
        if name in plain:
            return plain[name]
        if name in self.payloads:
            if depth >= _MAX_DEPTH:
                return _ABSENT
            values = {key: self._field(key, kind, known, depth + 1) for key, kind in self._fields(name).items()}
            return {key: value for key, value in values.items() if value is not _ABSENT}
        return self.example(self.aliases[name], known, depth) if name in self.aliases else {}

    def _fields(self, name: str) -> dict[str, ast.expr]:
        payload, fields = self.payloads[name], {}
        for base in payload.bases:
            if base in self.payloads:
                fields |= self._fields(base)
        return fields | payload.fields

    def _field(self, name: str, kind: ast.expr, known: Known, depth: int) -> Any:
        if name in known.values:
            return known.values[name]
        value = self.example(kind, known, depth)
        is_time = isinstance(value, str) and (name.endswith(("timestamp", "_at", "_until", "expiry")) or "time" in name)
        return "2026-01-02T03:04:05+00:00" if is_time else value


def variants(example: Any, *, max_depth: int) -> Iterator[Any]:
    """The example with each of its fields in turn missing, null, of other types, and with an unknown one beside it.

    Fields that lie deeper than `max_depth` are left as they are. Each gets two of the other types, by turns.
    """
    for number, path in enumerate(path for path in _paths(example) if len(path) <= max_depth):
        value = _at(example, path)
        yield _with(example, path, None)
        others = [wrong for wrong in _WRONG if type(wrong) is not type(value)]
        yield from (_with(example, path, others[(2 * number + turn) % len(others)]) for turn in range(2))
        if isinstance(value, dict):
            yield _with(example, path, {**value, "unknown_field": {"new": [1]}})
        if path and isinstance(path[-1], str):
            yield _with(example, path, _ABSENT)


def _paths(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _paths(inner, (*path, key))


def _at(value: Any, path: Path_) -> Any:
    for key in path:
        value = value[key]
    return value


def _with(value: Any, path: Path_, new: Any) -> Any:
    """A copy with another value at a path; nothing of the first is shared where it differs."""
    if not path:
        return new
    copy = value.copy()
    if len(path) == 1 and new is _ABSENT:
        del copy[path[0]]
    else:
        copy[path[0]] = _with(value[path[0]], path[1:], new)
    return copy
