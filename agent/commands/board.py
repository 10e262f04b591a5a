"""Loss and score of a training for TensorBoard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from retention import MissingExtraError

if TYPE_CHECKING:
    from .live import Mark


@contextmanager
def board(folder: Path | None) -> Iterator[Callable[[Mark], None]]:
    """Open an event file.

    Args:
        folder: where to; None for none.

    Yields:
        What to call with each mark.

    Raises:
        MissingExtraError: tensorboard is not installed.
    """
    if folder is None:
        yield lambda mark: None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise MissingExtraError("--tensorboard", "train") from None
    with SummaryWriter(folder) as writer:

        def write(mark: Mark) -> None:
            for name, value in mark.scalars().items():
                writer.add_scalar(name, value, mark.iteration)
            writer.flush()

        yield write
