"""Sub-linear reads: which slots a query should look at, found without comparing it with all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from numpy.typing import NDArray
from torch import Tensor

from ..index.choose import DENSE_BELOW, TIERS, TRAINED_FROM, Tier, choose_tier, new_table
from ..index.table import VectorTable
from ..index.trained import TrainedConfig
from .slots import SlotState


@final
@dataclass(frozen=True, kw_only=True)
class IndexConfig:
    """How a ``SlotIndex`` finds slots.

    Attributes:
        top: how many slots a query reads, unless it says otherwise.
        tier: "dense" compares with every slot, "scan" with a code of every slot, "trained" visits a part of them and
            finds a little less than all (needs ``holdfast[index]``); None chooses by the capacity.
        dense_below: the smallest capacity that is scanned, where ``tier`` is None.
        trained_from: the smallest capacity that is trained, where ``tier`` is None.
        trained: how the trained tier makes and visits its lists.
        chunk: about how many products "dense" holds at a time. On any device but the CPU the tier is "dense".
    """

    top: int = 32
    tier: Tier | None = None
    dense_below: int = DENSE_BELOW
    trained_from: int = TRAINED_FROM
    trained: TrainedConfig = field(default_factory=TrainedConfig)
    chunk: int = 1 << 24

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: a value is out of range.
        """
        for name in ("top", "chunk"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("dense_below", "trained_from"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.tier is not None and self.tier not in TIERS:
            raise ValueError(f"tier must be one of {', '.join(TIERS)}, or None, got {self.tier!r}")


@final
class SlotIndex:
    """Finds the slots whose keys have the largest inner product with a query; a cache beside a ``SlotState``.

    Its owner keeps it beside the states of one history, and may throw it away at any time. It may be handed any state:
    it compares stamps, and takes in the slots that changed since the last one. One table serves a head of a namespace;
    nothing of one namespace reaches another's.
    """

    def __init__(self, config: IndexConfig | None = None) -> None:
        """Make an index of nothing.

        Args:
            config: how slots are found.
        """
        self.config = config or IndexConfig()
        self._tables: list[list[VectorTable]] = []  # by namespace and head
        self._shape: tuple[int, ...] = ()
        self._seen: tuple[Tensor, int, Tensor, int] | None = None
        self._stamps = np.empty((0, 0), dtype=np.int64)
        self._versions = np.empty(0, dtype=np.int64)

    @property
    def nbytes(self) -> int:
        """Bytes that the index holds, about."""
        return self._stamps.nbytes + sum(table.nbytes for heads in self._tables for table in heads)

    def tier(self, state: SlotState) -> Tier:
        """Return how the slots of a state are found."""
        if state.k.device.type != "cpu":
            return "dense"
        return self.config.tier or choose_tier(
            state.capacity, dense_below=self.config.dense_below, trained_from=self.config.trained_from
        )

    def sync(self, state: SlotState) -> int:
        """Take in what changed since the last state; a search does so by itself.

        It costs nothing for the very same stamps, a comparison of all stamps for others, and beyond that what changed.
        A namespace whose keys were projected by other weights is taken in anew.

        Args:
            state: the slots as they are now.

        Returns:
            How many slots were taken in or dropped.

        Raises:
            ValueError: a key that changed is not finite; the index is empty then.
            MissingExtraError: the tier is trained, and faiss is not installed.
        """
        tier = self.tier(state)
        if tier == "dense":
            self._forget()
            return 0
        if self._is_seen(state):
            return 0
        self._seen = None
        if self._shape != (shape := (*state.k.shape, TIERS.index(tier))):
            self._forget()
            batch, heads, slots, dim = state.k.shape
            self._tables = [
                [new_table(tier, slots, dim, trained=self.config.trained) for _ in range(heads)] for _ in range(batch)
            ]
            self._stamps = np.zeros((batch, slots), dtype=np.int64)
            self._versions = state.version.numpy().copy()
            self._shape = shape
        stamps, versions = state.stamp.numpy(), state.version.numpy()
        try:
            changed = sum(self._sync_row(state, row, stamps[row], versions[row]) for row in range(state.batch))
        except ValueError:
            self._forget()
            raise
        self._remember(state)
        return changed

    def __call__(
        self, query: Float[Tensor, "batch heads n dim"], state: SlotState
    ) -> Int64[Tensor, "batch heads n k"] | None:
        """Select the slots that a read reads, see ``RetentionLayer.read``; None for all, where they are few.

        The choice is by the inner product alone: of a slot's gate, recency and utility the read knows more.
        """
        if self.config.tier is None and state.capacity < self.config.dense_below:
            return None
        return self.search(query, None, state)

    @torch.no_grad()
    def search(
        self, query: Float[Tensor, "batch heads n dim"], k: int | None, state: SlotState
    ) -> Int64[Tensor, "batch heads n k"]:
        """Find the slots whose keys have the largest inner product with each query.

        Args:
            query: one that is not finite finds any slots, and disturbs no other.
            k: how many slots; ``config.top`` where it is None.
            state: the slots; ``sync`` is called first.

        Returns:
            Numbers of slots, best first; -1 where fewer are occupied. No gradient flows through the choice.

        Raises:
            ValueError: ``k`` is below 1, or what ``sync`` raises.
            MissingExtraError: what ``sync`` raises.
        """
        k = self.config.top if k is None else k
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        self.sync(state)
        query = torch.where(query.isfinite().all(dim=-1, keepdim=True), query, 0.0)
        if not self._tables:
            return exact_top(query.to(state.k.dtype), state.k, state.stamp != 0, k, self.config.chunk)[1]
        found = torch.empty(*query.shape[:3], k, dtype=torch.int64)
        for row, heads in enumerate(self._tables):
            for head, table in enumerate(heads):
                queries = query[row, head].float().numpy()
                _, slots = table.search(queries, k, _Keys(state.k[row, head]))
                found[row, head] = torch.from_numpy(slots)
        return found

    def _sync_row(self, state: SlotState, row: int, stamps: NDArray[np.int64], version: np.int64) -> int:
        known = self._stamps[row]
        if self._versions[row] != version:
            for table in self._tables[row]:
                table.drop(np.flatnonzero(known))
            known[:] = 0
            self._versions[row] = version
        changed = np.flatnonzero(known != stamps)
        filled = changed[stamps[changed] != 0]
        emptied = changed[stamps[changed] == 0]
        for head, table in enumerate(self._tables[row]):
            table.drop(emptied)
            table.put(filled, _Keys(state.k[row, head])[filled])
        known[changed] = stamps[changed]
        return changed.size

    def _is_seen(self, state: SlotState) -> bool:
        if self._seen is None or state.stamp.is_inference() or state.version.is_inference():
            return False
        stamp, stamp_edits, version, version_edits = self._seen
        same = state.stamp is stamp and state.version is version
        return same and (stamp._version, version._version) == (stamp_edits, version_edits)

    def _remember(self, state: SlotState) -> None:
        if not (state.stamp.is_inference() or state.version.is_inference()):  # those do not count their edits
            self._seen = (state.stamp, state.stamp._version, state.version, state.version._version)

    def _forget(self) -> None:
        self._tables, self._shape, self._seen = [], (), None
        self._stamps = np.empty((0, 0), dtype=np.int64)


@final
class _Keys:
    """The keys of one head, read by position as float32."""

    def __init__(self, keys: Float[Tensor, "slots dim"]) -> None:
        self._keys = keys.detach()

    def __getitem__(self, positions: Any) -> NDArray[np.float32]:
        index = positions if isinstance(positions, slice) else torch.from_numpy(positions)
        return self._keys[index].float().numpy()


@torch.no_grad()
def exact_top(
    query: Float[Tensor, "batch heads n dim"],
    keys: Float[Tensor, "batch heads slots dim"],
    mask: Bool[Tensor, "batch slots"],
    k: int,
    chunk: int = 1 << 24,
) -> tuple[Float[Tensor, "batch heads n k"], Int64[Tensor, "batch heads n k"]]:
    """Find the slots whose keys have the largest inner product with each query, by comparing with all of them.

    Args:
        query: on the device of the keys.
        keys: of all slots.
        mask: True where a slot may be found.
        k: how many slots.
        trained: how the trained tier makes and visits its lists.
        chunk: about how many products are held at a time; it does not change what is found.

    Returns:
        scores: best first; ``-inf`` where the mask leaves fewer slots. No gradient flows through them.
        slots: their numbers; -1 where the mask leaves fewer.

    Raises:
        ValueError: ``k`` or ``chunk`` is below 1.
    """
    if k < 1 or chunk < 1:
        raise ValueError(f"k and chunk must be at least 1, got {k} and {chunk}")
    scores = query.new_full((*query.shape[:3], k), -torch.inf)
    slots = torch.full(scores.shape, -1, dtype=torch.int64, device=query.device)
    step = max(1, chunk // max(1, query.shape[:3].numel()))
    for start in range(0, keys.shape[2], step):
        here = slice(start, start + step)
        products = (query @ keys[:, :, here].transpose(-1, -2)).masked_fill(~mask[:, None, None, here], -torch.inf)
        best, place = products.topk(min(k, products.shape[-1]), dim=-1)
        scores, order = torch.cat((scores, best), dim=-1).topk(k, dim=-1)
        slots = torch.cat((slots, place + start), dim=-1).gather(-1, order)
    return scores, slots.masked_fill(scores == -torch.inf, -1)
