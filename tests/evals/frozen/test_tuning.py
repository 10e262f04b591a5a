from __future__ import annotations

import pytest
import torch

from evals.frozen.asking import Asked, exact, likelihood
from evals.frozen.tuning import TuningPlan, last_layers, low_rank, tune

ROWS = [(11, 20, 30, 41), (12, 21, 31, 42, 50), (13, 20, 32, 43)]
ASKED = [Asked(row[:2], row[2:]) for row in ROWS]
TEXT = torch.tensor([[5, 6, 7, 8]])


def weights_of(model) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def ways(model):
    layers = list(model.model.layers)
    return {
        "low rank": lambda: low_rank(model, rank=8, seed=0),
        "last layers": lambda: last_layers(model, layers=layers, count=2),
    }


@pytest.mark.parametrize("way", ["low rank", "last layers"])
def test_what_is_tuned_is_known_and_afterwards_the_model_is_as_it_was(tiny, way):
    model = tiny.model
    before, logits = weights_of(model), model(TEXT).logits
    unknown = likelihood(model, ROWS)
    assert not any(exact(model, ASKED))
    with ways(model)[way]() as weights:
        assert torch.equal(model(TEXT).logits, logits)  # nothing is changed by being able to change
        losses = tune(model, weights, ROWS, TuningPlan(rate=0.03, epochs=100, batch=2), seed=0)
        assert len(losses) == 200 and losses[-1] < 0.1 < losses[0]
        assert exact(model, ASKED) == [True] * 3
        assert likelihood(model, ROWS) < 1 < unknown
    assert torch.equal(model(TEXT).logits, logits)
    after = weights_of(model)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_of_the_last_layers_alone_weights_move(tiny):
    before = weights_of(tiny.model)
    with last_layers(tiny.model, layers=list(tiny.model.model.layers), count=1) as weights:
        tune(tiny.model, weights, ROWS, TuningPlan(rate=0.01, epochs=1), seed=0)
        moved = {name for name, tensor in tiny.model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved and all(name.startswith("model.layers.3.") for name in moved)


def test_low_ranks_stand_beside_queries_and_values(tiny):
    with low_rank(tiny.model, rank=8, seed=0) as weights:
        assert sum(weight.numel() for weight in weights) == 4 * 2 * (8 * 32 + 8 * 32)
        assert not any(name.endswith("k_proj.a") for name in tiny.model.state_dict())
    with pytest.raises(ValueError, match="no q_proj and v_proj"), low_rank(torch.nn.Linear(2, 2), rank=8, seed=0):
        pass


def test_steps_that_bfloat16_would_round_away_add_up(tiny):
    model = tiny.model.bfloat16()
    with last_layers(model, layers=list(model.model.layers), count=1) as weights:
        norm = model.model.layers[3].input_layernorm.weight  # of ones, whose neighbours are 1/128 and 1/256 away
        tune(model, weights, ROWS, TuningPlan(rate=5e-4, epochs=60), seed=0)
        assert (norm != 1).any()


def test_a_plan_that_would_learn_nothing_is_refused():
    for wrong in ({"rate": 0.0}, {"epochs": 0}, {"batch": 0}):
        with pytest.raises(ValueError, match="must be above 0"):
            TuningPlan(**{"rate": 0.1, "epochs": 1, **wrong})
