"""The gradient policy in an agent: what it learns, keeps and goes on with."""

from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from toy_worlds import Arms, Corridor, Signs

from agent import ActsOnLanes, Agent, Task
from agent.gradient.config import GradientConfig
from agent.policies.gradient import GradientPolicy
from retention import EpisodicMemory, Transitions, UnsupportedSpaceError

F32 = np.float32
SMALL = GradientConfig(slots=8, hidden=16, read_width=8, rollout=64, minibatch=32, epochs=2)
QUICK = GradientConfig(slots=8, hidden=32, read_width=16, rollout=128, minibatch=64, rate=5e-3, discount=0.5)


class Aim(gymnasium.Env):
    """The nearer the action is to the observation, the better; the optimum is 0, the same one always earns -0.5."""

    observation_space = spaces.Box(-1.0, 1.0, (1,), F32)

    def __init__(self, space=None, steps=1):
        self.action_space, self._steps = space or spaces.Box(-2.0, 2.0, (1,), F32), steps

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._left = self._steps
        return self._draw(), {}

    def _draw(self):
        self._at = self.np_random.uniform(-1.0, 1.0, 1).astype(F32)
        return self._at

    def step(self, action):
        assert self.action_space.contains(action)
        reward = -float(np.abs(np.asarray(action) - self._at).sum())
        self._left -= 1
        return self._draw(), reward, self._left == 0, False, {}


def opened(path=None, *, config=SMALL, **more):
    return Agent.open(path, namespace="a", policy=GradientPolicy(config), **{"seed": 1, **more})


def weights(agent):
    return agent.policy.settings()["learned"]


def test_it_acts_on_lanes():
    assert isinstance(GradientPolicy(), ActsOnLanes)


@pytest.mark.parametrize("slots", [0, 8])
def test_it_learns_signs(slots):
    with opened(config=replace(QUICK, slots=slots)) as agent:
        returns = agent.run(Signs(kind="mixed", steps=40), episodes=40).returns
    assert np.mean(returns[:3]) < 16, "chance earns 10 of 40"
    assert np.mean(returns[-5:]) > 32


def test_it_learns_points_and_a_frozen_agent_takes_their_mean_and_learns_nothing(tmp_path):
    file, env = tmp_path / "aim.db", Aim(steps=50)
    with opened(file, config=QUICK) as agent:
        returns = agent.run(env, episodes=40).returns / 50
        learned = weights(agent)
    assert np.mean(returns[:3]) < -0.8
    with opened(file, config=QUICK, frozen=True, seed=2) as agent:
        assert np.mean(agent.run(env, episodes=3).returns / 50) > -0.2
        assert weights(agent) == learned
        once, again = agent.act(np.array([0.5], F32)), agent.act(np.array([0.5], F32))
        assert (once == again).all()


@pytest.mark.parametrize("make", [Aim, lambda: Signs(kind="box")])
def test_a_second_session_goes_on_as_if_there_had_been_no_break(tmp_path, make):
    with opened(tmp_path / "one.db") as agent:
        whole = agent.run(make(), episodes=150)
        after = weights(agent)
    parts = []
    for episodes in (70, 3, 60, 17):  # each session ends in the middle of a rollout
        with opened(tmp_path / "many.db") as agent:
            parts += agent.run(make(), episodes=episodes).returns.tolist()
            last = weights(agent)
    assert parts == whole.returns.tolist()
    assert last == after


def test_the_same_seed_gives_the_same_run_and_another_one_another():
    runs = []
    for seed in (1, 1, 2):
        with opened(seed=seed) as agent:
            runs.append(agent.run(Aim(), episodes=100).returns.tolist())
    assert runs[0] == runs[1] != runs[2]


def test_all_lanes_at_once_choose_as_one_by_one():
    task = Task(observation_space=Aim().observation_space, action_space=Aim().action_space, lanes=3)
    together, alone = GradientPolicy(SMALL), GradientPolicy(SMALL)
    for policy in (together, alone):
        policy.begin(task)
        for lane in range(3):
            policy.start_episode(np.array([lane / 3], F32), np.random.default_rng(lane), lane=lane)
    actions = together.act_lanes([0, 2, 1])
    assert np.allclose(actions, [alone.act(lane=lane) for lane in (0, 2, 1)], atol=1e-6)
    assert len({float(action[0]) for action in actions}) > 1
    assert together.act_lanes([]) == []


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_it_learns_in_a_vector(mode):
    vector = SyncVectorEnv([lambda: Signs(kind="box", steps=40)] * 4, autoreset_mode=mode)
    with opened(config=QUICK) as agent:
        returns = agent.run(vector, episodes=44).returns
    assert np.mean(returns[-8:]) > 30


def test_an_episode_longer_than_a_rollout_is_learned_from_while_it_goes_on():
    with opened() as agent:
        agent.run(Signs(kind="box", steps=200), episodes=1)
        assert agent.policy._learner.updates == 3
        assert agent.policy._steps == 200 - 3 * 64


def test_what_the_slots_hold_lies_in_the_memory_and_what_is_forgotten_there_leaves_the_slots(tmp_path):
    with opened(tmp_path / "m.db") as agent:
        agent.run(Aim(), episodes=130)
        held = agent.policy._learner.decisions.held
        assert agent.template_count >= len(held) > 0
        assert all(each.template for each in held)
        kept, _ = agent.memory.transitions(namespace="a", task=agent.task)
        row = kept.id.tolist().index(held[0].template)
        assert kept.width == 2
        assert kept.key[row].tolist() == [*held[0].key.tolist(), *held[0].decision.tolist()]
        assert kept.terminated.all()
        gone = held[0].template
        with EpisodicMemory.open(tmp_path / "m.db") as elsewhere:
            elsewhere.forget(namespace="a", ids=[gone])
        agent.run(Aim(), episodes=1)
        assert gone not in {each.template for each in agent.policy._learner.decisions.held}


def test_slots_find_their_ids_in_the_next_session(tmp_path):
    with opened(tmp_path / "m.db") as agent:
        agent.run(Aim(), episodes=64)  # the settings are saved before the ids are known
        held = [(each.serial, each.template) for each in agent.policy._learner.decisions.held]
    with opened(tmp_path / "m.db") as agent:
        agent.bind(Aim())
        assert [(each.serial, each.template) for each in agent.policy._learner.decisions.held] == held


def test_templates_act_where_the_weights_are_lost():
    """A decision that went well at a place makes the same choice likelier there, in a policy that never learned."""
    task = Task(observation_space=spaces.Box(-1, 1, (1,), F32), action_space=spaces.Discrete(2))
    kept = Transitions(
        key=np.array([[-1.0], [0.5], [0.9]], F32),
        action=np.array([1, 0, 0]),
        reward=np.zeros(3),
        next_key=np.zeros((3, 1), F32),
        terminated=np.zeros(3, bool),
        value=np.array([3.0, 3.0, np.nan]),
        id=np.array([1, 2, 3]),
    )
    lead = {}
    for known in (True, False):
        policy = GradientPolicy(SMALL)
        policy.begin(task)
        policy.restore(kept if known else Transitions.empty(1), None, swept=True)
        policy.start_episode(np.array([-1.0], F32), np.random.default_rng(0))
        seen = policy._learner.keys.scaled(np.array([[-1.0], [0.5]], F32))
        scores = policy._learner.outputs(seen)
        lead[known] = scores[:, 1] - scores[:, 0]
    assert lead[True][0] > lead[False][0] + 0.1
    assert lead[True][1] < lead[False][1] - 0.1
    assert not policy.values()[0].size


def test_what_another_process_wrote_is_taken_in_with_the_next_update(tmp_path):
    with opened(tmp_path / "m.db") as one, opened(tmp_path / "m.db", seed=5) as other:
        other.run(Aim(), episodes=10)
        one.run(Aim(), episodes=64)
        mine = set(one.policy.values()[0].tolist())
        other.run(Aim(), episodes=1)
        assert not mine & set(other.policy.values()[0].tolist()), "slots are frozen within a rollout"
        other.run(Aim(), episodes=60)
        assert mine & set(other.policy.values()[0].tolist())


@pytest.mark.parametrize("kind", ["discrete", "multi_discrete", "dict", "integer_box", "mixed"])
def test_every_kind_of_observation_is_served(kind):
    with opened() as agent:
        assert len(agent.run(Signs(kind=kind), episodes=40).returns) == 40
        assert agent.template_count > 0


def test_symbols_are_one_hot():
    policy = GradientPolicy(SMALL)
    policy.begin(Task(observation_space=spaces.Discrete(4, start=5), action_space=spaces.Discrete(2)))
    assert policy._key(np.int64(7)).tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize("space", [spaces.MultiDiscrete([2, 2]), spaces.MultiBinary(2), spaces.Box(-1, 1, (5,), F32)])
def test_actions_of_several_places_are_served(space):
    with opened() as agent:
        agent.run(Aim(space), episodes=70)
        assert agent.policy._learner.updates == 1


def test_a_memory_of_another_policy_or_task_is_refused(tmp_path):
    with Agent.open(tmp_path / "m.db", namespace="a") as agent:
        agent.run(Corridor(), episodes=2, task="t")
    with opened(tmp_path / "m.db") as agent, pytest.raises(UnsupportedSpaceError, match="another kind of policy"):
        agent.run(Corridor(), episodes=1, task="t")
    with opened(tmp_path / "n.db") as agent:
        agent.run(Aim(), episodes=70, task="t")
    with opened(tmp_path / "n.db") as agent, pytest.raises(UnsupportedSpaceError, match="another namespace"):
        agent.run(Arms(real=True), episodes=1, task="t")
    other = GradientConfig(slots=8, hidden=32, read_width=8)
    with opened(tmp_path / "n.db", config=other) as agent, pytest.raises(UnsupportedSpaceError, match="other sizes"):
        agent.run(Aim(), episodes=1, task="t")


def test_spaces_that_cannot_be_served_are_refused():
    wide = spaces.MultiDiscrete([3000, 3000])
    with pytest.raises(UnsupportedSpaceError, match="6000 numbers; at most 4096"):
        GradientPolicy().begin(Task(observation_space=wide, action_space=spaces.Discrete(2)))
    with pytest.raises(UnsupportedSpaceError, match="actions of Text"):
        GradientPolicy().begin(Task(observation_space=spaces.Discrete(2), action_space=spaces.Text(3)))
    with pytest.raises(UnsupportedSpaceError, match="has 1000000 actions or numbers; at most 65536 fit"):
        GradientPolicy().begin(Task(observation_space=spaces.Discrete(2), action_space=spaces.Discrete(10**6)))
