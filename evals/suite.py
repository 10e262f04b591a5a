"""What is to be run, as data: a suite is tasks times arms times seeds, a case is one of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib.metadata import version
from typing import Any, final


@final
@dataclass(frozen=True, kw_only=True)
class Case:
    """One run: a task, an arm and a seed, with everything that decides its outcome.

    Attributes:
        suite: the name of its suite.
        version: the version of its suite.
        task: the name of the task.
        arm: the name of the arm.
        seed: the seed; the same in every arm, so that arms are compared in pairs.
        phases: what runs, in order, each in an operating-system process of its own: ``"module:function"``.
        settings: all that the phases need to know; JSON values only.
        holdfast: the version of holdfast that runs it.
    """

    suite: str
    version: int
    task: str
    arm: str
    seed: int
    phases: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    holdfast: str = field(default_factory=lambda: version("holdfast"))

    def __post_init__(self) -> None:
        """Check what cannot be told from the types.

        Raises:
            ValueError: there is no phase, or the settings would not survive a round trip through JSON.
        """
        if not self.phases:
            raise ValueError(f"a case needs at least one phase, got none for {self.task} {self.arm}")
        try:
            kept = json.loads(json.dumps(dict(self.settings), allow_nan=False))
        except (TypeError, ValueError) as error:
            raise ValueError(f"settings must be JSON values, got {self.settings!r}: {error}") from None
        if kept != self.settings:
            raise ValueError(f"settings must come back from JSON unchanged, got {self.settings!r}")

    @property
    def key(self) -> str:
        """The name of its result: a hash of the whole configuration, so that a change of any part is another case."""
        canonical = json.dumps(self.as_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.blake2b(canonical.encode(), digest_size=16).hexdigest()

    def __str__(self) -> str:
        """Return task, arm and seed, as a person names the case."""
        return f"{self.task} {self.arm} seed {self.seed}"

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**values, "settings": dict(self.settings), "phases": list(self.phases)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Case:
        """Return the case that :meth:`as_dict` made ``values`` of."""
        return cls(**{**values, "phases": tuple(values["phases"])})


@final
@dataclass(frozen=True, kw_only=True)
class Suite:
    """An evaluation suite.

    Attributes:
        name: as the command line says it.
        version: raised whenever a change makes new results not comparable with old ones.
        summary: one line for listings: the question that the suite answers.
        tasks: for each task its settings.
        arms: for each arm its phases: what runs, in order, each in an operating-system process of its own. A phase is
            ``"module:function"``; the function takes the case, the folder of the case and the answers of the earlier
            phases, and returns a mapping of JSON values, its answer.
        score: ``"module:function"``; the function takes the finished results and returns a report.
        headline: the metric of the report that the figure shows, normalised to 0 untrained and 1 optimum.
        seeds: how many seeds, where the caller does not say.
        plays: for an arm that does not play every task, the tasks that it plays.
        left_out: ``"module:function"``; the function takes a case and returns the sentence that says why it cannot run
            on this machine, or None. Empty where all can run everywhere.
    """

    name: str
    version: int
    summary: str
    tasks: Mapping[str, Mapping[str, Any]]
    arms: Mapping[str, tuple[str, ...]]
    score: str
    headline: str
    seeds: int = 5
    plays: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: str = ""

    def __post_init__(self) -> None:
        """Check that there is something to run.

        Raises:
            ValueError: there are no tasks, no arms or no seeds, or ``plays`` names what is not there.
        """
        played = {task for tasks in self.plays.values() for task in tasks}
        strangers = (set(self.plays) - set(self.arms)) | (played - set(self.tasks))
        if strangers:
            raise ValueError(f"plays may name the suite's arms and tasks alone, got {sorted(strangers)}")
        if not self.tasks or not self.arms or self.seeds < 1:
            raise ValueError(
                f"a suite needs tasks, arms and seeds, got {list(self.tasks)}, {list(self.arms)} and {self.seeds} seeds"
            )

    def cases(
        self, seeds: Iterable[int], *, tasks: Collection[str] = (), arms: Collection[str] = ()
    ) -> tuple[Case, ...]:
        """Return every case, seed by seed, so that an interrupted run has all arms of its first seeds.

        Args:
            seeds: of the cases.
            tasks: the only ones; none for all.
            arms: likewise.
        """
        return tuple(
            Case(
                suite=self.name,
                version=self.version,
                task=task,
                arm=arm,
                seed=seed,
                phases=phases,
                settings=settings,
            )
            for seed in seeds
            for task, settings in self.tasks.items()
            if task in (tasks or self.tasks)
            for arm, phases in self.arms.items()
            if arm in (arms or self.arms) and task in self.plays.get(arm, self.tasks)
        )


def limits(seeds: int, tasks: Sequence[str], arms: Sequence[str]) -> tuple[str, ...]:
    """Return the sentences that a verdict needs where a part of a suite was run, or one seed: it cannot know.

    Args:
        seeds: how many were run.
        tasks: the only ones that were; none for all.
        arms: likewise.
    """
    named = (("tasks", tasks), ("arms", arms))
    part = "; ".join(f"{what} {', '.join(dict.fromkeys(names))}" for what, names in named if names)
    sentences = [f"Only a part of the suite was run: {part}"] if part else []
    if seeds == 1:
        sentences.append("One seed was run: its intervals are points, and say nothing about other seeds")
    return tuple(sentences)
