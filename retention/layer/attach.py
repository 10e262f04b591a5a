"""Attaching an adapter to a frozen language model, and the handle to work with it.

No code is written for an architecture: hooks take the states after some decoder layers, and after the last one add what
the adapter reads (``frozen_read``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, final
from weakref import WeakSet

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import HoldfastError, UnsupportedModelError
from .adapter import FactAdapter
from .adapter_config import AdapterConfig
from .adapter_file import save_adapter
from .fact_slots import FactSlots
from .fact_text import fact_text
from .frozen_base import base_fingerprint, decoder_layers, output_embeddings, text_config
from .frozen_read import Hooks, Trace

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_POOL_DEPTH, _KEY_DEPTHS = 0.4, (0.4, 0.7, 1.0)
_BATCH = 32  # texts that are read at the same time
_ATTACHED: WeakSet[PreTrainedModel] = WeakSet()


def config_for(model: PreTrainedModel, **changes: Any) -> AdapterConfig:
    """Return the config of an adapter for a model: its width, and layers at the depths that were found to serve.

    Args:
        model: a causal language model of transformers.
        changes: fields of :class:`AdapterConfig` that are to be otherwise.

    Raises:
        UnsupportedModelError: the model cannot be served, and why.
    """
    last = len(decoder_layers(model)) - 1
    keys = tuple(sorted({round(depth * last) for depth in _KEY_DEPTHS}))
    given = {"width": int(text_config(model).hidden_size), "pool_layer": round(_POOL_DEPTH * last), "key_layers": keys}
    return AdapterConfig(**{**given, **changes})


def attach(
    model: PreTrainedModel,
    adapter: AdapterConfig | FactAdapter | None = None,
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    seed: int = 0,
) -> Handle:
    """Attach an adapter to a frozen causal language model.

    The adapter is set to evaluation mode. Nothing of the model changes but for the hooks; with an adapter that is not
    trained, with an empty memory, and where nothing is being read, its logits are bit-equal to those without.

    Args:
        model: a decoder-only causal model of transformers, on one device.
        adapter: one that was trained, or what a new one is made of; None for :func:`config_for`.
        tokenizer: the model's; needed to write texts.
        seed: of a new adapter's weights.

    Raises:
        HoldfastError: the adapter was trained on another model, or one is attached already.
        UnsupportedModelError: the model cannot be served; the message says why.

    Example:
        >>> from transformers import LlamaConfig, LlamaForCausalLM
        >>> model = LlamaForCausalLM(
        ...     LlamaConfig(vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=3,
        ...                 num_attention_heads=2)
        ... )
        >>> handle = attach(model)
        >>> handle.adapter.config.key_layers
        (1, 2)
        >>> handle.detach()
    """
    layers = decoder_layers(model)
    if not isinstance(adapter, FactAdapter):
        adapter = FactAdapter(adapter or config_for(model), seed=seed)
    config, base = adapter.config, base_fingerprint(model)
    width = int(text_config(model).hidden_size)
    if config.key_layers[-1] != len(layers) - 1 or config.layers[0] >= len(layers) or config.width != width:
        raise UnsupportedModelError(
            f"the adapter is for a model of width {config.width} with {config.key_layers[-1] + 1} layers; "
            f"{type(model).__name__} has width {width} and {len(layers)} layers; train one for it with: holdfast train "
            "adapter"
        )
    if adapter.base not in (None, base):
        raise HoldfastError(
            f"the adapter was trained on another model (fingerprint {adapter.base[:8]}..., this one has "
            f"{base[:8]}...): train one for this model with: holdfast train adapter"
        )
    if model in _ATTACHED:
        raise HoldfastError("an adapter is attached to this model already: detach that one first")
    adapter.base = base
    return Handle(model, adapter.to(output_embeddings(model).device).eval(), tokenizer)


@final
class Handle:
    """An adapter at work on a model; made by :func:`attach`.

    Attributes:
        model: the model.
        adapter: its weights can be trained; those of the model are not touched.
        tokenizer: the model's, if it was given.
        base: the fingerprint of the model.
    """

    def __init__(self, model: PreTrainedModel, adapter: FactAdapter, tokenizer: PreTrainedTokenizerBase | None) -> None:
        self.model, self.adapter, self.tokenizer = model, adapter, tokenizer
        self.base = str(adapter.base)
        self._hooks = Hooks(model, adapter)
        _ATTACHED.add(model)

    def detach(self) -> None:
        """Take the hooks from the model: it is as it was before, to the bit. The handle reads and writes no more."""
        if self._hooks.there:  # else another handle may be at work on the model
            self._hooks.remove()
            _ATTACHED.discard(self.model)

    def check_attached(self) -> None:
        """Check that the handle can be used.

        Raises:
            HoldfastError: it is detached.
        """
        self._hooks.check_there()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the adapter, not the model; the file is replaced in one step. Its numbers are kept in 16 bits.

        Raises:
            ValueError: a weight is not finite.
        """
        save_adapter(self.adapter, path)

    def states(self, rows: Sequence[Sequence[int]]) -> list[Float[Tensor, "_ layers width"]]:
        """Return the states that the frozen model has of texts, whatever is being read now.

        Args:
            rows: the tokens of each.

        Returns:
            For each text ``[tokens, layers, width]``, of the layers that the adapter looks at, in the model's own
            precision.

        Raises:
            HoldfastError: the handle is detached.
            ValueError: a text has no token.
        """
        if any(not len(row) for row in rows):
            raise ValueError("a text without a token has no states")
        found: list[Tensor | None] = [None] * len(rows)
        order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
        device = output_embeddings(self.model).device
        for start in range(0, len(order), _BATCH):
            batch = order[start : start + _BATCH]
            longest = len(rows[batch[-1]])
            filled = torch.tensor([[*rows[row], *[0] * (longest - len(rows[row]))] for row in batch], device=device)
            states = self._hooks.watched(filled)
            for place, row in enumerate(batch):
                found[row] = states[place, : len(rows[row])].clone()
        return [each for each in found if each is not None]

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text as it is written: after the token that begins a text, where there is one.

        Raises:
            HoldfastError: the handle has no tokenizer.
        """
        if self.tokenizer is None:
            raise HoldfastError("the handle has no tokenizer: give one to attach")
        begin = self.tokenizer.bos_token_id
        tokens: list[int] = self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return tokens if begin is None else [begin, *tokens]

    @torch.no_grad()
    def write(self, texts: Sequence[str]) -> FactSlots:
        """Have the frozen model read texts, each a fact of one sentence, and write their slots, rounded to 16 bits.

        Raises:
            HoldfastError: the handle has no tokenizer, or is detached.
            ValueError: a text is too short to say anything.
        """
        if self.tokenizer is None:
            raise HoldfastError("the handle has no tokenizer: give one to attach")
        short = next((text for text in texts if len(self.encode(text)) < 3), None)
        if short is not None:
            raise ValueError(f"a fact must be a sentence, got {short!r}")
        rows = [fact_text(self.tokenizer, text) for text in texts]
        states = [each[row.since :] for row, each in zip(rows, self.states([row.tokens for row in rows]), strict=True)]
        return self.write_states([row.written for row in rows], states).rounded()

    def write_states(
        self, rows: Sequence[Sequence[int]], states: Sequence[Float[Tensor, "_ layers width"]]
    ) -> FactSlots:
        """Write the slots of texts from the states that the frozen model has of them; gradients reach the adapter.

        Args:
            rows: the tokens of each.
            states: of each, as :meth:`states` returns them.

        Raises:
            ValueError: the states are not of these texts.
        """
        counts = list(map(len, rows)), list(map(len, states))
        if counts[0] != counts[1]:
            of_rows, of_states = (f"{each!s:.60}" for each in counts)
            raise ValueError(f"a state of each token is wanted, got texts of {of_rows} tokens and {of_states} states")
        if not len(rows):
            return self.adapter.no_facts()
        longest, device = max(map(len, rows)), self.adapter.mean.device
        tokens = torch.zeros(len(rows), longest, dtype=torch.long, device=device)
        mask = torch.zeros(len(rows), longest, dtype=torch.bool, device=device)
        padded = states[0].new_zeros(len(rows), longest, *states[0].shape[1:])
        for number, (row, state) in enumerate(zip(rows, states, strict=True)):
            tokens[number, : len(row)] = torch.tensor(row)
            mask[number, : len(row)] = True
            padded[number, : len(row)] = state
        return self.adapter.write(padded.to(device), tokens, mask)

    @contextmanager
    def reading(self, memories: FactSlots | Sequence[FactSlots | None], *, since: int = 0) -> Iterator[Trace]:
        """Let the model read facts while the block runs, under any call: ``generate``, a forward pass, with a cache.

        Any call of any thread: where several share a model, they have to take turns, with :meth:`states` and
        :meth:`write` too.

        Args:
            memories: one for each row of the batch, which is a namespace, None for none; or one that every row reads.
                Where ``generate`` makes several rows of one, each reads the memory of that one.
            since: how many leading tokens, padding apart, say nothing of what is asked, as earlier turns of a
                conversation.

        Yields:
            What is recalled, call by call.

        Raises:
            HoldfastError: a memory is being read already, or the handle is detached.
            ValueError: the slots are of another adapter's widths.
        """
        given = (memories,) if isinstance(memories, FactSlots) else tuple(memories)
        wanted = self.adapter.no_facts().widths
        other = next((each.widths for each in given if each is not None and each.widths != wanted), None)
        if other is not None:
            raise ValueError(
                f"the slots were written by another adapter: their widths are {other}, wanted {wanted}; write them anew"
            )
        with self._hooks.reading(given, since) as trace:
            yield trace
