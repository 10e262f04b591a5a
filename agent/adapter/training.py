"""The training of an adapter: a frozen model learns to read facts that it was told earlier."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor, nn

from retention import FactSlots, HoldfastError, read_sealed, write_sealed

from .lesson import draw_lesson
from .loss import lesson_loss
from .plan import AdapterPlan
from .preparing import Prepared
from .trial import Scores, trial

_KIND = "an unfinished training of an adapter"
_APART = 1_000_003  # between the random numbers of one seed and those of the next
_FAST = ("log_token", "log_fact", "null_score", "scale", "gate.weight", "gate.bias")

_CROWD = tuple(each.name for each in fields(FactSlots))


@dataclass(frozen=True, kw_only=True)
class AdapterMark:
    """How far a training has come.

    Attributes:
        iteration: optimiser steps so far.
        cpu_seconds: CPU time of the training so far, over all sessions, without what came before the first step.
        loss: mean loss since the mark before.
        scores: what :func:`trial` found.
    """

    iteration: int
    cpu_seconds: float
    loss: float
    scores: Scores

    def told(self) -> str:
        """Say it in a line."""
        recalled = ", ".join(f"{name} {score:.2f}" for name, score in self.scores.items() if name != "drift")
        drift = f"drift {self.scores['drift']:+.2f} %"
        return f"loss {self.loss:.3f}, recalled {recalled}, {drift}, {self.cpu_seconds:.0f} CPU-s"

    def scalars(self) -> dict[str, float]:
        """Return its numbers by name."""
        return {"loss": self.loss, "cpu_seconds": self.cpu_seconds, **self.scores}


@final
class AdapterTraining:
    """A training in progress: it can be left at any mark, and goes on from there as if it had not been."""

    def __init__(self, plan: AdapterPlan, prepared: Prepared) -> None:
        """Begin.

        Args:
            plan: how to train.
            prepared: the texts; the adapter of its reader is trained.
        """
        self.plan, self.prepared = plan, prepared
        self.reader, self.adapter = prepared.reader, prepared.reader.handle.adapter
        self.adapter.requires_grad_(True)
        named = dict(self.adapter.named_parameters())
        self._optimiser = torch.optim.AdamW(
            [
                {"params": [each for name, each in named.items() if name not in _FAST], "weight_decay": plan.decay},
                {"params": [named[name] for name in _FAST], "weight_decay": 0.0},
            ],
            lr=plan.rate,
            betas=(0.9, 0.98),
        )
        self._crowd = self.adapter.no_facts()
        self.iteration, self._cpu_seconds, self.marks = 0, 0.0, list[AdapterMark]()

    @property
    def finished(self) -> bool:
        """Whether every iteration is done."""
        return self.iteration >= self.plan.iterations

    def run(self, until: int, on_step: Callable[[int, float], None] = lambda iteration, loss: None) -> AdapterMark:
        """Train up to an iteration, try the adapter, and return the mark.

        Args:
            until: the iteration to stop at; the plan's last one if that comes first.
            on_step: called after each step, with the iterations so far and the loss.

        Raises:
            HoldfastError: the loss is not finite any more.
        """
        started, losses = time.process_time(), []
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # sums of one thread keep their order
        try:
            while self.iteration < min(until, self.plan.iterations):
                losses.append(self._step())
                on_step(self.iteration, losses[-1])
            scores = trial(self.reader)
        finally:
            torch.set_num_threads(threads)
        self._cpu_seconds += time.process_time() - started
        mark = AdapterMark(
            iteration=self.iteration,
            cpu_seconds=round(self._cpu_seconds, 1),
            loss=sum(losses) / max(len(losses), 1),
            scores=scores,
        )
        self.marks.append(mark)
        return mark

    def _step(self) -> float:
        rate = self.plan.rate_at(self.iteration)
        slow, fast = self._optimiser.param_groups
        slow["lr"], fast["lr"] = rate, rate * self.plan.fast
        lesson = draw_lesson(self.plan, self.reader.corpus, self.iteration)
        with self._hiding():
            losses, self._crowd = lesson_loss(self.plan, self.reader, lesson, self._crowd)
        self._optimiser.zero_grad()
        torch.autograd.backward(losses.total)
        norm = nn.utils.clip_grad_norm_(self.adapter.parameters(), self.plan.clip)
        if not bool(norm.isfinite()):
            raise HoldfastError(f"training diverged at iteration {self.iteration}: lower the rate of {self.plan.rate}")
        self._optimiser.step()
        self.iteration += 1
        return float(losses.total.detach())

    @contextmanager
    def _hiding(self) -> Iterator[None]:
        """Have the adapter hide states as it does while training: the same ones at the same step of a plan."""
        with torch.random.fork_rng():
            torch.manual_seed(self.plan.seed * _APART + self.iteration)
            self.adapter.train()
            try:
                yield
            finally:
                self.adapter.eval()

    def save(self, path: Path) -> None:
        """Save everything that the rest of the training depends on; the file is replaced in one step."""
        about = {
            "plan": asdict(self.plan),
            "base": self.reader.handle.base,
            "iteration": self.iteration,
            "cpu_seconds": self._cpu_seconds,
            "marks": [asdict(mark) for mark in self.marks],
        }
        write_sealed(path, _KIND, self._tensors(), about)

    @classmethod
    def load(cls, path: Path, plan: AdapterPlan, prepared: Prepared) -> AdapterTraining:
        """Go on with a training that :meth:`save` saved.

        Raises:
            HoldfastError: it is a training by another plan, or of another model.
            SlotFileError: the file is missing, foreign, newer or damaged.
        """
        header, tensors = checked(path, plan, prepared.reader.handle.base)
        training = cls(plan, prepared)
        training.iteration, training._cpu_seconds = int(header["iteration"]), float(header["cpu_seconds"])
        training.marks = [AdapterMark(**mark) for mark in header["marks"]]
        for parameter in training.adapter.parameters():  # what AdamW keeps beside each weight, to be filled below
            training._optimiser.state[parameter] = {
                "step": torch.zeros(()),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
        training._crowd = FactSlots(**{name: tensors.pop(f"crowd.{name}") for name in _CROWD}).to(
            training.adapter.mean.device
        )
        held = training._tensors()
        with torch.no_grad():
            for name, tensor in tensors.items():
                held[name].copy_(tensor)
        return training

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {f"adapter.{name}": tensor for name, tensor in self.adapter.state_dict().items()}
        for name, parameter in self.adapter.named_parameters():
            for moment, value in self._optimiser.state.get(parameter, {}).items():
                tensors[f"{moment}.{name}"] = value
        return tensors | {f"crowd.{name}": getattr(self._crowd, name) for name in _CROWD}


def checked(path: Path, plan: AdapterPlan, base: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read an unfinished training.

    Raises:
        HoldfastError: it is a training by another plan, or of another model.
        SlotFileError: the file is missing, foreign, newer or damaged.
    """
    header, tensors = read_sealed(path, _KIND)
    if header["plan"] != asdict(plan) or header["base"] != base:
        raise HoldfastError(
            f"{path} is an unfinished training by another plan: finish it with the same arguments, or delete it"
        )
    return header, tensors
