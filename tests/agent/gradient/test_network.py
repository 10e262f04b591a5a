"""The network, its memory, and what one update does."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from agent.gradient.config import GradientConfig
from agent.gradient.decisions import Decision
from agent.gradient.doing import doing
from agent.gradient.learner import Learner
from agent.gradient.network import ActorCritic, Held
from agent.gradient.packing import packed, unpacked
from agent.gradient.rollout import Piece
from retention import MemoryFileError, UnsupportedSpaceError

F32 = np.float32
SMALL = GradientConfig(slots=4, hidden=8, read_width=8, heads=2, rollout=16, minibatch=8, epochs=2)


def network(continuous=False, **change):
    torch.manual_seed(0)
    config = GradientConfig(**{"slots": 4, "hidden": 8, "read_width": 8, **change})
    return ActorCritic(2, 3, config, continuous=continuous)


def held(advantage=(2.0, -1.0)):
    seen = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    return Held(seen=seen, done=torch.eye(3)[:2], advantage=torch.tensor(advantage))


def test_without_slots_it_is_plain():
    plain, full = network(slots=0), network()
    x = torch.randn(5, 2)
    assert not any(name.startswith("memory") for name, _ in plain.named_parameters())
    assert torch.equal(
        full.act(x, full.ready(None)), full.head(torch.tanh(full.actor[1](torch.tanh(full.actor[0](x)))))
    )


def test_a_decision_votes_where_it_was_made_before_any_gradient_step():
    net = network()
    ready, x = net.ready(held()), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    moved = (net.act(x, ready) - net.act(x, None)).detach()
    assert moved[0].argmax() == 0
    assert moved[1].argmin() == 1
    assert torch.allclose(moved[0], naive_vote(net, x[0], held()), atol=1e-6)


def naive_vote(net, x, kept):
    """The kernel's weights with a null slot of weight 1, and the choices they add to."""
    weight = [float(torch.exp(-net.log_beta.detach().exp() * (x - seen).square().sum())) for seen in kept.seen]
    total = 1.0 + sum(weight)
    vote = sum(w / total * torch.tanh(a) * done for w, a, done in zip(weight, kept.advantage, kept.done, strict=True))
    return (net.strength * vote).detach()


def test_points_that_went_well_draw_the_mean_and_others_do_not():
    net = network(continuous=True)
    x = torch.tensor([[1.0, 0.0]])
    plain = net.act(x, None)
    bad, good = net.act(x, net.ready(held((-2.0, -2.0)))), net.act(x, net.ready(held((2.0, -2.0))))
    assert torch.allclose(bad, plain)
    target = torch.eye(3)[:1]
    assert (good - target).norm() < 0.9 * (plain - target).norm()


def test_a_gradient_reaches_the_memory():
    net = network()
    with torch.no_grad():
        net.memory.form.output.weight.normal_()
    net.act(torch.randn(5, 2), net.ready(held())).square().sum().backward()
    for name in ("done.weight", "gain.weight", "strength", "log_beta", "memory.form.key.weight"):
        assert dict(net.named_parameters())[name].grad.abs().sum() > 0, name


def piece(learner, steps=16, good=0):
    """Steps at random places, where one choice earns 1 and the others nothing."""
    rng, made = np.random.default_rng(0), Piece()
    for _ in range(steps):
        key = rng.standard_normal(2).astype(F32)
        hot = np.eye(3, dtype=F32)[rng.integers(3)]
        learner.keys.add(key)
        made.decide(key, learner.keys.scaled(key), hot)
        made.earn(float(hot[good]), key, False, False)
    return made


def learner(config=SMALL, space=None, seed=3):
    return Learner(2, doing(space or spaces.Discrete(3)), config, seed=seed)


def test_an_update_makes_what_was_good_likelier_and_writes_what_stood_out():
    one = learner()
    made = piece(one)
    before = one.outputs(np.stack(made.seen))
    noted = one.update([made])
    after = one.outputs(np.stack(made.seen))
    assert (after - before).mean(axis=0).argmax() == 0
    assert one.updates == 1
    assert one.steps == 16
    assert 1 <= len(noted) <= 1, "a quarter of four slots"
    decision, of, step = noted[0]
    assert of is made
    assert (decision.key == made.key[step]).all()
    assert (decision.decision == made.decision[step]).all()


def test_the_old_probabilities_are_those_of_the_first_gradient_step():
    one = learner(GradientConfig(slots=4, hidden=8, read_width=8, rate=1e-9, epochs=1))
    one.hold([Decision(key=np.ones(2, F32), decision=np.eye(3, dtype=F32)[0], advantage=2.0)])
    batch = one._batch([piece(one)])
    assert one._moved(batch) == pytest.approx(0.0, abs=1e-9)


def test_a_truncated_piece_is_worth_what_the_critic_says_and_a_terminated_one_nothing():
    one = learner()
    with torch.no_grad():
        one.network.value.bias.fill_(5.0)
    made, worth = piece(one, steps=1), []
    for terminated in (False, True):
        made.terminated = terminated
        worth.append(float(one._batch([made]).wanted[0]))
    critic = one.network.values(torch.from_numpy(one.keys.scaled(made.last))[None]).item()
    assert worth[0] - worth[1] == pytest.approx(0.99 * critic, rel=1e-5)


@pytest.mark.parametrize("space", [spaces.Discrete(3), spaces.Box(-1, 1, (3,), F32)])
def test_a_learner_goes_on_from_its_texts_as_if_nothing_had_been(space):
    one, other = learner(space=space), learner(space=space, seed=9)
    one.update([piece(one)])
    other.restore(unpacked(packed(one.learned())), unpacked(packed(one.scales())))
    for each in (one, other):
        each.update([piece(each, good=1)])
    for (name, weight), same in zip(one.network.named_parameters(), other.network.parameters(), strict=True):
        assert torch.equal(weight, same), name
    assert [each.serial for each in one.decisions.held] == [each.serial for each in other.decisions.held]


def test_weights_of_other_sizes_and_damaged_ones_are_refused():
    one, wider = learner(), learner(GradientConfig(slots=4, hidden=16, read_width=8))
    with pytest.raises(UnsupportedSpaceError, match="other sizes"):
        wider.restore(one.learned(), one.scales())
    with pytest.raises(MemoryFileError, match="damaged weights"):
        unpacked(packed(one.scales())[:-8] + "====")


def test_a_piece_comes_back_from_its_text():
    made = piece(learner(), steps=3)
    made.terminated = made.ended = True
    again = Piece.restored(unpacked(packed(made.state())))
    assert len(again) == 3
    for name in ("key", "seen", "decision"):
        assert np.array_equal(getattr(made, name), getattr(again, name)), name
    assert made.reward == again.reward
    assert np.array_equal(made.last, again.last)
    assert (again.terminated, again.ended) == (True, True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden": 0}, "hidden must be 1 or more, got 0"),
        ({"slots": -1}, "slots must not be negative, got -1"),
        ({"read_width": 7}, "a read width of 7 does not split into 2 heads"),
        ({"discount": 1.5}, r"discount must be in \[0, 1\], got 1.5"),
        ({"rate": 0.0}, "rate must be positive, got 0.0"),
        ({"apart": -1.0}, "apart must not be negative, got -1.0"),
    ],
)
def test_settings_out_of_range_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        GradientConfig(**change)


@pytest.mark.parametrize(
    ("space", "decision", "action"),
    [
        (spaces.Discrete(3, start=5), [0, 0, 1], 7),
        (spaces.MultiDiscrete([2, 2]), [0, 0, 1, 0], [1, 0]),
        (spaces.Box(np.array([0, -4], F32), np.array([2, 4], F32)), [0.5, -3.0], [1.5, -4.0]),
        (spaces.Box(-np.inf, np.inf, (1,), F32), [7.0], [7.0]),
        (spaces.Box(np.zeros(1, F32), np.full(1, np.inf, F32)), [-7.0], [0.0]),
    ],
)
def test_decisions_become_actions(space, decision, action):
    made = doing(space)
    taken = made.take(np.array(decision, F32))
    assert space.contains(taken) or isinstance(taken, (int, np.integer))
    assert np.allclose(taken, action)
    assert made.count == len(decision)
    assert np.allclose(made.take(made.done(np.array(decision, F32))), action)
