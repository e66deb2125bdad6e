"""`python -m tests.architecture`: draws docs/architecture.svg, and prints the hops for docs/architecture.md."""

import asyncio
import tempfile
from pathlib import Path

from tests.architecture.imports import ROOT
from tests.architecture.picture import draw
from tests.architecture.way import trace_question


def main() -> None:
    """Write the picture, print the table."""
    (ROOT / "docs" / "architecture.svg").write_text(draw(), encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        trace = asyncio.run(trace_question(Path(folder)))
    print(*trace.table(), sep="\n")


if __name__ == "__main__":
    main()
