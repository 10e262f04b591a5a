"""What happens in each process of the suite ``scaling``."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from retention import HoldfastError, IndexConfig, SlotIndex, SlotState

from ..peers.ours import RetentionMechanism
from ..peers.stack import MemoryStack
from ..recall_arms import make_arm
from ..recall_tasks import FactTask
from ..recall_training import TrainingPlan, accuracy, train
from ..suite import Case

Answer = Mapping[str, Any]
_WIDTH, _HEADS = 64, 2
_FACTS_SEED = 1_000_000  # added to the seed
_BLOCK = 256  # facts written by one call
_REPEATS = 15


def measure(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Train on a few facts, fill memories of growing size, and read each in every way."""
    settings = case.settings
    torch.manual_seed(case.seed)
    task = FactTask(keys=settings["keys"], most=8)
    blur = settings["blur"] if case.arm == "blurred" else 0.0
    stack = make_arm("append", task.sizes(width=_WIDTH, heads=_HEADS), blur=blur, **settings["memory"])
    assert isinstance(stack, MemoryStack)
    plan = TrainingPlan(**{**settings["plan"], "sizes": tuple(settings["plan"]["sizes"])})
    losses = train(stack, [task], plan, torch.Generator().manual_seed(case.seed))
    generator = torch.Generator().manual_seed(case.seed + _FACTS_SEED)
    measured = [
        each for slots in settings["slots"] for each in _at(stack, task, slots, settings["asked"], generator, settings)
    ]
    return {"loss": losses[-1], "measured": measured}


def _at(
    stack: MemoryStack, task: FactTask, slots: int, asked: int, generator: torch.Generator, settings: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Fill ``slots`` slots with facts, ask for some of them, and measure what one read costs."""
    keys = torch.randperm(task.keys, generator=generator)[None, :slots]
    values = torch.randint(task.values, (1, slots), generator=generator)
    order = torch.randperm(slots, generator=generator)[None, : min(asked, slots)]
    exercise = task.exercise(keys, values, order)
    memory = stack.mechanism
    assert isinstance(memory, RetentionMechanism)
    state = _filled(stack, memory, torch.cat(exercise.told), slots)
    hidden = torch.randn(1, 1, _WIDTH, generator=generator)
    rows = []
    for tier in settings["tiers"]:
        try:
            memory.select = _selection(tier, settings["top"])
            share = accuracy(stack, exercise, state)
            cost = _microseconds(lambda: memory.read(hidden, state))
        except HoldfastError as error:
            rows.append({"slots": slots, "tier": tier, "missing": str(error)})
            continue
        finally:
            memory.select = None
        rows.append({"slots": slots, "tier": tier, "accuracy": share, "microseconds": cost})
    return rows


@torch.no_grad()
def _filled(stack: MemoryStack, memory: RetentionMechanism, told: Tensor, slots: int) -> SlotState:
    """Write facts, told in segments of their own, to one memory."""
    state = memory.layer.init_state(1, slots)
    for start in range(0, len(told), _BLOCK // 8):
        segments = told[start : start + _BLOCK // 8]
        apart = stack.tell(segments, memory.layer.init_state(len(segments), 8))
        state, _ = memory.layer.write(state, apart.u.flatten(0, 1)[None], in_place=True)
    return state


def _selection(tier: Any, top: int) -> Callable[[Tensor, SlotState], Tensor] | None:
    """Return how a read finds its slots: None to read all."""
    if tier == "all":
        return None
    index = SlotIndex(IndexConfig(top=top, tier=tier))
    return lambda query, state: index.search(query, None, state)


@torch.no_grad()
def _microseconds(read: Callable[[], object]) -> float:
    """Return the median process CPU time of a read; the first one, which builds an index, does not count."""
    taken = []
    read()
    for _ in range(_REPEATS):
        started = time.process_time()
        read()
        taken.append(time.process_time() - started)
    return 1e6 * statistics.median(taken)
