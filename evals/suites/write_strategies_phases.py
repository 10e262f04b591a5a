"""What happens in each process of the suite ``write-strategies``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from retention import HoldfastError, SlotState

from ..recall_arms import make_arm
from ..recall_tasks import TASKS
from ..recall_training import TrainingPlan, accuracy, microseconds, tell, train
from ..suite import Case

Answer = Mapping[str, Any]
_WIDTH, _HEADS = 64, 2
_UNSEEN = 1_000_000  # added to the seed: what is measured on is drawn apart from what is trained on


def measure(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Train the arm on exercises of a few sizes, and measure it on all; ``missing`` says that it cannot be had here."""
    settings = case.settings
    task = TASKS[settings["task"]](**settings["arguments"])
    torch.manual_seed(case.seed)
    try:
        recaller = make_arm(case.arm, task.sizes(width=_WIDTH, heads=_HEADS), **settings["memory"])
    except HoldfastError as error:
        return {"missing": str(error)}
    kinds = {case.task: task}
    if settings["task"] == "rewritten":
        kinds |= {f"{case.task} at once": replace(task, together=True), "told once": replace(task, once=task.told)}
    plan = TrainingPlan(**{**settings["plan"], "sizes": tuple(settings["plan"]["sizes"])})
    losses = train(recaller, list(kinds.values()), plan, torch.Generator().manual_seed(case.seed))
    unseen = torch.Generator().manual_seed(case.seed + _UNSEEN)
    measured = [
        _measured(recaller, kind, size, settings["rows"], unseen, name)
        for name, kind in kinds.items()
        for size in settings["measured"]
    ]
    return {"loss": losses[-1], "measured": measured}


def _measured(
    recaller: Any, task: Any, size: int, rows: int, generator: torch.Generator, name: str
) -> dict[str, str | float | None]:
    exercise = task.draw(rows, size, generator)
    with torch.no_grad():
        state = tell(recaller, exercise)
    slots = state.occupied.sum(dim=1).float().mean().item() if isinstance(state, SlotState) else None
    return {
        "exercise": f"{name} {size}",
        "accuracy": accuracy(recaller, exercise, state),
        "state_bytes": recaller.state_bytes(state),
        "slots": slots,
        "microseconds": microseconds(recaller, task.draw(1, size, generator)),
    }
