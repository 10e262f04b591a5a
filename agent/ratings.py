"""Ratings in place of rewards: what users said of whole episodes becomes what each template earns."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from retention import EpisodicMemory, Transitions

_LATEST = 200  # rated episodes that are learned from
_LOOKED_AT = 1000  # latest episodes among which these are sought first
_FIXED = 0.1  # episodes whose numbers of decisions differ by less are of one length
_NEUTRAL = 0.5  # the worth of an episode rated 0
_NOISES = (0.01, 0.03, 0.1, 0.3, 1.0)  # variance of a rating over the variance of what it judges
_MARK = 16  # letters


@final
@dataclass(frozen=True, kw_only=True)
class Trace:
    """What an episode did, by marks that are the same in every process and file.

    Attributes:
        decisions: the mark of each decision, a place and what was done there.
        end: the mark of the transition that ended the task; None if the episode was cut off.
    """

    decisions: tuple[str, ...]
    end: str | None


def trace_of(rows: Transitions) -> Trace:
    """Return the trace of an episode.

    Args:
        rows: its transitions in order, one row a visit; at least one.
    """
    decisions, ends = _marks(rows)
    return Trace(decisions=tuple(decisions), end=ends[-1] if rows.terminated[-1] else None)


def _marks(rows: Transitions) -> tuple[list[str], list[str]]:
    """Return for each row the mark of its decision and that of the whole transition."""
    decisions, ends = [], []
    for key, action, next_key, over in zip(rows.key, rows.action, rows.next_key, rows.terminated, strict=True):
        decision = key.tobytes() + int(action).to_bytes(8, "little")
        decisions.append(hashlib.blake2b(decision, digest_size=_MARK // 2).hexdigest())
        whole = decision + next_key.tobytes() + bytes([bool(over)])
        ends.append(hashlib.blake2b(whole, digest_size=_MARK // 2).hexdigest())
    return decisions, ends


def shares(
    traces: Sequence[Trace], worths: NDArray[np.float64], discount: float, rng: np.random.Generator | None = None
) -> dict[str, float]:
    """Return what each decision or each end earns, so that the worths of the episodes are best explained.

    Where episodes are of different lengths their ends earn: an end is worth what episodes that ended so were worth.
    Decisions do not, since what is earned at each visit could be earned again for ever. Where all episodes are of one
    length, decisions earn: the worth of an episode is the sum over its decisions. Both are ridge regressions, ``w = a
    F^T (a F F^T + s I)^-1 g``, with s from the marginal likelihood: the less ratings agree, the less each one counts.
    While learning w is drawn from its posterior (Thompson sampling), since what was judged wrongly is found out only
    by trying it again, and a decision's part in a sum only by trying others beside it.

    Args:
        traces: of the episodes.
        worths: of the episodes, in [0, 1].
        discount: of the policy, per decision, in (0, 1).
        rng: to draw with; None for the posterior's mean.

    Returns:
        What each mark earns, 1 for what led to the best episodes for sure; other marks earn 0.

    Reference: Y. Efroni, N. Merlis and S. Mannor, "Reinforcement Learning with Trajectory Feedback" (2021, arXiv
    2008.06036), for the regression of a sum and for drawing it.
    """
    lengths = np.array([len(each.decisions) for each in traces])
    fixed = lengths.max() - lengths.min() <= _FIXED * lengths.max()
    marks = [each.decisions if fixed else () if each.end is None else (each.end,) for each in traces]
    column = {mark: at for at, mark in enumerate(dict.fromkeys(mark for each in marks for mark in each))}
    if not column:
        return {}
    visits = np.zeros((len(traces), len(column)))
    for row, each in enumerate(marks):
        np.add.at(visits[row], [column[mark] for mark in each], 1.0)
    length = float(lengths.mean()) if fixed else 1.0
    earned, explained = _regress(visits, worths, 1.0 / length, rng)
    # What is worth as much as the best episodes is worth 1, as the unknown is; but what is bad does not become good.
    unit = max(_NEUTRAL, float(explained.max()))
    # Discounting leaves less of a sum than of what comes at once at the end; this makes up for it.
    unit *= (1.0 - discount**length) / (length * (1.0 - discount))
    return dict(zip(column, (earned / unit).tolist(), strict=True))


def _regress(
    visits: NDArray[np.float64], worths: NDArray[np.float64], prior: float, rng: np.random.Generator | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weights, their mean or drawn, ``[columns]``, and the worths that their mean explains, ``[rows]``."""
    values, vectors = np.linalg.eigh(prior * (visits @ visits.T))
    values, turned = values.clip(min=0.0), vectors.T @ worths

    def evidence(noise: float) -> float:
        scale = max(float((turned**2 / (values + noise)).mean()), 1e-6)
        likelihood = -0.5 * float(len(worths) * np.log(scale) + np.log(values + noise).sum())
        return round(likelihood, 9)  # among equals the least noise, on every machine

    noise = max(_NOISES, key=evidence)

    def solve(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        solved: NDArray[np.float64] = vectors @ ((vectors.T @ rows) / (values + noise))
        return solved

    mean = prior * (visits.T @ solve(worths))
    if rng is None:
        return mean, visits @ mean
    # The posterior's deviation from its mean is that of a draw from the prior from what its own data say of it.
    deviation = np.sqrt(max(float((turned**2 / (values + noise)).mean()), 1e-6))
    draw = deviation * np.sqrt(prior) * rng.standard_normal(visits.shape[1])
    seen = visits @ draw + deviation * np.sqrt(noise) * rng.standard_normal(len(worths))
    return mean + draw - prior * (visits.T @ solve(seen)), visits @ mean


@final
class TaskRatings:
    """The ratings of one task's episodes, and what each template earns by them."""

    def __init__(self, memory: EpisodicMemory, *, namespace: str, task: str, seed: int, drawn: bool) -> None:
        """Start with what the memory holds.

        Args:
            memory: where episodes, their ratings and their traces are.
            namespace: whose they are.
            task: the task.
            seed: of the draws.
            drawn: whether to draw what is earned, to learn more, or to take the mean.
        """
        self._memory, self._namespace, self._task = memory, namespace, task
        self._seed, self._drawn = seed, drawn
        self._traces: dict[str, Trace | None] = {}

    def keep(self, episode_id: str, rows: Transitions) -> None:
        """Keep what an episode did, until it is rated, also in a later session.

        Args:
            episode_id: of the episode.
            rows: its transitions in order, one row a visit; at least one.
        """
        trace = trace_of(rows)
        self._traces[episode_id] = trace
        self._memory.save_setting(
            _name(episode_id),
            {"decisions": "".join(trace.decisions), "end": trace.end},
            namespace=self._namespace,
            task=self._task,
        )

    def credited(self, transitions: Transitions, discount: float) -> Transitions:
        """Return transitions that earn what the ratings say, and nothing else.

        Args:
            transitions: of the task.
            discount: of the policy, per decision, in (0, 1).
        """
        rated = self._rated()
        if not rated or not len(transitions):
            return replace(transitions, reward=np.zeros(len(transitions)), rating=np.zeros(len(transitions)))
        worths = np.array([(1.0 + rating) / 2.0 for rating, _ in rated])
        rng = np.random.default_rng([self._seed, len(rated)]) if self._drawn else None
        earned = shares([trace for _, trace in rated], worths, discount, rng)
        decisions, ends = _marks(transitions)
        each_earned = [earned.get(a, 0.0) + earned.get(b, 0.0) for a, b in zip(decisions, ends, strict=True)]
        return replace(transitions, reward=np.zeros(len(transitions)), rating=np.array(each_earned))

    def _rated(self) -> list[tuple[float, Trace]]:
        """Return the ratings and the traces of the latest rated episodes; among all, where the latest are not rated."""
        for limit in (_LOOKED_AT, None):
            episodes = self._memory.episodes(namespace=self._namespace, task=self._task, limit=limit)
            rated = [
                (each.rating, trace)
                for each in episodes
                if each.rating is not None and (trace := self._trace(each.episode_id)) is not None
            ]
            if len(rated) >= _LATEST or len(episodes) < _LOOKED_AT:
                break
        return rated[-_LATEST:]

    def _trace(self, episode_id: str) -> Trace | None:
        if episode_id not in self._traces:
            kept = self._memory.setting(_name(episode_id), namespace=self._namespace, task=self._task)
            self._traces[episode_id] = None if kept is None else _read(kept["decisions"], kept["end"])
        return self._traces[episode_id]


def _name(episode_id: str) -> str:
    return f"trace {episode_id}"


def _read(decisions: str, end: str | None) -> Trace:
    marks = tuple(decisions[at : at + _MARK] for at in range(0, len(decisions), _MARK))
    return Trace(decisions=marks, end=end)
