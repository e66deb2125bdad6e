"""Draws docs/architecture.svg from the imports: boxes in layers, an arrow for who imports whom, and how often.

Every arrow has tracks of its own, as on a circuit board: out of a box downwards, along the gap below its layer, down
beside the boxes where it passes a layer, and along the gap above its target. So no two arrows lie on each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from textwrap import wrap

from tests.architecture.imports import Box, Diagram, house, inside, load_graph, unlayered

_WIDTH = 1000
_MARGIN = 20
_BOX_HEIGHT = 44
_TRACK = 12
"""Between two arrows that run beside each other."""
_PORT = 5
"""Arrows leave a little further left, and arrive a little further right, so that none leaves above another's tip."""
_COLOURS = ("#1b5e9e", "#a3480f", "#2c7a3d", "#7a2c75", "#8a1f2b", "#0e6f73", "#6b5a10", "#45459e", "#4a4a4a")


@dataclass(frozen=True)
class _Place:
    """Where a box stands."""

    box: Box
    layer: int
    x: float
    y: float
    width: float


def draw() -> str:
    """The whole picture, as SVG; the same for the same imports."""
    graph = load_graph()
    parts, y = [], float(_MARGIN)
    captions = {
        "bot": "bot/: who imports whom. " + _words_about(house(graph)),
        "bot.inference": "Inside bot/inference/",
        "bot.store": "Inside bot/store/",
    }
    diagrams = [house(graph), inside(graph, "bot.inference"), inside(graph, "bot.store")]
    for diagram in diagrams:
        drawn, y = _draw_diagram(_without_common_arrows(diagram), captions[diagram.package], y)
        parts += drawn
        if diagram.package == "bot":
            beside = "; ".join(f"{name} ({', '.join(users) or 'nobody'})" for name, users in unlayered(graph).items())
            for line in wrap(f"In no layer, with those who import it: {beside}.", 150):
                parts.append(_text(_MARGIN, y, line, size=11))
                y += 16
            y += 14
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y:.0f}" viewBox="0 0 {_WIDTH} {y:.0f}" '
        'font-family="Helvetica, Arial, DejaVu Sans, sans-serif">'
    )
    return "\n".join([head, f'<rect width="{_WIDTH}" height="{y:.0f}" fill="white"/>', *parts, "</svg>"]) + "\n"


def _joiners(diagram: Diagram) -> set[str]:
    """What starts and joins the parts, above Discord: it imports most of them, and its arrows would hide the others."""
    first = next(index for index, layer in enumerate(diagram.layers) if "discord" in {box.name for box in layer})
    return {box.name for layer in diagram.layers[:first] for box in layer}


def _foundation(diagram: Diagram) -> set[str]:
    """What stands below conversation: everybody imports it."""
    last = next(index for index, layer in enumerate(diagram.layers) if "conversation" in {box.name for box in layer})
    return {box.name for layer in diagram.layers[last + 1 :] for box in layer}


def _words_about(diagram: Diagram) -> str:
    joiners, foundation = _joiners(diagram), _foundation(diagram)
    joined = sum(count for (source, _), count in diagram.arrows.items() if source in joiners)
    founded = sum(count for (_, target), count in diagram.arrows.items() if target in foundation)
    return f"Not drawn: the {joined} imports of what joins the parts, and the {founded} of the lowest layers."


def _without_common_arrows(diagram: Diagram) -> Diagram:
    if diagram.package != "bot":
        return diagram
    joiners, foundation = _joiners(diagram), _foundation(diagram)
    arrows = {
        ends: count
        for ends, count in diagram.arrows.items()
        if ends[1] not in foundation and (ends[0] not in joiners or ends[1] in joiners)
    }
    return Diagram(diagram.package, diagram.layers, arrows)


def _draw_diagram(diagram: Diagram, caption: str, top: float) -> tuple[list[str], float]:
    """The diagram's elements below `top`, and where they end."""
    colours = _colours(diagram)
    layer_of = {box.name: index for index, layer in enumerate(diagram.layers) for box in layer}
    arrows = sorted(diagram.arrows, key=lambda ends: (layer_of[ends[0]], layer_of[ends[1]], ends))
    gaps: list[list[tuple[str, str, str]]] = [[] for _ in diagram.layers]  # below each layer: what has a track there
    for source, target in arrows:
        gaps[layer_of[source]].append((source, target, "out"))
        if layer_of[target] > layer_of[source] + 1:
            gaps[layer_of[target] - 1].append((source, target, "in"))
    lanes = [ends for ends in arrows if layer_of[ends[1]] > layer_of[ends[0]] + 1]
    side = _TRACK * (len(lanes) // 2 + 2)
    places: dict[str, _Place] = {}
    y = top + 26
    gap_tops = []
    for index, layer in enumerate(diagram.layers):
        for place in _row(layer, index, y, _MARGIN + side, _WIDTH - _MARGIN - side):
            places[place.box.name] = place
        gap_tops.append(y + _BOX_HEIGHT)
        y += _BOX_HEIGHT + 24 + _TRACK * len(gaps[index])
    tracks = {
        entry: gap_tops[index] + 10 + _TRACK * number
        for index, entries in enumerate(gaps)
        for number, entry in enumerate(entries)
    }
    lane_x = _lanes(lanes, places)
    elements = [_text(_MARGIN, top + 12, caption, size=14, weight="bold")]
    for ends in arrows:
        elements += _arrow(ends, diagram.arrows[ends], places, arrows, tracks, lane_x, colours[ends[0]])
    for place in places.values():
        elements += _draw_box(place, colours[place.box.name])
    return elements, y + 10


def _colours(diagram: Diagram) -> dict[str, str]:
    names = [box.name for layer in diagram.layers for box in layer]
    sources = [name for name in names if any(source == name for source, _ in diagram.arrows)]
    chosen = {name: _COLOURS[index % len(_COLOURS)] for index, name in enumerate(sources)}
    return {name: chosen.get(name, "#4a4a4a") for name in names}


def _row(layer: Sequence[Box], index: int, y: float, left: float, right: float) -> list[_Place]:
    gap = 24.0
    width = min(230.0, (right - left - gap * (len(layer) - 1)) / len(layer))
    x = (left + right - width * len(layer) - gap * (len(layer) - 1)) / 2
    return [_Place(box, index, x + number * (width + gap), y, width) for number, box in enumerate(layer)]


def _lanes(lanes: Sequence[tuple[str, str]], places: dict[str, _Place]) -> dict[tuple[str, str], float]:
    """A vertical track beside the boxes for each arrow that passes a layer: left for the first half from the left."""
    ordered = sorted(lanes, key=lambda ends: (places[ends[0]].x + places[ends[1]].x, ends))
    half = (len(ordered) + 1) // 2
    left = {ends: _MARGIN + _TRACK * number for number, ends in enumerate(reversed(ordered[:half]))}
    right = {ends: _WIDTH - _MARGIN - _TRACK * number for number, ends in enumerate(ordered[half:])}
    return left | right


def _arrow(
    ends: tuple[str, str],
    count: int,
    places: dict[str, _Place],
    arrows: Sequence[tuple[str, str]],
    tracks: dict[tuple[str, str, str], float],
    lane_x: dict[tuple[str, str], float],
    colour: str,
) -> list[str]:
    source, target = places[ends[0]], places[ends[1]]
    out = [one for one in arrows if one[0] == ends[0]]
    into = [one for one in arrows if one[1] == ends[1]]
    start_x = source.x + source.width * (out.index(ends) + 1) / (len(out) + 1) - _PORT
    end_x = target.x + target.width * (into.index(ends) + 1) / (len(into) + 1) + _PORT
    points = [(start_x, source.y + _BOX_HEIGHT), (start_x, tracks[(*ends, "out")])]
    if ends in lane_x:
        points += [(lane_x[ends], tracks[(*ends, "out")]), (lane_x[ends], tracks[(*ends, "in")])]
        points += [(end_x, tracks[(*ends, "in")])]
    else:
        points += [(end_x, tracks[(*ends, "out")])]
    tip = target.y - 1
    points += [(end_x, tip - 6)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    head = f"{end_x - 4:.1f},{tip - 7:.1f} {end_x + 4:.1f},{tip - 7:.1f} {end_x:.1f},{tip:.1f}"
    return [
        f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.4"/>',
        f'<polygon points="{head}" fill="{colour}"/>',
        _text(end_x + 5, tip - 4, str(count), size=10, colour=colour),
    ]


def _draw_box(place: _Place, colour: str) -> list[str]:
    box = place.box
    middle = place.x + place.width / 2
    size = f"{box.num_modules} modules" if box.num_modules > 1 else "1 module"
    return [
        f'<rect x="{place.x:.1f}" y="{place.y:.1f}" width="{place.width:.1f}" height="{_BOX_HEIGHT}" rx="4" '
        f'fill="#f6f6f2" stroke="{colour}" stroke-width="1.4"/>',
        _text(middle, place.y + 19, box.name, size=13, weight="bold", anchor="middle"),
        _text(middle, place.y + 35, size, size=10, anchor="middle", colour="#555555"),
    ]


def _text(
    x: float, y: float, words: str, *, size: int, weight: str = "normal", anchor: str = "start", colour: str = "#222222"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" '
        f'fill="{colour}">{escape(words)}</text>'
    )
