"""The options that every training has on the command line: where its curve goes, and what is shown."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, final

import click

Command = TypeVar("Command", bound=Callable[..., Any])

SEED = click.IntRange(min=0, max=2**63 - 1)
"""The seeds that torch takes."""


@final
class _Positive(click.FloatRange):
    """A finite number above 0."""

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number, or fail."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{number} is not finite.", param, ctx)
        return number


RATE = _Positive()
"""A learning rate."""

_OPTIONS = (
    click.option(
        "--tensorboard",
        type=click.Path(file_okay=False, path_type=Path),
        help="Write loss and scores for TensorBoard into this folder.",
    ),
    click.option(
        "--plot", type=click.Path(dir_okay=False), help="Draw the learning curve to this file (png, svg or pdf)."
    ),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
    click.option(
        "--display",
        type=click.Choice(["auto", "plain", "none"]),
        default="auto",
        show_default=True,
        help="Progress on stderr: a live line on a terminal, plain lines, or none.",
    ),
)


def training_options(command: Command) -> Command:
    """Give a command ``--tensorboard``, ``--plot``, ``--json`` and ``--display``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
