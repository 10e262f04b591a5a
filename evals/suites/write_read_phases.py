"""What happens in each process of the suite ``write-read``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_model, save_model

from retention import RetentionLayer, SlotState, load_slots, save_slots

from ..peers.ours import RetentionMechanism
from ..peers.stack import MemoryStack
from ..recall_arms import make_arm
from ..recall_tasks import Exercise, FactTask
from ..recall_training import TrainingPlan, accuracy, tell, train
from ..suite import Case

Answer = Mapping[str, Any]
_WEIGHTS, _SLOTS, _OTHER_SLOTS = "weights.safetensors", "slots.safetensors", "other-slots.safetensors"
_WIDTH, _HEADS = 64, 2
_FACTS_SEED, _OTHER_SEED, _DRIFT_SEED = 1_000_000, 2_000_000, 3_000_000  # added to the seed


def learn(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Train a model, write the facts and, elsewhere, another's, and leave weights and slots in the folder."""
    recaller = _model(case)
    losses = train(recaller, [_tasks(case)["learned"]], _plan(case, "learn"), _generator(case, 0))
    facts = _facts(case)
    with torch.no_grad():
        own, other = tell(recaller, facts), tell(recaller, _facts(case, other=True))
    if isinstance(own, SlotState):
        save_slots(own, folder / _SLOTS)
        save_slots(other, folder / _OTHER_SLOTS)
    save_model(recaller, str(folder / _WEIGHTS))
    return {"loss": losses[-1], "accuracy": accuracy(recaller, facts, own)}


def drift(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Fine-tune every weight on other keys and longer segments, at each rate anew; the slots stay as they are."""
    losses = {}
    for rate in case.settings["drift_rates"]:
        recaller = _load(case, folder / _WEIGHTS)
        plan = replace(_plan(case, "drift"), rate=rate)
        losses[str(rate)] = train(recaller, [_tasks(case)["drifted"]], plan, _generator(case, _DRIFT_SEED))[-1]
        save_model(recaller, str(_drifted(folder, rate)))
    return {"losses": losses}


@torch.no_grad()
def recall(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Load weights and slots, and ask for the facts."""
    recaller, facts = _load(case, folder / _WEIGHTS), _facts(case)
    recalled = {"wiped": accuracy(recaller, facts, recaller.empty(1))}
    if (folder / _SLOTS).exists():
        for arm, file in (("kept", _SLOTS), ("foreign", _OTHER_SLOTS)):
            recalled[arm] = accuracy(recaller, facts, load_slots(folder / file, _layer(recaller)))
    return {"recalled": recalled}


@torch.no_grad()
def recall_drifted(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Load the slots and, for each rate, the weights as they have become, and ask for the facts."""
    answers = []
    for rate in case.settings["drift_rates"]:
        recaller, facts = _load(case, _drifted(folder, rate)), _facts(case)
        layer = _layer(recaller)
        stale = load_slots(folder / _SLOTS, layer)
        states = {"stale": stale, "refreshed": layer.refresh(stale), "written anew": tell(recaller, facts)}
        recalled = {arm: accuracy(recaller, facts, state) for arm, state in states.items()}
        answers.append({"rate": rate, "noticed": bool(layer.stale(stale).all()), "recalled": recalled})
    return {"drifted": answers}


def _model(case: Case) -> MemoryStack:
    torch.manual_seed(case.seed)
    recaller = make_arm(
        "vanilla" if case.arm == "vanilla" else "merge",
        _tasks(case)["drifted"].sizes(width=_WIDTH, heads=_HEADS),
        **case.settings["memory"],
    )
    assert isinstance(recaller, MemoryStack)
    return recaller


def _load(case: Case, weights: Path) -> MemoryStack:
    recaller = _model(case)
    load_model(recaller, str(weights))
    recaller.train(False)
    return recaller


def _drifted(folder: Path, rate: float) -> Path:
    return folder / f"drifted-{rate}.safetensors"


def _layer(recaller: MemoryStack) -> RetentionLayer:
    assert isinstance(recaller.mechanism, RetentionMechanism)
    return recaller.mechanism.layer


def _tasks(case: Case) -> dict[str, FactTask]:
    """Return three tasks of one model over keys of their own: one to learn, one to drift to, and the facts."""
    learned, drifted, facts = case.settings["keys"]
    keys = learned + drifted + facts
    return {
        "learned": FactTask(keys=keys, last=learned),
        "drifted": FactTask(keys=keys, first=learned, last=learned + drifted, segment=case.settings["drift_segment"]),
        "facts": FactTask(keys=keys, first=learned + drifted),
    }


def _facts(case: Case, *, other: bool = False) -> Exercise:
    """Draw the facts of a seed: each key that no training shows, with a value. ``other`` draws other values."""
    count = case.settings["keys"][2]
    order = torch.arange(count)[None]
    values = torch.randint(64, (1, count), generator=_generator(case, _OTHER_SEED if other else _FACTS_SEED))
    task = _tasks(case)["facts"]
    return task.exercise(task.first + order, values, order.flip(1))


def _plan(case: Case, phase: str) -> TrainingPlan:
    plan = case.settings[phase]
    return TrainingPlan(**{**plan, "sizes": tuple(plan["sizes"])})


def _generator(case: Case, offset: int) -> torch.Generator:
    return torch.Generator().manual_seed(case.seed + offset)
