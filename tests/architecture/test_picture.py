"""docs/architecture.svg shows today's imports."""

from tests.architecture.imports import ROOT
from tests.architecture.picture import draw


def test_the_picture_is_what_would_be_drawn_now() -> None:
    shown = (ROOT / "docs" / "architecture.svg").read_text(encoding="utf-8")

    assert shown == draw(), "out of date: run `python -m tests.architecture`"
