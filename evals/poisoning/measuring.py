"""How many hostile notes get through, and how many honest ones are stopped, by the settings of the tools."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from .simulation import ARMS, Result, simulate


def measure(seeds: int) -> list[dict[str, Any]]:
    """Return a row for each kind of attack and for the sums, with the share of each arm over all seeds."""
    shares = {arm: summary([simulate(config, seed) for seed in range(seeds)]) for arm, config in ARMS.items()}
    return [
        {"name": name, **{arm: f"{100 * share[name]:.1f} %" for arm, share in shares.items()}}
        for name in next(iter(shares.values()))
    ]


def summary(results: Iterable[Result]) -> dict[str, float]:
    """Return the shares over several simulations: of each kind of attack, of all, and of honest notes."""
    results = list(results)
    offered, ever, at_end, used = (
        sum((getattr(result, name) for result in results), Counter[str]())
        for name in ("offered", "ever", "at_end", "used")
    )
    attacks = [kind for kind in offered if kind]
    hostile = sum(offered[kind] for kind in attacks)
    return {
        **{kind: ever[kind] / offered[kind] for kind in attacks},
        "hostile, ever in the top 3": sum(ever[kind] for kind in attacks) / hostile,
        "hostile, in the top 3 at the end": sum(at_end[kind] for kind in attacks) / hostile,
        "honest, blocked": sum(result.blocked for result in results) / offered[""],
        "honest, in use at the end": used[""] / offered[""],
    }
