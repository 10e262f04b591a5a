"""Observations of many numbers: pooled, projected, and told apart from those of another encoder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, final

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from numpy.typing import NDArray

from agent import Agent, RetentionPolicy
from agent.recall.image_encoder import RandomProjection
from agent.recall.keys import key_space
from retention import EnvironmentFaultError, UnsupportedSpaceError

F32 = np.float32
IMAGE = spaces.Box(0, 255, (64, 48, 3), np.uint8)


def naive_pool(image: NDArray[Any], grid: int) -> NDArray[np.float64]:
    """Average cell by cell; a cell begins at ``i size // cells``."""
    rows, columns = (min(size, grid) for size in image.shape[:2])
    cells = []
    for i in range(rows):
        for j in range(columns):
            top, bottom = i * image.shape[0] // rows, (i + 1) * image.shape[0] // rows
            left, right = j * image.shape[1] // columns, (j + 1) * image.shape[1] // columns
            cells.append(image[top:bottom, left:right].astype(np.float64).mean(axis=(0, 1)))
    return np.array(cells).ravel()


@pytest.mark.parametrize("shape", [(64, 48, 3), (20, 17, 1), (33, 16), (50, 7, 2)])
def test_pooling_is_that_of_a_naive_average(shape: tuple[int, ...]) -> None:
    space = spaces.Box(0, 255, shape, np.uint8)
    encoder = RandomProjection(space)
    space.seed(3)
    first, second = space.sample(), space.sample()
    numbers = naive_pool(first, 16).size
    projection = np.random.RandomState(20260).standard_normal((numbers, 64)) / 8.0
    for image in (first, second):
        wanted = naive_pool(image / 255.0, 16) @ projection
        np.testing.assert_allclose(encoder.encode(image), wanted, rtol=1e-3, atol=1e-4)


def test_distances_are_kept_on_average() -> None:
    space = spaces.Box(-1.0, 1.0, (400,), F32)
    encoder, draw = RandomProjection(space, width=256), np.random.default_rng(0)
    pairs = draw.uniform(-1.0, 1.0, (50, 2, 400)).astype(F32)
    far = [np.linalg.norm(encoder.encode(a) - encoder.encode(b)) for a, b in pairs]
    wanted = np.linalg.norm((pairs[:, 0] - pairs[:, 1]) / 2.0, axis=1)  # in units of the space
    assert np.abs(np.array(far) / wanted - 1.0).max() < 0.25


def test_another_process_encodes_the_same() -> None:
    code = (
        "import numpy as np; from gymnasium import spaces; from agent.recall.image_encoder import RandomProjection;"
        "made = RandomProjection(spaces.Box(0, 255, (64, 48, 3), np.uint8));"
        "print(made.encode(np.arange(64 * 48 * 3).reshape(64, 48, 3).astype(np.uint8)).tolist())"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    here = RandomProjection(IMAGE).encode(np.arange(64 * 48 * 3).reshape(64, 48, 3).astype(np.uint8))
    assert told.strip() == str(here.tolist())


def test_only_large_boxes_are_encoded() -> None:
    small, large = key_space(spaces.Box(0, 255, (7, 7, 3), np.uint8)), key_space(IMAGE)
    assert (small.exact, small.width, small.encoder) == (True, 147, None)
    assert (large.exact, large.width) == (False, 64)
    assert large.encoder == "random-projection/1 64x48x3 grid 16 width 64"
    assert key_space(spaces.Box(-1.0, 1.0, (256,), F32)).width == 256
    assert key_space(spaces.Box(-1.0, 1.0, (257,), F32)).width == 64
    both = key_space(spaces.Dict({"seen": IMAGE, "turn": spaces.Discrete(3)}))
    assert (both.exact, both.width) == (False, 67)


@pytest.mark.parametrize(
    ("shown", "said"),
    [(np.zeros((64, 48), np.uint8), r"shape \(64, 48\) where \(64, 48, 3\) is declared"), (None, "does not fit")],
)
def test_an_image_that_does_not_fit_is_the_environments_fault(shown: Any, said: str) -> None:
    with pytest.raises(EnvironmentFaultError, match=said):
        key_space(IMAGE).key(shown)


def test_infinity_without_bounds_is_the_environments_fault() -> None:
    space = spaces.Box(-np.inf, np.inf, (300,), F32)
    assert np.isfinite(key_space(space).key(np.full(300, 1e6, F32))).all()
    with pytest.raises(EnvironmentFaultError, match="NaN or infinity"):
        key_space(space).key(np.full(300, np.nan, F32))


@pytest.mark.parametrize(("width", "grid"), [(0, 16), (64, 0)])
def test_sizes_that_make_no_sense_are_refused(width: int, grid: int) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        RandomProjection(IMAGE, width=width, grid=grid)


class Picture(gymnasium.Env[Any, Any]):
    """Shows one of four cells of a corridor as a picture of 32 x 32; walking right to the last one earns 1."""

    observation_space, action_space = spaces.Box(0, 255, (32, 32, 3), np.uint8), spaces.Discrete(2)

    def _shown(self) -> NDArray[np.uint8]:
        image = np.full((32, 32, 3), 40, np.uint8)
        image[:, 8 * self._at : 8 * self._at + 8] = (250, 180, 20)
        return image

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._at = self._steps = 0
        return self._shown(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._at = max(0, self._at + (1 if action == 1 else -1))
        self._steps += 1
        there = self._at == 3
        return self._shown(), float(there), there, self._steps == 20, {}


def test_pictures_are_learned_from_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    with Agent.open(path, namespace="alice", seed=1) as agent:
        assert agent.run(Picture(), episodes=40).returns[-10:].tolist() == [1.0] * 10
    with Agent.open(path, namespace="alice", frozen=True) as agent:
        assert agent.run(Picture(), episodes=3).lengths.tolist() == [3] * 3


@final
class First:
    """An encoder that looks at the first numbers alone."""

    name, width = "first/2", 2

    def __init__(self, space: spaces.Box) -> None:
        pass

    def encode(self, observation: NDArray[Any]) -> NDArray[np.float32]:
        return observation.ravel()[:2].astype(np.float32)


def test_a_memory_of_another_encoder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    with Agent.open(path, namespace="alice", seed=1) as agent:
        agent.run(Picture(), episodes=2)
    other = RetentionPolicy(encoder=First)
    with Agent.open(path, namespace="alice", policy=other) as agent:
        with pytest.raises(
            UnsupportedSpaceError, match=r"encoded by random-projection/1 .*, this policy encodes by first/2"
        ):
            agent.run(Picture(), episodes=1)
        agent.run(Picture(), episodes=1, task="the same, otherwise encoded")
