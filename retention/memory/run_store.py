"""What a memory does with runs: they are begun, given notes, told how they went, and explained."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping

from sqlite_utils import Database

from . import note_rows, run_rows, verdicts
from .connections import Connections
from .episodes import Feedback, checked_opinion
from .gate import FeedbackGate
from .numeric import real, whole
from .runs import Note, Noted, NoteRule, Run
from .scope import Scope, check_name
from .sealing import Sealing
from .template_store import TemplateStore
from .templates import TemplateDraft
from .verdicts import Credited


class RunStore(TemplateStore, ABC):
    """The part of :class:`EpisodicMemory` that is about the runs of agents."""

    _connections: Connections
    _gate: FeedbackGate
    _sealing: Sealing

    def begin_run(self, *, namespace: str, task: str, user: str | None = None, run_id: str | None = None) -> Run:
        """Begin a run, or go on with the one of an id: what it recalls and notes is tied to its outcome.

        Args:
            namespace: whose it is.
            task: what it is for; its outcome is compared with the earlier ones of the task.
            user: for whom it is done.
            run_id: an id of your own, or that of a run that was begun before; ``None`` to have one made.

        Raises:
            ValueError: if there is such a run, of another task or user.
            NotFoundError: if the id is that of a run of another namespace.
        """
        scope = Scope.of_task(namespace, task)
        for name, value in (("user", user), ("run_id", run_id)):
            if value is not None:
                check_name(value, name)
        return self._connections.write(lambda db: run_rows.begin(db, scope, user, run_id))

    def run(self, run_id: str, *, namespace: str) -> Run:
        """Return a run.

        Raises:
            NotFoundError: if the namespace has no such run.
        """
        scope = Scope(namespace)
        return self._connections.read(lambda db: run_rows.find(db, scope, run_id))

    def has_other_users(self, user: str | None, *, namespace: str) -> bool:
        """Say whether runs of a namespace were done for named users other than one."""
        scope = Scope(namespace)
        return self._connections.read(lambda db: run_rows.has_others(db, scope, user))

    def run_saw(self, run_id: str, source: str, *, namespace: str) -> None:
        """Keep the least trusted source that the agent has read in a run.

        Raises:
            NotFoundError: if the namespace has no such run.
        """
        scope = Scope(namespace)
        check_name(source, "source")
        self._connections.write(lambda db: run_rows.saw(db, scope, run_id, source))

    def note(self, draft: TemplateDraft, *, run_id: str, namespace: str, rule: NoteRule | None = None) -> Noted:
        """Keep what a run notes. It is not recalled until the outcome of the run, or of enough runs, was good.

        A text that is there already stays as it is, and is credited with the outcome of the run.

        Args:
            draft: the text.
            run_id: the run.
            namespace: whose it is.
            rule: what it has to pass.

        Raises:
            NotFoundError: if the namespace has no such run.
            ValueError: if the draft names an episode: that of a run is made by its outcome.
            EncoderMismatchError: if the draft has no key, and the texts of the file are of another encoder.
            MissingExtraError: if the draft has no key, and the default encoder is not installed.
        """
        if draft.episode_id is not None:
            raise ValueError("a note of a run names no episode: the outcome of the run makes it")
        scope = Scope(namespace)
        (keyed,), fingerprint = self._with_keys([draft], scope)
        seal = self._sealing.seal

        def write(db: Database) -> Noted:
            self._check_still_agrees(db, fingerprint, scope)
            return run_rows.note(db, scope, run_id, keyed, rule or NoteRule(), self._gate, seal)

        return self._connections.write(write)

    def notes(self, template_id: int, *, namespace: str) -> list[Note]:
        """Return which runs noted a template and how they went, oldest first; none for one that no run noted."""
        scope, number = Scope(namespace), whole(template_id, "template_id")
        return self._connections.read(lambda db: note_rows.of_template(db, scope, number))

    def run_outcome(
        self,
        run_id: str,
        *,
        namespace: str,
        reward: float | None = None,
        rating: float | None = None,
        success: bool | None = None,
        feedback_id: str | None = None,
        source: str = "user",
        reason: str | None = None,
    ) -> Feedback:
        """Say how a run went, now or long after it: its notes are decided on, and what it recalled is credited.

        The first outcome makes the run an episode of its task. Later ones are feedback on it, and all is decided anew.

        Args:
            run_id: the run.
            namespace: whose it is.
            reward: in the units of the task.
            rating: what a person says, from -1 (bad) to 1 (good).
            success: whether it succeeded, with the first outcome.
            feedback_id: a name for it; the same one again changes nothing.
            source: who says it; not the agent itself.
            reason: why, in words.

        Raises:
            NotFoundError: if the namespace has no such run.
            ValueError: if nothing is said, a number is out of its range, or the agent says it first.
        """
        if rating is None and reward is None and success is not None:
            reward = float(success)
        scope, said = Scope(namespace), checked_opinion(rating, reward, feedback_id, source, reason)
        return self._connections.write(lambda db: run_rows.outcome(db, scope, run_id, said, success, self._gate))

    def judge(
        self, receipt_id: str, items: Mapping[int, float | None], *, namespace: str, source: str = "user"
    ) -> list[int]:
        """Say of single templates on a receipt what they had to do with its outcome, and return which were on it.

        Args:
            receipt_id: what the recall returned.
            items: by template id: how much it helped, in spreads, below 0 for harm; ``None`` for one that was not used,
                which gets no credit then. In place of what was said of it before.
            namespace: whose it is.
            source: who says it; what ``"agent"`` says counts for 0.2 at most, either way.

        Raises:
            NotFoundError: if the namespace has no such receipt.
            ValueError: if a verdict is out of its range, or a template is not on the receipt.
        """
        scope = Scope(namespace)
        check_name(source, "source")
        said = {
            whole(number, "an id"): None if verdict is None else real(verdict, f"the verdict on {number}")
            for number, verdict in items.items()
        }
        return self._connections.write(lambda db: verdicts.judge(db, scope, receipt_id, said, source))

    def credit_of(self, template_id: int, *, namespace: str) -> list[Credited]:
        """Return what a template was recalled or written for and what that gave it, oldest first.

        Raises:
            NotFoundError: if the namespace has no such template.
        """
        self.get(template_id, namespace=namespace)
        scope = Scope(namespace)
        return self._connections.read(lambda db: verdicts.credited(db, scope, template_id))
