"""The adapter that lets a frozen language model read facts from a memory; its maths, without hooks.

A *fact* is one sentence that the frozen model has read twice in a row. The states of the second time, which have seen
the whole, give it a key, pooled over its tokens, and each of its tokens a slot: a key, and that token. At a position of
another text, a slot scores

    ``s_j = q_fact . k_fact(j) + q . k_j + b_j``,  ``a = softmax([null, s])``,  ``R = rms(x) sum_j a_j E[next(j)]``

per head, through a gate and a scale that begins at zero; ``E`` are the model's own output embeddings, so that what was
never a value in training can be read. ``R`` is added to the residual stream after the last layer.

The read is that of arXiv 2501.09166 with the null slot of this layer; that a slot's key is the state before a token and
its value the token is from kNN-LM (arXiv 1911.00172); reading twice is from echo embeddings (arXiv 2402.15449); keys in
two stages, of the fact and of the token, are ours.
"""

from __future__ import annotations

import hashlib
import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from .adapter_config import AdapterConfig
from .fact_pool import FactPool, heads_apart, rotation
from .fact_slots import FactSlots
from .read import null_softmax

_FACT_TEMPERATURE, _TOKEN_TEMPERATURE, _NULL = 24.0, 10.0, 20.0  # at first
_NO_SCORE = -1e9
_SHRINKAGE = 0.05
_KEPT_SLOTS = 64  # of those that were scored, how many are summed up


class FactRead(NamedTuple):
    """What was read at some positions.

    Attributes:
        read: what to add to the residual stream.
        mass: the attention that each fact draws, mean over heads; those that were not read draw none.
        null: the attention on the null slot of each head.
        slot: which slot of its fact, counted from 0, draws most of all slots; -1 where there is none.
        token: the token of that slot; -1 where there is none.
    """

    read: Float[Tensor, "n width"]
    mass: Float[Tensor, "n facts"]
    null: Float[Tensor, "n heads"]
    slot: Int64[Tensor, " n"]
    token: Int64[Tensor, " n"]


class FactAdapter(nn.Module):
    """Writes the slots of facts from the states of a frozen model, and reads them.

    Attributes:
        config: what it is made of.
        base: the fingerprint of the model that it was trained on; None before.
    """

    mean: Tensor
    whiten: Tensor

    def __init__(self, config: AdapterConfig, *, seed: int = 0) -> None:
        """Begin with keys that find what is like them, and with a read that adds nothing.

        Args:
            config: what it is made of.
            seed: of the first weights.
        """
        super().__init__()
        self.config = config
        self.base: str | None = None
        width, heads, dim = config.width, config.token_heads, config.token_dim
        seen = len(config.key_layers) * width
        generator = torch.Generator().manual_seed(seed)
        self.query = nn.Linear(seen, heads * dim, bias=False)
        self.key = nn.Linear(2 * seen, heads * dim, bias=False)
        self.bias = nn.Linear(2 * seen, heads)
        self.gate = nn.Linear(seen, heads)
        self.fact_pool = FactPool(config, generator)
        self.query_pool = FactPool(config, generator)
        self.query_pool.load_state_dict(self.fact_pool.state_dict())
        self.log_token = nn.Parameter(torch.full((heads,), math.log(_TOKEN_TEMPERATURE)))
        self.log_fact = nn.Parameter(torch.full((config.fact_heads,), math.log(_FACT_TEMPERATURE / config.fact_heads)))
        self.null_score = nn.Parameter(torch.full((heads,), _NULL))
        self.scale = nn.Parameter(torch.zeros(heads, width))
        with torch.no_grad():
            for layer in (self.query, self.key, self.bias, self.gate):
                layer.weight.zero_()
            self.bias.bias.zero_()
            self.gate.bias.zero_()
            same = rotation(heads * dim, width, generator)  # of the state before the token, in the last layer
            self.query.weight[:, seen - width :] = same
            self.key.weight[:, seen - width : seen] = same
        layers = len(config.layers)
        self.register_buffer("mean", torch.zeros(layers, width))
        self.register_buffer("whiten", torch.eye(width).repeat(layers, 1, 1))

    @property
    def fingerprint(self) -> str:
        """A digest of the config and of all weights."""
        digest = hashlib.sha256(repr(self.config).encode())
        for name, tensor in sorted(self.state_dict().items()):
            digest.update(name.encode() + tensor.detach().cpu().float().numpy().tobytes())
        return digest.hexdigest()[:32]

    @property
    def trainable(self) -> int:
        """The number of weights that training moves; the statistics of the model's states are not among them."""
        return sum(parameter.numel() for parameter in self.parameters())

    def no_facts(self) -> FactSlots:
        """Return an empty memory."""
        config, like = self.config, self.mean
        return FactSlots(
            key=like.new_zeros(0, config.fact_heads * config.fact_dim),
            slot_key=like.new_zeros(0, 0, config.token_heads, config.token_dim),
            bias=like.new_zeros(0, 0, config.token_heads),
            token=torch.zeros(0, 0, dtype=torch.long, device=like.device),
        )

    @torch.no_grad()
    def set_statistics(self, states: Float[Tensor, "n layers width"]) -> None:
        """Take the mean and the covariance of states that the model has where it reads facts and questions.

        A few directions have nearly all the variance of late states; without whitening no retrieval forms.

        Args:
            states: as :meth:`AdapterConfig.layers` says; more of them than their width.
        """
        for number, layer in enumerate(states.float().unbind(dim=1)):
            mean = layer.mean(dim=0)
            values, vectors = torch.linalg.eigh((layer - mean).T @ (layer - mean) / len(layer))
            scaled = (values + _SHRINKAGE * values.mean()).rsqrt()
            self.mean[number] = mean
            self.whiten[number] = (vectors * scaled) @ vectors.T

    def write(
        self,
        states: Float[Tensor, "facts tokens layers width"],
        tokens: Int64[Tensor, "facts tokens"],
        mask: Bool[Tensor, "facts tokens"],
    ) -> FactSlots:
        """Write facts: a slot for each token but the first, which stands before the fact.

        Args:
            states: of the frozen model.
            tokens: that it has read: the one before the fact, and those of the fact.
            mask: True where there is one; the padding is at the end.
        """
        pooled, seen = self._features(states)
        scores, values = self.fact_pool.brought(pooled)
        after_first = mask.clone()
        after_first[:, 0] = False
        key = heads_apart(self.fact_pool(scores, values, after_first), self.config.fact_heads)
        both = torch.cat((seen[:, :-1], seen[:, 1:]), dim=-1)
        slot_key = F.normalize(heads_apart(self.key(both), self.config.token_heads), dim=-1)
        there = mask[:, 1:]
        return FactSlots(
            key=(key * self.log_fact.exp()[:, None]).flatten(1),
            slot_key=slot_key * self.log_token.exp()[:, None] * there[..., None, None],
            bias=self.bias(both) * there[..., None],
            token=tokens[:, 1:].masked_fill(~there, -1),
        )

    def brought(
        self, states: Float[Tensor, "*lead layers width"]
    ) -> tuple[Float[Tensor, "*lead heads"], Float[Tensor, "*lead fact_width"]]:
        """Return what tokens bring to the question that is asked of facts; see :meth:`asked`."""
        at = self.config.layers.index(self.config.pool_layer)
        return self.query_pool.brought(self._white(states[..., at, :], at))

    def asked(
        self,
        scores: Float[Tensor, "n tokens heads"],
        values: Float[Tensor, "n tokens fact_width"],
        mask: Bool[Tensor, "n tokens"],
    ) -> Float[Tensor, "n fact_width"]:
        """Pool what the tokens so far have brought: what is asked of facts at a position."""
        asked: Tensor = self.query_pool(scores, values, mask)
        return asked

    def read(
        self,
        states: Float[Tensor, "n layers width"],
        asked: Float[Tensor, "n fact_width"],
        facts: FactSlots,
        embeddings: Float[Tensor, "vocabulary width"],
        *,
        visible: Bool[Tensor, "n facts"] | None = None,
        every: bool = False,
    ) -> FactRead:
        """Read facts at some positions.

        Args:
            states: of the frozen model there.
            asked: of facts there.
            facts: the memory; may be empty.
            embeddings: the model's output embeddings.
            visible: True where a position may read a fact.
            every: read all facts instead of the ``top_facts`` that fit best, and whatever they draw: for training.
        """
        config, count = self.config, len(states)
        fit = asked @ facts.key.T
        if visible is not None:
            fit = fit.masked_fill(~visible, _NO_SCORE)
        chosen = None
        if not every and len(facts) > config.top_facts:
            fit, chosen = fit.topk(config.top_facts, dim=1)
        _, seen = self._features(states)
        scores = self._scores(seen, facts, fit, chosen)
        weights, null = null_softmax(scores.flatten(2), self.null_score)
        mass = weights.reshape(scores.shape).sum(dim=3).mean(dim=1)
        tokens = (facts.token.expand(count, -1, -1) if chosen is None else facts.token[chosen]).flatten(1)
        slot = token = torch.full((count,), -1, device=null.device)
        if tokens.shape[1]:
            most = weights.sum(dim=1).argmax(dim=1)
            slot, token = most % scores.shape[3], tokens.gather(1, most[:, None])[:, 0]
        if chosen is not None:
            mass = mass.new_zeros(count, len(facts)).scatter(1, chosen, mass)
        gated = weights * torch.sigmoid(self.gate(seen))[..., None]
        if every:
            values = unit_scale(embeddings[facts.token.flatten().clamp(min=0)].to(gated.dtype))
            mixed = torch.einsum("nhs,sw->nhw", gated, values)
        else:
            mixed = _mixed(gated, tokens, embeddings)
        rms = states[:, -1].detach().to(gated.dtype).square().mean(dim=-1, keepdim=True).sqrt()
        read = rms * (mixed * self.scale).sum(dim=1)
        if not every:
            read = read.masked_fill((1 - null.mean(dim=1) <= config.floor)[:, None], 0.0)
        return FactRead(read, mass, null, slot, token)

    @torch.no_grad()
    def drawn(
        self,
        states: Float[Tensor, "n layers width"],
        asked: Float[Tensor, "n fact_width"],
        facts: FactSlots,
        among: int = 4,
    ) -> Float[Tensor, " n"]:
        """Return how much higher than the null slot the best slot scores at some positions, mean over heads.

        Only the ``among`` facts that fit best are looked into, of a memory of one or more: it costs less than
        :meth:`read`.
        """
        fit, chosen = (asked @ facts.key.T).topk(min(among, len(facts)), dim=1)
        scores = self._scores(self._features(states)[1], facts, fit, chosen)
        return (scores.flatten(2).amax(dim=2) - self.null_score).mean(dim=1)

    def _scores(
        self,
        seen: Float[Tensor, "n seen"],
        facts: FactSlots,
        fit: Float[Tensor, "n chosen"],
        chosen: Int64[Tensor, "n chosen"] | None,
    ) -> Float[Tensor, "n heads chosen slots"]:
        """Return the score of each slot of the chosen facts, or of all; those that are padding have none."""
        query = F.normalize(heads_apart(self.query(seen), self.config.token_heads), dim=-1)
        if chosen is None:
            scores = torch.einsum("nhd,fthd->nhft", query, facts.slot_key) + facts.bias.permute(2, 0, 1)
            there = facts.token[None] >= 0
        else:
            scores = torch.einsum("nhd,nfthd->nhft", query, facts.slot_key[chosen].to(query.dtype))
            scores, there = scores + facts.bias[chosen].permute(0, 3, 1, 2), facts.token[chosen] >= 0
        return (scores + fit[:, None, :, None]).masked_fill(~there[:, None], _NO_SCORE)

    def _features(
        self, states: Float[Tensor, "*lead layers width"]
    ) -> tuple[Float[Tensor, "*lead width"], Float[Tensor, "*lead seen"]]:
        """Return the whitened states that facts are pooled from, and those that keys of slots are made from."""
        config = self.config
        white = {layer: self._white(states[..., at, :], at) for at, layer in enumerate(config.layers)}
        return white[config.pool_layer], torch.cat([white[layer] for layer in config.key_layers], dim=-1)

    def _white(self, states: Float[Tensor, "*lead width"], at: int) -> Float[Tensor, "*lead width"]:
        white = (states.to(self.mean.dtype) - self.mean[at]) @ self.whiten[at]
        return F.dropout(white, self.config.dropout, self.training)


def unit_scale(rows: Float[Tensor, "*lead width"]) -> Float[Tensor, "*lead width"]:
    """Return rows scaled to a root mean square of 1."""
    return F.rms_norm(rows, rows.shape[-1:])


def _mixed(
    weights: Float[Tensor, "n heads slots"],
    tokens: Int64[Tensor, "n slots"],
    embeddings: Float[Tensor, "vocabulary width"],
) -> Float[Tensor, "n heads width"]:
    """Sum the embeddings of the slots that draw most; the others have next to nothing."""
    kept = min(_KEPT_SLOTS, tokens.shape[1])
    best = weights.sum(dim=1).topk(kept, dim=1).indices
    values = unit_scale(embeddings[tokens.gather(1, best).clamp(min=0)].to(weights.dtype))
    share = weights.gather(2, best[:, None].expand(-1, weights.shape[1], -1))
    return torch.einsum("nhs,nsw->nhw", share, values)
