"""What comes before the first step: texts are drawn, and the frozen model reads each of them once."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random
from typing import Any, final

import torch
from torch import Tensor

from retention import Handle, SlotFileError, read_sealed, write_sealed

from .cache import Done, cached_states, remove_shards
from .corpus import NEUTRAL_TESTS, make_corpus
from .loss import Reader
from .neutral import neutral_rows
from .plan import AdapterPlan
from .rows import Row

_KIND = "texts of a frozen model"
_NEUTRAL = "neutral.safetensors"
_FOR_STATISTICS = 250  # texts of each kind that mean and covariance are taken from


@final
class Prepared:
    """A training's texts, read by the frozen model.

    Attributes:
        reader: reads them with a memory; the statistics of its adapter are set.
        seconds: CPU seconds that it cost, over all sessions.
    """

    def __init__(
        self, plan: AdapterPlan, handle: Handle, folder: Path, on_texts: Done = lambda done, texts: None
    ) -> None:
        """Draw and read, or take from the folder what was read before.

        Args:
            plan: how many texts, and from which seed.
            handle: a new adapter on the model, with its tokenizer.
            folder: where files are kept until :func:`remove_prepared`; it must exist.
            on_texts: called now and then, with the texts that were read so far and all texts.

        Raises:
            HoldfastError: the tokenizer has too few words that can be values.
            OSError: the folder cannot be written.
        """
        neutral, tests, written = _neutral(plan, handle, folder)
        corpus = make_corpus(plan, handle.tokenizer, neutral, tests)
        states, read = cached_states(handle, corpus, folder, on_texts)
        self.reader = Reader(handle, corpus, states)
        handle.adapter.set_statistics(_sample(plan, self.reader).to(handle.adapter.mean.device))
        self.seconds = written + read


def remove_prepared(folder: Path) -> None:
    """Remove the files of texts and states from a folder."""
    (folder / _NEUTRAL).unlink(missing_ok=True)
    remove_shards(folder)


def _neutral(plan: AdapterPlan, handle: Handle, folder: Path) -> tuple[list[Row], list[Row], float]:
    """Return neutral texts of training and of tests, and the CPU seconds that the model took to write them."""
    path, key = folder / _NEUTRAL, f"{handle.base} {handle.model.dtype} {plan.seed} {plan.neutral}"
    try:
        header, tensors = read_sealed(path, _KIND)
        if header["key"] == key:
            return _rows(tensors, "train"), _rows(tensors, "test"), float(header["cpu_seconds"])
    except SlotFileError:  # missing or damaged: it can be made anew
        pass
    started, threads = time.process_time(), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        model, tokenizer = handle.model, handle.tokenizer
        train = neutral_rows(model, tokenizer, texts=plan.neutral, seed=plan.seed)
        test = neutral_rows(model, tokenizer, texts=NEUTRAL_TESTS, seed=0, test=True)
    finally:
        torch.set_num_threads(threads)
    seconds = time.process_time() - started
    tensors = _tensors(train, "train") | _tensors(test, "test")
    write_sealed(path, _KIND, tensors, {"key": key, "cpu_seconds": seconds})
    return train, test, seconds


def _tensors(rows: list[Row], name: str) -> dict[str, Tensor]:
    return {
        f"{name}.tokens": torch.tensor([token for row in rows for token in row.tokens]),
        f"{name}.shape": torch.tensor([[len(row.tokens), row.since] for row in rows]),
    }


def _rows(tensors: dict[str, Tensor], name: str) -> list[Row]:
    shape: list[Any] = tensors[f"{name}.shape"].tolist()
    tokens = torch.split(tensors[f"{name}.tokens"], [length for length, _ in shape])
    return [Row(tuple(each.tolist()), since) for each, (_, since) in zip(tokens, shape, strict=True)]


def _sample(plan: AdapterPlan, reader: Reader) -> Tensor:
    """Return states of questions and statements of training, without those that begin a text."""
    facts, rng = reader.corpus.facts, Random(plan.seed)

    def some(rows: list[int]) -> list[int]:
        return rng.sample(rows, min(_FOR_STATISTICS, len(rows)))

    rows = some([row for fact in facts for row in fact.asked.values()])
    for number in range(plan.paraphrases):
        rows += some([fact.written["taught"][number] for fact in facts])
    rows += some([fact.written["asked"][0] for fact in facts])
    begins = [1 if reader.corpus.rows[row].since == 0 else 0 for row in rows]
    return torch.cat([reader.states[row][begin:] for row, begin in zip(rows, begins, strict=True)])
