"""The hooks by which a frozen model reads facts: states are taken from its decoder layers, and what is read is added.

What the tokens so far have brought to the question lies in the model's own cache, as one layer more, so that it follows
the cache wherever that is cropped, repeated or reordered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, final

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ..errors import HoldfastError, UnsupportedModelError
from .adapter import FactAdapter
from .fact_slots import FactSlots
from .frozen_base import CACHE_NAMES, argument, decoder_layers, decoder_of, output_embeddings

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_NUMBERS = 1 << 15  # tokens that are pooled at the same time, over all positions
_POSITIONS = 64  # positions that read at the same time, at most
_SHOWN = 4  # facts of a recall that are noted


@final
@dataclass(frozen=True, kw_only=True)
class TokenRecall:
    """What was recalled for the token that comes next, for each row of a batch.

    Attributes:
        fact: the facts that drew most, as numbers of the row's ``FactSlots``, the first the most; -1 for none.
        mass: the attention that each drew, mean over heads.
        null: the attention that the null slot drew. Where facts draw no more than the floor, nothing was read.
        slot: which slot of its fact drew most of all; -1 for none.
        token: the token of that slot.
    """

    fact: Int64[Tensor, "batch shown"]
    mass: Float[Tensor, "batch shown"]
    null: Float[Tensor, " batch"]
    slot: Int64[Tensor, " batch"]
    token: Int64[Tensor, " batch"]


@final
@dataclass(kw_only=True)
class Trace:
    """What a model has recalled while it was reading.

    Attributes:
        steps: one for each call of the model, of the last position.
    """

    steps: list[TokenRecall] = field(default_factory=list)


@final
@dataclass(frozen=True, kw_only=True)
class _Reading:
    """What the rows of a batch read, and where it is noted; see :meth:`Hooks.reading`."""

    memories: tuple[FactSlots | None, ...]
    since: int
    trace: Trace


@final
class Hooks:
    """An adapter's hooks in a model."""

    def __init__(self, model: PreTrainedModel, adapter: FactAdapter) -> None:
        self._model: Any = model
        self._adapter = adapter
        self._decoder, self._layers = decoder_of(model), decoder_layers(model)
        self._reading: _Reading | None = None
        self._watching = False
        self._states: dict[int, Tensor] = {}
        self._mask: Tensor | None = None
        self._cache: Any = None
        self._hooks: list[RemovableHandle] = [
            self._decoder.register_forward_pre_hook(self._begin, with_kwargs=True),
            *(
                self._layers[each].register_forward_hook(partial(self._after, each), with_kwargs=True)
                for each in adapter.config.layers
            ),
        ]

    @property
    def there(self) -> bool:
        """Whether they are in the model."""
        return bool(self._hooks)

    def remove(self) -> None:
        """Take the hooks out."""
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    @contextmanager
    def reading(self, memories: Sequence[FactSlots | None], since: int) -> Iterator[Trace]:
        """Let the model read facts while the block runs.

        Args:
            memories: of each row of the batch, or one for all.
            since: how many leading tokens say nothing of what is asked.

        Raises:
            HoldfastError: a memory is being read already, or the hooks are out.
        """
        self.check_there()
        if self._reading is not None:
            raise HoldfastError("a memory is being read already: leave that block first")
        device = self._adapter.mean.device
        moved = tuple(None if each is None or not len(each) else each.to(device) for each in memories)
        self._reading = _Reading(memories=moved, since=since, trace=Trace())
        try:
            yield self._reading.trace
        finally:
            self._reading = None
            self._forget_call()

    @torch.no_grad()
    def watched(self, tokens: Int64[Tensor, "batch time"]) -> Float[Tensor, "batch time layers width"]:
        """Return the states that the model has of tokens, with nothing read and without dropout.

        Raises:
            HoldfastError: the hooks are out.
        """
        self.check_there()
        reading, training = self._reading, [each for each in self._model.modules() if each.training]
        self._reading, self._watching = None, True
        self._model.eval()
        try:
            self._decoder(tokens, use_cache=False)
            return torch.stack([self._states[each] for each in self._adapter.config.layers], dim=2)
        finally:
            self._reading, self._watching = reading, False
            for each in training:  # each as it was: what lies in the model may be in another mode than it
                each.training = True
            self._forget_call()

    def _begin(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Note what a call of the model says of padding."""
        self._forget_call()
        mask = argument(module, "attention_mask", args, kwargs)
        if isinstance(mask, Tensor) and mask.dim() == 2:  # others tell what is seen, not what is padding
            self._mask = mask.bool()

    def _after(self, layer: int, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        """Take the states after a layer; after the last one, add what is read."""
        if self._reading is None and not self._watching:
            return None
        states = output if isinstance(output, Tensor) else output[0]
        if not isinstance(states, Tensor) or states.dim() != 3:
            raise UnsupportedModelError(
                f"a decoder layer of {type(self._model).__name__} returns no states of shape (batch, time, width)"
            )
        self._states[layer] = states
        if self._reading is None or layer != self._adapter.config.key_layers[-1]:
            return None
        cache = next(
            (found for name in CACHE_NAMES if (found := argument(module, name, args, kwargs)) is not None), None
        )
        added = self._added(self._reading, cache)
        if added is None:
            return None
        changed = states + added.to(states.dtype)
        return changed if isinstance(output, Tensor) else (changed, *output[1:])

    def _added(self, reading: _Reading, cache: Any) -> Tensor | None:
        """Return what each position reads, ``[batch, time, width]``, and note it; None where there is nothing."""
        device, adapter = self._adapter.mean.device, self._adapter
        states = torch.stack([self._states[each].to(device) for each in adapter.config.layers], dim=2)
        batch, time = states.shape[:2]
        memories = _of_rows(reading.memories, batch)
        if all(each is None for each in memories):
            reading.trace.steps.append(_nothing(batch, device))
            return None
        scores, values = adapter.brought(states)
        scores, values = self._so_far(scores, values, cache)
        total = scores.shape[1]
        mask = (
            torch.ones(batch, total, dtype=torch.bool, device=device) if self._mask is None else self._mask.to(device)
        )
        if mask.shape != (batch, total):
            raise ValueError(f"the attention mask has shape {tuple(mask.shape)}, wanted ({batch}, {total})")
        brings = mask & (mask.cumsum(dim=1) > max(1, reading.since))  # padding is no token
        read = torch.zeros(batch, time, states.shape[3], device=device)
        step = _nothing(batch, device)
        for row, memory in enumerate(memories):
            if memory is None:
                continue
            at = mask[row, total - time :].nonzero()[:, 0]  # padding reads nothing
            for chunk in torch.split(at, max(1, min(_POSITIONS, _NUMBERS // total))):
                until = torch.arange(total, device=device) <= (chunk + total - time)[:, None]
                shape = (len(chunk), -1, -1)
                asked = adapter.asked(scores[row].expand(shape), values[row].expand(shape), until & brings[row])
                found = adapter.read(states[row, chunk], asked, memory, output_embeddings(self._model))
                read[row, chunk] = found.read
            if len(at) and int(at[-1]) == time - 1:
                best = found.mass[-1].topk(min(_SHOWN, len(memory)))
                step.fact[row, : len(best.indices)] = best.indices
                step.mass[row, : len(best.values)] = best.values.detach().float()
                step.null[row] = found.null[-1].detach().mean()
                step.slot[row], step.token[row] = found.slot[-1], found.token[-1]
        reading.trace.steps.append(step)
        return read

    def _so_far(
        self, scores: Float[Tensor, "batch time heads"], values: Float[Tensor, "batch time fact_width"], cache: Any
    ) -> tuple[Float[Tensor, "batch total heads"], Float[Tensor, "batch total fact_width"]]:
        """Return what all tokens until now have brought, those before this call from the model's cache."""
        if cache is None:
            return scores, values
        place = len(self._layers)
        if not hasattr(cache, "layers") or not hasattr(cache, "get_seq_length"):
            raise UnsupportedModelError(
                f"a cache of {type(cache).__name__} keeps no layers: give use_cache=False, or a newer transformers"
            )
        if getattr(cache, "is_compileable", False):  # a layer more would change what the model masks of it
            raise UnsupportedModelError(
                f"a cache of {type(cache).__name__} is of a fixed length, beside which nothing can be kept: "
                "give cache_implementation='dynamic'"
            )
        if len(cache.layers) == place:
            cache.layers.append(_new_layer())
        kept_values, kept_scores = cache.layers[place].update(values[:, None], scores[:, None])
        with_memory, there = kept_values.shape[2], int(cache.get_seq_length())
        if with_memory != there:
            raise HoldfastError(
                f"of the {there} tokens in the cache {with_memory} were read with the memory: begin with the "
                "prompt again, inside the block that reads"
            )
        return kept_scores[:, 0], kept_values[:, 0]

    def check_there(self) -> None:
        """Check that they are in the model.

        Raises:
            HoldfastError: they are out.
        """
        if not self.there:
            raise HoldfastError("the adapter was detached from the model: attach it again, and use the new handle")

    def _forget_call(self) -> None:
        self._states, self._mask = {}, None


def _new_layer() -> Any:
    """Return what a cache of transformers keeps for one layer."""
    from transformers import cache_utils

    found: Any = cache_utils
    return found.DynamicLayer()


def _of_rows(memories: Sequence[FactSlots | None], batch: int) -> list[FactSlots | None]:
    """Return the memory of each row; where ``generate`` makes several rows of one, each has that of the one."""
    if not memories or batch % len(memories):
        raise ValueError(
            f"there are {len(memories)} memories for a batch of {batch} rows: give one for each, or one for all"
        )
    return [memories[row // (batch // len(memories))] for row in range(batch)]


def _nothing(batch: int, device: torch.device) -> TokenRecall:
    return TokenRecall(
        fact=torch.full((batch, _SHOWN), -1, device=device),
        mass=torch.zeros(batch, _SHOWN, device=device),
        null=torch.ones(batch, device=device),
        slot=torch.full((batch,), -1, device=device),
        token=torch.full((batch,), -1, device=device),
    )
