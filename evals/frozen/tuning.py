"""Writes facts into the weights of a language model, and takes them out again: the other way to make it remember."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils.rnn import pad_sequence

from retention import output_embeddings

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_IGNORED = -100


@final
@dataclass(frozen=True, kw_only=True)
class TuningPlan:
    """How weights are tuned, by AdamW.

    Attributes:
        rate: of the steps, falling to 0 along a line.
        epochs: how often each fact is read.
        batch: how many facts at a step.
    """

    rate: float
    epochs: int
    batch: int = 25

    def __post_init__(self) -> None:
        """Raises ValueError where nothing could be learned."""
        if not self.rate > 0 or self.epochs < 1 or self.batch < 1:
            raise ValueError(f"rate, epochs and batch must be above 0, got {self}")


@final
class LowRank(nn.Module):
    """A frozen projection with a low-rank one beside it: ``y = W x + (alpha / rank) B A x`` (LoRA, arXiv 2106.09685).

    B is zero at first: nothing is changed by putting it there.
    """

    def __init__(self, frozen: nn.Linear, rank: int, alpha: float, generator: torch.Generator) -> None:
        super().__init__()
        self.frozen, self.scale = frozen, alpha / rank
        bound = frozen.in_features**-0.5
        self.a = nn.Parameter(torch.empty(rank, frozen.in_features).uniform_(-bound, bound, generator=generator))
        self.b = nn.Parameter(torch.zeros(frozen.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        """Project ``x``, (..., in), to (..., out)."""
        beside = F.linear(F.linear(x.float(), self.a), self.b) * self.scale
        projected: Tensor = self.frozen(x)
        return projected + beside.to(x.dtype)


@contextmanager
def low_rank(model: PreTrainedModel, *, rank: int, seed: int, alpha: float = 16.0) -> Iterator[list[nn.Parameter]]:
    """Put a low-rank projection beside each query and value projection, and take them away at the end.

    Args:
        model: whose projections are called ``q_proj`` and ``v_proj``.
        rank: of each.
        seed: of the starting weights.
        alpha: what they are scaled by, over the rank.

    Yields:
        What is to be trained.
    """
    generator = torch.Generator().manual_seed(seed)
    held = [
        (module, name, child)
        for module in model.modules()
        for name, child in module.named_children()
        if name in ("q_proj", "v_proj") and isinstance(child, nn.Linear)
    ]
    if not held:
        raise ValueError(f"{type(model).__name__} has no q_proj and v_proj beside which low ranks could stand")
    added = [LowRank(child, rank, alpha, generator) for _, _, child in held]
    for (module, name, _), layer in zip(held, added, strict=True):
        setattr(module, name, layer)
    try:
        yield [parameter for layer in added for parameter in (layer.a, layer.b)]
    finally:
        for module, name, child in held:
            setattr(module, name, child)


@contextmanager
def last_layers(model: PreTrainedModel, *, layers: Sequence[nn.Module], count: int) -> Iterator[list[nn.Parameter]]:
    """Let the last layers be trained, and put their weights back at the end.

    Args:
        model: frozen.
        layers: its decoder layers.
        count: how many of them.

    Yields:
        What is to be trained.
    """
    chosen = [parameter for layer in layers[len(layers) - count :] for parameter in layer.parameters()]
    before = [parameter.detach().clone() for parameter in chosen]
    try:
        for parameter in chosen:
            parameter.requires_grad_(True)
        yield chosen
    finally:
        for parameter, weights in zip(chosen, before, strict=True):
            parameter.requires_grad_(False)
            parameter.data.copy_(weights)


def tune(
    model: PreTrainedModel,
    weights: Sequence[nn.Parameter],
    rows: Sequence[Sequence[int]],
    plan: TuningPlan,
    *,
    seed: int,
) -> list[float]:
    """Train weights to make rows of tokens likely, every token after the first of each.

    Each step is made on a copy in float32: in bfloat16 most steps would be rounded away.

    Returns:
        The loss at each step, in nats a token.
    """
    order, losses = random.Random(seed), list[float]()
    copies = [weight.detach().float().clone().requires_grad_(True) for weight in weights]
    optimizer = torch.optim.AdamW(copies, lr=plan.rate, weight_decay=0.0)
    steps = plan.epochs * -(-len(rows) // plan.batch)
    for _ in range(plan.epochs):
        shuffled = order.sample(range(len(rows)), len(rows))
        for first in range(0, len(rows), plan.batch):
            optimizer.param_groups[0]["lr"] = plan.rate * (1 - len(losses) / steps)
            losses.append(_step(model, weights, [rows[place] for place in shuffled[first : first + plan.batch]]))
            for copy, weight in zip(copies, weights, strict=True):
                copy.grad, weight.grad = weight.grad.float() if weight.grad is not None else None, None
            torch.nn.utils.clip_grad_norm_(copies, 1.0)
            optimizer.step()
            with torch.no_grad():
                for copy, weight in zip(copies, weights, strict=True):
                    weight.copy_(copy)
    return losses


def _step(model: PreTrainedModel, weights: Sequence[nn.Parameter], rows: Sequence[Sequence[int]]) -> float:
    """Leave the gradient of a batch in the weights, and return its loss."""
    tokens = pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
    wanted = pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=_IGNORED)
    with sdpa_kernel(SDPBackend.MATH):  # a third quicker than its like for long texts
        states = model.base_model(input_ids=tokens, use_cache=False).last_hidden_state  # causal: padding comes after
    real = wanted[:, 1:] != _IGNORED
    logits = F.linear(states[:, :-1][real], output_embeddings(model)).float()
    loss = F.cross_entropy(logits, wanted[:, 1:][real])
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.item()
