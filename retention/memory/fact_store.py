"""What a memory does with facts: texts that a frozen language model reads as slots; see :class:`FactMemory`."""

from __future__ import annotations

import logging
from abc import ABC
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import final

from sqlite_utils import Database

from . import answers, fact_rows
from .episodes import AGENT, Feedback, checked_opinion
from .fact_rows import FactRow, Standing
from .receipts import present, store_receipt
from .run_rows import find as find_run
from .scope import Scope
from .sealing import broken, hold
from .template_store import TemplateStore
from .transition_rows import current_revision

logger = logging.getLogger(__name__)

FACT = "fact"
"""The kind of the templates that are facts."""


@final
@dataclass(frozen=True, kw_only=True)
class Rated:
    """What a rating of an answer did.

    Attributes:
        feedback: what became of it; ``None`` where no facts were read for the answer.
        kept_back: the facts that are kept from use since then.
        freed: the facts that are in use again.
    """

    feedback: Feedback | None
    kept_back: tuple[int, ...] = ()
    freed: tuple[int, ...] = ()


class FactStore(TemplateStore, ABC):
    """The part of :class:`EpisodicMemory` that is about facts and their slots."""

    @property
    def read_only(self) -> bool:
        """Whether nothing can be written."""
        return self._connections.read_only

    def facts_in_use(self, *, namespace: str, task: str | None = None) -> Standing:
        """Return which facts may be read, the revision that says so, and until when it holds if nothing changes."""
        scope = Scope(namespace, task, FACT)
        return self._connections.read(lambda db: fact_rows.standing(db, scope))

    def revision(self) -> int:
        """Return the number of the memory's latest revision: where it stays, nothing was written, moved or removed."""
        return self._connections.read(current_revision)

    def load_facts(self, ids: Collection[int], *, namespace: str, adapter: str) -> list[FactRow]:
        """Return those of some facts that are in use, by id, with their slots where the cache has them.

        One whose text was changed from outside is left out, and held (:meth:`EpisodicMemory.seal`).

        Args:
            ids: the facts.
            namespace: whose they are.
            adapter: the fingerprint of what wrote the slots.
        """
        scope, seal = Scope(namespace, None, FACT), self._sealing.seal

        def read(db: Database) -> tuple[list[FactRow], set[int]]:
            rows = fact_rows.load(db, scope, adapter, ids, seal)
            bad = set() if seal is None else set(broken(db, seal, [row.id for row in rows]))
            return [row for row in rows if row.id not in bad], bad

        rows, bad = self._connections.read(read) if ids else ([], set())
        if bad and not self._connections.read_only:
            held = sorted(bad)
            name = self._connections.name
            logger.warning("%s: templates %s were changed from outside, and are held", name, ", ".join(map(str, held)))
            self._connections.write(lambda db: hold(db, scope, held))
        return rows

    def cache_slots(self, rows: Iterable[FactRow], *, namespace: str, adapter: str) -> int:
        """Keep the slots of facts, all in one transaction, and return how many; in a read-only memory none.

        It is a cache: it goes with its texts, no export has it, and what is missing is made anew.

        Args:
            rows: facts with their slots; of one that is gone by now, or says something else, nothing is kept.
            namespace: whose they are.
            adapter: the fingerprint of what wrote the slots.
        """
        scope, seal, given = Scope(namespace, None, FACT), self._sealing.seal, list(rows)
        if self._connections.read_only or not given:
            return 0
        return self._connections.write(lambda db: fact_rows.store(db, scope, adapter, given, seal))

    def put_facts_in_use(self, ids: Iterable[int], *, namespace: str, usable: bool = True) -> list[int]:
        """Put facts in use that were kept from it, or keep them from use; return those that changed.

        Those that an episode or a run wrote, or that are held, stay as they are: others decide on them.
        """
        scope, wanted = Scope(namespace, None, FACT), list(ids)
        if not wanted:
            return []
        return self._connections.write(lambda db: fact_rows.put_in_use(db, scope, wanted, usable))

    def write_receipt(
        self, masses: Mapping[int, float], *, namespace: str, task: str | None = None, run_id: str | None = None
    ) -> str | None:
        """Write which templates an answer drew on that no recall found, so that its outcome credits them.

        Args:
            masses: attention by template id; those that are gone by now are left out.
            namespace: whose they are.
            task: what the answer was for.
            run_id: the run of an agent it belongs to: its outcome credits them.

        Returns:
            The id of the receipt; ``None`` where there is nothing to write, or nothing may be written.

        Raises:
            ValueError: if a mass is negative or not finite.
            NotFoundError: if the namespace has no such run.
        """
        scope, drawn = Scope(namespace), {number: mass for number, mass in masses.items() if mass}
        if task is not None:
            Scope.of_task(namespace, task)
        if not drawn or self._connections.read_only:
            return None

        def write(db: Database) -> str | None:
            episode_id = None if run_id is None else find_run(db, scope, run_id).episode_id
            there = present(db, namespace, drawn)
            return store_receipt(db, namespace, there, episode_id, task or "", run_id=run_id) if there else None

        return self._connections.write(write)

    def rate_answer(
        self,
        receipt_id: str | None,
        rating: float,
        *,
        namespace: str,
        told: Iterable[int] = (),
        feedback_id: str | None = None,
        source: str = "user",
    ) -> Rated:
        """Rate an answer that facts were read for: those that carried it are credited, and kept from use or freed.

        Carried have it those that drew the most mass, or at least half as much. Below 0 the rating keeps them from use,
        above 0 it puts them in use again: the latest word counts. What the agent says of itself decides nothing.

        Args:
            receipt_id: of the answer; ``None`` where no facts were read for it.
            rating: from -1 (bad) to 1 (good).
            namespace: whose it is.
            told: facts that came with what was answered: they are decided on likewise.
            feedback_id: a name for this rating; the same one again for the receipt changes nothing.
            source: who says it.

        Raises:
            NotFoundError: if the namespace has no such receipt.
            ValueError: if the rating is out of its range.
        """
        said, scope = checked_opinion(rating, None, feedback_id, source), Scope(namespace)
        facts = Scope(namespace, None, FACT)

        def rate(db: Database) -> Rated:
            done = None if receipt_id is None else answers.update_outcome(db, scope, receipt_id, said, self._gate)
            if source == AGENT or not rating or (done is not None and not done.applied):
                return Rated(feedback=done)
            meant = {*told, *(() if receipt_id is None else fact_rows.carriers(db, scope, receipt_id))}
            changed = tuple(fact_rows.put_in_use(db, facts, meant, rating > 0))
            return Rated(feedback=done, freed=changed) if rating > 0 else Rated(feedback=done, kept_back=changed)

        return self._connections.write(rate)
