"""Draws what `benchmarks.load` measured, as PNG."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

_SIZE = 8.0, 3.6
_DOTS_PER_INCH = 110


def draw(report: dict[str, Any], folder: Path) -> list[Path]:
    """Draw the parts that the report has; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    if turns := report.get("turns"):
        drawn.append(_draw_turns(turns, folder / "load-channels.png"))
    if history := report.get("history"):
        drawn.append(_draw_history(history, folder / "load-history.png"))
    return drawn


def _draw_turns(turns: Sequence[dict[str, Any]], file: Path) -> Path:
    figure = Figure(figsize=_SIZE, layout="constrained")
    cost, memory = figure.subplots(1, 2)
    channels = [each["channels"] for each in turns]
    cost.plot(channels, [each["cpu_ms"] for each in turns], "o-", label="processor time of a turn")
    cost.plot(channels, [each["first_words_p50_ms"] for each in turns], "s-", label="mention to first words, p50")
    cost.plot(channels, [each["first_words_p99_ms"] for each in turns], "^-", label="p99")
    cost.set(xscale="log", yscale="log", xlabel="channels that are talked in", ylabel="ms")
    cost.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize="x-small")
    memory.plot(channels, [each["resident_mib"] for each in turns], "o-")
    memory.set(xscale="log", ylim=(0, None), xlabel="channels that are talked in", ylabel="resident MiB")
    return _save(figure, file)


def _draw_history(history: Sequence[dict[str, Any]], file: Path) -> Path:
    figure = Figure(figsize=_SIZE, layout="constrained")
    plot = figure.subplots()
    plot.plot([each["messages"] for each in history], [each["cpu_ms"] for each in history], "o-")
    plot.set(
        xscale="log", ylim=(0, None), xlabel="messages that the channel has had", ylabel="processor time of a turn, ms"
    )
    return _save(figure, file)


def _save(figure: Figure, file: Path) -> Path:
    figure.savefig(file, dpi=_DOTS_PER_INCH)
    return file
