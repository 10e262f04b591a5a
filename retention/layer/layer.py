"""The retention layer: reads slots that were written in earlier calls, and writes new ones.

Not RetNet's retention: this is the layer of arXiv 2501.09166, an attention over a memory that outlives the context.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from .evict import Eviction, FirstInFirstOut, LeastUseful
from .forms import CosineForm, Form, PaperForm
from .pool import ChunkPool, MeanPool, Pool
from .read import ReadInfo
from .slots import SlotState, empty_slots, weights_version
from .write import AppendWrite, MergeWrite, WriteInfo, WriteRule, write_slots


@dataclass(frozen=True, kw_only=True)
class RetentionConfig:
    """What a retention layer is made of.

    Attributes:
        width: width of the hidden states and of the slots.
        heads: heads of the read.
        read_width: width of keys and values over all heads; None for ``width``. Narrow reads are cheap.
        capacity: slots per namespace.
        paper: the form as published: dot products by ``sqrt(d_k)``, no null slot, no gates, no ``W_O``.
        pool: what a call offers for writing.
        rule: what a candidate does to the slots.
        eviction: which slot makes room.
        threshold: the gate under which a candidate is not written, in use; while training all are.
        tau: the cosine of keys above which a candidate is a duplicate of a slot.
        temperature: the first temperature of the cosine scores; learned per head, held in [1, ``max_temperature``].
        max_temperature: 1e5 slots need 17.
        zero_output: start with ``W_O = 0``, so that a frozen model is left bit-equal at first.
    """

    width: int
    heads: int = 4
    read_width: int | None = None
    capacity: int = 256
    paper: bool = False
    pool: Pool = field(default_factory=ChunkPool)
    rule: WriteRule = field(default_factory=MergeWrite)
    eviction: Eviction = field(default_factory=LeastUseful)
    threshold: float = 0.5
    tau: float = 0.95
    temperature: float = 12.0
    max_temperature: float = 40.0
    zero_output: bool = False

    def __post_init__(self) -> None:
        """Check sizes and ranges."""
        for name in ("width", "heads", "read_width", "capacity"):
            size = getattr(self, name)
            if size is not None and size < 1:
                raise ValueError(f"{name} must be 1 or more, got {size}")
        if self.reads % self.heads:
            raise ValueError(f"a read width of {self.reads} does not split into {self.heads} heads")
        if not 0.0 <= self.threshold <= 1.0:
            raise ValueError(f"threshold must be in [0, 1], got {self.threshold}")
        if not -1.0 <= self.tau <= 1.0:
            raise ValueError(f"tau must be in [-1, 1], got {self.tau}")
        if not 1.0 <= self.temperature <= self.max_temperature:
            raise ValueError(f"temperature must be in [1, {self.max_temperature}], got {self.temperature}")
        if self.paper and (self.reads != self.width or self.zero_output):
            raise ValueError("the paper's form has no output projection: it takes neither read_width nor zero_output")

    @property
    def reads(self) -> int:
        """Width of keys and values over all heads."""
        return self.width if self.read_width is None else self.read_width

    @classmethod
    def as_published(cls, *, width: int, heads: int = 1, capacity: int = 256) -> RetentionConfig:
        """The paper's form: ``u = mean(X) W_update``, appended (option A), oldest slot evicted."""
        return cls(
            width=width,
            heads=heads,
            capacity=capacity,
            paper=True,
            pool=MeanPool(),
            rule=AppendWrite(),
            eviction=FirstInFirstOut(),
        )


class RetentionLayer(nn.Module):
    """Reads memory beside self-attention, and writes to it.

    The output is to be added to the residual, see ``RetentionBlock``. The slots live in the ``SlotState`` that is
    passed in and returned; the module holds weights alone. A read never sees what the same call writes.

    A write keeps its graph: the loss of a later read trains the projections and the gate of the write. Cut old graphs
    with ``state.detach(keep_last=...)``; a state that is cut at once teaches nothing about writing.

    Reference: arXiv 2501.09166; the formulas are in ``forms.py``.
    """

    def __init__(self, config: RetentionConfig) -> None:
        super().__init__()
        self.config = config
        self.form: Form
        if config.paper:
            self.form = PaperForm(width=config.width, heads=config.heads)
        else:
            self.form = CosineForm(
                width=config.width,
                reads=config.reads,
                heads=config.heads,
                temperature=config.temperature,
                max_temperature=config.max_temperature,
                zero_output=config.zero_output,
            )
        self.pool_queries = nn.Parameter(torch.empty(config.pool.queries, config.width))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        self.form.reset_parameters()
        nn.init.normal_(self.pool_queries)

    def init_state(self, batch: int, capacity: int | None = None) -> SlotState:
        """Make an empty state for ``batch`` namespaces, on the device and in the dtype of the weights."""
        config, weight = self.config, self.form.key.weight
        state = empty_slots(
            batch,
            config.capacity if capacity is None else capacity,
            width=config.width,
            heads=config.heads,
            dim=config.reads // config.heads,
            dtype=weight.dtype,
            device=weight.device,
        )
        return replace(state, version=self._weights_version().expand(batch))

    def forward(
        self,
        x: Float[Tensor, "batch time width"],
        state: SlotState,
        *,
        mask: Bool[Tensor, "batch time"] | None = None,
        feedback: Float[Tensor, "*_"] | None = None,
        write: bool = True,
    ) -> tuple[Float[Tensor, "batch time width"], SlotState]:
        """Read, then write.

        Args:
            x: hidden states; row ``i`` reads and writes namespace ``i`` alone.
            state: the slots.
            mask: True where a hidden state is real; padding is not written.
            feedback: what this call earned, if that is known already: ``[batch]`` or ``[batch, candidates]``.
            write: False returns the state as it came, not even noting what was read.

        Returns:
            What memory answers, and the state with the candidates of this call.

        Raises:
            ValueError: ``x`` or ``state`` does not fit the layer.
        """
        y, info = self.read(x, state)
        if write:
            state = self.commit(x, state, info, mask=mask, feedback=feedback)
        return y, state

    def read(
        self, x: Float[Tensor, "batch time width"], state: SlotState
    ) -> tuple[Float[Tensor, "batch time width"], ReadInfo]:
        """Ask memory; the state is not touched.

        Raises:
            ValueError: ``x`` or ``state`` does not fit the layer.
        """
        self._check(state, x)
        return self.form.read(x, state)

    def commit(
        self,
        x: Float[Tensor, "batch time width"],
        state: SlotState,
        info: ReadInfo,
        *,
        mask: Bool[Tensor, "batch time"] | None = None,
        feedback: Float[Tensor, "*_"] | None = None,
    ) -> SlotState:
        """End a call: note what its read saw and write its candidates. Arguments as in ``forward``."""
        candidates, real = self.candidates(x, mask)
        state, _ = self.write(state.after_read(info.slot_mass, x.shape[1]), candidates, feedback, mask=real)
        return state

    def candidates(
        self, x: Float[Tensor, "batch time width"], mask: Bool[Tensor, "batch time"] | None = None
    ) -> tuple[Float[Tensor, "batch candidates width"], Bool[Tensor, "batch candidates"]]:
        """Pool what a call offers for writing, to be written now or when its outcome is known.

        Args:
            x: hidden states.
            mask: True where a hidden state is real.

        Returns:
            The candidates, and which of them are real; pass both to ``write``.
        """
        if mask is None:
            mask = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
        pooled, real = self.config.pool(self.form.prepare(x), mask, self.pool_queries)
        return self.form.finish(pooled), real

    def write(
        self,
        state: SlotState,
        candidates: Float[Tensor, "batch candidates width"],
        feedback: Float[Tensor, "*_"] | None = None,
        *,
        mask: Bool[Tensor, "batch candidates"] | None = None,
    ) -> tuple[SlotState, WriteInfo]:
        """Write candidates, one after the other.

        A candidate or feedback that is not finite is never written.

        Args:
            state: the slots.
            candidates: from ``candidates``.
            feedback: what they earned, best in [-1, 1]: ``[batch]`` or ``[batch, candidates]``; None for unknown.
            mask: True where a candidate is real.

        Returns:
            The new state, and what was done.

        Raises:
            ValueError: ``candidates`` or ``state`` does not fit the layer.
        """
        self._check(state, candidates)
        earned = candidates.new_zeros(candidates.shape[:2])
        if feedback is not None:
            earned = earned + (feedback[:, None] if feedback.dim() == 1 else feedback).detach()
        offered = torch.ones_like(earned, dtype=torch.bool) if mask is None else mask
        sound = offered & candidates.isfinite().all(dim=2) & earned.isfinite()
        candidates = candidates.masked_fill(~sound[:, :, None], 0.0)
        earned = earned.masked_fill(~sound, 0.0)
        log_gate = self.form.log_gate(candidates, earned, state)
        admit = sound if self.training else sound & (log_gate.exp() >= self.config.threshold)
        state, evictions, duplicates = write_slots(
            state,
            candidates,
            log_gate=log_gate,
            admit=admit,
            feedback=earned,
            project=self.form.project,
            rule=self.config.rule,
            eviction=self.config.eviction,
            tau=self.config.tau,
        )
        return state, WriteInfo(
            accept_rate=admit.sum(dim=1) / offered.sum(dim=1).clamp(min=1),
            evictions=evictions,
            duplicates=duplicates,
            stale=self.stale(state),
        )

    def refresh(self, state: SlotState) -> SlotState:
        """Project the keys and values of every slot again from ``u``, with the weights as they are now."""
        self._check(state, state.u)
        k, v = self.form.project(state.u)
        return replace(state, k=k, v=v, version=self._weights_version().expand(state.batch))

    def stale(self, state: SlotState) -> Bool[Tensor, " batch"]:
        """Say which rows hold keys and values that other weights made: ``refresh`` mends them."""
        return state.version != self._weights_version()

    def _weights_version(self) -> Int64[Tensor, ""]:
        return weights_version(self.form.key.weight, self.form.value.weight)

    def _check(self, state: SlotState, x: Tensor) -> None:
        config = self.config
        keys = (state.batch, config.heads, state.capacity, config.reads // config.heads)
        if state.u.shape[2] != config.width or state.k.shape != keys:
            found = f"{state.u.shape[2]} and keys of {tuple(state.k.shape)}"
            raise ValueError(f"slots of width {found} do not fit a layer of width {config.width} and keys of {keys}")
        if x.dim() != 3 or x.shape[0] != state.batch or x.shape[2] != config.width:
            got = tuple(x.shape)
            raise ValueError(f"hidden states {got} do not fit {state.batch} namespaces of width {config.width}")
