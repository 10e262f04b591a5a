"""The evaluation suites: one module for each, and one line here."""

from __future__ import annotations

from difflib import get_close_matches
from typing import cast

from retention import NotFoundError

from ..reference import load
from ..suite import Suite

SUITES = {
    "capacity": "evals.suites.capacity:SUITE",
    "chat": "evals.suites.chat:SUITE",
    "cross-session": "evals.suites.cross_session:SUITE",
    "drift": "evals.suites.drift:SUITE",
    "forgetting": "evals.suites.forgetting:SUITE",
    "learning": "evals.suites.learning:SUITE",
    "noise": "evals.suites.noise:SUITE",
    "pretrained": "evals.suites.pretrained:SUITE",
    "retrieval": "evals.suites.retrieval:SUITE",
    "scaling": "evals.suites.scaling:SUITE",
    "tool-use": "evals.suites.tool_use:SUITE",
    "transfer": "evals.suites.transfer:SUITE",
    "write-read": "evals.suites.write_read:SUITE",
    "write-strategies": "evals.suites.write_strategies:SUITE",
}


def find_suite(name: str) -> Suite:
    """Return the suite of that name.

    Raises:
        NotFoundError: there is none; the message gives the nearest name and all that are known.
    """
    if name not in SUITES:
        near = get_close_matches(name, SUITES, n=1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise NotFoundError(f"no suite named {name!r}. {hint}Known suites: {', '.join(sorted(SUITES))}")
    return cast(Suite, load(SUITES[name]))
