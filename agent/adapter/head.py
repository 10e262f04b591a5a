"""What a frozen model makes of the states after its last decoder layer, without the layers before being computed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from retention import decoder_layers, output_embeddings

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@final
class Head:
    """From states after the last decoder layer to logits, for any architecture.

    The model itself is called, with layers that pass on what they get and a last one that returns the states: so all
    that it does after its layers is done, a norm, a projection, a cap.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        """Look at what the model's last layer returns.

        Args:
            model: a causal language model of transformers.
        """
        self._model, self._layers = model, list(decoder_layers(model))
        self._device = output_embeddings(model).device
        found: list[Any] = []
        hook = self._layers[-1].register_forward_hook(lambda layer, given, output: found.append(output))
        try:
            with torch.no_grad():
                self._call(1)
        finally:
            hook.remove()
        self._more: tuple[Any, ...] | None = None if isinstance(found[0], Tensor) else tuple(found[0][1:])

    def __call__(self, states: Float[Tensor, "n width"]) -> Float[Tensor, "n vocabulary"]:
        """Return the logits in float32; gradients reach the states."""
        last = states[:, None]
        with self._skipped(last if self._more is None else (last, *self._more)):
            return self._call(len(states))[:, 0].float()

    def _call(self, rows: int) -> Tensor:
        tokens = torch.zeros(rows, 1, dtype=torch.long, device=self._device)
        logits: Tensor = self._model(input_ids=tokens, use_cache=False).logits
        return logits

    @contextmanager
    def _skipped(self, returned: Any) -> Iterator[None]:
        """Have all layers but the last one return what they are given, and the last one this."""
        more = self._more

        def passed(hidden: Tensor, *args: Any, **kwargs: Any) -> Any:
            return hidden if more is None else (hidden, *more)

        held = [layer.__dict__.get("forward") for layer in self._layers]
        try:
            for layer in self._layers[:-1]:
                layer.forward = passed
            self._layers[-1].forward = lambda *args, **kwargs: returned
            yield
        finally:
            for layer, forward in zip(self._layers, held, strict=True):
                _restore(layer, forward)


def _restore(layer: nn.Module, forward: Any) -> None:
    del layer.__dict__["forward"]
    if forward is not None:  # one of its own, as other libraries give it
        layer.__dict__["forward"] = forward
