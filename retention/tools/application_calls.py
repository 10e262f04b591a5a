"""What the application calls: runs are begun, what they read is noted, and how they went is said."""

from __future__ import annotations

from abc import ABC
from typing import Any, Literal

from ..errors import NotFoundError
from ..memory.store import EpisodicMemory
from . import arguments
from .caller import Caller, Source, check_source, least_trusted
from .plain_text import plain
from .secret_scan import without_secrets


class ApplicationCalls(ABC):
    """The part of :class:`MemoryTools` that no language model may call."""

    memory: EpisodicMemory

    def begin(
        self,
        *,
        namespace: str,
        task: str = "chat",
        user: str | None = None,
        run_id: str | None = None,
        highest_source: Source = "user",
    ) -> Caller:
        """Begin a run, or go on with one by its id, and return who calls the tools in it.

        Args:
            namespace: whose memory it is.
            task: what the run is for: its outcome is compared with those of earlier runs of the task.
            user: for whom it is done.
            run_id: an id of your own, or that of a run that was begun before.
            highest_source: the most trusted source that its notes may claim.
        """
        check_source(highest_source, "highest_source")
        run = self.memory.begin_run(namespace=namespace, task=task, user=user, run_id=run_id)
        return Caller(namespace=namespace, user=user, run_id=run.run_id, task=task, highest_source=highest_source)

    def saw(self, caller: Caller, source: Source) -> None:
        """Say that the run's agent has read what a tool or the web returned: from then on its notes are no better.

        Raises:
            ValueError: if the caller has no run.
        """
        run_id = run_of(caller, "what an agent has read")
        seen = self.memory.run(run_id, namespace=caller.namespace).saw
        worst = least_trusted(seen, check_source(source, "source"))
        if worst != seen:
            self.memory.run_saw(run_id, worst, namespace=caller.namespace)

    def outcome(
        self,
        id: str,
        *,
        namespace: str,
        rating: Literal["up", "down"] | float | None = None,
        reward: float | None = None,
        success: bool | None = None,
        feedback_id: str | None = None,
        source: str = "user",
        reason: str | None = None,
    ) -> dict[str, Any]:
        """Say how a run or an answer turned out, at any time; for the application and its users, never for a model.

        Args:
            id: the run's id, or the recall's.
            namespace: whose it is.
            rating: what a person says: up, down, or a number from -1 to 1.
            reward: in the units of the task.
            success: whether a run succeeded, with its first outcome.
            feedback_id: a name for it: the same one again changes nothing.
            source: who says it.
            reason: why, in words; secrets in it are not kept.

        Returns:
            ``applied``, ``feedback_id``, ``run_id``, ``episode_id``, and ``gate``, from -1 (refused) to 1 (kept).

        Raises:
            NotFoundError: if the namespace has no such run or recall.
            ValueError: if nothing is said, or a number is out of its range.
        """
        if isinstance(rating, str):
            rating = arguments.rating_of(rating, None)
        if reason is not None:
            reason = without_secrets(plain(arguments.text_of(reason, "reason", arguments.REASON_LIMIT)))
        said: dict[str, Any] = {
            "rating": rating,
            "reward": reward,
            "feedback_id": feedback_id,
            "source": source,
            "reason": reason,
        }
        run_id = self._run_with(id, namespace)
        if run_id is not None:
            done = self.memory.run_outcome(run_id, namespace=namespace, success=success, **said)
        elif success is not None:
            raise ValueError("success is said of a run; of a recall without one give a rating or a reward")
        else:
            done = self.memory.update_outcome(id, namespace=namespace, **said)
        return {
            "applied": done.applied,
            "feedback_id": done.feedback_id,
            "run_id": run_id,
            "episode_id": done.episode_id,
            "gate": done.gate.signed,
        }

    def _run_with(self, id: str, namespace: str) -> str | None:
        """Return the run of an id, which is its own or that of a recall in it; ``None`` for a recall without one."""
        try:
            return self.memory.run(id, namespace=namespace).run_id
        except NotFoundError:
            return self.memory.receipt(id, namespace=namespace).run_id


def run_of(caller: Caller, what: str) -> str:
    """Return the run of a caller, or say what needs one.

    Raises:
        ValueError: if the caller has none.
    """
    if caller.run_id is None:
        raise ValueError(f"{what} needs a run, whose outcome decides on it; the application begins one: tools.begin()")
    return caller.run_id
