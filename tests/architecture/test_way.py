"""The table of hops in docs/architecture.md is what one question really passes."""

from pathlib import Path

from tests.architecture.document import DOCUMENT, with_hops
from tests.architecture.way import MOMENTS, trace_question

MOST_HOPS = 25


async def test_one_question_passes_the_functions_that_the_document_lists(tmp_path: Path) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")

    trace = await trace_question(tmp_path)

    assert list(trace.ways) == [*MOMENTS.values(), "sent"]
    assert text == with_hops(text, trace), "out of date: run `python -m tests.architecture`"
    assert len(trace.hops) <= MOST_HOPS
