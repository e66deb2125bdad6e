"""docs/architecture.md names what there is."""

import re

from tests.architecture.document import DOCUMENT, tree
from tests.architecture.imports import ROOT

TEXT = DOCUMENT.read_text(encoding="utf-8")


def test_everything_in_the_tree_exists() -> None:
    assert [path for path in tree(TEXT) if not (ROOT / path).exists()] == []


def test_every_package_and_every_module_of_the_top_is_in_the_tree() -> None:
    packages = {f"{path.parent.relative_to(ROOT)}/" for path in (ROOT / "bot").rglob("__init__.py")}
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "bot").glob("*.py")} - {"bot/__init__.py"}

    assert packages | modules <= set(tree(TEXT))


def test_every_file_that_is_named_exists() -> None:
    named = set(re.findall(r"`([\w/]+\.(?:py|md|toml))`", TEXT))

    missing = [name for name in named if not any((ROOT / base / name).exists() for base in ("", "bot", "docs"))]
    assert named
    assert missing == []
