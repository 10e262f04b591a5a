"""A chat model as a policy, with models whose answers are known."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import SyncVectorEnv
from langchain_core.language_models import BaseChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatResult
from pydantic import Field
from toy_worlds import RIGHT, Errands

from agent import Agent, ChatConfig, ChatPolicy, RetentionPolicy, local_model_missing, make_policy
from retention import (
    EnvironmentFaultError,
    EpisodicMemory,
    FeedbackGate,
    GateConfig,
    HoldfastError,
    UnsupportedSpaceError,
)

LACKS = local_model_missing()
real = pytest.mark.skipif(LACKS is not None, reason=str(LACKS))


class Scorer(BaseChatModel):
    """Prefers what a note shows, else the first answer; keeps what it was asked."""

    asked: list[str] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "scorer"

    def log_likelihoods(self, messages: Sequence[BaseMessage], answers: Sequence[str]) -> list[list[float]]:
        assert [message.type for message in messages] == ["human"]
        self.asked.append(messages[0].text)
        return [[0.0 if f"Action: {answer}\n" in messages[0].text else -1.0] for answer in answers]

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        raise AssertionError("a model that scores is not asked to write")


def letters(texts: list[str]) -> np.ndarray:
    """A vector of each text that no other text shares."""
    return np.array(
        [np.bincount([hash_of(text, place) for place in range(40)], minlength=64) for text in texts], np.float32
    )


def hash_of(text: str, place: int) -> int:
    return sum(ord(letter) * (place + 3) ** number for number, letter in enumerate(text)) % 64


def opened(path: Path | None, policy: ChatPolicy, *, frozen: bool = False, **more: Any) -> Agent:
    memory = EpisodicMemory.open(path, mode="ro" if frozen else "rw", encoder=letters, **more)
    return Agent(memory, policy, namespace="a", seed=0, frozen=frozen)


def test_what_worked_is_kept_and_acted_on_in_a_second_process(path):
    first = ChatPolicy(Scorer())
    with opened(path, first) as agent:
        returns = agent.run(Errands(), episodes=6).returns
        assert returns[0] < 3 and returns[-1] == 3
        notes = agent.memory.templates(namespace="a", kind="solution")
        episodes = {each.episode_id for each in agent.memory.episodes(namespace="a")}
    assert {note.first_episode_id for note in notes} <= episodes
    assert {note.source for note in notes} == {"environment"}
    assert ("Situation: Open the gate.\nAction: use form K\nEarned: 1") in {note.content for note in notes}
    second = ChatPolicy(Scorer())
    with opened(path, second, frozen=True) as agent:
        assert agent.run(Errands(), episodes=2).returns.tolist() == [3.0, 3.0]
        assert len(agent.memory.templates(namespace="a")) == len(notes)
    with opened(path, ChatPolicy(Scorer(), enabled=False), frozen=True) as agent:
        assert agent.run(Errands(), episodes=2).returns.tolist() == [0.0, 0.0]


def test_a_note_comes_as_data_before_the_situation(path):
    model = Scorer()
    with opened(path, ChatPolicy(model)) as agent:
        agent.run(Errands(), episodes=6)
    asked = model.asked[-1]
    mark = next(line for line in asked.splitlines() if line.startswith("=== notes "))
    _, inside, after = asked.split(f"\n{mark}\n")[0], asked.split(f"\n{mark}\n")[1], asked.split(f"\n{mark}")[-1]
    errand = after.strip().splitlines()[0]
    assert inside.splitlines() == [errand, f"Action: {RIGHT[errand.removeprefix('Situation: ')]}"]
    assert after.strip().splitlines()[-1] == "Action:"
    assert model.asked[0].count("=== notes") == 0


def test_the_outcome_credits_the_notes_that_were_shown(path):
    with opened(path, ChatPolicy(Scorer())) as agent:
        agent.run(Errands(), episodes=8)
        shown = {
            note.metadata["action"]: note.uses
            for note in agent.memory.templates(namespace="a")
            if note.metadata["earned"] > 0
        }
    assert min(shown.values()) > 3  # as by three recalls of the episode that wrote it, and by those since


def test_the_same_seed_is_the_same_run():
    def run() -> tuple[list[float], list[str]]:
        model = Scorer()
        with opened(None, ChatPolicy(model)) as agent:
            return agent.run(Errands(), episodes=5).returns.tolist(), model.asked

    assert run() == run()


def test_numbered_actions_and_words(path):
    with opened(None, ChatPolicy(Scorer())) as agent:
        assert agent.run(Errands("numbers"), episodes=6).returns[-1] == 3
    said = iter(AIMessage(text) for text in ("use form K", "write!! to desk 4\n", "call Ana") * 2)
    model = GenericFakeChatModel(messages=said)
    with opened(path, ChatPolicy(model)) as agent:
        agent.run(Errands("words"), episodes=2)
        actions = {note.metadata["action"] for note in agent.memory.templates(namespace="a")}
    assert actions == {"use form K", "write to desk 4", "call Ana"}


def test_a_model_that_says_no_number_gets_one_drawn(path):
    policy = ChatPolicy(GenericFakeChatModel(messages=iter(AIMessage("hm") for _ in range(99))))
    with opened(path, policy) as agent:
        agent.run(Errands(), episodes=1)
    assert policy.misses == 3


def test_a_thumb_down_keeps_the_notes_of_an_episode_from_use(path):
    with opened(path, ChatPolicy(Scorer())) as agent:
        history = agent.run(Errands(), episodes=6)
        worst = history.episodes[-1].episode_id
        agent.feedback(worst, rating=-1.0)
        for each in history.episodes[:-1]:
            agent.feedback(each.episode_id, rating=-1.0)
        statuses = {
            note.status
            for note in agent.memory.templates(namespace="a")
            if note.first_episode_id == note.last_episode_id
        }
        assert statuses == {"quarantined"}


def test_with_successes_alone_the_notes_of_failures_wait(path):
    gate = FeedbackGate(GateConfig(admit="success"))
    with opened(path, ChatPolicy(Scorer()), gate=gate) as agent:
        agent.run(Errands(), episodes=1)  # the first episode earns nothing: a failure
        assert {note.status for note in agent.memory.templates(namespace="a")} == {"quarantined"}


def test_a_late_reward_reaches_what_was_done_before_it():
    class Late(Errands):
        def step(self, action: Any) -> tuple[str, float, bool, bool, dict[str, Any]]:
            observation, _, over, truncated, info = super().step(action)
            return observation, float(over), over, truncated, info

    with opened(None, ChatPolicy(Scorer(), config=ChatConfig(discount=0.5))) as agent:
        agent.run(Late(), episodes=1)
        assert sorted(note.metadata["earned"] for note in agent.memory.templates(namespace="a")) == [0.25, 0.5, 1.0]


def test_policies_do_not_take_each_others_memories(path):
    lake = gymnasium.make("FrozenLake-v1", is_slippery=False)
    with opened(path, ChatPolicy(Scorer())) as agent:
        agent.run(lake, episodes=1, max_episode_steps=4)
    with Agent.open(path, namespace="a") as agent, pytest.raises(UnsupportedSpaceError, match="those of chat"):
        agent.run(lake, episodes=1)
    with Agent.open(path, namespace="b") as agent:
        agent.run(lake, episodes=2)
    with (
        Agent(
            EpisodicMemory.open(path, encoder=letters),
            ChatPolicy(Scorer()),
            namespace="b",
            seed=0,
            frozen=False,
        ) as agent,
        pytest.raises(UnsupportedSpaceError, match="keeps notes in words: give it another namespace"),
    ):
        agent.run(lake, episodes=1)


def test_what_it_cannot_play_is_refused(path):
    with opened(None, ChatPolicy(Scorer())) as agent:
        with pytest.raises(UnsupportedSpaceError, match="not a vector of 2"):
            agent.run(SyncVectorEnv([Errands, Errands]), episodes=1)
        with pytest.raises(UnsupportedSpaceError, match="writes Text or chooses a Discrete"):
            agent.run(gymnasium.make("Pendulum-v1"), episodes=1)
    memory = EpisodicMemory.open(path, encoder=letters)
    hidden = Agent(memory, ChatPolicy(Scorer()), namespace="a", seed=0, frozen=False, reward="hidden")
    with hidden, pytest.raises(HoldfastError, match="rewards are hidden from it"):
        hidden.run(Errands(), episodes=1)
    memory = EpisodicMemory.open(path, encoder=letters)  # what was refused has settled nothing
    with Agent(memory, ChatPolicy(Scorer()), namespace="a", seed=0, frozen=False) as seen:
        assert len(seen.run(Errands(), episodes=1)) == 1


@pytest.mark.parametrize(
    ("info", "said"),
    [
        ({"candidates": "abc"}, "must be a list of actions, got 'abc'"),
        ({"candidates": []}, "is empty"),
        ({"situation": 3}, "must be a text, got 3"),
    ],
)
def test_an_offer_that_is_none_is_the_environments_fault(info, said):
    class Wrong(Errands):
        def _info(self) -> dict[str, Any]:
            return info

    with opened(None, ChatPolicy(Scorer())) as agent, pytest.raises(EnvironmentFaultError, match=said):
        agent.run(Wrong(), episodes=1)


def test_a_model_that_fails_loses_nothing_that_had_ended(path):
    model = GenericFakeChatModel(messages=iter(AIMessage("use form K") for _ in range(4)))
    with opened(path, ChatPolicy(model)) as agent, pytest.raises(HoldfastError, match=r"the chat model .* failed"):
        agent.run(Errands("words"), episodes=3)
    with opened(path, ChatPolicy(Scorer())) as agent:
        assert agent.memory.episode_count(namespace="a", task=agent.bind(Errands("words"))) == 1


def test_ctrl_c_in_the_middle_of_an_answer_loses_that_episode_alone(path):
    class Interrupted(Scorer):
        def log_likelihoods(self, messages: Sequence[BaseMessage], answers: Sequence[str]) -> list[list[float]]:
            if len(self.asked) == 7:
                raise KeyboardInterrupt
            return super().log_likelihoods(messages, answers)

    with opened(path, ChatPolicy(Interrupted())) as agent, pytest.raises(KeyboardInterrupt):
        agent.run(Errands(), episodes=5)
    with opened(path, ChatPolicy(Scorer())) as agent:
        assert agent.run(Errands(), episodes=1).episodes[0].episode == 3


def test_settings_are_checked_and_policies_made_by_name():
    for wrong in ({"recalled": 0}, {"shown": 0}, {"near": 1.5}, {"discount": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            ChatConfig(**wrong)
    with pytest.raises(ValueError, match="'recall' asks no model"):
        make_policy("recall", model="local")
    with pytest.raises(ValueError, match="has no capacity"):
        make_policy("chat", capacity=5)
    assert isinstance(make_policy(), RetentionPolicy)


def test_an_action_for_one_observation_needs_no_run():
    with opened(None, ChatPolicy(Scorer())) as agent:
        agent.bind(Errands("numbers"))
        assert agent.act("Open the gate.") == 0


def command(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        [sys.executable, "-m", "agent", "run", "toy_worlds:toy/Errands-v0", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_command_says_what_is_wrong_in_one_line(tmp_path):
    wrong = command("--policy", "recall", "--model", "local", folder=tmp_path)
    assert wrong.returncode == 2 and "--model is for the policy chat" in wrong.stderr
    unknown = command("--policy", "chat", "--model", "nobody:x", folder=tmp_path)
    assert unknown.returncode == 1 and len(unknown.stderr.strip().splitlines()) == 1, unknown.stderr
    assert "chat model 'nobody:x'" in unknown.stderr
    assert not list(tmp_path.iterdir())


@real
def test_the_real_model_keeps_its_notes_across_two_processes(tmp_path):
    how = ("--policy", "chat", "--memory", "text.db", "--json", "--episodes")
    first = command(*how, "4", folder=tmp_path)
    assert first.returncode == 0, first.stderr
    returns = [each["return"] for each in json.loads(first.stdout)["episodes"]]
    second = command(*how, "1", "--frozen", folder=tmp_path)
    assert second.returncode == 0, second.stderr
    (episode,) = json.loads(second.stdout)["episodes"]
    assert episode["episode"] == 5 and episode["written"] == 0
    assert episode["return"] > returns[0]
