"""The differentiable neural computer as a recaller: cells that a recurrent controller writes token by token.

Package: dnc.
"""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor

from .contender import Contender, LayerSizes, run_back
from .peer_package import PeerPackage
from .recaller import Recaller, RecallerConfig
from .stack import Mechanism, MemoryStack
from .state_bytes import bytes_of

PACKAGE = PeerPackage(module="dnc", requirement="dnc==1.1.0", install="--no-deps dnc==1.1.0")


@final
class ComputerMechanism(Mechanism):
    """The peer's ``DNC`` with a cell for each token that is told; it cannot answer without writing."""

    def __init__(self, config: RecallerConfig) -> None:
        super().__init__()
        self.memory = PACKAGE.load().DNC(
            input_size=config.width,
            hidden_size=config.width,
            num_hidden_layers=1,
            nr_cells=config.told,
            cell_size=config.width // config.heads,
            read_heads=config.heads,
        )

    def empty(self, batch: int) -> Any:
        """Have no controller state and no cells yet."""
        return (None, None, None)

    def write(self, hidden: Tensor, state: Any) -> Any:
        """Run over what is told."""
        return self.memory(hidden, own(state))[1]

    def read(self, hidden: Tensor, state: Any) -> Tensor:
        """Run over the queries, and drop what that wrote."""
        answer: Tensor = self.memory(hidden, own(state))[0]
        return answer

    def state_bytes(self, state: Any) -> int:
        """Count controller, cells and links of one row."""
        return 0 if state[2] is None else bytes_of(state) // len(state[2])


def own(state: Any) -> Any:
    """Copy the containers of a state: the peer puts new tensors into the ones that it is given."""
    controller, cells, answered = state
    return (controller and [*controller], cells and {**cells}, answered)


def make_recaller(config: RecallerConfig) -> Recaller:
    """Build two blocks around a computer of the same width."""
    return MemoryStack(config, ComputerMechanism(config))


def contender(sizes: LayerSizes) -> Contender:
    """Build a computer of 128 cells."""
    memory = sizes.place(
        PACKAGE.load().DNC(
            input_size=sizes.width,
            hidden_size=sizes.width,
            num_hidden_layers=1,
            nr_cells=128,
            cell_size=sizes.width // sizes.heads,
            read_heads=sizes.heads,
            gpu_id=-1 if sizes.device == "cpu" else 0,
        )
    )
    x, row = sizes.hidden(sizes.batch, sizes.time), sizes.hidden(1, sizes.steps)
    with torch.no_grad():
        many, one = memory(x)[1], memory(row)[1]

    @torch.inference_mode()
    def forward() -> None:
        memory(x, own(many))

    @torch.inference_mode()
    def step() -> None:
        state = one
        for place in range(sizes.steps):
            _, state = memory(row[:, place : place + 1], own(state))

    return Contender(
        forward=forward,
        read=None,
        train=lambda: run_back(memory, [memory(x, own(many))[0]]),
        step=step,
        step_written=step,
        state_bytes=bytes_of(one),
        note="128 cells; writes every token",
    )
