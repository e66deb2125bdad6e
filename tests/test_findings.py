"""The scripts of findings/ are run by hand; here only their form is looked at, and nothing is run or installed."""

import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted((ROOT / "findings").glob("*.sh"))
START = 'set -eu\nfolder=$(mktemp -d)\ntrap \'rm -rf "$folder"\' EXIT\npython3 -m venv "$folder/venv"\n'
INSTALL = re.compile(r'/pip" install (?P<words>(?:[^\n]*\\\n)*[^\n]*)')
PARTS = ("about: ", "version: ", "guess: ", "seen: ", "source: ")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_script_has_the_form_of_a_finding(script: Path) -> None:
    source = script.read_text(encoding="utf-8")
    packages = re.findall(r'"([^"]+)"', " ".join(match["words"] for match in INSTALL.finditer(source)))

    assert os.access(script, os.X_OK)
    assert re.match(r"#!/bin/sh\n# [^\n]+\.\n" + re.escape(START), source)
    assert packages
    assert all(re.fullmatch(r"[\w.-]+==[\d.]+", package) for package in packages)
    assert [part for part in PARTS if part not in source] == []
    assert "This is no longer so." in source


def test_readme_lists_every_script() -> None:
    readme = (ROOT / "findings" / "README.md").read_text(encoding="utf-8")

    assert re.findall(r"^\| `([\w-]+\.sh)` \|", readme, re.MULTILINE) == [script.name for script in SCRIPTS]


def test_no_command_of_the_project_runs_a_script() -> None:
    commands = [ROOT / "Makefile", ROOT / "pyproject.toml", *(ROOT / ".github").rglob("*.yml")]

    assert [file.name for file in commands if "findings/" in file.read_text(encoding="utf-8")] == []
