"""What a language model calls: recall, note, feedback, forget and explain, in the namespace of who calls."""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import NotFoundError
from ..memory.credit import SELF_RATING_LIMIT
from ..memory.episodes import AGENT
from ..memory.recall import Hit
from ..memory.runs import NoteRule, Run
from ..memory.scope import NAME_LIMIT
from ..memory.store import EpisodicMemory
from ..memory.templates import TemplateDraft
from . import arguments
from .application_calls import run_of
from .caller import Caller, Source, check_source, least_trusted
from .config import Guard, ToolConfig
from .explaining import explain
from .plain_text import plain
from .secret_scan import find_secrets, without_secrets
from .suspicion import suspicions

_VERDICTS = {"helped": SELF_RATING_LIMIT, "harmed": -SELF_RATING_LIMIT, "unused": None}


class ModelCalls(ABC):
    """The part of :class:`MemoryTools` that language models call; all but the caller comes from them."""

    memory: EpisodicMemory
    config: ToolConfig
    _guard: Guard | None

    def recall(
        self,
        caller: Caller,
        query: str,
        k: int = 5,
        max_tokens: int = 800,
        kinds: Iterable[str] | None = None,
    ) -> dict[str, Any]:
        """Return what is remembered about something, the best first.

        Args:
            caller: who asks.
            query: what to look for, at most 4000 characters.
            k: how many at most, 1 to 20.
            max_tokens: how long the texts may be together.
            kinds: only of these kinds.

        Returns:
            ``recall_id`` (the receipt; ``None`` where nothing was found), ``abstained``, ``run_id`` and ``items``, each
            with ``id, content, kind, score, relevance, utility, utility_sd, uses, source, trust, age_s, flags``. The
            contents are data, whatever they say: show them through :func:`~retention.tools.quoting.quoted`.

        Raises:
            ValueError: if an argument is out of its range.
            TypeError: if one is of another type.
            NotFoundError: if the caller's run is not there.
        """
        found = self.memory.recall(
            arguments.text_of(query, "query", arguments.QUERY_LIMIT),
            namespace=caller.namespace,
            kind=arguments.kinds_of(kinds),
            k=arguments.whole_number(k, "k", 1, arguments.K_LIMIT),
            max_tokens=arguments.whole_number(max_tokens, "max_tokens", 1, arguments.TOKENS_LIMIT),
            run_id=caller.run_id,
        )
        if found.receipt_id is None and caller.run_id is not None:  # with a receipt it was looked for
            self.memory.run(caller.run_id, namespace=caller.namespace)
        items = [item for hit in found.hits if (item := self._item(hit)) is not None]
        return {
            "recall_id": found.receipt_id,
            "run_id": caller.run_id,
            "abstained": not items,
            "items": items,
        }

    def _item(self, hit: Hit) -> dict[str, Any] | None:
        template = hit.template
        raw = template.content or ""
        content = plain(raw)
        if self._guard is not None and self._guard(content, "recall") is not None:
            return None
        return {
            "id": template.id,
            "content": content,
            "kind": template.kind,
            "score": round(hit.score, 4),
            "relevance": round(hit.relevance, 4),
            "utility": round(template.utility, 4),
            "utility_sd": None if template.utility_error is None else round(template.utility_error, 4),
            "uses": round(template.uses, 2),
            "source": template.source,
            "trust": self._trust(template.source),
            "age_s": round(hit.age, 1),
            "flags": list(suspicions(raw)),
        }

    def _trust(self, source: str) -> str:
        return "untrusted" if source in self.config.untrusted else "trusted"

    def note(
        self,
        caller: Caller,
        content: str,
        kind: str = "fact",
        source: str = "agent",
        ttl_days: float | None = None,
    ) -> dict[str, Any]:
        """Note something for later runs. It waits until the outcome of this run is known, and good.

        Args:
            caller: who notes it, with a run.
            content: what to keep, at most 8000 characters.
            kind: fact, lesson or template.
            source: where it comes from: user, agent, tool or web.
            ttl_days: for how many days it is kept; ``None`` for ever.

        Returns:
            ``id`` (``None`` where it was rejected), ``status`` (pending, stored, merged, quarantined or rejected),
            ``reason`` and ``similar_ids``.

        Raises:
            ValueError: if an argument is out of its range, or the caller has no run.
            TypeError: if one is of another type.
            NotFoundError: if the caller's run is not there.
        """
        run_id = run_of(caller, "a note")
        raw = arguments.text_of(content, "content", arguments.CONTENT_LIMIT)
        kind, ttl = arguments.kind_of(kind), arguments.ttl_of(ttl_days)
        claimed = check_source(source, "source")
        text = plain(raw).strip()
        if not text:
            raise ValueError("content must say something, got invisible characters alone")
        if find_secrets(text):
            if self.config.on_secret == "reject":
                return _noted(None, "rejected", "it has a secret in it, such as a key or a password; note it without")
            text = without_secrets(text)
        run = self.memory.run(run_id, namespace=caller.namespace)
        said_by = least_trusted(caller.highest_source, run.saw, claimed)
        draft = TemplateDraft(content=text, kind=kind, source=said_by, ttl=ttl)
        done = self.memory.note(
            draft, run_id=run_id, namespace=caller.namespace, rule=self._rule(raw, text, said_by, run)
        )
        if done.template_id is None:
            return _noted(None, done.status, done.reason)
        alike = self.memory.recall(text[: arguments.QUERY_LIMIT], namespace=caller.namespace, k=4, receipt=False).hits
        similar = [hit.template.id for hit in alike if hit.template.id != done.template_id][:3]
        return _noted(done.template_id, done.status, done.reason, similar)

    def _rule(self, raw: str, text: str, source: Source, run: Run) -> NoteRule:
        """Return what a note has to pass: more from who is not trusted, and most where it looks like an attack."""
        flags = list(suspicions(raw)) if self.config.word_rules else []
        if self._guard is not None and (said := self._guard(text, "note")) is not None:
            flags.append(" ".join(plain(said).split())[:100] or "what the guard refuses")
        config = self.config
        needs = config.untrusted_needs if source in config.untrusted else 1
        shared = config.shared
        if shared is None:
            shared = self.memory.has_other_users(run.user, namespace=run.namespace)
        if shared:
            needs = max(needs, config.shared_needs)
        return NoteRule(
            needs=max(needs, config.flagged_needs) if flags else needs,
            rated=bool(flags),
            apart=bool(flags) or shared,
            flags=tuple(flags),
            per_run=config.per_run,
            per_hour=config.per_hour,
        )

    def feedback(
        self,
        caller: Caller,
        recall_id: str,
        rating: str | None = None,
        reward: float | None = None,
        items: Mapping[Any, str] | None = None,
        reason: str | None = None,
        feedback_id: str | None = None,
    ) -> dict[str, Any]:
        """Say as a model how useful a recall was: it counts for little, and frees nothing from quarantine.

        Args:
            caller: who says it.
            recall_id: what the recall returned.
            rating: up or down.
            reward: from -1 to 1, in place of a rating.
            items: of single items, by id: helped, harmed or unused.
            reason: why, in words; checked, and not kept.
            feedback_id: a name for it: the same one again changes nothing.

        Returns:
            ``applied``, ``feedback_id`` and ``changed``, each with ``id``, ``before`` and ``utility``.

        Raises:
            ValueError: if an argument is out of its range.
            TypeError: if one is of another type.
            NotFoundError: if the namespace has no such recall.
        """
        value, verdicts = arguments.rating_of(rating, reward), arguments.verdicts_of(items)
        if reason is not None:
            arguments.text_of(reason, "reason", arguments.REASON_LIMIT)
        if feedback_id is not None and find_secrets(arguments.text_of(feedback_id, "feedback_id", NAME_LIMIT)):
            raise ValueError("feedback_id must be a plain name, and this one looks like a secret")
        receipt = self.memory.receipt(arguments.text_of(recall_id, "recall_id", 200), namespace=caller.namespace)
        strange = sorted(set(verdicts) - set(receipt.exposures))
        if strange:
            raise ValueError(f"items {strange} were not recalled there; recalled were {sorted(receipt.exposures)}")
        before = self._utilities(receipt.exposures, caller.namespace)
        done = self.memory.update_outcome(
            recall_id, namespace=caller.namespace, rating=value, feedback_id=feedback_id, source=AGENT
        )
        if done.applied and verdicts:
            said = {number: _VERDICTS[verdict] for number, verdict in verdicts.items()}
            self.memory.judge(recall_id, said, namespace=caller.namespace, source=AGENT)
        after = self._utilities(receipt.exposures, caller.namespace)
        changed = [
            {"id": number, "before": round(before[number], 4), "utility": round(after[number], 4)}
            for number in after
            if number in before and after[number] != before[number]
        ]
        return {"applied": done.applied, "feedback_id": done.feedback_id, "changed": changed}

    def _utilities(self, ids: Iterable[int], namespace: str) -> dict[int, float]:
        found = {}
        for number in ids:
            try:
                found[number] = self.memory.get(number, namespace=namespace).utility
            except NotFoundError:  # forgotten meanwhile
                continue
        return found

    def forget(self, caller: Caller, ids: Iterable[Any], confirm: bool = False) -> dict[str, Any]:
        """Delete notes of the caller's namespace for good; ids of another one look as if they did not exist.

        Args:
            caller: who asks.
            ids: at most 20.
            confirm: must be true.

        Returns:
            ``deleted``, how many, and ``verified``, whether none of them is there any more.

        Raises:
            ValueError: if it is not confirmed, or there are too many ids.
            TypeError: if the ids are no list of ids.
        """
        wanted = arguments.ids_of(ids)
        if confirm is not True:
            raise ValueError("nothing was deleted: say confirm=true to delete for good")
        done = self.memory.forget(wanted, namespace=caller.namespace)
        return {"deleted": done.templates, "verified": not self._utilities(wanted, caller.namespace)}

    def explain(self, caller: Caller, id: Any) -> dict[str, Any]:
        """Say where a note comes from, how what it was recalled for turned out, and what that made of it.

        Args:
            caller: who asks.
            id: the note's id.

        Returns:
            ``id, content, kind, source, trust, status`` (active, pending or quarantined), ``reason, flags, created,
            age_s, expires, utility, utility_sd, uses, provenance`` (the runs that noted it), ``outcomes`` (what it was
            recalled for and what that gave it) and ``utility_curve``.

        Raises:
            NotFoundError: if the namespace has no such note.
        """
        number = arguments.template_id(id)
        found = explain(self.memory, caller.namespace, number)
        return found | {"trust": self._trust(found["source"])}


def _noted(number: int | None, status: str, reason: str | None, similar: Iterable[int] = ()) -> dict[str, Any]:
    return {"id": number, "status": status, "reason": reason, "similar_ids": list(similar)}
