"""The retention layer: reads slots that were written in earlier calls, and writes new ones.

Not RetNet's retention: this is the layer of arXiv 2501.09166, an attention over a memory that outlives the context.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from .config import RetentionConfig
from .forms import CosineForm, Form, PaperForm, Select
from .lifecycle import evict_slots, merge_slots
from .read_info import ReadInfo
from .slots import SlotState, empty_slots, slot_stamps, weights_version
from .write import WriteInfo, mean_cosine, write_slots


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
                tied=config.tied,
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
        select: Select | None = None,
        in_place: bool = False,
    ) -> tuple[Float[Tensor, "batch time width"], SlotState]:
        """Read, then write.

        Args:
            x: hidden states; row ``i`` reads and writes namespace ``i`` alone.
            state: the slots.
            mask: True where a hidden state is real; padding is not written.
            feedback: what this call earned, if that is known already: ``[batch]`` or ``[batch, candidates]``.
            write: False returns the state as it came, not even noting what was read.
            select: as in ``read``.
            in_place: as in ``write``.

        Returns:
            What memory answers, and the state with the candidates of this call.

        Raises:
            ValueError: ``x`` or ``state`` does not fit the layer.
        """
        y, info = self.read(x, state, select)
        if write:
            state = self.commit(x, state, [info], mask=mask, feedback=feedback, in_place=in_place)
        return y, state

    def read(
        self, x: Float[Tensor, "batch time width"], state: SlotState, select: Select | None = None
    ) -> tuple[Float[Tensor, "batch time width"], ReadInfo]:
        """Ask memory; the state is not touched.

        Args:
            x: hidden states.
            state: the slots.
            select: which slots to read, such as a ``SlotIndex`` of the state; None reads all.

        Returns:
            What memory answers, and what the read saw.

        Raises:
            ValueError: ``x`` or ``state`` does not fit the layer.
        """
        self._check(state, x)
        return self.form.read(x, state, select)

    def commit(
        self,
        x: Float[Tensor, "batch time width"],
        state: SlotState,
        seen: Sequence[ReadInfo],
        *,
        mask: Bool[Tensor, "batch time"] | None = None,
        feedback: Float[Tensor, "*_"] | None = None,
        in_place: bool = False,
    ) -> SlotState:
        """End a call: note what its reads saw, one or several, and write its candidates. Else as ``forward``."""
        drawn = [few.slot_mass * times for few, times in (info.thin(self.config.mass_queries) for info in seen)]
        candidates, real = self.candidates(x, mask)
        state = state.after_read(torch.stack(drawn).mean(dim=0), x.shape[1])
        return self.write(state, candidates, feedback, mask=real, in_place=in_place)[0]

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
        in_place: bool = False,
    ) -> tuple[SlotState, WriteInfo]:
        """Write candidates.

        They are judged all at once, by the slots as they were before the call and by the candidates before them.
        A candidate that is not finite or overflows, or whose feedback is not finite, is refused; ``WriteInfo.refused``
        says which.

        Args:
            state: the slots.
            candidates: from ``candidates``.
            feedback: what they earned, best in [-1, 1]: ``[batch]`` or ``[batch, candidates]``; None for unknown.
            mask: True where a candidate is real.
            in_place: write the vectors where they stand, at a cost that does not grow with their memory. The state that
                was passed in, and what reads saw of it, must not be used again. Not while training.

        Returns:
            The new state, and what was done.

        Raises:
            ValueError: ``candidates`` or ``state`` does not fit the layer, or a gradient is asked for in place.
        """
        self._check(state, candidates)
        if in_place and torch.is_grad_enabled():
            raise ValueError("writing in place has no gradient: write under torch.no_grad()")
        earned = candidates.new_zeros(candidates.shape[:2])
        if feedback is not None:
            earned = earned + (feedback[:, None] if feedback.dim() == 1 else feedback).detach()
        offered = torch.ones_like(earned, dtype=torch.bool) if mask is None else mask
        sound = offered & candidates.isfinite().all(dim=2) & earned.isfinite()
        candidates = candidates.masked_fill(~sound[:, :, None], 0.0)
        earned = earned.masked_fill(~sound, 0.0)
        before = state
        written, duplicate, refused = [sound[:, :0]], [sound[:, :0]], [sound[:, :0]]
        for start in range(0, candidates.shape[1], state.capacity):
            of = slice(start, start + state.capacity)
            state, admit, there, twice = self._write(state, candidates[:, of], sound[:, of], earned[:, of], in_place)
            written.append(there)
            duplicate.append(twice)
            refused.append((offered[:, of] & ~sound[:, of]) | (admit & ~there))
        begun = state.next_id - before.next_id
        return state, WriteInfo(
            accept_rate=torch.cat(written, dim=1).sum(dim=1) / offered.sum(dim=1).clamp(min=1),
            evictions=begun + before.occupied.sum(dim=1) - state.occupied.sum(dim=1),
            duplicates=torch.cat(duplicate, dim=1).sum(dim=1),
            refused=torch.cat(refused, dim=1),
            stale=self.stale(state),
        )

    def evict(self, state: SlotState, count: int) -> SlotState:
        """Empty the ``count`` slots of each row that its eviction would take first; pinned slots stay."""
        return evict_slots(state, self.config.eviction, count)

    def merge(self, state: SlotState, into: Int64[Tensor, "batch n"], ids: Int64[Tensor, "batch n"]) -> SlotState:
        """Join slots pair by pair, see ``merge_slots``; a row names its slots by id, with -1 for none."""
        return merge_slots(state, into, ids, project=self.form.project)

    def refresh(self, state: SlotState, u: Float[Tensor, "batch slots width"] | None = None) -> SlotState:
        """Project the keys and values of every slot again, with the weights as they are now.

        Args:
            state: the slots.
            u: what the slots hold, encoded anew by whoever still has the source; None for the ``u`` as it was stored.

        Raises:
            ValueError: ``state`` does not fit the layer, or ``u`` not the state.
        """
        self._check(state, state.u)
        if u is not None:
            if u.shape != state.u.shape or not bool(u.isfinite().all()):
                raise ValueError(f"wanted finite u of shape {tuple(state.u.shape)}, got {tuple(u.shape)}")
            u = u.masked_fill(~state.occupied[:, :, None], 0.0)
            stamp = slot_stamps(u, state.id).masked_fill(~state.occupied, 0)
            state = replace(state, u=u, stamp=stamp)
        k, v = self.form.project(state.u)
        return replace(state, k=k, v=v, version=self._weights_version().expand(state.batch))

    def stale(self, state: SlotState) -> Bool[Tensor, " batch"]:
        """Say which rows hold keys and values that other weights made: ``refresh`` mends them."""
        return state.version != self._weights_version()

    def _write(
        self, state: SlotState, candidates: Tensor, sound: Tensor, earned: Tensor, in_place: bool
    ) -> tuple[SlotState, Tensor, Tensor, Tensor]:
        """Write at most as many candidates as slots; return which were admitted, are there now, and are duplicates."""
        config = self.config
        keys, values = self.form.project(candidates)
        with torch.no_grad():
            unit, slots = (x if self.form.unit_keys else F.normalize(x, dim=-1) for x in (keys, state.k))
            cosine = mean_cosine(unit, slots).masked_fill(~state.occupied[:, None], -1.0)
            nearest = cosine.max(dim=2)
            among = mean_cosine(unit, unit)
            fits = (2 * torch.cat((keys, values), dim=3)).isfinite().all(dim=3).all(dim=1)
            fits &= (2 * candidates).isfinite().all(dim=2)  # twice, so that no mean of two of them overflows
        log_gate = self.form.log_gate(keys, values, nearest.values, earned, state)
        admit = sound if self.training else sound & (log_gate.exp() >= config.threshold)
        state, there, duplicate = write_slots(
            state,
            candidates,
            nearest=nearest,
            among=among,
            log_gate=log_gate,
            admit=admit & fits,
            feedback=earned,
            project=self.form.project,
            rule=config.rule,
            eviction=config.eviction,
            tau=config.tau,
            in_place=in_place,
        )
        return state, admit, there, duplicate

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
