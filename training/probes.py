"""Hand-written conversations for the evaluation, read from text files, and whether an answer passes one.

`probes.txt` is never trained against: patterns are not widened after what it shows. `probes_known.txt` and
`silent_known.txt` were, so they say less.
"""

import re
from dataclasses import dataclass
from functools import cache

from bot.conversation.persona import DEFAULT
from training.grammar import FOLDER

ACKNOWLEDGES = re.compile(
    r"got it|nice to meet|i will remember|noted|your .* (is|are) |you (live|work|come|like|speak) ", re.IGNORECASE
)
"""An answer that claims to have learnt something."""
_FALLBACK = "can't say anything useful about that"
NEVER_TRAINED = "probes"
KNOWN = "probes_known"


@dataclass(frozen=True)
class Probe:
    """Messages in order, and the system prompt at each; the last answer must hold one of `wants`, no `avoids`."""

    says: tuple[str, ...]
    wants: tuple[str, ...]
    avoids: tuple[str, ...]
    systems: tuple[str, ...]

    def passes(self, answer: str) -> bool:
        """Whether an answer is right; case doesn't matter, and the honest answer only counts where it is wanted."""
        said = answer.lower()
        if any(word.lower() in said for word in self.avoids) or not any(word.lower() in said for word in self.wants):
            return False
        return _FALLBACK not in said or any("demonstration" in word for word in self.wants)


@cache
def read_probes(name: str) -> tuple[Probe, ...]:
    """The conversations of a file: a paragraph each, with `system:`, `>`, `=` and `!` lines, and `#` for remarks."""
    probes = []
    for paragraph in (FOLDER / f"{name}.txt").read_text(encoding="utf-8").split("\n\n"):
        system, words = DEFAULT.prompt, {"=": "", "!": ""}
        says: list[tuple[str, str]] = []
        for line in paragraph.splitlines():
            mark, _, text = line.partition(" ")
            if mark == "system:":
                system = text.strip()
            elif mark == ">":
                says.append((text.replace("\\n", "\n"), system))
            elif mark in words:
                words[mark] = text
            elif not mark.startswith("#"):
                raise ValueError(f"no probe begins so: {line!r}")
        if says:
            wants, avoids = (tuple(filter(None, text.split("|"))) for text in words.values())
            probes.append(Probe(tuple(text for text, _ in says), wants, avoids, tuple(system for _, system in says)))
    return tuple(probes)


@cache
def silent_statements() -> tuple[str, ...]:
    """Statements that tell nothing: an answer that claims to have learnt something is wrong."""
    lines = (FOLDER / "silent_known.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


def held_back_texts() -> tuple[str, ...]:
    """What no drawn statement or question may come close to."""
    alone = [probe.says[0] for name in (NEVER_TRAINED, KNOWN) for probe in read_probes(name) if len(probe.says) == 1]
    return (*silent_statements(), *alone)
