from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evals.drift_world import KINDS, Noise, World, WorldConfig

SETTINGS = {
    "topics": 4,
    "actions": 3,
    "width": 16,
    "likeness": 0.8,
    "easy": [0.9, 0.3],
    "hard": [0.5, 0.1],
    "episodes": 2000,
    "explore": 0.1,
}
CONFIG = WorldConfig.from_json(SETTINGS)


def test_every_second_topic_is_easy_and_one_action_of_each_is_right():
    world = World(CONFIG, 3)
    for topic, (right, wrong) in enumerate([(0.9, 0.3), (0.5, 0.1)] * 2):
        expected = np.full(3, wrong)
        expected[world.right[topic]] = right
        assert world.chance[topic].tolist() == expected.tolist()
    # the mean of the best is 0.7; of all actions (0.9 + 2 * 0.3 + 0.5 + 2 * 0.1) / 6
    assert world.optimum == pytest.approx(0.9 * 0.7 + 0.1 * 2.2 / 6)


def test_luck_follows_the_chance():
    world = World(replace(CONFIG, episodes=20_000), 0)
    for topic in range(4):
        at = np.flatnonzero(world.topic == topic)
        for action in range(3):
            share = np.mean([world.succeeds(int(episode), action) for episode in at])
            assert share == pytest.approx(world.chance[topic, action], abs=0.03)


def test_queries_and_notes_lie_near_their_topic_and_far_from_others():
    world = World(CONFIG, 1)
    assert np.linalg.norm(world.query, axis=1) == pytest.approx(1, abs=1e-5)
    same = world.topic[:200, None] == world.topic[None, 200:400]
    cosines = world.query[:200] @ world.note[200:400].T
    assert cosines[same].mean() == pytest.approx(0.64, abs=0.03)
    assert abs(cosines[~same].mean()) < 0.03
    assert len({row.tobytes() for row in np.concatenate([world.query, world.note])}) == 4000


def test_a_seed_is_a_world_and_the_agents_dice_are_its_own():
    one, same, other = World(CONFIG, 1), World(CONFIG, 1), World(CONFIG, 2)
    for name in ("right", "topic", "query", "note", "explores", "tried", "order"):
        assert np.array_equal(getattr(one, name), getattr(same, name)), name
        assert not np.array_equal(getattr(one, name), getattr(other, name)), name
    bold = World(replace(CONFIG, explore=0.5), 1)
    assert np.array_equal(one.topic, bold.topic)
    assert one.explores.mean() == pytest.approx(0.1, abs=0.03)
    assert bold.explores.mean() == pytest.approx(0.5, abs=0.05)


def flipped(rate: float, kind: str = "flipped", seed: int = 1) -> set[int]:
    world = World(CONFIG, seed)
    noise = Noise(kind, rate, world, seed)
    turned = {episode for episode in range(2000) if noise.hears(episode, True) is False}
    assert turned == {episode for episode in range(2000) if noise.hears(episode, False) is True}
    return turned


def test_flips_come_at_their_rate_and_are_nested():
    few, many = flipped(0.1), flipped(0.3)
    assert len(few) == pytest.approx(200, abs=45)
    assert len(many) == pytest.approx(600, abs=65)
    assert few < many
    assert flipped(0.0) == set()


def test_an_adversary_of_feedback_turns_round_all_of_some_topics():
    world = World(CONFIG, 1)
    few, many = flipped(0.25, "adversarial-feedback"), flipped(0.5, "adversarial-feedback")
    for turned, topics in ((few, 1), (many, 2)):
        attacked = {int(world.topic[episode]) for episode in turned}
        assert len(attacked) == topics
        assert turned == {episode for episode in range(2000) if world.topic[episode] in attacked}
    assert few < many


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.3, 0.5])
def test_a_stranger_writes_his_share_and_advises_one_wrong_action_of_a_topic(rate):
    world = World(CONFIG, 1)
    noise = Noise("adversarial-writes", rate, world, 1)
    notes = [note for _ in range(2000) for note in noise.strange_notes()]
    assert len(notes) / (2000 + len(notes)) == pytest.approx(rate, abs=0.001)
    advised = {(topic, action) for topic, action, _ in notes}
    assert len(advised) == (4 if rate else 0)
    for topic, action in advised:
        assert action != world.right[topic]
    for topic, _, vector in notes[:50]:
        own = world.note[world.topic == topic]
        assert (own @ vector).mean() == pytest.approx(0.64, abs=0.2)
    assert noise.hears(0, True) is True


def test_a_stranger_is_never_right():
    for seed in range(10):
        world = World(replace(CONFIG, topics=16), seed)
        noise = Noise("adversarial-writes", 0.5, world, seed)
        notes = [note for _ in range(200) for note in noise.strange_notes()]
        assert all(action != world.right[topic] for topic, action, _ in notes)
        assert {action for _, action, _ in notes} == {0, 1, 2}


@pytest.mark.parametrize("kind", ["none", "flipped", "adversarial-feedback"])
def test_nobody_else_writes(kind):
    assert Noise(kind, 0.5, World(CONFIG, 1), 1).strange_notes() == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"topics": 17}, r"topics must lie in \[1, width\], got 17 of width 16"),
        ({"actions": 1}, "2 actions and an episode, got 1"),
        ({"episodes": 0}, "2 actions and an episode, got 3 and 0"),
        ({"likeness": 1.0}, r"likeness must lie in \(0, 1\), got 1.0"),
        ({"explore": 1.5}, r"chances must lie in \[0, 1\], got 1.5"),
    ],
)
def test_wrong_settings_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        WorldConfig.from_json({**SETTINGS, **change})


def test_wrong_noise_is_named():
    world = World(CONFIG, 0)
    with pytest.raises(ValueError, match=f"kind must be one of {', '.join(KINDS)}, got 'loud'"):
        Noise("loud", 0.1, world, 0)
    for kind, rate in (("flipped", 1.1), ("adversarial-writes", 1.0)):
        with pytest.raises(ValueError, match="rate must lie in"):
            Noise(kind, rate, world, 0)
