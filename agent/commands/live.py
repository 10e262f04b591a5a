"""What a run shows on stderr while it plays: one live line on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeAlias

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


class Mark(Protocol):
    """How far a training has come."""

    @property
    def iteration(self) -> int:
        """Return the optimiser steps so far."""

    def told(self) -> str:
        """Say it in a line."""

    def scalars(self) -> dict[str, float]:
        """Return its numbers by name."""


Step: TypeAlias = Callable[[int, float], None]
Marked: TypeAlias = Callable[[Mark], None]
Texts: TypeAlias = Callable[[int, int], None]


@contextmanager
def training_line(done: int, iterations: int, display: str) -> Iterator[tuple[Step, Marked]]:
    """Show how a training goes on.

    Args:
        done: iterations that were done before.
        iterations: how many there will be.
        display: ``auto`` (live on a terminal, else plain), ``plain`` or ``none``.

    Yields:
        What to call after each step, with the iterations so far and the loss, and what to call at each mark.
    """
    console = Console(stderr=True, highlight=False)
    if display == "none":
        yield (lambda iteration, loss: None), (lambda mark: None)
        return

    if display == "plain" or not console.is_terminal:

        def print_mark(mark: Mark) -> None:
            console.print(f"iteration {mark.iteration:,}/{iterations:,}: {mark.told()}", soft_wrap=True)

        yield (lambda iteration, loss: None), print_mark
        return
    columns = (TextColumn("iteration"), MofNCompleteColumn(), BarColumn(), TextColumn("{task.description}"))
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        line = progress.add_task("starting", total=iterations, completed=done)

        def step(iteration: int, loss: float) -> None:
            progress.update(line, completed=iteration)

        yield step, lambda mark: progress.update(line, description=mark.told())


@contextmanager
def texts_line(display: str) -> Iterator[Texts]:
    """Show how a frozen model reads texts.

    Args:
        display: ``auto`` (live on a terminal, else plain), ``plain`` or ``none``.

    Yields:
        What to call now and then, with the texts that were read so far and all texts.
    """
    console = Console(stderr=True, highlight=False)
    if display == "none":
        yield lambda done, texts: None
        return
    if display == "plain" or not console.is_terminal:
        shown = 0

        def print_texts(done: int, texts: int) -> None:
            nonlocal shown
            if done * _LINES // texts > shown:
                shown = done * _LINES // texts
                console.print(f"texts read: {done:,}/{texts:,}", soft_wrap=True)

        yield print_texts
        return
    columns = (TextColumn("texts read"), MofNCompleteColumn(), BarColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        line = progress.add_task("", total=None)
        yield lambda done, texts: progress.update(line, completed=done, total=texts)
