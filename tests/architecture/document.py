"""The parts of docs/architecture.md that follow from the code: the tree's paths, and the table of hops."""

import re

from tests.architecture.imports import ROOT
from tests.architecture.way import Trace

DOCUMENT = ROOT / "docs" / "architecture.md"
_HEAD = "|  | station | file in `bot/` | function | what it does |\n|---|---|---|---|---|\n"
_ROW = re.compile(r"\| \d* \| [1-5] \| `(?P<file>[\w/]+\.py)` \| `(?P<function>[\w.<>]+)` \| (?P<words>.*) \|\n")


def tree(text: str) -> list[str]:
    """The paths that the tree shows, folders with a slash at their end."""
    paths: list[str] = []
    folders: dict[int, str] = {}
    for line in text.split("```")[1].strip("\n").splitlines():
        indent, name = len(line) - len(line.lstrip()), line.split()[0]
        folders[indent] = (folders[indent - 2] if indent else "") + name
        paths.append(folders[indent])
    return paths


def with_hops(text: str, trace: Trace) -> str:
    """The document with the hops that were seen; what it says of each function stays, and a new one has an ellipsis."""
    words = {(row["file"], row["function"]): row["words"] for row in _ROW.finditer(text)}
    number, rows = 0, []
    for hop in trace.passed:
        number += not hop.is_wrapper
        shown = "" if hop.is_wrapper else number
        says = words.get((hop.file, hop.function), "…")
        rows.append(f"| {shown} | {trace.station(hop)} | `{hop.file}` | `{hop.function}` | {says} |\n")
    before, _, after = text.partition(_HEAD)
    return before + _HEAD + "".join(rows) + after[len("".join(match[0] for match in _ROW.finditer(after))) :]
