"""For every slot's next key, the nearest slots of each action: kept from sweep to sweep and extended as slots come."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

_ROWS = 2048  # rows of a distance matrix at a time
_COLUMNS = 8192  # columns of it


@final
class SuccessorTable:
    """The ``k`` nearest keys of each action, for a growing list of queries against a growing list of keys.

    Attributes:
        rows: how many queries the table answers.
        index: the slots found, int64 ``[capacity, actions, k]``; rows beyond ``rows`` hold nothing.
        squared: their squared distances, ``[capacity, actions, k]``; infinity where fewer than k keys exist.
    """

    def __init__(self, actions: int, k: int) -> None:
        """Start empty."""
        self.rows = 0
        self.index = torch.zeros((256, actions, k), dtype=torch.int64)
        self.squared = torch.full((256, actions, k), torch.inf)
        self._seen = [0] * actions

    def extend(self, queries: Tensor, keys: list[Tensor], slots: list[Tensor]) -> None:
        """Bring the table up to date.

        Args:
            queries: all queries so far, old ones first and unchanged, ``[rows, width]``.
            keys: per action, all keys so far, old ones first and unchanged, each ``[filled, width]``.
            slots: per action, the slot of each key, int64 ``[filled]``.
        """
        old, new = self.rows, len(queries)
        if new > len(self.index):
            spare = (max(new, 2 * len(self.index)) - len(self.index), *self.index.shape[1:])
            self.index = torch.cat([self.index, torch.zeros(spare, dtype=torch.int64)])
            self.squared = torch.cat([self.squared, torch.full(spare, torch.inf)])
        for action, (each, places) in enumerate(zip(keys, slots, strict=True)):
            seen = self._seen[action]
            self._merge(0, old, action, queries, each[seen:], places[seen:])
            for start in range(0, len(each), _COLUMNS):
                stop = start + _COLUMNS
                self._merge(old, new, action, queries, each[start:stop], places[start:stop])
            self._seen[action] = len(each)
        self.rows = new

    def _merge(self, first: int, last: int, action: int, queries: Tensor, keys: Tensor, slots: Tensor) -> None:
        """Let some keys compete for the places of the rows ``first .. last`` of one action."""
        if not len(keys):
            return
        k = self.index.shape[-1]
        norms = keys.square().sum(dim=1)
        for start in range(first, last, _ROWS):
            stop = min(last, start + _ROWS)
            asked = queries[start:stop]
            squared = torch.addmm(norms, asked, keys.T, alpha=-2.0)
            squared = squared.add_(asked.square().sum(dim=1, keepdim=True)).clamp_(min=0.0)
            held = self.squared[start:stop, action]
            closer = (squared.amin(dim=1) < held.amax(dim=1)).nonzero().squeeze(1)
            if not len(closer):
                continue
            rows = closer + start
            every = torch.cat([held[closer], squared[closer]], dim=1)
            which = torch.cat([self.index[rows, action], slots.expand(len(rows), -1)], dim=1)
            best, place = every.topk(k, dim=1, largest=False)
            self.squared[rows, action] = best
            self.index[rows, action] = which.gather(1, place)
