"""Learners of other people under one interface, and ours beside them: one module, and one line here for each.

All play the same environments for as long as they are given, and what each episode earned is noted in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, final

from retention import HoldfastError, NotFoundError

if TYPE_CHECKING:
    from .learner import Learner
    from .ours import Ours

RETENTION = "retention"
"""The learner whose policy a task's settings name under ``"policy"``: meta-trained, and frozen at use."""

PEERS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "ppo": (("stable_baselines3", "stable-baselines3"),),
    "dqn": (("stable_baselines3", "stable-baselines3"),),
    "recurrent-ppo": (("stable_baselines3", "stable-baselines3"), ("sb3_contrib", "sb3-contrib")),
}
"""The peers, and what each needs beside holdfast: names to import, and the distributions that have them."""

OURS: Mapping[str, tuple[str, str]] = {
    "recall": ("recall", "kept"),
    "gradient": ("ppo", "kept"),
    "retention": (RETENTION, "kept"),
    "retention-wiped": (RETENTION, "wiped"),
    "retention-foreign": (RETENTION, "foreign"),
}
"""Ours: for each name the policy (``RETENTION``: the task's own) and the arm of its memory."""

TABULAR = "tabular-q"


@final
@dataclass(frozen=True, kw_only=True)
class Training:
    """What a policy cost before it was used.

    Attributes:
        env_steps: steps of environments that it was trained on.
        cpu_seconds: of the training.
    """

    env_steps: int = 0
    cpu_seconds: float = 0.0


def make_learner(name: str, settings: Mapping[str, Any], folder: Path) -> Learner:
    """Make a learner by its name.

    Args:
        name: of ``OURS``, ``PEERS`` or ``TABULAR``.
        settings: of the task that it is to play; each learner says which it reads.
        folder: where it may keep files.

    Raises:
        NotFoundError: there is none of that name; the message gives the nearest one and all that are known.
        HoldfastError: what it needs is not installed.
        ValueError: a setting is wrong.
    """
    if name in OURS:
        return make_ours(name, settings, folder)
    if name in PEERS:
        from .stable_baselines import StableBaselines

        return cast("Learner", StableBaselines.from_settings(name, settings))
    if name == TABULAR:
        from .tabular_q import TabularQ

        return cast("Learner", TabularQ.from_settings(settings))
    known = sorted([*OURS, *PEERS, TABULAR])
    near = get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    raise NotFoundError(f"no learner named {name!r}. {hint}Known learners: {', '.join(known)}")


def make_ours(name: str, settings: Mapping[str, Any], folder: Path) -> Ours:
    """Make one of ours by its name; see :func:`make_learner`."""
    from .ours import Ours

    policy, arm = OURS[name]
    return Ours.from_settings(policy_name(policy, settings), settings, folder, arm=arm)


def policy_name(policy: str, settings: Mapping[str, Any]) -> str:
    """Return the name that ``agent.make_policy`` knows: the task's own for ``RETENTION``."""
    return str(settings["policy"]) if policy == RETENTION else policy


def left_out(name: str, settings: Mapping[str, Any]) -> str | None:
    """Return the sentence that says why a learner cannot play a task here; ``None`` where it can.

    Nothing of a peer is imported for it.
    """
    absent = [distribution for module, distribution in PEERS.get(name, ()) if find_spec(module) is None]
    if absent:
        verb = "are" if len(absent) > 1 else "is"
        return f"{name} is left out: {' and '.join(absent)} {verb} not installed (pip install 'holdfast[bench]')"
    if name in OURS and OURS[name][0] == RETENTION:
        from agent import make_policy

        try:
            make_policy(policy_name(RETENTION, settings))
        except (HoldfastError, ValueError) as error:
            return f"{settings['policy']} is left out: {' '.join(str(error).split())}"
    return None


def training_of(name: str, settings: Mapping[str, Any]) -> Training:
    """Return what a learner cost before it was used, by the recipe that its policy brings; nothing for the others."""
    if name not in OURS or OURS[name][0] != RETENTION:
        return Training()
    from agent import make_policy

    recipe: Mapping[str, Any] = getattr(make_policy(policy_name(RETENTION, settings)), "recipe", {})
    return Training(env_steps=int(recipe.get("env_steps", 0)), cpu_seconds=float(recipe.get("cpu_seconds", 0.0)))
