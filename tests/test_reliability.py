"""docs/reliability.md names a test for each fault; here it is seen to that they exist."""

import re
from pathlib import Path

TESTS = Path(__file__).parent
DOCUMENT = TESTS.parent / "docs" / "reliability.md"
NUM_FAULTS = {"A": 36, "B": 39, "C": 13, "D": 10, "E": 11, "F": 20, "G": 34}
ROW = re.compile(r"^\| (?P<id>[A-G]\d+) \| (?P<cells>.*) \|$", re.MULTILINE)
NAME = re.compile(r"`(?P<file>[\w/]+\.py)?::(?P<test>test_\w+)`")


def test_every_fault_has_its_row() -> None:
    ids = [match["id"] for match in ROW.finditer(DOCUMENT.read_text(encoding="utf-8"))]

    assert ids == [f"{letter}{number}" for letter, count in NUM_FAULTS.items() for number in range(1, count + 1)]


def test_the_first_line_tells_how_many_faults_there_are() -> None:
    first = DOCUMENT.read_text(encoding="utf-8").split("\n\n")[1]

    assert first.startswith(f"{sum(NUM_FAULTS.values())} faults and attacks")


def test_every_test_that_is_named_exists() -> None:
    missing, num_named = [], 0
    for row in ROW.finditer(DOCUMENT.read_text(encoding="utf-8")):
        file = ""
        for match in NAME.finditer(row["cells"]):
            file, num_named = match["file"] or file, num_named + 1
            source = (TESTS / file).read_text(encoding="utf-8")
            if not re.search(rf"^(async )?def {match['test']}\(", source, re.MULTILINE):
                missing.append(f"{row['id']}: {file}::{match['test']}")

    assert missing == []
    assert num_named > sum(NUM_FAULTS.values())
