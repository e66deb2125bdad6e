"""How far what an operation wrote is from what it should have written, and where it is worst."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from bot.inference.ops import Ops

_MOST_ROWS_NAMED = 6


@dataclass(frozen=True, slots=True)
class Difference:
    """How far one operation is from the reference: |difference| / |reference| of a tensor that it wrote."""

    op: str
    tensor: str
    error: float
    note: str = ""

    def __str__(self) -> str:
        return f"{self.op}: {self.tensor} differs by {self.error:.2g}{self.note}"


def judge(
    op: str,
    run: Callable[[Ops], None],
    ops: Ops,
    expected: dict[str, Tensor],
    written: dict[str, Callable[[], Tensor]],
) -> Difference:
    """Run the operation and find the tensor in which it is worst; one that raises is as bad as can be."""
    try:
        run(ops)
        worst = Difference(op, "nothing", 0.0)
        for name, view in written.items():
            difference = _difference(op, name, view(), expected[name])
            if not difference.error <= worst.error:  # NaN is the worst of all
                worst = difference
    except Exception as error:  # whatever a compiler or a driver raises
        return Difference(op, "nothing", float("inf"), f" ({type(error).__name__}: {str(error)[:300]})")
    return worst


def _difference(op: str, name: str, given: Tensor, expected: Tensor) -> Difference:
    given, expected = given.double(), expected.double()
    error = float((given - expected).norm() / expected.norm().clamp(min=1e-9))
    by_row = (given - expected).reshape(len(expected), -1).norm(dim=1)
    by_row = by_row / expected.reshape(len(expected), -1).norm(dim=1).clamp(min=1e-9)
    rows = by_row.nan_to_num(nan=float("inf")).topk(min(_MOST_ROWS_NAMED, len(by_row)))
    note = f" over {len(by_row)} rows; the worst: "
    note += ", ".join(f"{row} by {worst:.2g}" for worst, row in zip(*map(Tensor.tolist, rows), strict=True))
    return Difference(op, name, error, note)
