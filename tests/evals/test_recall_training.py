from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from evals.recall_arms import make_arm
from evals.recall_tasks import FactTask
from evals.recall_training import TrainingPlan, accuracy, ask, microseconds, tell, train
from retention import NotFoundError

MEMORY = {"chunk": 2, "capacity": 8, "tau": 0.8, "blur": 0.0, "positions": 0.02}


class Diary:
    """Remembers every fact it was told by looking it up; a parameter that nothing depends on but its own answer."""

    def __init__(self, task: FactTask) -> None:
        self.task, self.weight = task, nn.Parameter(torch.zeros(()))

    def empty(self, batch: int) -> Tensor:
        return torch.zeros(batch, self.task.keys, dtype=torch.int64)

    def tell(self, facts: Tensor, state: Tensor) -> Tensor:
        return state.scatter(1, facts[:, 0::2], facts[:, 1::2] - self.task.keys)

    def ask(self, queries: Tensor, state: Tensor) -> Tensor:
        sure = nn.functional.one_hot(state.gather(1, queries), self.task.values).float()
        return sure * (1 + self.weight)

    def state_bytes(self, state: Any) -> int:
        return state[0].nbytes

    def parameters(self) -> list[nn.Parameter]:
        return [self.weight]

    def train(self, mode: bool = True) -> None:
        self.training = mode


def test_what_is_recalled_is_counted():
    task = FactTask(keys=16, values=4, segment=4, most=8)
    diary, exercise = Diary(task), task.draw(10, 8, torch.Generator().manual_seed(0))
    state = tell(diary, exercise)
    assert ask(diary, exercise, state).shape == (10, 8, 4)
    assert accuracy(diary, exercise, state) == 1.0
    right = (torch.cat(exercise.answers, dim=1) == 0).float().mean().item()
    assert accuracy(diary, exercise, diary.empty(10)) == pytest.approx(right)
    assert microseconds(diary, exercise, repeats=3) > 0


def test_training_lowers_the_loss_and_leaves_training_mode():
    task = FactTask(keys=16, values=4, segment=4, most=8)
    diary = Diary(task)
    losses = train(diary, [task], TrainingPlan(steps=30, sizes=(4, 8), rate=0.1), torch.Generator().manual_seed(0))
    assert len(losses) == 30
    assert losses[-1] < 0.8 * losses[0]
    assert diary.weight > 0.3
    assert not diary.training


def test_the_plan_by_hand():
    plan = TrainingPlan(steps=30, sizes=(2, 4), easy_steps=5, rate=1.0, warm_up=10)
    assert [plan.rate_at(step) for step in (0, 9, 19, 20, 29)] == [0.1, 1.0, 1.0, 0.3, 0.3]
    generator = torch.Generator().manual_seed(0)
    assert {plan.size_at(step, generator) for step in range(5)} == {2}
    assert {plan.size_at(step, generator) for step in range(5, 30)} == {2, 4}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"steps": 0}, "steps and batch"), ({"rate": 0.0}, "rate and clip above 0"), ({"sizes": ()}, "sizes must be")],
)
def test_a_plan_that_cannot_be_followed_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        TrainingPlan(**{"steps": 3, "sizes": (1,), **wrong})


@pytest.mark.parametrize("name", ["append", "blend", "merge", "published", "vanilla"])
def test_every_arm_learns_from_the_same_loop(name):
    task = FactTask(keys=16, values=4, segment=4, most=8)
    torch.manual_seed(0)
    arm = make_arm(name, task.sizes(width=16, heads=2), **MEMORY)
    losses = train(arm, [task], TrainingPlan(steps=3, sizes=(4,), batch=4), torch.Generator().manual_seed(0))
    assert all(loss < 10 for loss in losses)
    exercise = task.draw(3, 8, torch.Generator().manual_seed(1))
    state = tell(arm, exercise)
    assert 0 <= accuracy(arm, exercise, state) <= 1
    assert (arm.state_bytes(state) > 0) is (name != "vanilla")


def test_what_is_written_is_blurred_in_training_alone():
    task = FactTask(keys=16, values=4, segment=4, most=8)
    torch.manual_seed(0)
    arm = make_arm("append", task.sizes(width=16, heads=2), **{**MEMORY, "blur": 0.5})
    exercise = task.draw(3, 4, torch.Generator().manual_seed(1))
    with torch.no_grad():
        spread = (tell(arm.train(True), exercise).u - tell(arm.train(False), exercise).u)[:, :4].std().item()
        assert spread == pytest.approx(0.5, abs=0.1)
        assert torch.equal(tell(arm, exercise).u, tell(arm, exercise).u)


def test_an_unknown_arm_is_named():
    with pytest.raises(NotFoundError, match=r"no recaller named 'vanila'\. Did you mean 'vanilla'"):
        make_arm("vanila", FactTask().sizes(width=16, heads=2), **MEMORY)
