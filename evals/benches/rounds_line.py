"""Tells on stderr how far a bench is: one live line on a terminal, nothing elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import final

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@final
class RoundsLine:
    """The progress of a bench that goes on by turns; use it as a context manager."""

    def __init__(self, total: int, console: Console | None = None) -> None:
        """Prepare to count to ``total`` turns, on stderr unless a console is given."""
        console = console or Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("starting", total=total)

    def __enter__(self) -> RoundsLine:
        """Show the line."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Remove the line."""
        self._progress.stop()

    def turned(self, name: str) -> None:
        """One more turn is done."""
        self._progress.update(self._task, advance=1, description=escape(name))
