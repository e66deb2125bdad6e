"""Who imports whom, as the picture in docs/architecture.svg shows it: the children of a package, in layers."""

import tomllib
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from grimp import ImportGraph, build_graph

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Box:
    """A module or a package."""

    name: str
    num_modules: int


@dataclass(frozen=True)
class Diagram:
    """The children of one package. Arrows point from an upper layer to a lower one."""

    package: str
    layers: tuple[tuple[Box, ...], ...]
    arrows: Mapping[tuple[str, str], int]
    """From whom to whom, and how many imports that are: pairs of modules."""


def house(graph: ImportGraph) -> Diagram:
    """The parts of bot/ in the layers of the contract that `make lint` checks."""
    layers = _contract_layers()
    listed = [name for layer in layers for name in layer]
    return _diagram(graph, "bot", layers, _arrows(graph, "bot", listed))


def unlayered(graph: ImportGraph) -> dict[str, list[str]]:
    """The modules of bot/ that stand in no layer, and which parts import each."""
    listed = {name for layer in _contract_layers() for name in layer}
    children = _children(graph, "bot")
    arrows = _arrows(graph, "bot", children)
    return {
        child: sorted(source for source, target in arrows if target == child)
        for child in sorted(set(children) - listed)
    }


def inside(graph: ImportGraph, package: str) -> Diagram:
    """The children of a package; each stands as high as the longest way down from it is long."""
    children = _children(graph, package)
    arrows = _arrows(graph, package, children)
    heights: dict[str, int] = {}

    def height(name: str) -> int:
        if name not in heights:
            heights[name] = 1 + max((height(target) for source, target in arrows if source == name), default=-1)
        return heights[name]

    tallest = max(map(height, children))
    layers = [[name for name in children if heights[name] == level] for level in range(tallest, -1, -1)]
    return _diagram(graph, package, layers, arrows)


def load_graph() -> ImportGraph:
    """Every import in bot/, those for type checkers included."""
    return build_graph("bot", cache_dir=None)


def _contract_layers() -> list[list[str]]:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [[name.strip().removeprefix("bot.") for name in layer.split("|")] for layer in layers]


def _children(graph: ImportGraph, package: str) -> list[str]:
    return sorted(child.rpartition(".")[2] for child in graph.find_children(package))


def _arrows(graph: ImportGraph, package: str, children: Collection[str]) -> dict[tuple[str, str], int]:
    counts: Counter[tuple[str, str]] = Counter()
    for source in sorted(graph.modules):
        for target in graph.find_modules_directly_imported_by(source):
            ends = _child_of(package, source), _child_of(package, target)
            if ends[0] != ends[1] and set(ends) <= set(children):
                counts[ends] += 1
    return dict(sorted(counts.items()))


def _child_of(package: str, module: str) -> str:
    if not module.startswith(f"{package}."):
        return ""
    return module.removeprefix(f"{package}.").partition(".")[0]


def _diagram(
    graph: ImportGraph, package: str, layers: list[list[str]], arrows: Mapping[tuple[str, str], int]
) -> Diagram:
    boxes = tuple(tuple(_box(graph, f"{package}.{name}") for name in layer) for layer in layers)
    return Diagram(package, boxes, arrows)


def _box(graph: ImportGraph, module: str) -> Box:
    return Box(module.rpartition(".")[2], 1 + len(graph.find_descendants(module)))
