"""Tells on stderr how far a run is: one live line on a terminal, else a plain line for each case that ends."""

from __future__ import annotations

from types import TracebackType
from typing import final

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .results import Result
from .suite import Case


@final
class ProgressLine:
    """The progress of one run; use it as a context manager."""

    def __init__(self, total: int, console: Console | None = None) -> None:
        """Prepare to count to ``total`` cases.

        Args:
            total: the number of cases.
            console: where to; stderr unless given.
        """
        self._console = console or Console(stderr=True)
        self._ended = 0
        self._total = total
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("starting", total=total)

    def __enter__(self) -> ProgressLine:
        """Show the line."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Remove the line."""
        self._progress.stop()

    def resumed(self, finished: int) -> None:
        """So many cases were finished in an earlier run."""
        if finished:
            self._ended = finished
            self._progress.advance(self._task, finished)
            self._say(f"{finished} of {self._total} cases were finished before")

    def started(self, case: Case) -> None:
        """A case begins."""
        self._progress.update(self._task, description=escape(str(case)))

    def ended(self, result: Result) -> None:
        """A case has ended."""
        self._ended += 1
        self._progress.advance(self._task)
        if result.error is not None:
            self._say(f"{result.case} failed: {result.error}")
        elif not self._console.is_terminal:
            seconds = sum(each.seconds for each in result.phases)
            self._say(f"{self._ended}/{self._total} {result.case}: done in {seconds:.1f} s")

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
