"""What happens in the process of a case of the suite ``drift``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np

from retention import EpisodeDraft, EpisodicMemory, FeedbackGate, GateConfig, Hit, RankingConfig, TemplateDraft

from ..drift_rules import CANDIDATES, Counters, MovingAverage, PeerRule
from ..drift_world import Noise, World, WorldConfig
from ..suite import Case

Answer = Mapping[str, Any]
AGENT, STRANGER = "agent-run", "stranger"
_NAMESPACE, _TASK = "drift", "topics"
_GATED = ("full", "mild", "no-credit")
_UTILITY = {"full": 0.9, "mild": RankingConfig().utility, "no-gate": 0.9}
_PEERS: Mapping[str, type[PeerRule]] = {"counters": Counters, "ema": MovingAverage}
_BINS = 20


@final
@dataclass
class _Log:
    """What happened: of each episode the chance of the action taken, and how many notes of how many were strange."""

    chance: list[float] = field(default_factory=list)
    recalled: list[tuple[int, int]] = field(default_factory=list)
    acted_on: list[tuple[int, int]] = field(default_factory=list)


def simulate(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Let an agent act by its notes, and note what it did, while what it hears is disturbed."""
    settings = case.settings
    world = World(WorldConfig.from_json(settings["world"]), case.seed)
    noise = Noise(settings["kind"], settings["rate"], world, case.seed)
    rule = _PEERS[case.arm]() if case.arm in _PEERS else None
    with EpisodicMemory.open(
        None,
        gate=FeedbackGate(GateConfig(admit="success" if case.arm in _GATED else "both")),
        recall=RankingConfig(utility=_UTILITY.get(case.arm, 0.0)),
    ) as memory:
        log, offered = _Log(), 0
        for episode in range(world.config.episodes):
            offered += _episode(memory, rule, world, noise, episode, settings, log)
        return {**_measured(log, world), **_kept(memory, world), "offered": offered}


def tabulate(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Let an agent act by Thompson sampling: it counts what it hears in a table of topics and actions it is given."""
    world = World(WorldConfig.from_json(case.settings["world"]), case.seed)
    noise = Noise(case.settings["kind"], case.settings["rate"], world, case.seed)
    generator, heard, log = np.random.default_rng([case.seed, 3]), np.ones((*world.chance.shape, 2)), _Log()
    for episode, topic in enumerate(world.topic):
        action = int(generator.beta(heard[topic, :, 1], heard[topic, :, 0]).argmax())
        if world.explores[episode]:
            action = int(world.tried[episode])
        log.chance.append(float(world.chance[topic, action]))
        heard[topic, action, int(noise.hears(episode, world.succeeds(episode, action)))] += 1
    return _success(log, world)


def _episode(
    memory: EpisodicMemory,
    rule: PeerRule | None,
    world: World,
    noise: Noise,
    episode: int,
    settings: Mapping[str, Any],
    log: _Log,
) -> int:
    """Recall, act, hear, note; return how many notes were offered to the memory."""
    k = settings["k"]
    found = memory.recall(world.query[episode], namespace=_NAMESPACE, task=_TASK, k=k if rule is None else CANDIDATES)
    fitting = [hit for hit in found.hits if hit.relevance >= settings["fits"]]
    chosen = fitting if rule is None else rule.choose(fitting, k)
    action = _decide(chosen, world, episode)
    used = [hit for hit in chosen if _action(hit) == action]
    topic = int(world.topic[episode])
    log.chance.append(float(world.chance[topic, action]))
    log.recalled.append((_strange(chosen), len(chosen)))
    log.acted_on.append((_strange(used), len(used)))
    heard = noise.hears(episode, world.succeeds(episode, action))
    committed = memory.commit_episode(
        EpisodeDraft(
            namespace=_NAMESPACE,
            task=_TASK,
            number=episode + 1,
            seed=None,
            return_=float(heard),
            length=1,
            success=heard,
            seconds=0.0,
        ),
        recalled={hit.template.id: 1.0 for hit in used},
    )
    if rule is not None:
        rule.learn([hit.template.id for hit in used], heard)
    drafts = [
        _note(stranger_topic, advised, vector, f"tip {episode}-{place}", STRANGER, None)
        for place, (stranger_topic, advised, vector) in enumerate(noise.strange_notes())
    ]
    drafts.append(_note(topic, action, world.note[episode], f"run {episode}", AGENT, committed.episode_id))
    memory.write(drafts, namespace=_NAMESPACE)
    return len(drafts)


def _decide(hits: Sequence[Hit], world: World, episode: int) -> int:
    """Return the action with the most votes; one at random where there are none, and now and then in any case."""
    votes = Counter(_action(hit) for hit in hits)
    if not votes or world.explores[episode]:
        return int(world.tried[episode])
    return max(votes, key=lambda action: (votes[action], world.order[episode, action]))


def _note(topic: int, action: int, vector: Any, label: str, source: str, episode_id: str | None) -> TemplateDraft:
    return TemplateDraft(
        content=f"topic {topic}: take action {action} ({label})",
        key=vector,
        task=_TASK,
        metadata={"topic": topic, "action": action},
        source=source,
        episode_id=episode_id,
    )


def _action(hit: Hit) -> int:
    return int(hit.template.metadata["action"])


def _strange(hits: Sequence[Hit]) -> int:
    return sum(hit.template.source == STRANGER for hit in hits)


def _success(log: _Log, world: World) -> dict[str, Any]:
    """Return success in the last quarter and in bins, and what it is for who knows what is right."""
    chance = np.array(log.chance)
    return {
        "success": float(chance[-max(1, len(chance) // 4) :].mean()),
        "curve": [float(part.mean()) for part in np.array_split(chance, min(_BINS, len(chance)))],
        "optimum": world.optimum,
    }


def _measured(log: _Log, world: World) -> dict[str, Any]:
    """Return success, and the stranger's shares in the first and the last tenth of the episodes."""
    tenth = max(1, len(log.chance) // 10)
    shares = {
        f"stranger_{name}_{end}": float(strange / max(1, of))
        for name, counts in (("recalled", log.recalled), ("acted_on", log.acted_on))
        for end, part in (("first", counts[:tenth]), ("last", counts[-tenth:]))
        for strange, of in [np.sum(part, axis=0)]
    }
    return {**_success(log, world), **shares}


def _kept(memory: EpisodicMemory, world: World) -> dict[str, Any]:
    """Return how many notes are active and how many quarantined, and the share of the active ones that are wrong."""
    notes = memory.templates(namespace=_NAMESPACE, task=_TASK, kind="text")
    active = [note for note in notes if note.status == "active"]
    wrong = [note for note in active if note.metadata["action"] != world.right[note.metadata["topic"]]]
    return {
        "active": len(active),
        "quarantined": len(notes) - len(active),
        "junk_share": len(wrong) / max(1, len(active)),
    }
