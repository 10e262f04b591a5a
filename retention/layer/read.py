"""The read: pure functions from scores and values to what memory answers, and how sure it is.

One function, ``attend``, is the read of the layer and of the agent's recall head. Its null slot stands for "nothing in
memory fits": the less the slots support a query, the more of the answer is the null value.

Reference: arXiv 2501.09166, the memory attention of the retention layer (``paper_read``). The null slot, the cosine
scores and the distance scores are ours.
"""

from __future__ import annotations

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
    weights, null_mass = null_softmax(scores, null_score)
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


def null_softmax(
    scores: Float[Tensor, "*lead slots"], null_score: float | Float[Tensor, "*_"]
) -> tuple[Float[Tensor, "*lead slots"], Float[Tensor, "*lead"]]:
    """Return the attention on each slot and on the null slot, ``softmax([null_score, s_1, ..., s_m])``."""
    if isinstance(null_score, Tensor):
        null = null_score.to(scores.dtype).expand(scores.shape[:-1]).unsqueeze(-1)
        every = torch.cat((null, scores), dim=-1).softmax(dim=-1)
    else:
        every = F.pad(scores, (1, 0), value=null_score).softmax(dim=-1)
    return every[..., 1:], every[..., 0]


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
    null_score: Float[Tensor, " heads"],
    bias: Float[Tensor, "batch _ slots"],
) -> Float[Tensor, "batch heads time dim"]:
    """Read over all slots: ``softmax([null_h, q.k_j + b_j])`` over a zero null value and the ``v_j``.

    Where no gradient is asked for, and on a CPU, one fused pass does it: with ``L`` the log of the summed exponentials
    of the slots, ``sum_j a_j v_j = sigmoid(L - null) * attention(q, k, v)``. It agrees with ``attend`` to rounding.

    Args:
        query: scaled by the temperature.
        keys: of the slots.
        values: what the slots answer.
        null_score: the score of the null slot.
        bias: added to the score of a slot, in each head or in all; see ``slot_bias``.

    Returns:
        What memory answers.
    """
    if not _can_fuse(query, keys, values, bias, null_score):
        scores = query @ keys.transpose(-1, -2) + bias[:, :, None]
        return attend(scores, values[:, :, None], null_score=null_score[:, None])[0]
    output, log_sum = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        query, keys, values, attn_mask=bias[:, :, None], scale=1.0
    )
    answer: Tensor = output * torch.sigmoid(log_sum - null_score[:, None]).unsqueeze(-1).to(output.dtype)
    return answer


def unit(x: Float[Tensor, "*lead dim"]) -> Float[Tensor, "*lead dim"]:
    """Scale vectors to length 1; a vector of zeros stays one."""
    return x * length(x).reciprocal()


def length(x: Float[Tensor, "*lead dim"]) -> Float[Tensor, "*lead 1"]:
    """Return the lengths of vectors, never 0, so that one may divide by them."""
    norm: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return norm.clamp(min=1e-12)


def slot_bias(bias: Float[Tensor, "*_"], occupied: Bool[Tensor, "*_"]) -> Float[Tensor, "*_"]:
    """Leave empty slots out by the lowest number there is; ``-inf`` would make the log of an empty sum 0."""
    return torch.where(occupied, bias, torch.finfo(bias.dtype).min)


def _can_fuse(*tensors: Tensor) -> bool:
    """Whether the fused pass may run: it has no gradient for its log-sum, and is there for CPUs alone."""
    if not all(t.device.type == "cpu" and t.numel() > 0 for t in tensors):  # a query of length 0 would end the process
        return False
    if torch.is_grad_enabled() and any(t.requires_grad for t in tensors):
        return False
    return hasattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu")


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
