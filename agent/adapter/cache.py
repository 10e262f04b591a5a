"""The states that a frozen model has of all texts of a training: computed once, and kept in files beside it.

The files are a cache: those of other texts or of another model, and those that are damaged, are made anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from retention import Handle, SlotFileError, read_sealed, write_sealed

from .corpus import Corpus
from .rows import Row

_KIND = "states of a frozen model"
_SHARD = 256  # texts in a file

States: TypeAlias = Sequence[Float[Tensor, "_ layers width"]]
"""For each row the states of its tokens from ``since`` on."""

Done: TypeAlias = Callable[[int, int], None]


def cached_states(
    handle: Handle, corpus: Corpus, folder: Path, on_texts: Done = lambda done, texts: None
) -> tuple[States, float]:
    """Return the states of all rows, from the files where they are there.

    Args:
        handle: an adapter on the model; the layers that it looks at are kept.
        corpus: the texts.
        folder: where the files lie; it must exist.
        on_texts: called after each file, with the texts so far and all texts.

    Returns:
        The states, on the CPU in the model's precision, and the CPU seconds that they cost, whenever that was.

    Raises:
        OSError: the folder cannot be written.
    """
    key = f"{corpus.digest} {handle.base} {handle.adapter.config.layers} {handle.model.dtype}"
    states: list[Tensor] = []
    seconds = 0.0
    for number, start in enumerate(range(0, len(corpus.rows), _SHARD)):
        rows = corpus.rows[start : start + _SHARD]
        lengths = [len(row.tokens) - row.since for row in rows]
        path = shard_path(folder, number)
        kept = _read(path, key, sum(lengths))
        if kept is None:
            kept = _computed(handle, rows)
            write_sealed(path, _KIND, {"states": kept[0]}, {"key": key, "cpu_seconds": kept[1]})
        states += torch.split(kept[0], lengths)
        seconds += kept[1]
        on_texts(len(states), len(corpus.rows))
    return states, seconds


def shard_path(folder: Path, number: int) -> Path:
    """Return the path of a file of states."""
    return folder / f"states-{number:04d}.safetensors"


def remove_shards(folder: Path) -> None:
    """Remove all files of states from a folder."""
    for path in folder.glob("states-[0-9]*.safetensors"):
        path.unlink()


def _read(path: Path, key: str, tokens: int) -> tuple[Tensor, float] | None:
    if not path.exists():
        return None
    try:
        header, tensors = read_sealed(path, _KIND)
    except SlotFileError:
        return None
    if header["key"] != key or len(tensors["states"]) != tokens:  # of other texts, or of other numbers of them
        return None
    return tensors["states"], float(header["cpu_seconds"])


def _computed(handle: Handle, rows: Sequence[Row]) -> tuple[Tensor, float]:
    started, threads = time.process_time(), torch.get_num_threads()
    torch.set_num_threads(1)  # so that the same states come out whatever else is done at the same time
    try:
        whole = handle.states([row.tokens for row in rows])
    finally:
        torch.set_num_threads(threads)
    kept = torch.cat([states[row.since :].cpu() for states, row in zip(whole, rows, strict=True)])
    return kept, time.process_time() - started
