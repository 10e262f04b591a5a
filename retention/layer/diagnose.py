"""What is wrong with a memory, in words: the failure signatures that its state, its reads and its writes match.

Reference: arXiv 2501.09166 names overfitting to memory, interference, saturation and staleness. The numbers are ours.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import final

import torch
from torch import Tensor

from .layer import RetentionLayer
from .read import unit
from .read_info import ReadInfo
from .slots import SlotState
from .write import WriteInfo

FEW = 8
"""With fewer filled slots, or over fewer calls, each of these numbers is large by chance."""
ASKED_PAST = 0.95
"""Null mass from which memory answers next to nothing: what is read is scaled by a twentieth at most."""
DIFFUSE = 0.9
"""Share of the largest entropy there can be, from which a read is close to the mean of all slots."""
SUPPORT = 0.5
"""Cosine from which a slot is never taken for a chance neighbour, however narrow the heads are."""
COLLAPSED = 0.8
"""Mean cosine of two keys from which the average pair counts as one thing; ``RetentionConfig.tau`` at first."""
TWINS = 0.25
"""Share of slots with a duplicate from which a row holds much less than it seems to."""
SAMPLE = 512
"""Slots of a row among which duplicates are looked for: as many products as a read by so many queries."""
DOMINANT = 0.8
"""Share of all attention from which the answer is that of one slot, whatever the question."""
UNREAD = 0.01
"""Share of an even share of the attention under which a slot counts as never read."""
MOSTLY = 0.75
"""Share of slots never read from which most of the memory is dead weight."""
SHUT, OPEN = 0.02, 0.98
"""Mean accept rates up to which a gate is shut, and from which it decides nothing."""
TURNOVER = 8.0
"""Calls in which a full row is replaced as a whole, up to which nothing outlives its context."""


@final
@dataclass(frozen=True, kw_only=True)
class Finding:
    """One sign of failure.

    Attributes:
        row: the namespace that shows it.
        name: which sign: "not finite", "stale", "full of pins", "collapsed", "duplicates", "not read", "diffuse", "no
            support", "one slot", "never read", "gate shut", "gate open", "thrash" or "refused".
        number: what was measured.
        words: what it means, and what to look at.
    """

    row: int
    name: str
    number: float
    words: str


def diagnose(
    state: SlotState,
    *,
    layer: RetentionLayer | None = None,
    reads: Sequence[ReadInfo] = (),
    writes: Sequence[WriteInfo] = (),
) -> tuple[Finding, ...]:
    """Say which failure signatures a memory matches.

    Args:
        state: the slots as they are now.
        layer: tells whether the slots are stale, and from which cosine two of them are duplicates.
        reads: what recent reads of these namespaces saw, about two dozen queries or more in all.
        writes: what recent writes did, eight or more.

    Returns:
        The findings, by row; none where nothing is wrong.
    """
    found: list[Finding] = []
    for row in range(state.batch):
        one = state.index(slice(row, row + 1))
        signs = (*_of_slots(one, layer), *_of_reads(one, row, reads), *_of_writes(one, row, writes))
        found += [Finding(row=row, name=name, number=number, words=words) for name, number, words in signs]
    return tuple(found)


Sign = tuple[str, float, str]


def _of_slots(state: SlotState, layer: RetentionLayer | None) -> Iterator[Sign]:
    """What shows in the slots themselves; ``state`` has one row."""
    filled = int(state.occupied.sum())
    broken = [f.name for f in fields(state) if not getattr(state, f.name).isfinite().all()]
    if broken:
        names = ", ".join(broken)
        yield "not finite", float(len(broken)), f"{names} hold values that are not finite: forget the slots, go back"
        return
    if layer is not None and filled and bool(layer.stale(state)):
        yield "stale", float(filled), f"staleness: other weights made the keys of {filled} slots: call refresh"
    if bool((state.pinned & state.occupied).all()):
        yield "full of pins", float(filled), f"saturation: all {filled} slots are pinned, nothing new finds room: unpin"
    if filled < FEW:
        return
    keys = unit(state.k[0][:, state.occupied[0]].detach().float())
    mean = float(((keys.sum(dim=1).square().sum(dim=1) - filled) / (filled * (filled - 1))).mean())
    if mean > COLLAPSED:
        yield (
            "collapsed",
            mean,
            f"interference: two keys have a cosine of {mean:.2f} on average, so no query can tell slots apart: "
            "look at what is written (the mean of a long call?) and at the key projection",
        )
        return
    tau = COLLAPSED if layer is None else layer.config.tau
    some = keys[:, torch.linspace(0, filled - 1, min(filled, SAMPLE), device=keys.device).long()]
    cosine = (some @ some.transpose(1, 2)).mean(dim=0).fill_diagonal_(-1.0)
    twins = float((cosine.amax(dim=1) > tau).float().mean())
    if twins > TWINS:
        yield (
            "duplicates",
            twins,
            f"interference: {twins:.0%} of the slots have a duplicate (cosine above {tau:g}): "
            "write with MergeWrite, or lower tau, or merge them",
        )


def _of_reads(state: SlotState, row: int, reads: Sequence[ReadInfo]) -> Iterator[Sign]:
    """What shows in the attention that the slots draw."""
    filled = int(state.occupied.sum())
    if not filled:
        return
    drawn = state.mass[0] if not reads else torch.stack([info.slot_mass[row] for info in reads]).sum(dim=0)
    if reads:
        null, entropy, nearest = (
            _mean([getattr(info, name)[row] for info in reads]) for name in ("null_mass", "entropy", "max_cosine")
        )
        yield from _of_one_query(filled, state.k.shape[-1], null, entropy, nearest)
    share = drawn[state.occupied[0]].float()
    total = float(share.sum())
    if filled < FEW or total < FEW * filled:
        return
    top = float(share.max()) / total
    if top > DOMINANT:
        yield (
            "one slot",
            top,
            f"interference: slot {int(drawn.argmax())} draws {top:.0%} of the attention: look at its bias and at what "
            "it holds, or forget it",
        )
    unread = float((share < UNREAD * total / filled).float().mean())
    if unread > MOSTLY:
        yield (
            "never read",
            unread,
            f"staleness: {unread:.0%} of {filled} slots are not read: refresh if the weights have changed, evict, "
            "or hold less",
        )


def _of_one_query(filled: int, dim: int, null: float, entropy: float, nearest: float) -> Iterator[Sign]:
    """What shows in the means over queries."""
    if null > ASKED_PAST:
        yield (
            "not read",
            null,
            f"staleness: {null:.0%} of the attention goes past {filled} filled slots (max cosine {nearest:.2f}): "
            "look at whether queries match keys, at the null score, and at what is asked",
        )
        return
    certain = sum(p * math.log(1 / p) for p in (null, 1 - null) if p > 0)
    largest = certain + (1 - null) * math.log(filled)  # of an even spread over the slots
    if filled >= FEW and entropy > DIFFUSE * largest:
        yield (
            "diffuse",
            entropy / largest,
            f"saturation: reads are spread over {filled} slots almost evenly, they answer the mean of memory: "
            "raise the temperature, read the top slots alone, or hold less",
        )
    chance = min(SUPPORT, math.sqrt(2 * math.log(filled + 1) / dim))  # the largest of so many chance cosines
    if null < 1 - SUPPORT and nearest < chance:
        yield (
            "no support",
            nearest,
            f"overfitting to memory: it answers (null mass {null:.2f}) where the nearest key is no nearer than chance "
            f"(max cosine {nearest:.2f}): raise the null score, or train with questions that memory cannot answer",
        )


def _of_writes(state: SlotState, row: int, writes: Sequence[WriteInfo]) -> Iterator[Sign]:
    """What shows in what was written."""
    refused = [(i, int(at)) for i, info in enumerate(writes) for at in info.refused[row].nonzero()[:, 0]]
    if refused:
        first, at = refused[0]
        yield (
            "refused",
            float(len(refused)),
            f"saturation: {len(refused)} candidates of row {row} were refused, first candidate {at} of write {first}: "
            "they are not finite, overflow, or find no room beside pinned slots",
        )
    full = bool(state.occupied.all())
    if len(writes) >= FEW:
        accepted = _mean([info.accept_rate[row] for info in writes])
        lost = _mean([info.evictions[row] for info in writes])
        if accepted < SHUT:
            yield (
                "gate shut",
                accepted,
                f"{accepted:.0%} of what was offered in {len(writes)} writes was written: look at the threshold, at "
                "the write gate's weights and at the feedback; if nothing was offered, at the mask",
            )
        if accepted > OPEN and full and lost > 0:
            yield (
                "gate open",
                accepted,
                f"saturation: {accepted:.0%} of what is offered is written and a full row evicts for it: raise the "
                "threshold, give feedback, or raise the capacity",
            )
        calls = state.capacity / lost if lost else math.inf
    else:
        evicted = int(state.next_id[0] - state.occupied.sum())
        calls = float(state.age.max()) + 1 if evicted >= state.capacity else math.inf
    if full and state.capacity >= FEW and calls <= TURNOVER:
        yield (
            "thrash",
            calls,
            f"saturation: the {state.capacity} slots are replaced as a whole in about {calls:.1f} calls: "
            "raise the capacity, write less in a call, or pin what must stay",
        )


def _mean(numbers: Sequence[Tensor]) -> float:
    return float(torch.stack([number.detach().float() for number in numbers]).mean())
