"""A square room of numbered cells: how one walks in it, how far two cells lie apart, and how it is drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .instance import draw

# (row, column) of stay, up, right, down, left
MOVES = ((0, 0), (-1, 0), (0, 1), (1, 0), (0, -1))


def moved(cell: int, action: int, size: int) -> int:
    """Return the cell that a move leads to; a wall keeps one where one is.

    Args:
        cell: ``row * size + column``.
        action: an index of ``MOVES``.
        size: cells along a side.
    """
    row, column = divmod(cell, size)
    row = min(max(row + MOVES[action][0], 0), size - 1)
    column = min(max(column + MOVES[action][1], 0), size - 1)
    return row * size + column


def distance(cell: int, other: int, size: int) -> int:
    """Return the number of moves between two cells, which is their Manhattan distance."""
    (row, column), (other_row, other_column) = divmod(cell, size), divmod(other, size)
    return abs(other_row - row) + abs(other_column - column)


def scattered(cells: Iterable[int], family: str, *coordinates: int) -> list[int]:
    """Return the cells in a fixed order without a pattern, which the family and the coordinates decide."""
    return sorted(cells, key=lambda cell: draw(family, *coordinates, cell))


def drawn(size: int, marks: Mapping[int, str]) -> str:
    """Return the room as text, one line a row; cells without a mark are ``.``."""
    cells = [marks.get(cell, ".") for cell in range(size * size)]
    return "".join("".join(cells[i : i + size]) + "\n" for i in range(0, len(cells), size))
