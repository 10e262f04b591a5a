"""One task between a policy and the episodic memory: what is known goes in, what was learned comes out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, final

from retention import EpisodeDraft, EpisodicMemory, HoldfastError

from .history import EpisodeResult
from .loop import Played
from .notes import Notes
from .policies.protocol import Policy, ReadsNotes
from .ratings import TaskRatings

Reward = Literal["seen", "hidden"]

SETTINGS = "policy"  # the policy's settings beside the templates
_REWARD = "reward"  # whether the task is learned from rewards or from ratings
_DISCOUNT = 0.99  # for the ratings, where a policy has none


@final
class TaskMemory:
    """Loads a policy with the templates of a task, keeps its episodes, and follows what other processes write.

    Attributes:
        scope: the name of the task.
        reward: ``"seen"``, or ``"hidden"`` where the policy learns from ratings alone.
    """

    def __init__(
        self,
        memory: EpisodicMemory,
        policy: Policy,
        scope: str,
        *,
        namespace: str,
        seed: int,
        frozen: bool,
        reward: Reward,
    ) -> None:
        """Load the policy, which must be new to the task.

        Raises:
            HoldfastError: the memory learned the task the other way, from rewards or from ratings; or the policy reads
                notes, and rewards are hidden.
            MissingExtraError: the policy reads notes, and the encoder of texts is not installed.
            UnsupportedSpaceError: the templates are not of the policy's spaces.
        """
        self._memory, self._policy, self.scope = memory, policy, scope
        self._namespace, self._frozen = namespace, frozen
        self.reward = self._agreed(reward)
        self._ratings = TaskRatings(memory, namespace=namespace, task=scope, seed=seed, drawn=not frozen)
        self._settings: dict[str, Any] | None = None
        self._revision = 0
        if isinstance(policy, ReadsNotes):
            if self.reward == "hidden":
                raise HoldfastError(
                    "this policy notes what an action earned, and rewards are hidden from it: run it with rewards"
                )
            policy.read_notes(Notes(memory, namespace=namespace, task=scope))
        self._restore()
        noted = memory.setting(_REWARD, namespace=namespace, task=scope)
        if noted is None and self.reward == "hidden" and not frozen:  # last: a start that is refused settles nothing
            memory.save_setting(_REWARD, self.reward, namespace=namespace, task=scope)

    def _agreed(self, wanted: Reward) -> Reward:
        """Return how the task is learned; a frozen agent does as the one before it."""
        noted = self._memory.setting(_REWARD, namespace=self._namespace, task=self.scope)
        if noted is None and self._memory.episode_count(namespace=self._namespace, task=self.scope):
            noted = "seen"
        if noted == "hidden" and self._frozen:
            return "hidden"
        if noted not in (None, wanted) and not self._frozen:
            how = "with" if noted == "hidden" else "without"
            raise HoldfastError(
                f"the memory learned {self.scope!r} with reward={noted!r}, not {wanted!r}: open the agent so (run it "
                f"{how} --hide-reward), or give it another namespace or task name"
            )
        return "seen" if self._frozen else wanted

    @property
    def template_count(self) -> int:
        """How many templates the memory holds of the task."""
        return self._memory.template_count(namespace=self._namespace, task=self.scope)

    def keep(self, played: Played) -> EpisodeResult:
        """Let the policy learn from an episode, and commit it in one transaction."""
        hidden = self.reward == "hidden"
        told = replace(played, return_=0.0, success=None) if hidden else played
        experience = self._policy.end_episode(told.return_, lane=played.lane)
        result = EpisodeResult(episode=played.number, return_=played.return_, length=played.length)
        if self._frozen:
            return result
        if not experience.replace:  # saved first: settings without their templates do no harm
            self._save_settings()
        committed = self._memory.commit_episode(
            EpisodeDraft(
                namespace=self._namespace,
                task=self.scope,
                number=told.number,
                seed=told.seed,
                return_=told.return_,
                length=told.length,
                success=told.success,
                seconds=told.seconds,
            ),
            experience.transitions,
            experience.recalled,
            void_up_to=self._revision if experience.replace else 0,
            notes=experience.notes,
        )
        if experience.replace:  # saved last: of another time scale than templates that are still there
            self._save_settings()
        if hidden and experience.transitions is not None and len(experience.transitions):
            self._ratings.keep(committed.episode_id, experience.transitions)
        refused = bool(experience.slots) and committed.written + committed.merged == 0
        if refused or experience.replace:  # what the policy holds is no longer what the memory holds
            self._restore(anew=True)
        else:
            self._policy.stored(experience, committed.template_ids)
            self._follow(committed.revision)
        written = committed.written + committed.noted
        return replace(result, episode_id=committed.episode_id, gate=committed.gate.signed, written=written)

    def _follow(self, revision: int) -> None:
        """Take in what was written since by anyone else, if the revision of our own commit shows that there was."""
        if revision == self._revision + 1:
            self._revision = revision
        else:
            self.catch_up()

    def catch_up(self) -> None:
        """Take in what changed since; all anew if templates are gone, since the memory does not say which."""
        before = self._revision
        self._restore(after=before)
        if self._memory.removed_since(before, namespace=self._namespace, task=self.scope):
            self._restore(anew=True)

    def save_values(self) -> None:
        """Keep the values and the settings, so that the next session acts at once as this one ended."""
        if self._frozen:
            return
        ids, values = self._policy.values()  # first: a policy may bring its settings up to date for it
        self._save_settings()
        self._memory.save_values(ids, values, namespace=self._namespace, task=self.scope, revision=self._revision)

    def _save_settings(self) -> None:
        settings = self._policy.settings()
        if settings and settings != self._settings:
            self._memory.save_setting(SETTINGS, settings, namespace=self._namespace, task=self.scope)
            self._settings = settings

    def _restore(self, *, after: int = 0, anew: bool = False) -> None:
        """Take in the templates that changed after a revision; with 0 all of them, and the policy's settings."""
        hidden = self.reward == "hidden"  # a rating may change what any template earns: then all are taken in
        transitions, self._revision = self._memory.transitions(
            namespace=self._namespace, task=self.scope, after=0 if hidden else after
        )
        settings = None
        if not after:
            settings = self._settings = self._memory.setting(SETTINGS, namespace=self._namespace, task=self.scope)
        if hidden:
            discount = self._policy.settings().get("discount") or _DISCOUNT
            transitions = self._ratings.credited(transitions, discount)
        swept = not hidden and self._memory.values_stand(namespace=self._namespace, task=self.scope)
        self._policy.restore(transitions, settings, swept=swept, anew=anew)
