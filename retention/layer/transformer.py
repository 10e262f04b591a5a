"""A stack of retention blocks: vectors in, vectors out, slots passed in and returned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor, nn

from .block import BlockConfig, RetentionBlock
from .forms import Select
from .slots import SlotState


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """What a retention transformer is made of.

    Attributes:
        block: every block.
        depth: the number of blocks.
        shared: one memory for all blocks, as in the paper; False gives each block slots of its own.
    """

    block: BlockConfig
    depth: int = 2
    shared: bool = True

    def __post_init__(self) -> None:
        """Check the depth."""
        if self.depth < 1:
            raise ValueError(f"depth must be 1 or more, got {self.depth}")


class RetentionTransformer(nn.Module):
    """``depth`` retention blocks over vectors; embedding, positions and heads are the caller's.

    With a shared memory every block reads the same slots with its own queries; keys and values are projected once, by
    weights that the blocks share, and the last block writes what it received, after all have read. Else each block
    reads and writes its own slots.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.blocks = nn.ModuleList(RetentionBlock(config.block) for _ in range(config.depth))
        if config.shared:
            last = self._block(-1).retention.form
            for i in range(config.depth - 1):
                form = self._block(i).retention.form
                form.key, form.value = last.key, last.value
                form.match_keys()

    def init_state(self, batch: int, capacity: int | None = None) -> tuple[SlotState, ...]:
        """Make empty states for ``batch`` namespaces: one when the memory is shared, else one per block."""
        count = 1 if self.config.shared else self.config.depth
        return tuple(self._block(i - count).retention.init_state(batch, capacity) for i in range(count))

    def refresh(self, states: Sequence[SlotState]) -> tuple[SlotState, ...]:
        """Project keys and values of all slots again, with the weights as they are now."""
        self._check(states)
        return tuple(self._block(i - len(states)).retention.refresh(state) for i, state in enumerate(states))

    def forward(
        self,
        x: Float[Tensor, "batch time width"],
        states: Sequence[SlotState],
        *,
        mask: Bool[Tensor, "batch time"] | None = None,
        feedback: Float[Tensor, "*_"] | None = None,
        write: bool = True,
        select: Sequence[Select] | None = None,
    ) -> tuple[Float[Tensor, "batch time width"], tuple[SlotState, ...]]:
        """Run the blocks; what is read was written in earlier calls.

        Args:
            x: vectors, with their positions already in them.
            states: from ``init_state`` or an earlier call.
            mask: True where a vector is real.
            feedback: what this call earned: ``[batch]`` or ``[batch, candidates]``.
            write: False returns the states as they came.
            select: which slots to read, one for each state, as in ``RetentionLayer.read``; None reads all.

        Returns:
            The last block's hidden states, and the states.

        Raises:
            ValueError: the number of states or of ``select``, or one of them, or ``x`` does not fit.
        """
        self._check(states)
        chosen = [None] * len(states) if select is None else select
        if len(chosen) != len(states):
            raise ValueError(f"wanted one select for each of {len(states)} slot state(s), got {len(chosen)}")
        if not self.config.shared:
            after = []
            for i, state in enumerate(states):
                block = self._block(i)
                x, state = block(x, state, mask=mask, feedback=feedback, write=write, select=chosen[i])
                after.append(state)
            return x, tuple(after)
        (state,) = states
        seen = []
        received = x
        for i in range(self.config.depth):
            received = x
            x, info = self._block(i).mix(x, state, mask, chosen[0])
            seen.append(info)
        if write:
            state = self._block(-1).retention.commit(received, state, seen, mask=mask, feedback=feedback)
        return x, (state,)

    def _block(self, i: int) -> RetentionBlock:
        block = self.blocks[i]
        assert isinstance(block, RetentionBlock)
        return block

    def _check(self, states: Sequence[SlotState]) -> None:
        wanted = 1 if self.config.shared else self.config.depth
        if len(states) != wanted:
            raise ValueError(f"this transformer has {wanted} slot state(s), got {len(states)}")
