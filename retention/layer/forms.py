"""The two forms of the layer: as published, and ours. A form owns the weights and does the maths of a read."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from .gate import WriteGate, novelty, read_error
from .read import length, paper_read, retention_read, slot_bias, unit
from .read_info import DenseReadInfo, ReadInfo, selected, top_read
from .slots import SlotState

Select = Callable[[Tensor, SlotState], Tensor | None]
"""From queries ``[batch, heads, time, dim]`` and slots to the numbers of those to read, ``[batch, heads, time, top]``
with -1 for none; or None to read all."""


class Form(nn.Module, ABC):
    """What both forms share: keys and values by projection, split into heads.

    Attributes:
        unit_keys: whether every key has length 1.
    """

    unit_keys: bool

    def __init__(self, *, width: int, reads: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.key = nn.Linear(width, reads, bias=False)
        self.value = nn.Linear(width, reads, bias=False)

    @abstractmethod
    def reset_parameters(self) -> None:
        """Draw the weights anew."""

    @abstractmethod
    def match_keys(self) -> None:
        """Start with queries that find what is like them, where the form has it so."""

    @abstractmethod
    def project(
        self, u: Float[Tensor, "batch slots width"]
    ) -> tuple[Float[Tensor, "batch heads slots dim"], Float[Tensor, "batch heads slots dim"]]:
        """Make keys and values of slots."""

    @abstractmethod
    def read(
        self, x: Float[Tensor, "batch time width"], state: SlotState, select: Select | None
    ) -> tuple[Float[Tensor, "batch time width"], ReadInfo]:
        """Ask memory, all of it or what ``select`` selects."""

    @abstractmethod
    def prepare(self, x: Float[Tensor, "batch time width"]) -> Float[Tensor, "batch time width"]:
        """Make of hidden states what is pooled."""

    @abstractmethod
    def finish(self, pooled: Float[Tensor, "batch candidates width"]) -> Float[Tensor, "batch candidates width"]:
        """Make of what was pooled what is written."""

    @abstractmethod
    def log_gate(
        self,
        keys: Float[Tensor, "batch heads candidates dim"],
        values: Float[Tensor, "batch heads candidates dim"],
        nearest: Float[Tensor, "batch candidates"],
        feedback: Float[Tensor, "batch candidates"],
        state: SlotState,
    ) -> Float[Tensor, "batch candidates"]:
        """Return the log of the write gate, from what the candidates are and the cosine of the slot nearest to each."""

    def split(self, x: Float[Tensor, "batch time reads"]) -> Float[Tensor, "batch heads time dim"]:
        """Split into heads."""
        return x.reshape(*x.shape[:2], self.heads, x.shape[2] // self.heads).transpose(1, 2)


class PaperForm(Form):
    """``R = softmax(Q K_M^T / sqrt(d_k)) V_M``, ``u = mean(X) W_update``, with nothing normalised and every write done.

    Reference: arXiv 2501.09166, the read and the write operation.
    """

    unit_keys = False

    def __init__(self, *, width: int, heads: int) -> None:
        super().__init__(width=width, reads=width, heads=heads)
        self.query = nn.Linear(width, width, bias=False)
        self.update = nn.Linear(width, width, bias=False)

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        for linear in (self.query, self.key, self.value, self.update):
            linear.reset_parameters()

    def match_keys(self) -> None:
        """Leave queries and keys apart, as published."""

    def project(
        self, u: Float[Tensor, "batch slots width"]
    ) -> tuple[Float[Tensor, "batch heads slots dim"], Float[Tensor, "batch heads slots dim"]]:
        """``K_M = M W_K``, ``V_M = M W_V``."""
        return self.split(self.key(u)), self.split(self.value(u))

    def read(
        self, x: Float[Tensor, "batch time width"], state: SlotState, select: Select | None
    ) -> tuple[Float[Tensor, "batch time width"], ReadInfo]:
        """Ask memory as published."""
        query = self.split(self.query(x))
        null_score = query.new_full((self.heads,), torch.finfo(query.dtype).min / 2)
        scaled = query / query.shape[-1] ** 0.5
        slots = None if select is None else select(scaled.detach(), state)
        info: ReadInfo
        if slots is None:
            answer = paper_read(query, state.k, state.v, mask=state.occupied[:, None, None])
            bias = slot_bias(torch.zeros_like(state.bias), state.occupied)[:, None]
            info = DenseReadInfo(query=scaled.detach(), keys=state.k.detach(), bias=bias, null_score=null_score)
        else:
            bias = torch.zeros_like(slots, dtype=query.dtype)
            answer, info = top_read(scaled, state.k, state.v, null_score=null_score, bias=bias, slots=slots)
        return answer.transpose(1, 2).flatten(2), info

    def prepare(self, x: Float[Tensor, "batch time width"]) -> Float[Tensor, "batch time width"]:
        """Pool hidden states as they are."""
        return x

    def finish(self, pooled: Float[Tensor, "batch candidates width"]) -> Float[Tensor, "batch candidates width"]:
        """``u W_update``."""
        updated: Tensor = self.update(pooled)
        return updated

    def log_gate(
        self,
        keys: Float[Tensor, "batch heads candidates dim"],
        values: Float[Tensor, "batch heads candidates dim"],
        nearest: Float[Tensor, "batch candidates"],
        feedback: Float[Tensor, "batch candidates"],
        state: SlotState,
    ) -> Float[Tensor, "batch candidates"]:
        """Leave the gate open: ``log 1``."""
        return torch.zeros_like(feedback)


class CosineForm(Form):
    """``R = W_O(sigmoid(W_g n(x)) * sum_j a_j v_j)``, ``a = softmax([null_h, beta_h c(m) q.k_j + b_hj])``.

    ``q = norm(W_Q n(x))``, ``k = norm(W_K u)``, ``v = W_V u``; the null slot's value is zero. The largest of ``m``
    chance cosines grows like ``sqrt(log m)``, and so does the temperature: ``c(m) = max(1, sqrt(log(m + 1) / log 9))``
    with ``m`` filled slots, 1 up to eight of them. ``b_hj`` is the log of the gate with which slot ``j`` was written,
    and by slopes that start at zero what its recency and its utility are worth to head ``h``; the recency is minus
    ``log(1 + n)`` after ``n`` more candidates.

    It starts as an associative memory: ``W_Q = W_K``, orthogonal, and ``W_O`` undoes ``W_V`` and the gate. With
    ``W_O = 0`` instead a frozen model is left as it is; two zeros in a row would not learn. ``query_gate`` holds
    ``W_Q`` above ``W_g``, with a bias each: one product is faster than two.
    """

    unit_keys = True

    def __init__(
        self,
        *,
        width: int,
        reads: int,
        heads: int,
        temperature: float,
        max_temperature: float,
        tied: bool,
        zero_output: bool,
    ) -> None:
        super().__init__(width=width, reads=reads, heads=heads)
        self.temperature, self.max_temperature = temperature, max_temperature
        self.tied, self.zero_output = tied, zero_output
        self.norm = nn.LayerNorm(width)
        self.query_gate = nn.Linear(width, 2 * reads)
        self.output = nn.Linear(reads, width, bias=False)
        self.log_temperature = nn.Parameter(torch.empty(heads))
        self.null_score = nn.Parameter(torch.empty(heads))
        self.slopes = nn.Parameter(torch.empty(2, heads))
        self.write_gate = WriteGate()

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        for module in (self.query_gate, self.norm, self.write_gate):
            module.reset_parameters()
        for projection in (self.key, self.value):
            nn.init.orthogonal_(projection.weight)
        nn.init.constant_(self.log_temperature, math.log(self.temperature))
        for zero in (self.null_score, self.slopes, self.query_gate.bias, self.output.weight):
            nn.init.zeros_(zero)
        self.match_keys()

    def match_keys(self) -> None:
        """Set ``W_Q = W_K`` where tied, and ``W_O`` to what undoes ``W_V`` and a gate of one half, or leave it zero."""
        with torch.no_grad():
            if self.tied:
                self.query_gate.weight[: self.key.out_features] = self.key.weight
            if not self.zero_output:
                self.output.weight.copy_(2 * self.value.weight.T)

    def project(
        self, u: Float[Tensor, "batch slots width"]
    ) -> tuple[Float[Tensor, "batch heads slots dim"], Float[Tensor, "batch heads slots dim"]]:
        """``k = norm(W_K u)``, ``v = W_V u``."""
        return unit(self.split(self.key(u))), self.split(self.value(u))

    def read(
        self, x: Float[Tensor, "batch time width"], state: SlotState, select: Select | None
    ) -> tuple[Float[Tensor, "batch time width"], ReadInfo]:
        """Ask memory."""
        both = self.query_gate(self.norm(x)).unflatten(-1, (2 * self.heads, -1)).transpose(1, 2)
        query, gate = both[:, : self.heads], torch.sigmoid(both[:, self.heads :])
        query = query * (self._heat(state) / length(query))
        slots = None if select is None else select(query.detach(), state)
        info: ReadInfo
        if slots is None:
            bias = self._bias(state)
            answer = retention_read(query, state.k, state.v, null_score=self.null_score, bias=bias)
            null_score = self.null_score.detach()
            info = DenseReadInfo(query=query.detach(), keys=state.k.detach(), bias=bias.detach(), null_score=null_score)
        else:
            log_gate, written, utility = (selected(x, slots) for x in (state.bias, state.written, state.utility))
            bias = self._worth(log_gate, state.writes[:, None, None, None] - written, utility)
            answer, info = top_read(query, state.k, state.v, null_score=self.null_score, bias=bias, slots=slots)
        gated: Tensor = self.output((gate * answer).transpose(1, 2).flatten(2))
        return gated, info

    def prepare(self, x: Float[Tensor, "batch time width"]) -> Float[Tensor, "batch time width"]:
        """Pool normalised hidden states."""
        normalised: Tensor = self.norm(x)
        return normalised

    def finish(self, pooled: Float[Tensor, "batch candidates width"]) -> Float[Tensor, "batch candidates width"]:
        """Write what was pooled as it is."""
        return pooled

    def log_gate(
        self,
        keys: Float[Tensor, "batch heads candidates dim"],
        values: Float[Tensor, "batch heads candidates dim"],
        nearest: Float[Tensor, "batch candidates"],
        feedback: Float[Tensor, "batch candidates"],
        state: SlotState,
    ) -> Float[Tensor, "batch candidates"]:
        """Judge the candidates against the slots as they are; only the gate's own weights learn from it."""
        with torch.no_grad():
            hot, bias = keys * self._heat(state), self._bias(state)
            answer = retention_read(hot, state.k, state.v, null_score=self.null_score, bias=bias)
            features = novelty(nearest), read_error(values, answer), feedback
        return F.logsigmoid(self.write_gate(*features))

    def _heat(self, state: SlotState) -> Float[Tensor, "batch heads 1 1"]:
        """Return ``beta_h c(m)``."""
        beta = self.log_temperature.clamp(0.0, math.log(self.max_temperature)).exp()
        crowd = (state.occupied.sum(dim=1).to(beta.dtype).log1p() / math.log(9.0)).sqrt().clamp(min=1.0)
        return (crowd[:, None] * beta)[:, :, None, None]

    def _bias(self, state: SlotState) -> Float[Tensor, "batch heads slots"]:
        """Return ``b_hj``, the lowest number for empty slots."""
        later = state.writes[:, None] - state.written
        worth = self._worth(*(each[:, None, :, None] for each in (state.bias, later, state.utility)))
        return slot_bias(worth[..., 0], state.occupied[:, None])

    def _worth(self, log_gate: Tensor, later: Tensor, utility: Tensor) -> Float[Tensor, "batch heads *_"]:
        """Return ``b_hj`` of slots, given in the last two dimensions; the slopes take ten times the usual step."""
        recency, useful = self.slopes[:, :, None, None]
        worth = torch.addcmul(log_gate, later.to(log_gate.dtype).log1p(), recency, value=-10.0)
        return torch.addcmul(worth, utility, useful, value=10.0)
