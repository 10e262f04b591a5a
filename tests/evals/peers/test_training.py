from __future__ import annotations

import pytest
import torch
from torch import nn

import evals.peers
from evals.peers.told_facts import ToldFacts
from evals.peers.training import Budget, train

TASK = ToldFacts(keys=20, values=10, facts=4)


class Knowing(nn.Module):
    """Looks the answer up in what was told, as often as ``knows`` says."""

    def __init__(self, config, knows: float = 1.0) -> None:
        super().__init__()
        self.answers, self.knows = config.answers, knows
        self.weight = nn.Parameter(torch.ones(1))

    def empty(self, batch):
        return None

    def tell(self, facts, state):
        return facts

    def ask(self, queries, state):
        match = queries[:, :, None] == state[:, None, ::2]
        value = (match * (state[:, None, 1::2] - TASK.keys)).sum(dim=2)
        logits = nn.functional.one_hot(value, self.answers).float()
        return self.weight * logits * (torch.arange(queries.shape[1]) < self.knows * queries.shape[1])[:, None]

    def state_bytes(self, state):
        return state.shape[1]


def register(monkeypatch, name, make):
    module = type("Module", (), {"make": staticmethod(make)})
    monkeypatch.setitem(evals.peers.RECALLERS, name, f"{name}:make")
    monkeypatch.setattr(evals.peers, "load", lambda reference: module.make)


@pytest.mark.parametrize(("knows", "accuracy"), [(1.0, 1.0), (0.5, 0.55)])
def test_accuracy_is_the_share_of_right_answers(monkeypatch, knows, accuracy):
    register(monkeypatch, "knowing", lambda config: Knowing(config, knows))
    trained = train("knowing", TASK, Budget(steps=40, batch=32), seed=0)
    assert trained.accuracy == pytest.approx(accuracy, abs=0.03)  # what is not known is guessed: 0.1 of the time
    assert trained.steps_to_95 == (29 if knows == 1.0 else None)  # 1 - 0.9 ** 29 is the first above 0.95
    assert (trained.parameters, trained.state_bytes) == (1, 8)


def test_our_layer_learns_to_recall_and_a_transformer_without_memory_does_not():
    task, budget = ToldFacts(keys=8, values=8, facts=1), Budget(steps=60, batch=32, rate=3e-3, warm_up=10)
    ours, none = (train(name, task, budget, seed=0, rows=256) for name in ("retention", "vanilla"))
    assert ours.accuracy > 0.9
    assert none.accuracy < 0.25


def test_a_seed_repeats_a_run_and_another_does_not():
    losses = {}
    for run, seed in (("first", 0), ("again", 0), ("other", 1)):
        losses[run] = []
        train(
            "vanilla",
            TASK,
            Budget(steps=3, batch=4),
            seed=seed,
            rows=4,
            on_step=lambda step, loss, run=run: losses[run].append((step, loss)),
        )
    assert losses["first"] == losses["again"] != losses["other"]
    assert [step for step, _ in losses["first"]] == [0, 1, 2]


def test_the_rate_rises_and_falls_to_a_tenth():
    budget = Budget(steps=100, rate=1.0, warm_up=10)
    rates = [budget.rate_at(step) for step in range(101)]
    assert rates[:10] == pytest.approx([0.1 * (step + 1) for step in range(10)])
    assert max(rates) == pytest.approx(1.0)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[55] == pytest.approx(0.55)
    assert rates[100] == pytest.approx(0.1)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"batch": 0}, {"rate": 0.0}, {"warm_up": -1}, {"clip": 0.0}])
def test_wrong_budgets_are_named(wrong):
    with pytest.raises(ValueError, match="steps and batch must be at least 1"):
        Budget(**wrong)
