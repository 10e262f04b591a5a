"""How far long work is, on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sized
from typing import TypeVar

T = TypeVar("T")

MANY = 2000
"""From how many on work counts as long, where nobody said whether to show it."""


def tracked(items: Iterable[T], what: str, show: bool | None, total: int | None = None) -> Iterable[T]:
    """Return the items as they are, with a bar on standard error that moves as they are taken.

    Args:
        items: what is worked on.
        what: what is done with them.
        show: whether to; ``None`` to do so on a terminal when they are many.
        total: how many there are, where they cannot be counted.
    """
    if isinstance(items, Sized):
        total = len(items)
    if show is None:
        show = sys.stderr.isatty() and (total is None or total >= MANY)
    if not show:
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, what, total=total, console=Console(stderr=True), transient=True)
