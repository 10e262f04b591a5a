"""What a device can do at most: how fast it moves bytes, and how fast it multiplies matrices, measured in this run."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import final

import torch

from .stopwatch import seconds


@final
@dataclass(frozen=True, kw_only=True)
class Ceilings:
    """The two ceilings of a device in one dtype.

    Attributes:
        bytes_per_second: of a copy, reading and writing counted.
        flops_per_second: of a large matrix product, an addition and a multiplication counted as two.
    """

    bytes_per_second: float
    flops_per_second: float

    def seconds(self, *, moved: float, flops: float) -> float:
        """Return the least time for moving so many bytes while computing so many operations."""
        return max(moved / self.bytes_per_second, flops / self.flops_per_second)


def measure_ceilings(device: str, dtype: str, *, megabytes: int = 256, side: int = 2048, repeats: int = 7) -> Ceilings:
    """Measure both, each as the median over the repeats.

    Args:
        device: ``"cpu"`` or ``"cuda"``.
        dtype: the name of a floating point dtype.
        megabytes: the size of what is copied; much more than the caches hold.
        side: the side of the square matrices.
        repeats: how often each is measured.

    Raises:
        ValueError: a number is below 1.
    """
    if min(megabytes, side, repeats) < 1:
        raise ValueError(f"megabytes, side and repeats must be at least 1, got {megabytes}, {side} and {repeats}")
    source = torch.ones(megabytes * 2**18, device=device)
    target = torch.empty_like(source)
    left = torch.randn(side, side, device=device).to(getattr(torch, dtype))
    product = torch.empty_like(left)

    def copy() -> None:
        target.copy_(source)

    def multiply() -> None:
        torch.mm(left, left, out=product)

    best = []
    for call in (copy, multiply):
        call()
        best.append(median(seconds(call, device) for _ in range(repeats)))
    moved = 2 * source.numel() * source.element_size()
    return Ceilings(bytes_per_second=moved / best[0], flops_per_second=2 * side**3 / best[1])
