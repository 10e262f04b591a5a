"""What a run shows on stderr while it plays: one live line on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..history import EpisodeResult

_LINES = 10  # plain lines in all, at most
_WINDOW = 20  # episodes in the running mean

Advance = Callable[[EpisodeResult, int], None]


@contextmanager
def progress_line(episodes: int, display: str) -> Iterator[Advance]:
    """Show how a run goes on.

    Args:
        episodes: how many there will be.
        display: ``auto`` (live on a terminal, else plain), ``plain`` or ``none``.

    Yields:
        What to call after each episode, with the number of templates.
    """
    console = Console(stderr=True, highlight=False)
    every = -(-episodes // _LINES)  # episodes from one plain line to the next, rounded up
    recent: deque[float] = deque(maxlen=_WINDOW)
    done = 0

    def said(result: EpisodeResult, templates: int) -> str:
        mean = sum(recent) / len(recent)
        return f"return {result.return_:.4g}, last {len(recent)}: {mean:.4g}, {templates:,} templates"

    if display == "none":
        yield lambda result, templates: None
        return
    if display == "plain" or not console.is_terminal:

        def print_line(result: EpisodeResult, templates: int) -> None:
            nonlocal done
            done += 1
            recent.append(result.return_)
            if done == episodes or done % every == 0:
                console.print(f"episode {done}/{episodes}: {said(result, templates)}", soft_wrap=True)

        yield print_line
        return
    columns = (TextColumn("episode"), MofNCompleteColumn(), BarColumn(), TextColumn("{task.description}"))
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        line = progress.add_task("starting", total=episodes)

        def advance(result: EpisodeResult, templates: int) -> None:
            recent.append(result.return_)
            progress.update(line, advance=1, description=said(result, templates))

        yield advance
