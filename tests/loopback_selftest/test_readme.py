"""What tests/loopback/README.md lists is what there is."""

import re
from pathlib import Path

from tests.loopback import LoopbackDiscord, control, faults

FOLDER = Path(control.__file__).parent
README = (FOLDER / "README.md").read_text(encoding="utf-8")
SOURCES = "\n".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("*.py"))


def rows(heading: str) -> set[str]:
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return {
        name for cell in re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE) for name in re.findall(r"`(\w+)`", cell)
    }


def test_every_rule_is_listed_and_no_other() -> None:
    accused = set(re.findall(r'(?:accuse\(|Violation\(now, )"(\w+)"', SOURCES))

    assert rows("The rules it keeps") == accused


def test_every_verb_of_the_control_door_is_listed_and_no_other() -> None:
    verbs = set(control.ControlDoor(LoopbackDiscord())._verbs)

    assert rows("By hand") == verbs


def test_every_fault_is_named() -> None:
    requests = {name for name, kind in vars(faults).items() if hasattr(kind, "before") and name[0].isupper()}
    gateway = {name for name, kind in vars(faults).items() if isinstance(kind, faults.GatewayAction)}

    section = README.split("\n## Faults\n")[1].split("\n## ")[0]

    assert requests - {"Action"} | gateway <= set(re.findall(r"`(\w+)`", section))


def test_every_file_that_is_named_exists() -> None:
    named = set(re.findall(r"`([\w/]+\.py)`", README))

    assert named
    assert [name for name in named if not ((FOLDER / name).exists() or (FOLDER.parents[1] / name).exists())] == []
