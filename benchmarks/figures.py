"""Percentiles and tables of what was measured."""

from collections.abc import Sequence


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that this share of all does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def median(values: Sequence[float]) -> float:
    """Return the value in the middle."""
    return percentile(values, 50)


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return rows as text in columns: the first to the left, numbers to the right."""
    lines = [[str(cell) for cell in row] for row in [heads, *rows]]
    widths = [max(len(line[n]) for line in lines) for n in range(len(heads))]
    return "\n".join(_line(line, widths) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        cell.ljust(width) if not n else cell.rjust(width)
        for n, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join([first, *rest])
