"""The returns of a run, and the learning curve of a training, as pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retention import HoldfastError, MissingExtraError

_WINDOW = 20  # episodes in the running mean
_SUFFIXES = (".png", ".svg", ".pdf")
_EARLIER, _NOW = "#999999", "#0072B2"  # Okabe and Ito's palette: told apart by colour-blind readers too
_RECALLED = {
    "asked": ("told as asked", "#009E73"),
    "taught": ("told in taught words", "#0072B2"),
    "unseen": ("told in unseen words", "#D55E00"),
    "untrained": ("the same, of untrained relations", "#CC79A7"),
    "own": ("of oneself and of things, untrained too", "#E69F00"),
}


def check_plot(path: str) -> None:
    """Check that a picture can be drawn, before the long work and not after it.

    Raises:
        MissingExtraError: matplotlib is not installed.
        HoldfastError: the folder does not exist, the format is unknown, or the file cannot be written.
    """
    if find_spec("matplotlib") is None:
        raise MissingExtraError("--plot", "plot")
    target = Path(path)
    if target.suffix.lower() not in _SUFFIXES:
        raise HoldfastError(f"--plot {path} must end in one of {', '.join(_SUFFIXES)}")
    if not target.absolute().parent.is_dir():
        raise HoldfastError(f"--plot {path}: there is no folder {target.absolute().parent}")
    try:
        new = not target.exists()
        target.open("ab").close()
        if new:
            target.unlink()
    except OSError as error:
        raise HoldfastError(f"--plot {path} cannot be written: {error.strerror}") from error


def running_mean(returns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each episode the mean of the last 20 returns up to it, or of all if fewer, ``[episodes]``."""
    total = np.cumsum(returns)
    total[_WINDOW:] -= total[:-_WINDOW]
    return np.asarray(total / np.minimum(np.arange(1, len(returns) + 1), _WINDOW))


def draw_returns(
    path: Path, *, earlier: NDArray[np.float64], returns: NDArray[np.float64], title: str, frozen: bool
) -> None:
    """Draw each episode's return and the mean of the last 20, over all sessions; a line marks where this one began.

    Args:
        path: where to.
        earlier: returns of earlier sessions, ``[episodes]``.
        returns: returns of this one, ``[episodes]``.
        title: of the picture.
        frozen: whether this session only acted.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import MaxNLocator

    every = np.concatenate([earlier, returns])
    episode = np.arange(1, len(every) + 1)
    figure, axes = plt.subplots(figsize=(7.0, 3.8), layout="constrained")
    if len(earlier):
        axes.scatter(episode[: len(earlier)], earlier, s=9, color=_EARLIER, label="earlier sessions")
        axes.axvline(len(earlier) + 0.5, color="black", linestyle=":", linewidth=1.0)
    label = "this session (frozen)" if frozen else "this session"
    axes.scatter(episode[len(earlier) :], returns, s=9, color=_NOW, label=label)
    axes.plot(episode, running_mean(every), color="black", linewidth=1.5, label=f"mean of the last {_WINDOW}")
    axes.set(title=title, xlabel="episode", ylabel="return")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def draw_curve(path: Path, marks: Sequence[Mapping[str, Any]], *, optimum: float, title: str) -> None:
    """Draw the score of a training over the steps of its tasks, and its loss below.

    Args:
        path: where to.
        marks: each with ``env_steps``, ``score`` and ``loss``.
        optimum: the best score.
        title: of the picture.
    """
    steps = [mark["env_steps"] for mark in marks]
    with _score_and_loss(path, steps, marks, title=title, label="steps of training tasks") as upper:
        upper.plot(steps, [mark["score"] for mark in marks], color=_NOW, marker="o", markersize=3)
        upper.axhline(optimum, color="black", linestyle=":", linewidth=1.0, label="optimum")
        upper.set(ylabel="return of the last episode")


def draw_recall(path: Path, marks: Sequence[Mapping[str, Any]], *, title: str) -> None:
    """Draw what an adapter recalled of people that it does not know, over its training, and its loss below.

    Args:
        path: where to.
        marks: each with ``iteration``, ``scores`` and ``loss``.
        title: of the picture.
    """
    steps = [mark["iteration"] for mark in marks]
    with _score_and_loss(path, steps, marks, title=title, label="iteration") as upper:
        for name, (label, colour) in _RECALLED.items():
            found = [mark["scores"][name] for mark in marks]
            upper.plot(steps, found, color=colour, marker="o", markersize=3, label=label)
        upper.set(ylabel="share recalled", ylim=(-0.02, 1.02))


@contextmanager
def _score_and_loss(
    path: Path, steps: Sequence[int], marks: Sequence[Mapping[str, Any]], *, title: str, label: str
) -> Iterator[Any]:
    """Draw the loss of a training below what the block draws on the axes that it gets."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, (upper, lower) = plt.subplots(2, 1, figsize=(7.0, 4.8), sharex=True, layout="constrained")
    yield upper
    upper.legend(frameon=False)
    upper.set(title=title)
    lower.plot(steps, [mark["loss"] for mark in marks], color=_EARLIER, marker="o", markersize=3)
    lower.set(xlabel=label, ylabel="loss")
    for axes in (upper, lower):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
    plt.close(figure)
