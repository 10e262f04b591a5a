"""Meta-training: the same plan gives the same weights, also when it is left in the middle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from agent.meta.families import FAMILIES, find_family
from agent.meta.plan import Plan
from agent.meta.training import Training, recipe_of
from agent.meta.trial import trial
from retention import HoldfastError, NotFoundError, SlotFileError


def plan(family: str = "hidden-rule", **changes: Any) -> Plan:
    whole: dict[str, Any] = {"family": family, "iterations": 6, "batch": 3, "groups": 2, "warm_up": 1}
    return Plan(**whole | changes)


@pytest.fixture(autouse=True)
def short_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials of few tasks: what they measure has tests of its own."""
    monkeypatch.setattr("agent.meta.training.trial", lambda network, family, tasks: [1.5, 2.5])


def weights(training: Training) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in training.network.named_parameters()}


def equal(one: Training, other: Training) -> bool:
    first, second = weights(one), weights(other)
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_training_that_is_left_at_any_mark_ends_as_one_that_is_not(family: str, tmp_path: Path) -> None:
    whole = Training(plan(family, iterations=5))
    before = weights(whole)
    whole.run(5)
    assert whole.finished
    assert any(not torch.equal(before[name], after) for name, after in weights(whole).items())
    path = tmp_path / "new" / "training.safetensors"
    parts = Training(whole.plan)
    parts.save(path)  # also before the first step
    for until in (2, 3, 5):
        parts = Training.load(path, whole.plan)
        torch.manual_seed(until)  # nothing is drawn from torch's own generator
        parts.run(until)
        parts.save(path)
    again = Training.load(path, whole.plan)
    assert again.finished
    assert equal(again, whole)
    assert [mark.iteration for mark in again.marks] == [2, 3, 5]
    assert [mark.env_steps for mark in again.marks] == [6, 9, 15]
    assert all(a.cpu_seconds <= b.cpu_seconds for a, b in zip(again.marks, again.marks[1:], strict=False))
    for one, other in zip(again._worlds, whole._worlds, strict=True):
        for name, value in vars(one).items():
            there = vars(other)[name]
            assert (
                torch.equal(value, there)
                if isinstance(value, torch.Tensor)
                else type(value) is not int or value == there
            )


def test_another_seed_gives_other_weights_and_the_callers_randomness_is_untouched() -> None:
    torch.manual_seed(1)
    wanted = torch.rand(3)
    torch.manual_seed(1)
    threads = torch.get_num_threads()
    one, other = Training(plan()), Training(plan(seed=1))
    one.run(1)
    assert torch.equal(torch.rand(3), wanted)
    assert torch.get_num_threads() == threads
    assert not equal(one, other)


@pytest.mark.parametrize("change", [{"seed": 1}, {"iterations": 7}, {"rate": 1e-3}, {"family": "silent-switch"}])
def test_an_unfinished_training_of_another_plan_is_left_alone(change: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "training.safetensors"
    Training(plan()).save(path)
    held = path.read_bytes()
    with pytest.raises(
        HoldfastError, match="an unfinished training by another plan: finish it with the same arguments"
    ):
        Training.load(path, replace(plan(), **change))
    assert path.read_bytes() == held


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "training.safetensors"
    with pytest.raises(SlotFileError, match="does not exist"):
        Training.load(path, plan())
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(SlotFileError, match="is not a safetensors file"):
        Training.load(path, plan())
    Training(plan()).save(path)
    content = bytearray(path.read_bytes())
    content[-40] ^= 1
    path.write_bytes(content)
    with pytest.raises(SlotFileError, match="damaged"):
        Training.load(path, plan())


def test_the_loss_falls_on_a_small_rule() -> None:
    training = Training(plan(iterations=120, batch=24, rate=6e-3, warm_up=10, greedy=0.2))
    losses: list[float] = []
    training.run(120, on_step=lambda iteration, loss: losses.append(loss))
    assert len(losses) == 120
    assert losses[0] == pytest.approx(1.65, abs=0.35)  # log 5 is 1.61
    assert sum(losses[-20:]) / 20 < 0.88 * sum(losses[:10]) / 10
    mark = training.marks[-1]
    assert mark.loss == pytest.approx(sum(losses) / 120)
    assert mark.score == 2.5  # of the last episode of the trial


def test_a_loss_that_is_not_finite_ends_the_training_with_a_word() -> None:
    training = Training(plan())
    training.run(2)
    with torch.no_grad():
        training.network.head.bias.fill_(float("nan"))
    threads = torch.get_num_threads()
    with pytest.raises(HoldfastError, match=r"training diverged at iteration 2: lower the rate of 0.0015"):
        training.run(4)
    assert torch.get_num_threads() == threads
    assert training.iteration == 2


def test_the_rate_warms_up_and_falls_and_the_teacher_leaves() -> None:
    it = plan(iterations=100, rate=1.0, warm_up=9)
    rates = [it.rate_at(i) for i in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == pytest.approx(1.0 * 0.91)
    assert rates[100] == 0.0
    assert max(rates) == rates[9]
    assert [it.teacher_share_at(i) for i in (0, 25, 50, 99)] == pytest.approx([0.8, 0.4, 0.0, 0.0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"iterations": 0}, "iterations must be at least 1, got 0"),
        ({"batch": 0}, "batch must be at least 1"),
        ({"rate": float("nan")}, "rate must be positive and finite, got nan"),
        ({"rate": 0.0}, "rate must be positive"),
        ({"clip": float("inf")}, "clip must be positive and finite"),
        ({"seed": -1}, "must not be negative"),
        ({"decay": -0.1}, "must not be negative"),
        ({"greedy": 1.1}, "must lie in"),
        ({"stray": -0.1}, "must lie in"),
    ],
)
def test_impossible_plans_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plan(**change)


def test_an_unknown_family_is_named_with_the_nearest() -> None:
    with pytest.raises(NotFoundError, match=r"no family named 'hidden-rules'. Did you mean 'hidden-rule'"):
        Training(plan("hidden-rules"))
    with pytest.raises(NotFoundError, match="Known: dark-room, entity-rewrite, hidden-rule, key-door, silent-switch"):
        find_family("xyz")


def test_a_recipe_says_where_a_policy_came_from() -> None:
    training = Training(plan("dark-room"))
    training.run(2)
    training.run(6)
    recipe = recipe_of(training, {"kept": [1.0]})
    assert recipe["family"] == recipe["plan"]["family"] == "dark-room"
    assert recipe["env_id"] == "holdfast/DarkRoom-v0"
    assert (recipe["env_steps"], recipe["scores"]) == (18, {"kept": [1.0]})
    assert [each["iteration"] for each in recipe["curve"]] == [2, 6]
    assert 40 not in recipe["held_out"]


# -- trials


class Oracle(torch.nn.Module):
    """Acts as the notes of a rule say: the action that earned 1, else one that was not tried."""

    def forward(self, notes: Any, parts: tuple[torch.Tensor, ...]) -> torch.Tensor:
        same = (notes.parts[0] == parts[0]).all(dim=-1) & notes.filled  # [batch, slots]
        scores = torch.zeros(len(same), 1, 5)
        for row, slot in same.nonzero().tolist():
            scores[row, 0, int(notes.action[row, slot])] += 2.0 * float(notes.reward[row, slot]) - 1.0
        return scores


def test_a_trial_counts_what_each_episode_earns_with_memory_and_without() -> None:
    family = FAMILIES["hidden-rule"]
    kept = trial(Oracle(), family, tasks=12)
    assert len(kept) == family.trial_episodes
    assert kept[0] == pytest.approx(2.0, abs=1.0)
    assert kept[5:] == [10.0] * 7  # by then every action was tried
    wiped = trial(Oracle(), family, tasks=12, wiped=True)
    assert max(wiped) < 3.5
    assert kept == trial(Oracle(), family, tasks=12)
    assert kept != trial(Oracle(), family, tasks=12, seed=3)


@pytest.mark.parametrize("name", ["dark-room", "entity-rewrite", "hidden-rule"])
def test_a_trial_of_a_network_gives_the_same_again_and_leaves_it_as_it_was(name: str) -> None:
    family = replace(FAMILIES[name], trial_episodes=1)
    training = Training(plan(name))
    before = weights(training)
    first, second = (trial(training.network, family, tasks=3) for _ in range(2))
    assert first == second
    assert len(first) == 1
    assert all(torch.equal(before[each], after) for each, after in weights(training).items())
