"""docs/features.md says what there is; here it is seen to that the files and the tests that it names exist."""

import re
from collections import Counter
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parent
ROOT = TESTS.parent
TEXT = (ROOT / "docs" / "features.md").read_text(encoding="utf-8")
NUM_FEATURES = 115
ROW = re.compile(
    r"^\| (?P<number>\d+) \| (?P<feature>[^|]+) \| (?P<has>[YPN]) \| (?P<where>[^|]*)\| (?P<cells>[^|]*)\|$",
    re.MULTILINE,
)
TEST = re.compile(r"`(?P<file>[\w/]+\.py)?::(?P<test>test_\w+)`")
FILE = re.compile(r"`(?P<file>[\w/.-]+)`")
TEST_FUNCTION = re.compile(r"^(?:async )?def (test_\w+)\(", re.MULTILINE)
ROWS = list(ROW.finditer(TEXT))


def test_every_feature_has_its_row() -> None:
    assert [int(row["number"]) for row in ROWS] == list(range(1, NUM_FEATURES + 1))


def test_the_first_lines_count_the_rows() -> None:
    num = Counter(row["has"] for row in ROWS)

    assert TEXT.split("\n\n")[1].startswith(f"Of {NUM_FEATURES} features, {num['Y']} are there, {num['P']} in part")


def test_every_file_that_is_named_exists() -> None:
    missing = [
        f"{row['number']}: {file}"
        for row in ROWS
        for file in FILE.findall(row["where"])
        if not (ROOT / "bot" / file).is_file() and not (ROOT / file).is_file()
    ]

    assert missing == []


def test_every_test_that_is_named_exists() -> None:
    missing = []
    for row in ROWS:
        file = ""
        for match in TEST.finditer(row["cells"]):
            file = match["file"] or file
            if not (TESTS / file).is_file() or match["test"] not in _tests_in(TESTS / file):
                missing.append(f"{row['number']}: {file}::{match['test']}")

    assert missing == []


def test_what_is_there_names_a_file_and_a_test_and_what_is_not_says_why() -> None:
    unproved = [
        row["number"] for row in ROWS if row["has"] != "N" and not (row["where"].strip() and TEST.search(row["cells"]))
    ]
    unsaid = [row["number"] for row in ROWS if row["has"] != "Y" and not TEST.sub("", row["cells"]).strip(" ,;")]

    assert unproved == []
    assert unsaid == []


def test_there_are_as_many_tests_as_said() -> None:
    num_tests = sum(len(_tests_in(file)) for file in TESTS.rglob("test_*.py"))
    said = re.search(r"; over ([\d,]+) of them", TEXT)

    assert said
    assert num_tests > int(said[1].replace(",", ""))


@cache
def _tests_in(file: Path) -> set[str]:
    return set(TEST_FUNCTION.findall(file.read_text(encoding="utf-8")))
