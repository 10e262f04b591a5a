"""The randomness of an episode, from the run's seed and the episode's number alone.

So an episode is the same whether the run reached it in one process or in several.
"""

from __future__ import annotations

import numpy as np


def episode_seed(seed: int, number: int) -> int:
    """Return the seed with which the environment is reset for an episode."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0]) >> 1  # some environments want 31 bits


def episode_rng(seed: int, number: int, lane: int = 0) -> np.random.Generator:
    """Return the generator from which the policy draws in an episode."""
    return np.random.default_rng(np.random.SeedSequence([seed, number, lane]))


def check_seed(seed: int) -> int:
    """Return the seed.

    Raises:
        TypeError: it is no integer.
        ValueError: it is negative.
    """
    if not isinstance(seed, (int, np.integer)):
        raise TypeError(f"a seed must be an integer, got {seed!r}")
    if seed < 0:
        raise ValueError(f"a seed must not be negative, got {seed}")
    return seed
