"""`python -m tests.architecture`: draws docs/architecture.svg, and brings the hops of the document up to date."""

import asyncio
import tempfile
from pathlib import Path

from tests.architecture.document import DOCUMENT, with_hops
from tests.architecture.imports import ROOT
from tests.architecture.picture import draw
from tests.architecture.way import trace_question


def main() -> None:
    """Write both."""
    (ROOT / "docs" / "architecture.svg").write_text(draw(), encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        trace = asyncio.run(trace_question(Path(folder)))
    DOCUMENT.write_text(with_hops(DOCUMENT.read_text(encoding="utf-8"), trace), encoding="utf-8")
    print(f"{len(trace.hops)} hops, and {len(trace.passed) - len(trace.hops)} wrappers")


if __name__ == "__main__":
    main()
