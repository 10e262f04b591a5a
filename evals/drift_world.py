"""A world in which memory can drift: topics with one right action each, and feedback that is not always true.

Everything that chance decides is drawn beforehand, from one generator for the world, one for the agent and one for the
noise. So whatever the agent does, and whatever the rate of the noise is, the same seed brings the same topics, the same
luck and the same nested noise: what is flipped at a rate is flipped at every higher one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

NoiseKind = Literal["none", "flipped", "adversarial-feedback", "adversarial-writes"]
KINDS: tuple[NoiseKind, ...] = ("none", "flipped", "adversarial-feedback", "adversarial-writes")

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@final
@dataclass(frozen=True, kw_only=True)
class WorldConfig:
    """Settings of :class:`World`.

    Attributes:
        topics: how many; at most ``width``.
        actions: how many, at least 2; one of each topic's is right.
        width: of vectors.
        likeness: the cosine that a query or a note has with the direction of its topic, on average, in (0, 1).
        easy: with what chance the right and any wrong action succeed on every second topic.
        hard: the same of the other topics.
        episodes: how many.
        explore: with what chance the agent takes an action at random, in [0, 1].
    """

    topics: int
    actions: int
    width: int
    likeness: float
    easy: tuple[float, float]
    hard: tuple[float, float]
    episodes: int
    explore: float

    def __post_init__(self) -> None:
        if not 1 <= self.topics <= self.width:
            raise ValueError(f"topics must lie in [1, width], got {self.topics} of width {self.width}")
        if self.actions < 2 or self.episodes < 1:
            raise ValueError(f"there must be 2 actions and an episode, got {self.actions} and {self.episodes}")
        if not 0 < self.likeness < 1:
            raise ValueError(f"likeness must lie in (0, 1), got {self.likeness!r}")
        for chance in (*self.easy, *self.hard, self.explore):
            if not 0 <= chance <= 1:
                raise ValueError(f"chances must lie in [0, 1], got {chance!r}")

    @classmethod
    def from_json(cls, settings: dict[str, Any]) -> WorldConfig:
        """Return the configuration that JSON values stand for."""
        return cls(**{**settings, "easy": tuple(settings["easy"]), "hard": tuple(settings["hard"])})


@final
class World:
    """The world of a seed, with the luck of every episode.

    Attributes:
        right: the right action of each topic, of shape (topics,).
        chance: of success, by topic and action.
        topic: of each episode, of shape (episodes,).
        query: what is asked in each episode, of shape (episodes, width).
        note: the vector of what the agent notes after each episode, of shape (episodes, width).
        explores: whether the agent takes the action ``tried`` instead of what its memory says.
        tried: an action at random, for each episode.
        order: numbers that decide between actions with equally many votes, of shape (episodes, actions).
    """

    def __init__(self, config: WorldConfig, seed: int) -> None:
        self.config = config
        world, agent = (np.random.default_rng([seed, stream]) for stream in (0, 1))
        topics, actions, episodes = config.topics, config.actions, config.episodes
        square, _ = np.linalg.qr(world.standard_normal((config.width, config.width)))
        self._directions: Floats = square[:topics]
        self.right: Integers = world.integers(actions, size=topics)
        pairs = np.array([config.easy if number % 2 == 0 else config.hard for number in range(topics)])
        self.chance: Floats = np.repeat(pairs[:, 1:], actions, axis=1)
        self.chance[np.arange(topics), self.right] = pairs[:, 0]
        self.topic: Integers = world.integers(topics, size=episodes)
        self._luck: Floats = world.random(episodes)
        self.query = self.near(self.topic, world)
        self.note = self.near(self.topic, agent)
        self.explores: NDArray[np.bool_] = agent.random(episodes) < config.explore
        self.tried: Integers = agent.integers(actions, size=episodes)
        self.order: Floats = agent.random((episodes, actions))

    @property
    def optimum(self) -> float:
        """The mean chance of success, over the topics, of an agent that knows what is right and explores as all do."""
        best, guess = self.chance.max(axis=1).mean(), self.chance.mean()
        return float((1 - self.config.explore) * best + self.config.explore * guess)

    def near(self, topic: Integers, generator: np.random.Generator) -> NDArray[np.float32]:
        """Return a vector of length 1 near the direction of each topic, of shape (n, width)."""
        apart = np.sqrt((self.config.likeness**-2 - 1) / self.config.width)
        found = self._directions[topic] + apart * generator.standard_normal((len(topic), self.config.width))
        unit: NDArray[np.float32] = (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)
        return unit

    def succeeds(self, episode: int, action: int) -> bool:
        """Say whether an action succeeds in an episode."""
        return bool(self._luck[episode] < self.chance[self.topic[episode], action])


@final
class Noise:
    """What stands between the world and the memory.

    ``"flipped"`` turns each feedback round with a chance of the rate. ``"adversarial-feedback"`` turns round all
    feedback on a share of the topics. ``"adversarial-writes"`` leaves the feedback alone; that share of all notes comes
    from a stranger, who recommends the same wrong action of a topic each time.

    Args:
        kind: which.
        rate: in [0, 1]; of writes below 1.
        world: of which seed it is.
        seed: the same.
    """

    def __init__(self, kind: NoiseKind, rate: float, world: World, seed: int) -> None:
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
        if not 0 <= rate <= 1 or (kind == "adversarial-writes" and rate == 1):
            raise ValueError(f"rate must lie in [0, 1], of writes below 1, got {rate!r}")
        config, generator = world.config, np.random.default_rng([seed, 2])
        self._kind, self._rate, self._world = kind, rate, world
        self._drawn: Floats = generator.random(config.episodes)
        self._attacked = set(generator.permutation(config.topics)[: round(rate * config.topics)].tolist())
        self._wrong: Integers = (world.right + generator.integers(1, config.actions, size=config.topics)) % (
            config.actions
        )
        self._generator = generator
        self._due = 0.0

    def hears(self, episode: int, success: bool) -> bool:
        """Return what the memory hears of the success of an episode."""
        if self._kind == "flipped":
            return success != bool(self._drawn[episode] < self._rate)
        if self._kind == "adversarial-feedback":
            return success != (int(self._world.topic[episode]) in self._attacked)
        return success

    def strange_notes(self) -> list[tuple[int, int, NDArray[np.float32]]]:
        """Return what the stranger notes after one episode: topic, action and vector of each note."""
        if self._kind != "adversarial-writes":
            return []
        self._due += self._rate / (1 - self._rate)  # for each note of the agent's
        count = int(self._due + 1e-9)
        self._due -= count
        topics = self._generator.integers(self._world.config.topics, size=count)
        vectors = self._world.near(topics, self._generator)
        return [(int(topic), int(self._wrong[topic]), vector) for topic, vector in zip(topics, vectors, strict=True)]
