"""What a memory does with episodes: they are committed, read, rated, and their transitions loaded."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from numpy.typing import ArrayLike
from sqlite_utils import Database

from . import answers, episode_rows, removals, template_rows, transition_rows, writing
from .connections import Connections
from .encoding import check_agrees
from .episodes import CommittedEpisode, Episode, EpisodeDraft, Feedback, checked_opinion
from .gate import FeedbackGate
from .receipts import Receipt, read_receipt
from .ridge import Refitted, refit
from .scope import Scope
from .sealing import Sealing
from .settings import as_json, load_setting, save_setting
from .templates import TemplateDraft
from .transitions import Transitions


class EpisodeStore(ABC):
    """The part of :class:`EpisodicMemory` that is about episodes and what they leave."""

    _connections: Connections
    _gate: FeedbackGate
    _sealing: Sealing

    def commit_episode(
        self,
        draft: EpisodeDraft,
        transitions: Transitions | None = None,
        recalled: Mapping[int, float] | None = None,
        *,
        void_up_to: int = 0,
        notes: Sequence[TemplateDraft] = (),
    ) -> CommittedEpisode:
        """Keep an episode that has just ended: its outcome, its gate, its templates and its receipt, at once.

        Rows that are visits of one transition, in this episode or any other, become one template: counts add up, and
        the reward is the mean over all visits, in whatever order they came.

        Args:
            draft: the episode.
            transitions: what it saw; the columns ``rating``, ``id`` and ``episode`` are not looked at. The last row is
                the step it ended on, which late feedback goes to.
            recalled: attention mass by template id; the outcome's advantage is shared among these templates. Those that
                are gone by now are left out.
            void_up_to: delete the task's transitions up to this revision first, in the same transaction: they no longer
                hold. What others wrote since stays.
            notes: texts that it leaves, each with its key; they are the episode's, whatever their ``episode_id`` says,
                and where the gate refuses it they are kept from use until it is admitted.

        Raises:
            ValueError: if the keys have another width than the task's templates, or a note has none.
            EncoderMismatchError: if a note's key is of another encoder than the texts of the file.
        """
        if any(each.key is None for each in notes):
            raise ValueError("a note of an episode needs its key: the vector of memory.encoder, or one of your own")

        def write(db: Database) -> CommittedEpisode:
            done = episode_rows.commit(db, draft, transitions, recalled or {}, self._gate, void_up_to)
            if not notes:
                return done
            for fingerprint in {each.encoder for each in notes} - {""}:
                check_agrees(db, self._connections.name, fingerprint, draft.namespace)
            bound = [replace(each, episode_id=done.episode_id) for each in notes]
            noted = writing.write(db, draft.namespace, bound, self._gate, self._sealing.seal)
            return replace(done, noted=noted.kept, revision=transition_rows.current_revision(db))

        return self._connections.write(write)

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
        source: str = "user",
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
            source: who says it; what ``"agent"`` says of itself, a reward too, counts for little and decides nothing.

        Raises:
            NotFoundError: if the namespace has no such episode.
            ValueError: if neither rating nor reward is given, or one is out of its range.
        """
        said, scope = checked_opinion(rating, reward, feedback_id, source), Scope(namespace)
        return self._connections.write(lambda db: episode_rows.feedback(db, scope, episode_id, said, self._gate))

    def update_outcome(
        self,
        receipt_id: str,
        *,
        namespace: str,
        rating: float | None = None,
        reward: float | None = None,
        feedback_id: str | None = None,
        source: str = "user",
        reason: str | None = None,
    ) -> Feedback:
        """Keep how an answer turned out that templates were recalled for, and credit them; at any time after it.

        A receipt that was written for an episode passes it on to the episode, as :meth:`feedback` does.

        Args:
            receipt_id: what the recall returned.
            namespace: whose it is.
            rating: from -1 (bad) to 1 (good).
            reward: in the units of the task.
            feedback_id: a name for this feedback; the same one again for the receipt changes nothing.
            source: who says it; what ``"agent"`` says of itself, a reward too, counts for little and decides nothing.
            reason: why, in words.

        Raises:
            NotFoundError: if the namespace has no such receipt.
            ValueError: if neither rating nor reward is given, or one is out of its range.
        """
        said, scope = checked_opinion(rating, reward, feedback_id, source, reason), Scope(namespace)
        return self._connections.write(lambda db: answers.update_outcome(db, scope, receipt_id, said, self._gate))

    def receipt(self, receipt_id: str, *, namespace: str) -> Receipt:
        """Return what was recalled for an episode or an answer, and how that turned out.

        Raises:
            NotFoundError: if the namespace has no such receipt.
        """
        scope = Scope(namespace)
        return self._connections.read(lambda db: read_receipt(db, scope, receipt_id))

    def refit_utilities(self, *, namespace: str) -> Refitted:
        """Fit the utilities of a namespace anew to all its receipts, by ridge regression (:mod:`.ridge`).

        It tells templates apart that are often recalled together better than crediting outcome by outcome, at a cost
        that grows with the history; later outcomes are credited on top of it. Call it from time to time.
        """
        scope = Scope(namespace)
        return self._connections.write(lambda db: refit(db, scope))

    def transitions(self, *, namespace: str, task: str, after: int = 0) -> tuple[Transitions, int]:
        """Return the active transitions of a task that changed after a revision, by id, and the revision now.

        Args:
            namespace: whose they are.
            task: the task.
            after: the revision this returned before; 0 for all.
        """
        scope = Scope.of_task(namespace, task)
        return self._connections.read(lambda db: transition_rows.load(db, scope, after))

    def removed_since(self, revision: int, *, namespace: str, task: str | None = None) -> bool:
        """Say whether templates were deleted or quarantined after a revision: what was read until then may be gone.

        Args:
            revision: the revision that :meth:`transitions` returned.
            namespace: whose they are.
            task: the task; ``None`` for any of the namespace.
        """
        scope = Scope(namespace, task)
        return self._connections.read(lambda db: removals.latest(db, scope)) > revision

    def template_count(self, *, namespace: str, task: str) -> int:
        """Return how many active templates of a task there are."""
        scope = Scope(namespace, task)
        return self._connections.read(lambda db: template_rows.count(db, scope))

    def save_values(self, ids: ArrayLike, values: ArrayLike, *, namespace: str, task: str, revision: int) -> None:
        """Keep the swept values of templates, so that the next process need not compute them; not a new revision.

        Args:
            ids: template ids of shape (n,).
            values: their values of shape (n,), finite.
            namespace: whose they are.
            task: the task; ids of another one are passed over.
            revision: that :meth:`transitions` returned, of what the values were swept over.
        """
        scope = Scope.of_task(namespace, task)
        self._connections.write(lambda db: transition_rows.save_values(db, scope, ids, values, revision))

    def values_stand(self, *, namespace: str, task: str) -> bool:
        """Say whether no transition of a task has changed or gone since its values were kept."""
        scope = Scope.of_task(namespace, task)
        return self._connections.read(lambda db: transition_rows.values_stand(db, scope))

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
