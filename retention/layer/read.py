"""The read: pure functions from scores and values to what memory answers, and how sure it is.

One function, ``attend``, is the read of the layer and of the agent's recall head. Its null slot stands for "nothing in
memory fits": the less the slots support a query, the more of the answer is the null value.

Reference: arXiv 2501.09166, the memory attention of the retention layer (``paper_read``). The null slot, the cosine
scores and the distance scores are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Shaped
from torch import Tensor


def attend(
    scores: Float[Tensor, "*lead slots"],
    values: Float[Tensor, "*_"],
    *,
    null_score: float | Float[Tensor, "*_"],
    null_value: float | Float[Tensor, "*_"] = 0.0,
    mask: Bool[Tensor, "*_"] | None = None,
) -> tuple[Float[Tensor, "*_"], Float[Tensor, "*lead slots"], Float[Tensor, "*lead"]]:
    """Attend over the slots and a null slot that carries a value of its own.

    ``w = softmax([null_score, s_1, ..., s_m])``, ``output = w_0 null_value + sum_j w_j v_j``.

    With no slot, every slot masked, or every score ``-inf``, the output is the null value and every gradient is finite.

    Args:
        scores: one score per slot, ``[*lead, slots]``; ``-inf`` leaves a slot out.
        values: a scalar per slot, ``[*lead, slots]``, or a vector per slot, ``[*lead, slots, dim]``. A leading length
            of 1 broadcasts, so that many queries share slots without a copy of them. The values of slots that are left
            out must be finite.
        null_score: the score of the null slot, finite; broadcasts to ``[*lead]``.
        null_value: the value of the null slot; broadcasts to the output.
        mask: True where a slot may be read; broadcasts to ``scores``.

    Returns:
        output: ``[*lead]`` for scalar values, ``[*lead, dim]`` for vectors.
        weights: the attention on each slot, ``[*lead, slots]``; they sum to ``1 - null_mass``.
        null_mass: the attention on the null slot, ``[*lead]``.

    Raises:
        ValueError: values have neither as many dimensions as the scores nor one more.
    """
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    if isinstance(null_score, Tensor):
        null = null_score.to(scores.dtype).expand(scores.shape[:-1]).unsqueeze(-1)
        every = torch.cat((null, scores), dim=-1).softmax(dim=-1)
    else:
        every = F.pad(scores, (1, 0), value=null_score).softmax(dim=-1)
    null_mass, weights = every[..., 0], every[..., 1:]

    if values.dim() == scores.dim():
        share, output = null_mass, (weights * values).sum(dim=-1)
    elif values.dim() != scores.dim() + 1:
        raise ValueError(
            f"values {tuple(values.shape)} are neither scalars nor vectors of scores {tuple(scores.shape)}"
        )
    else:
        share, output = null_mass.unsqueeze(-1), torch.einsum("...s,...sd->...d", weights, values)
    if isinstance(null_value, Tensor) or null_value != 0.0:
        output = output + share * null_value
    return output, weights, null_mass


def distance_scores(
    query: Float[Tensor, "*#lead dim"],
    keys: Float[Tensor, "*#lead slots dim"],
    *,
    beta: float | Float[Tensor, "*_"],
    count: Shaped[Tensor, "*_"] | None = None,
) -> Float[Tensor, "*lead slots"]:
    """Score slots by a Gaussian kernel of their distance: ``s_j = -beta |q - k_j|^2 + log count_j``.

    With ``attend`` this is kernel regression; a slot that stands for ``count`` equal ones weighs as much as they would.

    Args:
        query: ``[*lead, dim]``.
        keys: ``[*lead, slots, dim]``; leading dimensions broadcast against those of the query.
        beta: how fast the score falls with the squared distance, positive; broadcasts to the scores.
        count: how many observations a slot stands for; 0 leaves the slot out; broadcasts to the scores.

    Returns:
        The scores, ``[*lead, slots]``.
    """
    offset = query.unsqueeze(-2) - keys
    scores = offset.square().sum(dim=-1) * -beta
    if count is None:
        return scores
    return scores + count.to(scores.dtype).log()


def retention_read(
    query: Float[Tensor, "batch heads time dim"],
    keys: Float[Tensor, "batch heads slots dim"],
    values: Float[Tensor, "batch heads slots dim"],
    *,
    temperature: Float[Tensor, " heads"],
    null_score: Float[Tensor, " heads"],
    bias: Float[Tensor, "batch slots"],
    mask: Bool[Tensor, "batch slots"],
) -> tuple[Float[Tensor, "batch heads time dim"], ReadInfo]:
    """Read by cosine: ``softmax([null_h, beta_h q.k_j + b_j])`` over a zero null value and the ``v_j``.

    Args:
        query: each of length 1.
        keys: each of length 1; zero in empty slots.
        values: what the slots answer.
        temperature: ``beta_h``, positive.
        null_score: the score of the null slot.
        bias: ``b_j``, added to the score of a slot in every head.
        mask: True where a slot is occupied.

    Returns:
        What memory answers, and how sure it is.
    """
    likeness = (query * temperature[:, None, None]) @ keys.transpose(-1, -2)
    scores = likeness + bias.masked_fill(~mask, -torch.inf)[:, None, None]
    output, weights, null_mass = attend(scores, values[:, :, None], null_score=null_score[:, None])
    nearest = likeness.detach().amax(dim=-1) / temperature.detach()[:, None]
    return output, read_info(weights, null_mass, nearest)


def paper_read(
    query: Float[Tensor, "*lead time dim"],
    keys: Float[Tensor, "*lead slots dim"],
    values: Float[Tensor, "*lead slots width"],
    *,
    mask: Bool[Tensor, "*_"] | None = None,
) -> Float[Tensor, "*lead time width"]:
    """Read as published: ``R = softmax(Q K_M^T / sqrt(d_k)) V_M``, with no null slot and no gate.

    With no slot, or every slot masked, the output is zero.

    Args:
        query: ``[*lead, time, dim]``.
        keys: ``[*lead, slots, dim]``.
        values: ``[*lead, slots, width]``.
        mask: True where a slot may be read; broadcasts to ``[*lead, time, slots]``.

    Returns:
        ``[*lead, time, width]``.

    Reference: arXiv 2501.09166, the read operation.
    """
    if keys.shape[-2] == 0:
        return query.new_zeros((*query.shape[:-1], values.shape[-1]))
    return F.scaled_dot_product_attention(query, keys, values, attn_mask=mask)


@dataclass(frozen=True, kw_only=True)
class ReadInfo:
    """What a read saw, per batch row: the signs by which a memory that fails shows itself.

    Attributes:
        null_mass: mean attention on the null slot, in [0, 1]; 1 when memory is empty, 0 in the paper's form.
        entropy: mean entropy of the attention over null slot and slots, in nats; near ``log(slots)`` reads are diffuse.
        max_cosine: mean of ``max(0, max_j cos_j)`` over the queries, in [0, 1]; 0 when memory is empty.
        slot_mass: attention that each slot drew, summed over the queries and averaged over the heads.
    """

    null_mass: Float[Tensor, " batch"]
    entropy: Float[Tensor, " batch"]
    max_cosine: Float[Tensor, " batch"]
    slot_mass: Float[Tensor, "batch slots"]


def read_info(
    weights: Float[Tensor, "batch heads time slots"],
    null_mass: Float[Tensor, "batch heads time"],
    nearest: Float[Tensor, "batch heads time"],
) -> ReadInfo:
    """Sum a read up in a few numbers per batch row, outside the graph.

    Args:
        weights: the attention on each slot.
        null_mass: the attention on the null slot.
        nearest: the largest cosine of a query with a key; the keys of empty slots are zero.

    Returns:
        The numbers, one per batch row.
    """
    weights, null_mass = weights.detach(), null_mass.detach()
    entropy = torch.special.entr(weights).sum(dim=-1) + torch.special.entr(null_mass)
    return ReadInfo(
        null_mass=null_mass.mean(dim=(1, 2)),
        entropy=entropy.mean(dim=(1, 2)),
        max_cosine=nearest.detach().clamp(min=0.0).mean(dim=(1, 2)),
        slot_mass=weights.sum(dim=(1, 2)) / weights.shape[1],
    )
