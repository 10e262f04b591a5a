"""What learns: the network, its optimiser, the scales of keys and rewards, and the decisions in the loop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from retention import UnsupportedSpaceError

from .advantage import advantages
from .choice import as_tensor, log_probability, mean_entropy
from .config import GradientConfig
from .decisions import Decision, Decisions
from .doing import Doing
from .loss import clipped_loss, divergence
from .network import ActorCritic, Held
from .packing import under
from .rollout import Piece
from .running import RunningSpread

_CUT = 3.0  # spreads at which the advantage of a slot is cut


class Batch(NamedTuple):
    """The steps of an update, ``[steps]`` each."""

    seen: Tensor
    decision: Tensor
    old_log_prob: Tensor
    advantage: Tensor
    wanted: Tensor  # of the critic


@final
class Learner:
    """Learns from rollouts by proximal policy optimisation (J. Schulman et al. 2017, arXiv 1707.06347)."""

    def __init__(self, width: int, doing: Doing, config: GradientConfig, *, seed: int) -> None:
        """Draw the weights.

        Args:
            width: numbers of a key.
            doing: what it decides.
            config: how it learns.
            seed: of the weights, and of the order of all gradient steps.
        """
        self.config, self.seed, self._doing = config, seed, doing
        self.updates, self.steps = 0, 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = ActorCritic(width, doing.count, config, continuous=doing.continuous)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=config.rate, eps=1e-5, fused=True)
        self.keys, self.returns = RunningSpread(width), RunningSpread(1)
        self.decisions = Decisions(capacity=config.slots, fade=config.fade, apart=config.apart)
        self._held: Held | None = None
        self._refresh()

    def outputs(self, seen: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the actor says of scaled keys ``[n, width]``: scores, or the means of points."""
        with torch.inference_mode():
            found: NDArray[np.float32] = self.network.act(torch.from_numpy(seen), self._ready).numpy()
        return found

    def noise(self) -> NDArray[np.float32] | None:
        """Return the spread of points; None where decisions are no points."""
        log_std = self.network.log_std
        return None if log_std is None else log_std.detach().exp().numpy()

    def hold(self, offered: Sequence[Decision]) -> list[Decision]:
        """Offer decisions to the memory in the loop, and return those that it holds now."""
        scale = self.keys.spread()
        kept = [each for each in offered if self.config.slots and self.decisions.write(each, scale)]
        self._refresh()
        return kept

    def drop(self, serials: set[int]) -> None:
        """Forget slots."""
        if serials:
            self.decisions.held = [each for each in self.decisions.held if each.serial not in serials]
            self._refresh()

    def update(self, pieces: Sequence[Piece]) -> list[tuple[Decision, Piece, int]]:
        """Learn from pieces of episodes, and write the decisions that stood out.

        Returns:
            What was written: the decision, the piece it is of, and its step there.
        """
        batch = self._batch(pieces)
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate()
        for epoch in range(self.config.epochs):
            for rows in self._minibatches(len(batch.seen), epoch):
                self._step(Batch(*(column[rows] for column in batch)))
            if self.config.stop_kl is not None and self._moved(batch) > self.config.stop_kl:
                break
        self.updates += 1
        self.steps += len(batch.seen)
        return self._write(pieces, batch.advantage.numpy())

    def _rate(self) -> float:
        half = self.config.halve_after
        return self.config.rate if half is None else self.config.rate / (1.0 + self.steps / half)

    @torch.no_grad()
    def _batch(self, pieces: Sequence[Piece]) -> Batch:
        config, scale = self.config, float(self.returns.spread()[0])
        seen = as_tensor(np.concatenate([np.stack(piece.seen) for piece in pieces]))
        decision = as_tensor(np.concatenate([np.stack(piece.decision) for piece in pieces]))
        output, value = self.network(seen, self._ready)
        old = log_probability(output, self.network.log_std, decision)
        last_keys = np.stack([piece.key[-1] if piece.last is None else piece.last for piece in pieces])
        lasts = self.network.values(as_tensor(self.keys.scaled(last_keys))).tolist()
        values, found, start = value.double().numpy(), [], 0
        for piece, last in zip(pieces, lasts, strict=True):
            found.append(
                advantages(
                    np.array(piece.reward) / scale,
                    values[start : start + len(piece)],
                    last_value=0.0 if piece.terminated else last,
                    discount=config.discount,
                    trace=config.trace,
                )
            )
            start += len(piece)
        advantage = np.concatenate(found)
        wanted = as_tensor(advantage + values)
        return Batch(seen, decision, old, as_tensor((advantage - advantage.mean()) / (advantage.std() + 1e-8)), wanted)

    def _minibatches(self, steps: int, epoch: int) -> Iterator[Tensor]:
        """Split the steps into random parts of about the size of a minibatch."""
        order = np.random.default_rng([self.seed, self.updates, epoch]).permutation(steps)
        parts = max(1, round(steps / self.config.minibatch))
        return (torch.from_numpy(part) for part in np.array_split(order, parts))

    def _step(self, batch: Batch) -> None:
        config, network = self.config, self.network
        output, value = network(batch.seen, network.ready(self._held))
        log_prob = log_probability(output, network.log_std, batch.decision)
        loss = (
            clipped_loss(log_prob, batch.old_log_prob, batch.advantage, clip=config.clip)
            + config.value_weight * (value - batch.wanted).square().mean()
            - config.entropy_weight * mean_entropy(output, network.log_std)
        )
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), config.largest_gradient)
        self.optimiser.step()

    @torch.no_grad()
    def _moved(self, batch: Batch) -> float:
        output = self.network.act(batch.seen, self.network.ready(self._held))
        return float(divergence(log_probability(output, self.network.log_std, batch.decision), batch.old_log_prob))

    def _write(self, pieces: Sequence[Piece], advantage: NDArray[np.float32]) -> list[tuple[Decision, Piece, int]]:
        """Write the decisions of the largest advantages, good and bad, that are news."""
        self.decisions.grow_old()
        steps = [(piece, step) for piece in pieces for step in range(len(piece))]
        most = int(self.config.share * self.config.slots)
        written: list[tuple[Decision, Piece, int]] = []
        scale = self.keys.spread()
        for at in np.argsort(-np.abs(advantage), kind="stable")[: 4 * most]:
            if len(written) == most:
                break
            piece, step = steps[at]
            gained = float(np.clip(advantage[at], -_CUT, _CUT))
            done = self._doing.done(piece.decision[step])
            offered = Decision(key=piece.key[step], decision=done, advantage=gained)
            if self.decisions.write(offered, scale):
                written.append((offered, piece, step))
        self._refresh()
        held = {each.serial for each in self.decisions.held}
        return [each for each in written if each[0].serial in held]

    def _refresh(self) -> None:
        """Make the slots ready, with keys scaled and weights as they are now."""
        held = self.decisions.held
        if held:
            self._held = Held(
                seen=as_tensor(self.keys.scaled(np.stack([each.key for each in held]))),
                done=as_tensor(np.stack([each.decision for each in held])),
                advantage=as_tensor(np.array([each.advantage for each in held])),
            )
        else:
            self._held = None
        self._prepare()

    @torch.no_grad()
    def _prepare(self) -> None:
        self._ready = self.network.ready(self._held)

    def learned(self) -> dict[str, NDArray[Any]]:
        """Return what changes with an update: weights, moments, slots, counters."""
        found = {"counters": np.array([self.seed, self.updates, self.steps])}
        for name, weight in self.network.named_parameters():
            found[f"weight.{name}"] = weight.detach().numpy()
            for moment, value in self.optimiser.state.get(weight, {}).items():
                found[f"{moment}.{name}"] = value.numpy()
        if self._held is not None:
            found["seen"] = self._held.seen.numpy()
        return found | {f"slot.{name}": column for name, column in self.decisions.state().items()}

    def scales(self) -> dict[str, NDArray[Any]]:
        """Return what changes with every step: the scales of keys and rewards."""
        keys = {f"keys.{name}": column for name, column in self.keys.state().items()}
        return keys | {f"returns.{name}": column for name, column in self.returns.state().items()}

    def restore(self, learned: dict[str, NDArray[Any]], scales: dict[str, NDArray[Any]]) -> None:
        """Go on where a learner of the same sizes was.

        Raises:
            UnsupportedSpaceError: it was of other sizes.
        """
        weights = under(learned, "weight.")
        wanted = {name: tuple(weight.shape) for name, weight in self.network.named_parameters()}
        if {name: weight.shape for name, weight in weights.items()} != wanted:
            raise UnsupportedSpaceError(
                "the memory holds weights of this task that are of other sizes, of another observation or action space "
                "or of other settings: give this policy those settings, or another namespace"
            )
        self.seed, self.updates, self.steps = (int(number) for number in learned["counters"])
        self.keys.restore(under(scales, "keys."))
        self.returns.restore(under(scales, "returns."))
        self.optimiser.state.clear()
        for name, weight in self.network.named_parameters():
            weight.data.copy_(torch.from_numpy(weights[name]))
            moments = {moment: learned[f"{moment}.{name}"] for moment in _MOMENTS if f"{moment}.{name}" in learned}
            if moments:
                self.optimiser.state[weight] = {
                    moment: torch.from_numpy(np.array(value)) for moment, value in moments.items()
                }
        self.decisions.restore(under(learned, "slot."))
        self._refresh()
        if self._held is not None and len(learned["seen"]) == len(self.decisions.held):
            held = self._held  # scaled as they were when the rollout began
            self._held = Held(seen=torch.from_numpy(learned["seen"]), done=held.done, advantage=held.advantage)
            self._prepare()


_MOMENTS = ("step", "exp_avg", "exp_avg_sq")
