"""What `holdfast bench layer` times: one layer of each kind, ready to be called again and again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, final

import torch
from torch import Tensor, nn

_Module = TypeVar("_Module", bound=nn.Module)


@final
@dataclass(frozen=True, kw_only=True)
class LayerSizes:
    """The sizes and the place that all contenders share.

    Attributes:
        width: width of the hidden states.
        heads: heads.
        batch: rows of a call.
        time: tokens of a row in a call.
        steps: single-token steps that are timed together.
        device: ``"cpu"`` or ``"cuda"``.
        dtype: the name of a floating point dtype.
        compiled: whether torch.compile is given our layer and the vanilla one.
    """

    width: int = 256
    heads: int = 4
    batch: int = 2
    time: int = 128
    steps: int = 64
    device: str = "cpu"
    dtype: str = "float32"
    compiled: bool = False

    def __post_init__(self) -> None:
        """Check sizes and names."""
        for name in ("width", "heads", "batch", "time", "steps"):
            size = getattr(self, name)
            if size < 1:
                raise ValueError(f"{name} must be 1 or more, got {size}")
        if self.width % self.heads:
            raise ValueError(f"a width of {self.width} does not split into {self.heads} heads")
        if self.device not in ("cpu", "cuda"):
            raise ValueError(f"device must be 'cpu' or 'cuda', got {self.device!r}")
        if self.dtype not in ("float32", "bfloat16", "float16"):
            raise ValueError(f"dtype must be 'float32', 'bfloat16' or 'float16', got {self.dtype!r}")

    def place(self, module: _Module) -> _Module:
        """Move a module to the device and the dtype, and out of training mode."""
        return module.to(device=self.device, dtype=getattr(torch, self.dtype)).eval()

    def hidden(self, batch: int, time: int) -> Tensor:
        """Draw hidden states of ``[batch, time, width]``, of unit variance."""
        return torch.randn(batch, time, self.width, device=self.device, dtype=getattr(torch, self.dtype))

    def tokens(self, batch: int, time: int) -> Tensor:
        """Draw token ids below 256."""
        return torch.randint(256, (batch, time), device=self.device)

    def compile(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, compiled if that is asked for."""
        return torch.compile(function) if self.compiled else function


@final
@dataclass(frozen=True, kw_only=True)
class Contender:
    """A layer, its filled memory, and the calls that are timed. A call that it cannot make is None.

    Attributes:
        forward: answers a batch and takes it in.
        read: answers a batch and takes nothing in.
        train: takes a batch in, answers it, and runs the loss of the answer back through both.
        step: answers ``steps`` tokens of one row one by one; what is answered is taken in, token by token or at the
            end, as ``note`` says.
        step_written: as ``step``, with every token taken in before the next one is answered.
        state_bytes: what one row remembers.
        read_bytes: what a read of the batch must move at least, 0 if that is not known.
        read_flops: what a read of the batch must compute at least, 0 if that is not known.
        note: what a reader of the numbers must know.
    """

    forward: Callable[[], Any]
    read: Callable[[], Any] | None
    train: Callable[[], Any] | None
    step: Callable[[], Any] | None
    step_written: Callable[[], Any] | None
    state_bytes: int
    read_bytes: int = 0
    read_flops: int = 0
    note: str = ""


class Build(Protocol):
    """Builds a contender; it runs when its turn comes, so that one that fails is a row and stops no other."""

    def __call__(self, sizes: LayerSizes) -> Contender:
        """Build it."""
        ...


def run_back(module: nn.Module, outputs: list[Tensor]) -> None:
    """Run the mean square of the outputs back, into gradients that are made anew."""
    module.zero_grad(set_to_none=True)
    loss = torch.stack([each.float().square().mean() for each in outputs]).sum()
    torch.autograd.backward(loss)
