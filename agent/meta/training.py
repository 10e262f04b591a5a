"""Meta-training: a network learns from a teacher, over a family of tasks, what to make of a memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor, nn

from retention import HoldfastError, read_sealed, write_sealed

from .families import find_family, seeded
from .lesson import Lesson, World
from .network import MetaNetwork, imitation_loss
from .plan import Plan
from .trial import trial

_KIND = "an unfinished training"
_REDRAW = 20  # iterations after which it is drawn anew in which tasks the student is greedy


@dataclass(frozen=True, kw_only=True)
class Mark:
    """How far a training has come.

    Attributes:
        iteration: optimiser steps so far.
        env_steps: steps of all tasks so far.
        cpu_seconds: CPU time so far, over all sessions.
        loss: mean loss since the mark before.
        score: mean return of the last episode of a trial on tasks that training never saw.
    """

    iteration: int
    env_steps: int
    cpu_seconds: float
    loss: float
    score: float

    def told(self) -> str:
        """Say it in a line."""
        return f"loss {self.loss:.3f}, return {self.score:.3g}, {self.cpu_seconds:.0f} CPU-s"

    def scalars(self) -> dict[str, float]:
        """Return its numbers by name."""
        return {name: getattr(self, name) for name in ("loss", "score", "cpu_seconds", "env_steps")}


@final
class Training:
    """A training in progress: it can be left at any mark, and goes on from there as if it had not been."""

    def __init__(self, plan: Plan) -> None:
        """Begin.

        Raises:
            NotFoundError: there is no such family.
        """
        self.plan, self.family = plan, find_family(plan.family)
        with _seeded(plan.seed):
            self.network = MetaNetwork(self.family.shape)
        self._generator = seeded(plan.seed)
        self._optimiser = torch.optim.AdamW(self.network.parameters(), lr=plan.rate, weight_decay=plan.decay)
        self._worlds: list[World] = [
            self.family.make(batch=plan.batch, generator=self._generator, training=True) for _ in range(plan.groups)
        ]
        self._draws = torch.rand(plan.batch, generator=self._generator) >= plan.greedy
        self.iteration, self._cpu_seconds, self.marks = 0, 0.0, list[Mark]()

    @property
    def finished(self) -> bool:
        """Whether every iteration is done."""
        return self.iteration >= self.plan.iterations

    def run(self, until: int, on_step: Callable[[int, float], None] = lambda iteration, loss: None) -> Mark:
        """Train up to an iteration, try the policy, and return the mark.

        Args:
            until: the iteration to stop at; the plan's last one if that comes first.
            on_step: called after each step, with the iterations so far and the loss.

        Raises:
            HoldfastError: the loss is not finite any more.
        """
        started, losses = time.process_time(), []
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # the tensors are small, and sums of one thread keep their order
        try:
            self.network.train()
            while self.iteration < min(until, self.plan.iterations):
                losses.append(self._step())
                on_step(self.iteration, losses[-1])
            self.network.eval()
            score = trial(self.network, self.family, tasks=50)[-1]
        finally:
            torch.set_num_threads(threads)
        self._cpu_seconds += time.process_time() - started
        mark = Mark(
            iteration=self.iteration,
            env_steps=self.iteration * self.plan.batch,
            cpu_seconds=round(self._cpu_seconds, 1),
            loss=sum(losses) / max(len(losses), 1),
            score=score,
        )
        self.marks.append(mark)
        return mark

    def _step(self) -> float:
        plan = self.plan
        for group in self._optimiser.param_groups:
            group["lr"] = plan.rate_at(self.iteration)
        world = self._worlds[self.iteration % plan.groups]
        lesson = world.lesson()
        scores = self.network(lesson.notes, lesson.parts)
        loss = imitation_loss(scores, lesson.wanted, lesson.weight)
        self._optimiser.zero_grad()
        torch.autograd.backward(loss)
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), plan.clip)
        if not bool(norm.isfinite()):
            raise HoldfastError(f"training diverged at iteration {self.iteration}: lower the rate of {plan.rate}")
        self._optimiser.step()
        world.step(self._actions(lesson, scores[:, 0].detach()))
        self.iteration += 1
        return float(loss.detach())

    def _actions(self, lesson: Lesson, scores: Tensor) -> Tensor:
        """Choose what is done next: the student's best or drawn action, the teacher's, or one at random."""
        plan, generator = self.plan, self._generator
        if self.iteration % _REDRAW == 0:
            self._draws = torch.rand(plan.batch, generator=generator) >= plan.greedy
        drawn = torch.multinomial(scores.softmax(dim=-1), 1, generator=generator)[:, 0]
        actions = torch.where(self._draws, drawn, scores.argmax(dim=-1))
        if self.family.guided:
            taught = torch.multinomial(lesson.wanted[:, 0], 1, generator=generator)[:, 0]
            led = torch.rand(plan.batch, generator=generator) < plan.teacher_share_at(self.iteration)
            actions = torch.where(led, taught, actions)
        stray = torch.rand(plan.batch, generator=generator) < plan.stray
        return torch.where(stray, torch.randint(scores.shape[1], (plan.batch,), generator=generator), actions)

    def save(self, path: Path) -> None:
        """Save everything that the rest of the training depends on; the file is replaced in one step."""
        path.parent.mkdir(parents=True, exist_ok=True)
        about = {
            "plan": asdict(self.plan),
            "iteration": self.iteration,
            "cpu_seconds": self._cpu_seconds,
            "marks": [asdict(mark) for mark in self.marks],
        }
        write_sealed(path, _KIND, self._tensors(), about)

    @classmethod
    def load(cls, path: Path, plan: Plan) -> Training:
        """Go on with a training that :meth:`save` saved.

        Raises:
            HoldfastError: it is a training by another plan.
            SlotFileError: the file is missing, foreign, newer or damaged.
        """
        header, tensors = read_sealed(path, _KIND)
        if header["plan"] != asdict(plan):
            raise HoldfastError(
                f"{path} is an unfinished training by another plan: finish it with the same arguments, or delete it"
            )
        training = cls(plan)
        training.iteration, training._cpu_seconds = int(header["iteration"]), float(header["cpu_seconds"])
        training.marks = [Mark(**mark) for mark in header["marks"]]
        for parameter in training.network.parameters():  # what AdamW keeps beside each weight, to be filled below
            training._optimiser.state[parameter] = {
                "step": torch.zeros(()),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
        held = training._tensors()
        for name, tensor in tensors.items():
            if name in held:
                with torch.no_grad():
                    held[name].copy_(tensor)
        training._generator.set_state(tensors["generator"])
        for world, number in zip(training._worlds, range(plan.groups), strict=True):
            for name in _counters(world):
                setattr(world, name, int(tensors[f"world.{number}.{name}"]))
        return training

    def _tensors(self) -> dict[str, Tensor]:
        tensors: dict[str, Tensor] = {"generator": self._generator.get_state(), "draws": self._draws}
        for name, parameter in self.network.named_parameters():
            tensors[f"weight.{name}"] = parameter
            for moment, value in self._optimiser.state.get(parameter, {}).items():
                tensors[f"{moment}.{name}"] = value
        for number, world in enumerate(self._worlds):
            for name, value in vars(world).items():
                if isinstance(value, Tensor):
                    tensors[f"world.{number}.{name}"] = value
            for name in _counters(world):
                tensors[f"world.{number}.{name}"] = torch.tensor(getattr(world, name))
        return tensors


def _counters(world: World) -> list[str]:
    """Return the names of a world's counters: what is a plain integer."""
    return sorted(name for name, value in vars(world).items() if type(value) is int)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed torch's own generator for a while, and give back what was there: weights are drawn from it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def recipe_of(training: Training, scores: dict[str, Any]) -> dict[str, Any]:
    """Return where a finished policy came from, as JSON values.

    Args:
        training: the training.
        scores: what was measured of it.
    """
    last = training.marks[-1]
    return {
        "family": training.plan.family,
        "env_id": training.family.entry.env_id,
        "plan": asdict(training.plan),
        "env_steps": last.env_steps,
        "cpu_seconds": last.cpu_seconds,
        "held_out": list(training.family.held_out),
        "scores": scores,
        "curve": [asdict(mark) for mark in training.marks],
    }
