"""The two forms of the layer: as published, and ours. A form owns the weights and does the maths of a read."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from .gate import WriteGate, novelty, read_error
from .read import ReadInfo, attend, paper_read, read_info, retention_read
from .slots import SlotState
from .write import key_cosines


class Form(nn.Module, ABC):
    """What both forms share: queries, keys and values by projection, split into heads."""

    def __init__(self, *, width: int, reads: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, reads, bias=False)
        self.key = nn.Linear(width, reads, bias=False)
        self.value = nn.Linear(width, reads, bias=False)

    @abstractmethod
    def reset_parameters(self) -> None:
        """Draw the weights anew."""

    @abstractmethod
    def project(
        self, u: Float[Tensor, "batch slots width"]
    ) -> tuple[Float[Tensor, "batch heads slots dim"], Float[Tensor, "batch heads slots dim"]]:
        """Make keys and values of slots."""

    @abstractmethod
    def read(
        self, x: Float[Tensor, "batch time width"], state: SlotState
    ) -> tuple[Float[Tensor, "batch time width"], ReadInfo]:
        """Ask memory."""

    @abstractmethod
    def prepare(self, x: Float[Tensor, "batch time width"]) -> Float[Tensor, "batch time width"]:
        """Make of hidden states what is pooled."""

    @abstractmethod
    def finish(self, pooled: Float[Tensor, "batch candidates width"]) -> Float[Tensor, "batch candidates width"]:
        """Make of what was pooled what is written."""

    @abstractmethod
    def log_gate(
        self,
        candidates: Float[Tensor, "batch candidates width"],
        feedback: Float[Tensor, "batch candidates"],
        state: SlotState,
    ) -> Float[Tensor, "batch candidates"]:
        """Return the log of the write gate."""

    def split(self, x: Float[Tensor, "batch time reads"]) -> Float[Tensor, "batch heads time dim"]:
        """Split into heads."""
        return x.reshape(*x.shape[:2], self.heads, x.shape[2] // self.heads).transpose(1, 2)


class PaperForm(Form):
    """``R = softmax(Q K_M^T / sqrt(d_k)) V_M``, ``u = mean(X) W_update``, with nothing normalised and every write done.

    Reference: arXiv 2501.09166, the read and the write operation.
    """

    def __init__(self, *, width: int, heads: int) -> None:
        super().__init__(width=width, reads=width, heads=heads)
        self.update = nn.Linear(width, width, bias=False)

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        for linear in (self.query, self.key, self.value, self.update):
            linear.reset_parameters()

    def project(
        self, u: Float[Tensor, "batch slots width"]
    ) -> tuple[Float[Tensor, "batch heads slots dim"], Float[Tensor, "batch heads slots dim"]]:
        """``K_M = M W_K``, ``V_M = M W_V``."""
        return self.split(self.key(u)), self.split(self.value(u))

    def read(
        self, x: Float[Tensor, "batch time width"], state: SlotState
    ) -> tuple[Float[Tensor, "batch time width"], ReadInfo]:
        """Ask memory as published."""
        query, mask = self.split(self.query(x)), state.occupied[:, None, None]
        answer = paper_read(query, state.k, state.v, mask=mask)
        with torch.no_grad():
            scores = query @ state.k.transpose(-1, -2) / query.shape[-1] ** 0.5
            lowest = torch.finfo(scores.dtype).min
            _, weights, null_mass = attend(scores, scores, null_score=lowest, mask=mask)
            cosine = F.normalize(query, dim=-1) @ F.normalize(state.k, dim=-1).transpose(-1, -2)
            info = read_info(weights, null_mass, cosine.amax(dim=-1))
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
        candidates: Float[Tensor, "batch candidates width"],
        feedback: Float[Tensor, "batch candidates"],
        state: SlotState,
    ) -> Float[Tensor, "batch candidates"]:
        """Leave the gate open: ``log 1``."""
        return torch.zeros_like(feedback)


class CosineForm(Form):
    """``R = W_O(sigmoid(W_g n(x)) * sum_j a_j v_j)``, ``a = softmax([null_h, beta_h q.k_j + b_j])``.

    ``q = norm(W_Q n(x))``, ``k = norm(W_K u)``, ``v = W_V u``; the null slot's value is zero; ``b_j`` is the log of the
    gate with which slot ``j`` was written. Its zero-start is ``W_O = 0`` alone: two zeros in a row would not learn.
    """

    def __init__(
        self, *, width: int, reads: int, heads: int, temperature: float, max_temperature: float, zero_output: bool
    ) -> None:
        super().__init__(width=width, reads=reads, heads=heads)
        self.temperature, self.max_temperature = temperature, max_temperature
        self.zero_output = zero_output
        self.norm = nn.LayerNorm(width)
        self.read_gate = nn.Linear(width, reads)
        self.output = nn.Linear(reads, width, bias=False)
        self.log_temperature = nn.Parameter(torch.empty(heads))
        self.null_score = nn.Parameter(torch.empty(heads))
        self.write_gate = WriteGate()

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        for module in (self.query, self.key, self.value, self.norm, self.read_gate, self.output, self.write_gate):
            module.reset_parameters()
        nn.init.constant_(self.log_temperature, math.log(self.temperature))
        nn.init.zeros_(self.null_score)
        nn.init.zeros_(self.read_gate.bias)
        if self.zero_output:
            nn.init.zeros_(self.output.weight)

    def project(
        self, u: Float[Tensor, "batch slots width"]
    ) -> tuple[Float[Tensor, "batch heads slots dim"], Float[Tensor, "batch heads slots dim"]]:
        """``k = norm(W_K u)``, ``v = W_V u``."""
        return F.normalize(self.split(self.key(u)), dim=-1), self.split(self.value(u))

    def read(
        self, x: Float[Tensor, "batch time width"], state: SlotState
    ) -> tuple[Float[Tensor, "batch time width"], ReadInfo]:
        """Ask memory."""
        x = self.norm(x)
        answer, info = self._recall(F.normalize(self.split(self.query(x)), dim=-1), state)
        gated: Tensor = self.output(torch.sigmoid(self.read_gate(x)) * answer.transpose(1, 2).flatten(2))
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
        candidates: Float[Tensor, "batch candidates width"],
        feedback: Float[Tensor, "batch candidates"],
        state: SlotState,
    ) -> Float[Tensor, "batch candidates"]:
        """Judge the candidates against the slots as they are; only the gate's own weights learn from it."""
        with torch.no_grad():
            k, v = self.project(candidates)
            new = novelty(key_cosines(k, state), state.occupied)
            wrong = read_error(v, self._recall(k, state)[0])
        return F.logsigmoid(self.write_gate(new, wrong, feedback))

    def _recall(self, query: Tensor, state: SlotState) -> tuple[Tensor, ReadInfo]:
        return retention_read(
            query,
            state.k,
            state.v,
            temperature=self.log_temperature.clamp(0.0, math.log(self.max_temperature)).exp(),
            null_score=self.null_score,
            bias=state.bias,
            mask=state.occupied,
        )
