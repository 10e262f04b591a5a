"""The episodic memory: one SQLite file of templates, episodes, receipts and outcomes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, final

from numpy.typing import ArrayLike

from . import episode_rows, template_rows, transition_rows
from .connections import Connections
from .episodes import CommittedEpisode, Episode, EpisodeDraft, Feedback, check_feedback
from .gate import FeedbackGate
from .location import as_path
from .recall import Recall, nearest
from .receipts import present, store_receipt
from .scope import Scope
from .settings import as_json, load_setting, save_setting
from .stats import describe
from .templates import Template, TemplateDraft
from .transitions import Transitions
from .vectors import as_vectors
from .verification import faults_in


@final
class EpisodicMemory:
    """What agents keep between episodes, processes and machines.

    Each method that writes does so in one transaction: a process that is killed leaves all of it or nothing. Threads
    and processes may share a file. A namespace is required wherever rows are read or written, and matched exactly; what
    belongs to another one looks as if it did not exist.

    Example:
        >>> with EpisodicMemory.open(None) as memory:
        ...     memory.episode_count(namespace="alice", task="corridor")
        0
    """

    def __init__(self, connections: Connections, path: Path | None, gate: FeedbackGate) -> None:
        """Use :meth:`open`."""
        self._connections = connections
        self._gate = gate
        self.path = path

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str] | None,
        *,
        mode: Literal["rw", "ro"] = "rw",
        gate: FeedbackGate | None = None,
    ) -> EpisodicMemory:
        """Open a memory. What is in the file stays; a file that is something else is refused and left as it is.

        Args:
            path: the file, made (readable by its owner alone) if it does not exist; ``None`` for a memory without a
                file, gone when it is closed.
            mode: ``"ro"`` needs a memory that exists and writes nothing.
            gate: decides what an episode leaves; default :class:`FeedbackGate` with its default settings.

        Raises:
            ForeignFileError: if the file is something else, or damaged.
            NewerFileError: if a newer holdfast wrote it.
            MemoryLockedError: if another process holds it, also after waiting.
            MemoryWriteError: if it cannot be written; not in mode ``"ro"``.
            NotFoundError: if there is no memory, in mode ``"ro"``.
        """
        file = as_path(path, mode)
        return cls(Connections(file, read_only=mode == "ro"), file, gate or FeedbackGate())

    def close(self) -> None:
        """Close the file, with everything moved into it; may be called twice."""
        self._connections.close()

    def __enter__(self) -> EpisodicMemory:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def commit_episode(
        self,
        draft: EpisodeDraft,
        transitions: Transitions | None = None,
        recalled: Mapping[int, float] | None = None,
        *,
        void_up_to: int = 0,
    ) -> CommittedEpisode:
        """Keep an episode that has just ended: its outcome, its gate, its templates and its receipt, at once.

        Rows that are visits of one transition, in this episode or any other, become one template: counts add up, and
        the reward is the mean over all visits, in whatever order they came.

        Args:
            draft: the episode.
            transitions: what it saw; the columns ``rating`` and ``id`` are not looked at. The last row is the step it
                ended on, which late feedback goes to.
            recalled: attention mass by template id; the outcome's advantage is shared among these templates. Those that
                are gone by now are left out.
            void_up_to: delete the task's transitions up to this revision first, in the same transaction: they no longer
                hold. What others wrote since stays.

        Raises:
            ValueError: if the keys have another width than the task's templates.
        """
        return self._connections.write(
            lambda db: episode_rows.commit(db, draft, transitions, recalled or {}, self._gate, void_up_to)
        )

    def episodes(self, *, namespace: str, task: str | None = None, limit: int | None = None) -> list[Episode]:
        """Return the episodes of a namespace or of one of its tasks, oldest first; with a limit, the latest so many."""
        scope = Scope(namespace, task)
        return self._connections.read(lambda db: episode_rows.select(db, scope, limit))

    def episode(self, episode_id: str, *, namespace: str) -> Episode:
        """Return an episode.

        Raises:
            NotFoundError: if the namespace has no such episode.
        """
        scope = Scope(namespace)
        return self._connections.read(lambda db: episode_rows.find(db, scope, episode_id))

    def episode_count(self, *, namespace: str, task: str) -> int:
        """Return how many episodes of a task there are."""
        scope = Scope.of_task(namespace, task)
        return self._connections.read(lambda db: episode_rows.count(db, scope))

    def feedback(
        self,
        episode_id: str,
        *,
        namespace: str,
        rating: float | None = None,
        reward: float | None = None,
        feedback_id: str | None = None,
    ) -> Feedback:
        """Keep what a user says of an episode, at any time after it, and let the gate decide anew.

        The rating and the reward go to the template the episode ended on; the templates that were recalled for it are
        credited with the new outcome in place of the old. Where the gate now refuses the episode, the templates that
        nothing but it supports are quarantined, until it is admitted again.

        Args:
            episode_id: the episode.
            namespace: whose it is.
            rating: from -1 (bad) to 1 (good).
            reward: reward that comes late, in the units of the task.
            feedback_id: a name for this feedback; the same one again for the episode changes nothing.

        Raises:
            NotFoundError: if the namespace has no such episode.
            ValueError: if neither rating nor reward is given, or one is out of its range.
        """
        check_feedback(rating, reward, feedback_id)
        scope = Scope(namespace)
        return self._connections.write(
            lambda db: episode_rows.feedback(db, scope, episode_id, rating, reward, feedback_id, self._gate)
        )

    def transitions(self, *, namespace: str, task: str, after: int = 0) -> tuple[Transitions, int]:
        """Return the active transitions of a task that changed after a revision, by id, and the revision now.

        Args:
            namespace: whose they are.
            task: the task.
            after: the revision this returned before; 0 for all.
        """
        scope = Scope.of_task(namespace, task)
        return self._connections.read(lambda db: transition_rows.load(db, scope, after))

    def template_count(self, *, namespace: str, task: str) -> int:
        """Return how many active templates of a task there are."""
        scope = Scope(namespace, task)
        return self._connections.read(lambda db: template_rows.count(db, scope))

    def save_values(self, ids: ArrayLike, values: ArrayLike, *, namespace: str) -> None:
        """Keep the swept values of templates, so that the next process need not compute them; not a new revision.

        Args:
            ids: template ids of shape (n,).
            values: their values of shape (n,), finite.
            namespace: whose they are; ids of another one are passed over.
        """
        self._connections.write(lambda db: transition_rows.save_values(db, namespace, ids, values))

    def setting(self, name: str, *, namespace: str, task: str) -> Any:
        """Return what :meth:`save_setting` kept, or ``None``."""
        scope = Scope.of_task(namespace, task)
        return self._connections.read(lambda db: load_setting(db, scope, name))

    def save_setting(self, name: str, value: Any, *, namespace: str, task: str) -> None:
        """Keep a value beside a task's templates, in place of the one of that name.

        Raises:
            ValueError: if JSON cannot hold it.
        """
        scope, text = Scope.of_task(namespace, task), as_json(value, f"setting {name!r}")
        self._connections.write(lambda db: save_setting(db, scope, name, text))

    def write(self, drafts: Sequence[TemplateDraft], *, namespace: str) -> list[int]:
        """Keep templates, and return their ids in order; one that is there already is seen once more.

        Raises:
            NotFoundError: if the namespace has no such episode as a draft names.
            ValueError: if a key has another width than its task's templates of the kind, or metadata is not JSON.
        """
        scope = Scope(namespace)
        return self._connections.write(lambda db: template_rows.write(db, scope.namespace, drafts))

    def recall(
        self,
        vector: ArrayLike,
        *,
        namespace: str,
        task: str | None = None,
        kind: str | None = None,
        k: int = 8,
        episode_id: str | None = None,
    ) -> Recall:
        """Return the active templates nearest to a vector by cosine, compared with all, and write a receipt of it.

        Args:
            vector: what to look for, of shape (d,).
            namespace: whose templates.
            task: of this task alone.
            kind: of this kind alone.
            k: how many at most; never more than 1000.
            episode_id: the episode they are recalled for: feedback on it credits them.

        Raises:
            ValueError: if the vector is not one row of finite numbers, or there are templates but none of its width.
            NotFoundError: if the namespace has no such episode.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        scope, wanted = Scope(namespace, task, kind), as_vectors("vector", vector, "d")
        hits = self._connections.read(lambda db: nearest(db, scope, wanted, k, episode_id))
        receipt = None
        if hits and not self._connections.read_only:
            masses = {hit.template.id: 1.0 for hit in hits}
            receipt = self._connections.write(
                lambda db: store_receipt(db, namespace, present(db, namespace, masses), episode_id)
            )
        return Recall(receipt_id=receipt, hits=hits)

    def get(self, template_id: int, *, namespace: str) -> Template:
        """Return a template.

        Raises:
            NotFoundError: if the namespace has no such template.
        """
        scope = Scope(namespace)
        return self._connections.read(lambda db: template_rows.find(db, scope, template_id))

    def templates(
        self,
        *,
        namespace: str,
        task: str | None = None,
        kind: str | None = None,
        limit: int | None = None,
        offset: int = 0,
        newest: bool = False,
    ) -> list[Template]:
        """Return templates by id, or the newest first; quarantined ones too."""
        scope = Scope(namespace, task, kind)
        return self._connections.read(lambda db: template_rows.select(db, scope, limit, offset, newest))

    def namespaces(self) -> list[str]:
        """Return the namespaces that hold anything, sorted. For who owns the file, not for a tenant."""
        return self._connections.read(template_rows.namespaces)

    def tasks(self, *, namespace: str) -> list[str]:
        """Return the tasks of a namespace, sorted."""
        scope = Scope(namespace)
        return self._connections.read(lambda db: template_rows.tasks(db, scope))

    def stats(self, *, namespace: str | None = None) -> dict[str, Any]:
        """Return what the memory holds, in numbers that JSON can hold.

        Args:
            namespace: of this one alone; ``None`` for all, and the size of the file.

        Returns:
            ``schema_version``, ``path``, ``bytes`` (of the file; ``None`` for one namespace) and ``tasks``: for each of
            them its names, counts, returns and size.
        """
        return self._connections.read(lambda db: describe(db, self.path, namespace))

    def verify(self) -> list[str]:
        """Check the whole memory and return what is wrong with it, a line each; an empty list if nothing is."""
        return self._connections.read(faults_in)

    def changed_elsewhere(self) -> bool:
        """Say whether another connection wrote since this was last asked; True where that cannot be known."""
        return self._connections.changed_elsewhere()
