"""The slots of facts: what an adapter has written of sentences that a frozen model has read, one namespace's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ..errors import SlotFileError

_SIZES = 4  # bytes for the number of slots of a fact


@dataclass(frozen=True, kw_only=True)
class FactSlots:
    """Facts, each with the slots of its tokens: a slot says which token comes next where its key fits.

    The slots of a fact are padded to those of the longest; where there is none, ``token`` is -1.

    Attributes:
        key: of each fact, times the temperature of each head.
        slot_key: of each slot, times the temperature of each head.
        bias: added to the score of a slot.
        token: the token that comes next.
    """

    key: Float[Tensor, "facts fact_width"]
    slot_key: Float[Tensor, "facts slots heads dim"]
    bias: Float[Tensor, "facts slots heads"]
    token: Int64[Tensor, "facts slots"]

    def __len__(self) -> int:
        """Return the number of facts."""
        return len(self.key)

    @property
    def widths(self) -> tuple[int, ...]:
        """Of the key of a fact, the heads of that of a slot, and the width of such a head."""
        return (self.key.shape[1], *self.slot_key.shape[2:])

    def index(self, rows: Sequence[int] | Tensor) -> FactSlots:
        """Take some facts, by their numbers or by a boolean tensor."""
        chosen = torch.as_tensor(rows, device=self.key.device)
        chosen = chosen if chosen.dtype == torch.bool else chosen.long()
        return FactSlots(
            key=self.key[chosen], slot_key=self.slot_key[chosen], bias=self.bias[chosen], token=self.token[chosen]
        )

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> FactSlots:
        """Move the slots to a device, and their floating point tensors to a dtype."""
        return FactSlots(
            key=self.key.to(device=device, dtype=dtype),
            slot_key=self.slot_key.to(device=device, dtype=dtype),
            bias=self.bias.to(device=device, dtype=dtype),
            token=self.token.to(device=device),
        )

    @staticmethod
    def cat(parts: Sequence[FactSlots]) -> FactSlots:
        """Put facts behind one another.

        Raises:
            ValueError: there is nothing to join.
        """
        if not parts:
            raise ValueError("there are no facts to join: wanted at least one part")
        longest = max(part.token.shape[1] for part in parts)
        wide = [part._padded(longest) for part in parts]
        return FactSlots(
            key=torch.cat([part.key for part in wide]),
            slot_key=torch.cat([part.slot_key for part in wide]),
            bias=torch.cat([part.bias for part in wide]),
            token=torch.cat([part.token for part in wide]),
        )

    def to_bytes(self) -> list[bytes]:
        """Return each fact as bytes, its numbers in 16 bits, little-endian; what was rounded to them comes back equal.

        Raises:
            ValueError: a number is not finite, or too large for 16 bits.
        """
        key, slot_key, bias = (_half(name, getattr(self, name)) for name in ("key", "slot_key", "bias"))
        token = self.token.cpu().numpy()
        sizes = (token >= 0).sum(axis=1).tolist()
        return [
            b"".join(
                (
                    size.to_bytes(_SIZES, "little"),
                    key[row].tobytes(),
                    slot_key[row, :size].tobytes(),
                    bias[row, :size].tobytes(),
                    token[row, :size].astype("<i4").tobytes(),
                )
            )
            for row, size in enumerate(sizes)
        ]

    @staticmethod
    def from_bytes(rows: Sequence[bytes], *, fact_width: int, heads: int, dim: int) -> FactSlots:
        """Return the facts that :meth:`to_bytes` made bytes of, in float32 on the CPU.

        Args:
            rows: one for each fact.
            fact_width: of the keys of facts.
            heads: of the keys of slots.
            dim: of the keys of slots, per head.

        Raises:
            SlotFileError: a row is of other sizes, or holds a number that is not finite.
        """
        sizes = [int.from_bytes(row[:_SIZES], "little") for row in rows]
        longest = max(sizes, default=0)
        key = np.zeros((len(rows), fact_width), "<f2")
        slot_key = np.zeros((len(rows), longest, heads, dim), "<f2")
        bias = np.zeros((len(rows), longest, heads), "<f2")
        token = np.full((len(rows), longest), -1, np.int64)
        for number, (row, size) in enumerate(zip(rows, sizes, strict=True)):
            if len(row) != _SIZES + 2 * (fact_width + size * heads * (dim + 1)) + 4 * size:
                raise SlotFileError(f"the slots of a fact are damaged, or of other widths: {len(row)} bytes")
            end = len(row) - 4 * size
            halves, tokens = np.frombuffer(row[_SIZES:end], "<f2"), np.frombuffer(row[end:], "<i4")
            keys, biases = fact_width, fact_width + size * heads * dim
            key[number] = halves[:keys]
            slot_key[number, :size] = halves[keys:biases].reshape(size, heads, dim)
            bias[number, :size] = halves[biases:].reshape(size, heads)
            token[number, :size] = tokens
        if not all(np.isfinite(each).all() for each in (key, slot_key, bias)):
            raise SlotFileError("the slots of a fact are damaged: they hold a number that is not finite")
        return FactSlots(
            key=torch.from_numpy(key.astype(np.float32)),
            slot_key=torch.from_numpy(slot_key.astype(np.float32)),
            bias=torch.from_numpy(bias.astype(np.float32)),
            token=torch.from_numpy(token),
        )

    def rounded(self) -> FactSlots:
        """Return the slots with their numbers rounded to 16 bits, as :meth:`to_bytes` keeps them."""
        half, dtype = self.to(dtype=torch.float16), self.key.dtype
        return half.to(dtype=dtype)

    def _padded(self, slots: int) -> FactSlots:
        more = slots - self.token.shape[1]
        if not more:
            return self
        pad = torch.nn.functional.pad
        return FactSlots(
            key=self.key,
            slot_key=pad(self.slot_key, (0, 0, 0, 0, 0, more)),
            bias=pad(self.bias, (0, 0, 0, more)),
            token=pad(self.token, (0, more), value=-1),
        )


def _half(name: str, tensor: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float16]]:
    half = tensor.detach().to(dtype=torch.float16, device="cpu")
    if not half.isfinite().all():
        raise ValueError(f"{name} holds a number that is not finite in 16 bits: nothing was kept")
    found: np.ndarray[tuple[int, ...], np.dtype[np.float16]] = half.numpy().astype("<f2")
    return found
