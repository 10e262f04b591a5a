"""Other people's memories under one interface, and ours beside them: one module for each, and one line here.

Each is trained on the same task by the same loop: facts are told in one segment, the context is cleared, and the facts
are asked for in the next. What a peer keeps between the two is the only thing that can answer.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, cast

from retention import NotFoundError

from ..reference import load

if TYPE_CHECKING:
    from .recaller import MakeRecaller, Recaller, RecallerConfig

RECALLERS = {
    "dnc": "evals.peers.dnc:make_recaller",
    "infini": "evals.peers.infini:make_recaller",
    "memorizing": "evals.peers.memorizing:make_recaller",
    "product-keys": "evals.peers.product_keys:make_recaller",
    "retention": "evals.peers.ours:make_recaller",
    "rmt": "evals.peers.rmt:make_recaller",
    "titans": "evals.peers.titans:make_recaller",
    "vanilla": "evals.peers.vanilla:make_recaller",
}


def make_recaller(name: str, config: RecallerConfig) -> Recaller:
    """Build the recaller of that name, with weights drawn from torch's global generator.

    Raises:
        NotFoundError: there is none; the message gives the nearest name and all that are known.
        HoldfastError: its package is not installed; the message has the command that installs it.
    """
    if name not in RECALLERS:
        near = get_close_matches(name, RECALLERS, n=1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise NotFoundError(f"no recaller named {name!r}. {hint}Known recallers: {', '.join(sorted(RECALLERS))}")
    return cast("MakeRecaller", load(RECALLERS[name]))(config)
