"""What a retention layer is made of."""

from __future__ import annotations

from dataclasses import dataclass, field

from .evict import Eviction, FirstInFirstOut, LeastUseful
from .pool import ChunkPool, MeanPool, Pool
from .rules import AppendWrite, MergeWrite, WriteRule


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
        tau: the cosine of keys above which a candidate is a duplicate of a slot; 0.7 where keys are trained to be
            rewritten.
        temperature: of the cosine scores, at first; learned per head, held in [1, ``max_temperature``].
        max_temperature: of what is learned; see ``CosineForm`` for how it grows with the slots.
        mass_queries: by how many queries of a call the attention that slots draw is counted, evenly spaced.
        tied: start with queries that find what is like them; right where a slot holds what is asked for and what is to
            be answered, wrong where each token has a slot of its own.
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
    mass_queries: int = 16
    tied: bool = True
    zero_output: bool = False

    def __post_init__(self) -> None:
        """Check sizes and ranges."""
        for name in ("width", "heads", "read_width", "capacity", "mass_queries"):
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
