"""Facts for a frozen language model: remembered in the episodic memory, read by the model as slots, told by whom.

A fact is a sentence. It is a template of kind ``"fact"``, listed, forgotten, sealed and exported as any other; the
slots that the adapter writes of it are a cache beside it. The layer reads the slots of all facts in use while the model
speaks, and what it reads is told by template.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, final

import numpy as np

from .errors import SlotFileError
from .fact_reading import FactReading, FactRecall
from .layer.attach import Handle
from .layer.fact_slots import FactSlots
from .layer.frozen_base import text_config
from .memory.fact_rows import FactRow, Standing
from .memory.fact_store import FACT, Rated
from .memory.forgetting import Forgotten
from .memory.progress import tracked
from .memory.store import EpisodicMemory
from .memory.templates import Template, TemplateDraft
from .messages import user_texts
from .sentences import is_statement, sentences

logger = logging.getLogger(__name__)

LONGEST = 256
"""How many tokens a fact has at most: it is one sentence, and each token is a slot."""

SHORTEST = 3
"""How many it has at least: of fewer no slot can be written."""

_AT_ONCE = 64  # facts that are read, and whose slots are kept, at once
_MANY = 256  # from so many on a bar shows how far the reading is

# The layer finds a fact by its slots and a search by its words: it has no vector that says anything.
_NO_VECTOR = np.ones(1, np.float32)


@final
class FactMemory:
    """The facts of one namespace, for one frozen model.

    What it reads is what is in use in the file now, whoever wrote, kept back or forgot it. Slots that the cache lacks
    are made anew from the texts.

    Args:
        handle: the model with its adapter (:func:`~retention.attach`); make a new ``FactMemory`` once it is trained on.
        memory: where the facts are.
        namespace: whose they are.
        task: of this task alone; ``None`` for all facts of the namespace, which are then written for no task.
    """

    def __init__(self, handle: Handle, memory: EpisodicMemory, *, namespace: str, task: str | None = None) -> None:
        self._handle, self._memory, self._namespace, self._task = handle, memory, namespace, task
        self._adapter = f"{handle.adapter.fingerprint} {handle.base}"
        positions = int(getattr(text_config(handle.model), "max_position_embeddings", 3 * LONGEST))
        self._longest = min(LONGEST, (positions - 1) // 2)  # the model reads a fact twice
        self._lock = threading.RLock()
        self._standing: Standing | None = None
        self._ids: list[int] = []
        self._told: set[int] = set()  # the facts that cannot be read, of which it was told
        self._slots = handle.adapter.no_facts()
        memory.facts_in_use(namespace=namespace, task=task)  # so that a wrong name is told now

    def remember(self, said: str | Iterable[Any], *, source: str = "user") -> list[int]:
        """Keep facts, all of them or none, and return the template of each, in order.

        What is there already in the same words, or nearly, is that template; one that a rating kept from use is in use
        again, since somebody says so anew.

        Args:
            said: a text, each sentence of which is a fact; texts, each of which is one as it stands; or messages of a
                conversation (:func:`~retention.messages.user_texts`), where each statement of the user is one.
            source: who said it.

        Raises:
            HoldfastError: if the handle is detached.
            ValueError: if a sentence is too long for a fact, or has fewer tokens than a slot needs.
            MemoryWriteError: if the memory cannot be written.
        """
        self._handle.check_attached()
        texts = _facts_in(said)
        for text in texts:
            if fault := self._unreadable(text):
                raise ValueError(
                    f"a fact is one sentence of {SHORTEST} to {self._longest} tokens, got {fault}: {text!r:.80}"
                )
        if not texts:
            return []
        drafts = [
            TemplateDraft(content=text, key=_NO_VECTOR, kind=FACT, task=self._task, source=source) for text in texts
        ]
        ids = self._memory.write(drafts, namespace=self._namespace)
        self._memory.put_facts_in_use(ids, namespace=self._namespace)
        self._refresh()
        return ids

    def forget(self, ids: Iterable[int]) -> Forgotten:
        """Delete facts and their slots for good; ids that the namespace does not have are passed over."""
        return self._memory.forget(ids, namespace=self._namespace)

    def facts(self) -> list[Template]:
        """Return the facts by id, those that are kept from use too."""
        return self._memory.templates(namespace=self._namespace, task=self._task, kind=FACT)

    @property
    def slots(self) -> FactSlots:
        """The slots of the facts that are in use now, by template."""
        return self._current()[1]

    @property
    def ids(self) -> tuple[int, ...]:
        """The template of each fact in :attr:`slots`."""
        return self._current()[0]

    @contextmanager
    def reading(self, *, since: int = 0) -> Iterator[FactReading]:
        """Let the model read the facts that are in use now while the block runs, each row of a batch the same.

        Args:
            since: how many leading tokens say nothing of what is asked, as earlier turns of a conversation.

        Yields:
            What is recalled, call by call.
        """
        ids, slots = self._current()
        with self._handle.reading(slots, since=since) as trace:
            yield FactReading(trace, ids, slots, self._handle.adapter.config.floor)

    def receipt(self, recalls: Iterable[FactRecall], *, run_id: str | None = None) -> str | None:
        """Write which facts an answer drew on, each with its attention over all tokens: its outcome credits them.

        Args:
            recalls: of the tokens of the answer.
            run_id: the run of an agent it belongs to.

        Returns:
            The id of the receipt; ``None`` where nothing was read, or the memory is read-only.
        """
        masses: dict[int, float] = {}
        for recall in recalls:
            for number, mass in recall.masses.items() if recall.read else ():
                masses[number] = masses.get(number, 0.0) + mass
        return self._memory.write_receipt(masses, namespace=self._namespace, task=self._task, run_id=run_id)

    def rate(
        self, receipt_id: str | None, rating: float, *, told: Iterable[int] = (), feedback_id: str | None = None
    ) -> Rated:
        """Rate an answer: see :meth:`EpisodicMemory.rate_answer`; a thumbs-down keeps what carried it from use."""
        return self._memory.rate_answer(
            receipt_id, rating, namespace=self._namespace, told=told, feedback_id=feedback_id
        )

    def _current(self) -> tuple[tuple[int, ...], FactSlots]:
        with self._lock:
            self._refresh()
            return tuple(self._ids), self._slots

    def _refresh(self) -> None:
        """Take in what changed in the file."""
        with self._lock:
            before = self._standing
            if (
                before is not None
                and before.revision == self._memory.revision()
                and (before.until is None or time.time() < before.until)
            ):
                return
            now = self._memory.facts_in_use(namespace=self._namespace, task=self._task)
            places, wanted = {number: at for at, number in enumerate(self._ids)}, set(now.ids)
            fresh = [number for number in now.ids if number not in places]
            rows = self._memory.load_facts(fresh, namespace=self._namespace, adapter=self._adapter)
            kept = [number for number in self._ids if number in wanted]
            if rows or len(kept) < len(self._ids):
                self._take(kept, self._slots.index([places[number] for number in kept]), rows)
            self._standing = now

    def _take(self, kept: list[int], slots: FactSlots, rows: list[FactRow]) -> None:
        """Put facts that are held already and those that are new into one row, by template."""
        cached, parts = self._from_cache(rows)
        known = set(cached)
        made, more = self._made([row for row in rows if row.id not in known])
        ids, device = [*kept, *cached, *made], self._handle.adapter.mean.device
        joined = FactSlots.cat([slots, *(part.to(device) for part in (*parts, *more))])
        order = sorted(range(len(ids)), key=ids.__getitem__)
        self._ids, self._slots = [ids[at] for at in order], joined.index(order)

    def _from_cache(self, rows: list[FactRow]) -> tuple[list[int], list[FactSlots]]:
        config, held = self._handle.adapter.config, [row for row in rows if row.slots is not None]
        if not held:
            return [], []
        try:
            found = FactSlots.from_bytes(
                [row.slots or b"" for row in held],
                fact_width=config.fact_heads * config.fact_dim,
                heads=config.token_heads,
                dim=config.token_dim,
            )
        except SlotFileError:  # all are made anew
            return [], []
        return [row.id for row in held], [found]

    def _made(self, rows: list[FactRow]) -> tuple[list[int], list[FactSlots]]:
        """Have the model read facts, and keep their slots in the cache, a batch at a time."""
        faults = {row.id: fault for row in rows if (fault := self._unreadable(row.content))}
        for number, fault in faults.items():
            if number not in self._told:  # once: they are looked at again with each change of the file
                logger.warning("%s: fact %d is not read: it has %s", self._memory.path or "the memory", number, fault)
        self._told.update(faults)
        readable = [row for row in rows if row.id not in faults]
        batches = [readable[start : start + _AT_ONCE] for start in range(0, len(readable), _AT_ONCE)]
        show = None if len(readable) < _MANY else sys.stderr.isatty()
        ids, parts = [], []
        for batch in tracked(batches, "reading facts", show):
            written = self._handle.write([row.content for row in batch])
            filled = [row._replace(slots=slots) for row, slots in zip(batch, written.to_bytes(), strict=True)]
            self._memory.cache_slots(filled, namespace=self._namespace, adapter=self._adapter)
            ids += [row.id for row in batch]
            parts.append(written)
        return ids, parts

    def _unreadable(self, text: str) -> str | None:
        """Return how many tokens a text has, in words, if it cannot be a fact for that."""
        count = len(self._handle.encode(text))
        return None if SHORTEST <= count <= self._longest else f"{count} tokens"


def _facts_in(said: str | Iterable[Any]) -> list[str]:
    """Return what of a text, of texts or of messages are facts."""
    if isinstance(said, str):
        return sentences(said)
    parts = list(said)
    if parts and all(isinstance(part, str) for part in parts):
        return [part.strip() for part in parts]
    return [each for text in user_texts(parts) for each in sentences(text) if is_statement(each)]
