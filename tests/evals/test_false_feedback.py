from __future__ import annotations

import gymnasium
import pytest

from evals.false_feedback import FalseFeedback


def walk(world, episodes: int = 30) -> list[tuple[int, float, float]]:
    """Answer everything with 0; return the context, what was heard and what was true."""
    seen = []
    for episode in range(episodes):
        context, _ = world.reset(seed=episode)
        over = False
        while not over:
            following, heard, over, _, info = world.step(0)
            seen.append((int(context), heard, info.get("true_reward", heard)))
            context = following
    return seen


def rule(task: int = 1):
    return gymnasium.make("holdfast/HiddenRule-v0", task=task)


def test_the_truth_is_kept_and_what_is_heard_is_turned_round_at_the_rate():
    true = [reward for _, reward, _ in walk(rule())]
    for rate in (0.0, 0.3, 1.0):
        seen = walk(FalseFeedback(rule(), rate=rate, seed=5))
        assert [truth for _, _, truth in seen] == true
        turned = [heard != truth for _, heard, truth in seen]
        assert all(heard in (0.0, 1.0) for _, heard, _ in seen)
        assert sum(turned) / len(turned) == pytest.approx(rate, abs=0.08)
    assert not any(heard != truth for _, heard, truth in walk(FalseFeedback(rule(), seed=5)))


def test_what_is_flipped_at_a_rate_is_flipped_at_every_higher_one():
    low, high = (
        {
            place
            for place, (_, heard, truth) in enumerate(walk(FalseFeedback(rule(), rate=rate, seed=2)))
            if heard != truth
        }
        for rate in (0.2, 0.5)
    )
    assert low < high
    other = {
        place for place, (_, heard, truth) in enumerate(walk(FalseFeedback(rule(), rate=0.2, seed=3))) if heard != truth
    }
    assert other != low


def test_an_adversary_turns_the_same_contexts_round_for_ever():
    world = FalseFeedback(rule(), contexts=0.2, seed=4)
    assert len(world.turned) == 2
    for context, heard, truth in walk(world):
        assert (heard != truth) is (context in world.turned)
    assert FalseFeedback(rule(), contexts=0.2, seed=5).turned != world.turned


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match=r"rate and contexts must be in \[0, 1\], got 1.5 and 0"):
        FalseFeedback(rule(), rate=1.5)
    with pytest.raises(TypeError, match="contexts need Discrete observations, got Box"):
        FalseFeedback(gymnasium.make("CartPole-v1"), contexts=0.5)
