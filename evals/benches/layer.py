"""What our layer costs beside a vanilla transformer layer and beside other people's memories.

All run in one process on one thread and by turns, in an order that rotates from round to round, so that a machine
which is busy or throttled for a while is so for all of them; a ratio is taken within a round, and rows hold medians.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, final

import torch

from retention import HoldfastError

from ..peers.contender import Contender, LayerSizes
from .device_ceilings import Ceilings
from .layer_lineup import VANILLA, Entry
from .quiet import quiet
from .stopwatch import one_thread, seconds

MEASURES = ("forward", "read", "train", "step", "step_written")
_LEAST_SECONDS = 0.02


@final
@dataclass(frozen=True, kw_only=True)
class Timed:
    """A contender whose calls are timed.

    Attributes:
        name: its row.
        contender: what is called.
        calls: for each measure that it has, how often it is called in one turn.
        tokens: for each measure, the tokens of a call.
    """

    name: str
    contender: Contender
    calls: dict[str, int]
    tokens: dict[str, int]


def measure(
    entries: Sequence[Entry],
    sizes: LayerSizes,
    *,
    repeats: int = 15,
    ceilings: Ceilings | None = None,
    on_turn: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """Time all that take part; one that cannot be built or called is a row with its error.

    Args:
        entries: who takes part; the ratios are to the one named ``"vanilla"``.
        sizes: of all of them.
        repeats: rounds; in each, every one has a turn.
        ceilings: what the device can do at most; None leaves the share of it out.
        on_turn: called with a name after it was built, and after each of its turns.

    Returns:
        A row for each entry, in their order.

    Raises:
        ValueError: ``repeats`` is below 1.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}")
    ready: dict[str, Timed] = {}
    errors: dict[str, str] = {}
    with one_thread():
        for entry in entries:
            try:
                ready[entry.name] = prepare(entry, sizes)
            except Exception as error:  # it is a row; the others go on
                errors[entry.name] = describe(error)
            if on_turn is not None:
                on_turn(entry.name)
        rounds = []
        names = list(ready)
        for number in range(repeats):
            times: dict[tuple[str, str], float] = {}
            for place in range(len(names)):
                timed = ready[names[(place + number) % len(names)]]
                for name, value in turn(timed, sizes.device).items():
                    times[timed.name, name] = value
                if on_turn is not None:
                    on_turn(timed.name)
            rounds.append(times)
    return [
        failed_row(entry.name, errors[entry.name])
        if entry.name in errors
        else row_of(ready[entry.name], rounds, ceilings)
        for entry in entries
    ]


def prepare(entry: Entry, sizes: LayerSizes) -> Timed:
    """Build a contender, warm its calls up, and find out how often to call each for a turn that a clock can time."""
    torch.manual_seed(0)
    with quiet():
        contender = entry.build(sizes)
        calls = {}
        for name in MEASURES:
            call = getattr(contender, name)
            if call is not None:
                call()
                once = min(seconds(call, sizes.device) for _ in range(2))
                calls[name] = max(1, math.ceil(_LEAST_SECONDS / max(once, 1e-6)))
    batch = sizes.batch * sizes.time
    tokens = {"forward": batch, "read": batch, "train": batch, "step": sizes.steps, "step_written": sizes.steps}
    return Timed(name=entry.name, contender=contender, calls=calls, tokens=tokens)


def turn(timed: Timed, device: str) -> dict[str, float]:
    """Return the microseconds a token of each measure."""
    found = {}
    with quiet():
        for name, calls in timed.calls.items():
            taken = seconds(getattr(timed.contender, name), device, calls)
            found[name] = 1e6 * taken / (calls * timed.tokens[name])
    return found


def row_of(timed: Timed, rounds: Sequence[dict[tuple[str, str], float]], ceilings: Ceilings | None) -> dict[str, Any]:
    """Return the row of one that was timed: medians over the rounds, and medians of the ratios within a round."""
    row = empty_row(timed.name)
    for name in timed.calls:
        row[f"{name}_us"] = median(times[timed.name, name] for times in rounds)
        against = "forward" if name == "read" else "step" if name == "step_written" else name
        if all((VANILLA, against) in times for times in rounds):
            row[f"{name}_ratio"] = median(times[timed.name, name] / times[VANILLA, against] for times in rounds)
    contender = timed.contender
    row |= {"state_bytes": contender.state_bytes, "note": contender.note}
    if ceilings is not None and contender.read_bytes and row["read_us"]:
        floor = ceilings.seconds(moved=contender.read_bytes, flops=contender.read_flops)
        row["read_floor_share"] = 1e6 * floor / (row["read_us"] * timed.tokens["read"])
    return row


def failed_row(name: str, error: str) -> dict[str, Any]:
    """Return the row of one that could not be built or called."""
    return empty_row(name) | {"error": error}


def empty_row(name: str) -> dict[str, Any]:
    """Return a row that says nothing yet."""
    times = {f"{name}_{what}": None for what in ("us", "ratio") for name in MEASURES}
    rest = {"read_floor_share": None, "memory_mb": None, "state_bytes": None, "note": "", "error": None}
    return {"name": name, **times, **rest}


def describe(error: Exception) -> str:
    """Say in one line what went wrong; what a caller can act on speaks for itself."""
    message = " ".join(str(error).split())
    return message if isinstance(error, HoldfastError) else f"{type(error).__name__}: {message}"[:300]
