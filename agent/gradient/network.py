"""The network: actor and critic, and between the actor's layers and its head a memory of decisions."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from retention import RetentionConfig, RetentionLayer, SlotState, attend, distance_scores

from .config import GradientConfig


@final
@dataclass(frozen=True, kw_only=True)
class Held:
    """What the memory in the loop holds, as the network takes it.

    Attributes:
        seen: scaled keys, ``[slots, width]``.
        done: decisions, ``[slots, count]``.
        advantage: ``[slots]``.
    """

    seen: Float[Tensor, "slots width"]
    done: Float[Tensor, "slots count"]
    advantage: Float[Tensor, " slots"]


class Ready(NamedTuple):
    """Slots as they are read: the state of the layer, and what votes."""

    state: SlotState
    seen: Float[Tensor, "slots width"]
    votes: Float[Tensor, "slots votes"]


@final
class ActorCritic(nn.Module):
    """Two hidden layers each for the actor and the critic; the actor's also reads the memory, in two ways.

    The retention layer is asked with the first hidden layer; slot ``j`` holds ``u_j = h(seen_j) + W_a done_j + w_c
    advantage_j``, and the answer is added to the second. Its output starts at zero. Beside it the decisions *vote*,
    before any gradient step: a Gaussian kernel of the distance between keys, with a null slot, attends over
    ``advantage_j done_j``. Of points only those that went well vote: the mean moves towards them. How near, how sure
    and how strong are learned.
    """

    def __init__(self, width: int, count: int, config: GradientConfig, *, continuous: bool) -> None:
        """Draw the weights from torch's own generator.

        Args:
            width: numbers of an observation.
            count: numbers of a decision.
            config: sizes.
            continuous: whether decisions are points.
        """
        super().__init__()
        self.continuous = continuous
        self.actor = nn.ModuleList(_layers(width, config.hidden))
        self.critic = nn.ModuleList(_layers(width, config.hidden))
        self.head = _linear(config.hidden, count, 0.01)
        self.value = _linear(config.hidden, 1, 1.0)
        self.log_std = nn.Parameter(torch.zeros(count)) if continuous else None
        self.memory: RetentionLayer | None = None
        if config.slots:
            self.memory = RetentionLayer(
                RetentionConfig(
                    width=config.hidden,
                    read_width=config.read_width,
                    heads=config.heads,
                    capacity=config.slots,
                    zero_output=True,
                )
            )
            self.done = nn.Linear(count, config.hidden, bias=False)
            self.gain = nn.Linear(1, config.hidden, bias=False)
            self.log_beta = nn.Parameter(torch.tensor(math.log(4.0 / width)))
            self.null_score = nn.Parameter(torch.tensor(0.0))
            self.strength = nn.Parameter(torch.tensor(0.5))

    def ready(self, held: Held | None) -> Ready | None:
        """Prepare slots for reading, with the weights as they are; None where there are none."""
        if held is None or self.memory is None or not len(held.seen):
            return None
        u = self._first(held.seen) + self.done(held.done) + self.gain(held.advantage[:, None])
        slots = len(held.seen)
        empty = self.memory.init_state(1, slots)
        filled = replace(
            empty,
            u=u[None],
            occupied=torch.ones_like(empty.occupied),
            utility=held.advantage[None],
        )
        if self.continuous:
            well = held.advantage.clamp(min=0.0).tanh()[:, None]
            votes = torch.cat((well * held.done, well), dim=1)
        else:
            votes = held.advantage.tanh()[:, None] * held.done
        return Ready(self.memory.refresh(filled), held.seen, votes)

    def forward(
        self, x: Float[Tensor, "n width"], ready: Ready | None
    ) -> tuple[Float[Tensor, "n count"], Float[Tensor, " n"]]:
        """Return scores of the decisions or the mean of a point, and the values."""
        return self.act(x, ready), self.values(x)

    def act(self, x: Float[Tensor, "n width"], ready: Ready | None) -> Float[Tensor, "n count"]:
        """Return scores of the decisions, or the mean of a point."""
        first = self._first(x)
        second = torch.tanh(self.actor[1](first))
        if ready is None:
            plain: Tensor = self.head(second)
            return plain
        assert self.memory is not None  # slots are made ready by it
        output: Tensor = self.head(second + self.memory.read(first[None], ready.state)[0][0])
        scores = distance_scores(x, ready.seen[None], beta=self.log_beta.exp())
        vote = attend(scores, ready.votes[None], null_score=self.null_score)[0]
        if not self.continuous:
            return output + self.strength * vote
        return output + self.strength.clamp(0.0, 1.0) * (vote[:, :-1] - vote[:, -1:] * output)

    def values(self, x: Float[Tensor, "n width"]) -> Float[Tensor, " n"]:
        """Return the values."""
        found: Tensor = self.value(torch.tanh(self.critic[1](torch.tanh(self.critic[0](x)))))
        return found[:, 0]

    def _first(self, x: Float[Tensor, "n width"]) -> Float[Tensor, "n hidden"]:
        return torch.tanh(self.actor[0](x))


def _layers(width: int, hidden: int) -> list[nn.Linear]:
    return [_linear(width, hidden, 2.0**0.5), _linear(hidden, hidden, 2.0**0.5)]


def _linear(inputs: int, outputs: int, gain: float) -> nn.Linear:
    """Return an orthogonal layer, its bias 0 (as recommended by M. Andrychowicz et al. 2020, arXiv 2006.05990)."""
    layer = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer
