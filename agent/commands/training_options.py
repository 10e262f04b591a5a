"""The options that every training has on the command line: where its curve goes, and what is shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

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
