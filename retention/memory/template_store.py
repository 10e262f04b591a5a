"""What a memory does with templates: they are written, recalled, read, pinned and forgotten."""

from __future__ import annotations

import logging
from abc import ABC
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

from numpy.typing import ArrayLike
from sqlite_utils import Database

from . import forgetting, template_rows, writing
from .connections import Connections
from .encoder import Encoder
from .encoding import Encoding, check_agrees, encoders
from .episode_rows import find as find_episode
from .forgetting import Forgotten, Trimmed
from .gate import FeedbackGate
from .numeric import whole
from .progress import tracked
from .recall import Hit, Question, Recall, repeats
from .receipts import present, store_receipt
from .run_rows import find as find_run
from .scope import Scope
from .sealing import Sealing, hold
from .shelves import Shelves
from .templates import Template, TemplateDraft
from .vectors import as_vectors
from .writing import WriteReport

logger = logging.getLogger(__name__)


class TemplateStore(ABC):
    """The part of :class:`EpisodicMemory` that is about templates."""

    _connections: Connections
    _gate: FeedbackGate
    _encoding: Encoding
    _shelves: Shelves
    _sealing: Sealing

    @property
    def encoder(self) -> Encoder:
        """What makes the vectors of texts.

        Raises:
            MissingExtraError: if it is the default encoder, and that is not installed.
        """
        return self._encoding.encoder

    def write(self, drafts: Sequence[TemplateDraft], *, namespace: str) -> list[int]:
        """Keep templates, all of them or none, and return their ids in order.

        One that is there already, in the same words or nearly (:func:`~retention.memory.merge_key.of_words`) and with a
        vector that agrees, is seen once more. Texts that contradict each other are two. Texts of an episode that
        the gate refuses are kept, and kept from use until it is admitted.

        Raises:
            NotFoundError: if the namespace has no such episode as a draft names.
            ValueError: if a key has another width than its task's templates of the kind, or metadata is not JSON.
            EncoderMismatchError: if a draft has no key, and the texts of the file are of another encoder.
            MissingExtraError: if a draft has no key, and the default encoder is not installed.
        """
        return list(self._write(drafts, Scope(namespace)).ids)

    def write_many(
        self, drafts: Iterable[TemplateDraft], *, namespace: str, batch: int = 4000, progress: bool | None = None
    ) -> WriteReport:
        """Keep a long row of templates, a batch at a time, and report how many of those offered were new.

        Each batch is kept as a whole: after a crash the batches before it are there, and what is written again merges.

        Args:
            drafts: the templates; read as they are needed.
            namespace: whose they are.
            batch: how many go in one transaction.
            progress: whether to show how far it is; ``None`` to show it on a terminal when there are many.

        Raises:
            NotFoundError: if the namespace has no such episode as a draft names.
            ValueError: if a key has another width than its task's templates of the kind, or metadata is not JSON.
            EncoderMismatchError: if a draft has no key, and the texts of the file are of another encoder.
            MissingExtraError: if a draft has no key, and the default encoder is not installed.
        """
        if batch < 1:
            raise ValueError(f"batch must be at least 1, got {batch}")
        scope, reports = Scope(namespace), []
        offered = iter(tracked(drafts, "writing", progress))
        while chunk := list(islice(offered, batch)):
            reports.append(self._write(chunk, scope))
        return WriteReport.of(reports)

    def _write(self, drafts: Sequence[TemplateDraft], scope: Scope, progress: bool | None = False) -> WriteReport:
        drafts, fingerprint = self._with_keys(drafts, scope, progress)
        seal = self._sealing.seal

        def write(db: Database) -> WriteReport:
            self._check_still_agrees(db, fingerprint, scope)
            return writing.write(db, scope.namespace, drafts, self._gate, seal)

        return self._connections.write(write)

    def _with_keys(
        self, drafts: Sequence[TemplateDraft], scope: Scope, progress: bool | None = False
    ) -> tuple[Sequence[TemplateDraft], str | None]:
        """Return drafts with a key each, and the encoder that made some; ``None`` where all had theirs."""
        bare = [draft.content for draft in drafts if draft.key is None]
        if not bare:
            return drafts, None
        self._check_encoder(scope.namespace)
        fingerprint, vectors = self._encoding.encoder.fingerprint, iter(self._encoding.encode(bare, progress))
        return [
            replace(draft, key=next(vectors), encoder=fingerprint) if draft.key is None else draft for draft in drafts
        ], fingerprint

    def _check_still_agrees(self, db: Database, fingerprint: str | None, scope: Scope) -> None:
        """Check an encoder again: between encoding and writing the texts may have been encoded anew."""
        if fingerprint is not None:
            check_agrees(db, self._connections.name, fingerprint, scope.namespace)

    def _check_encoder(self, namespace: str | None = None) -> None:
        fingerprint = self._encoding.encoder.fingerprint
        self._connections.read(lambda db: check_agrees(db, self._connections.name, fingerprint, namespace))

    def pin(self, ids: Iterable[int], *, namespace: str, pinned: bool = True) -> int:
        """Pin templates, or let them go with ``pinned=False``, and return how many the namespace has of them.

        A pinned template stays whatever its use, its age and the size of the memory; only :meth:`forget` removes it.
        """
        scope, wanted = Scope(namespace), list(ids)
        return self._connections.write(lambda db: template_rows.pin(db, scope, wanted, pinned))

    def forget(self, ids: Iterable[int], *, namespace: str) -> Forgotten:
        """Delete templates for good, and return how many; ids that the namespace does not have are passed over.

        They are looked for again before it is done, their bytes in the file are written over, and other processes are
        told.
        """
        scope, wanted = Scope(namespace), list(ids)
        done = self._connections.write(lambda db: forgetting.forget(db, scope, wanted))
        self._connections.checkpoint()
        return done

    def forget_namespace(self, namespace: str) -> Forgotten:
        """Delete everything of a namespace for good, its name included, and return what that was, verified as gone."""
        scope = Scope(namespace)
        done = self._connections.write(lambda db: forgetting.forget_namespace(db, scope.namespace))
        self._connections.checkpoint()
        return done

    def trim(self, limit: int, *, namespace: str, task: str | None = None, kind: str = "text") -> Trimmed:
        """Discard the least useful templates of a kind until at most so many are left, and report which.

        Args:
            limit: how many may stay; pinned ones stay beyond it.
            namespace: whose they are.
            task: of this task alone.
            kind: of this kind alone.
        """
        if limit < 0:
            raise ValueError(f"limit must not be negative, got {limit}")
        scope = Scope(namespace, task, kind)
        return self._connections.write(lambda db: forgetting.trim(db, scope, limit))

    def recall(
        self,
        query: str | ArrayLike,
        *,
        namespace: str,
        vector: ArrayLike | None = None,
        task: str | None = None,
        kind: str | Iterable[str] | None = None,
        where: Mapping[str, Any] | Callable[[Template], bool] | None = None,
        k: int = 8,
        max_tokens: int | None = None,
        episode_id: str | None = None,
        run_id: str | None = None,
        receipt: bool = True,
    ) -> Recall:
        """Return the active templates that are most relevant to a text or nearest to a vector, and write a receipt.

        A text is looked for by its words and, where texts have vectors of an encoder, by its vector; what is not
        relevant enough is left out, and what says the same is shown once. A vector is compared with all by cosine.
        Utility moves the order within bounds (:class:`RankingConfig`).

        Args:
            query: what to look for: a text, or a vector of shape (d,).
            namespace: whose templates.
            vector: of a text: its vector, where you made it yourself.
            task: of this task alone.
            kind: of this kind alone, or of one of these.
            where: what the metadata must hold: values by name; or a function that says of a template whether it counts.
            k: how many at most; never more than 1000.
            max_tokens: how long the texts may be together, for a language model; those that do not fit are passed over.
            episode_id: the episode they are recalled for: feedback on it credits them.
            run_id: the run of an agent they are recalled in: its outcome credits them.
            receipt: whether to write one; nothing can be credited without.

        Raises:
            ValueError: if the vector is not one row of finite numbers, or there are templates but none of its width.
            NotFoundError: if the namespace has no such episode or run.
            EncoderMismatchError: if the texts of the file are of another encoder than the one at hand.
            MissingExtraError: if they are of the default encoder, and it is not installed.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        if max_tokens is not None and max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, got {max_tokens}")
        kinds = None if kind is None else frozenset([kind] if isinstance(kind, str) else kind)
        for name in kinds or ():
            Scope(namespace, task, name)
        scope = Scope(namespace, task)
        text, given = (query, vector) if isinstance(query, str) else (None, query)
        if text is None and vector is not None:
            raise ValueError("vector is for a query that is a text; a query that is a vector needs no other")
        wanted, encoder = None if given is None else as_vectors("vector", given, "d"), None
        if text is not None and wanted is None and self._connections.read(lambda db: encoders(db, namespace)):
            self._check_encoder(namespace)
            encoder = self._encoding.encoder.fingerprint
            wanted = self._encoding.encode([text])[0]
        asked = Question(
            text=text,
            vector=wanted,
            encoder=encoder,
            task=task,
            kinds=kinds,
            where=where or {},
            k=k,
            max_tokens=max_tokens,
            same=None if text is None else repeats,
        )
        if episode_id is not None:
            self._connections.read(lambda db: find_episode(db, scope, episode_id))
        hits, withheld = self._search(asked, namespace)
        receipt_id = None
        if hits and receipt and not self._connections.read_only:
            masses = {hit.template.id: 1.0 for hit in hits}

            def store(db: Database) -> str:
                of = episode_id
                if run_id is not None:
                    of = find_run(db, Scope(namespace), run_id).episode_id or episode_id
                there = present(db, namespace, masses)
                return store_receipt(db, namespace, there, of, task or "", tuple(withheld), run_id=run_id)

            receipt_id = self._connections.write(store)
        return Recall(receipt_id=receipt_id, hits=tuple(hits), withheld=tuple(withheld))

    def _search(self, asked: Question, namespace: str) -> tuple[list[Hit], list[int]]:
        """Return what is found for a question, and what was kept back; what was tampered with is held, and left out."""
        seal, scope = self._sealing.seal, Scope(namespace)
        hits, withheld, bad = self._shelves.search(self._connections, asked, namespace, seal)
        while bad and not self._connections.read_only:
            held = list(bad)
            name = self._connections.name
            logger.warning("%s: templates %s were changed from outside, and are held", name, ", ".join(map(str, held)))
            self._connections.write(partial(hold, scope=scope, ids=held))
            hits, withheld, bad = self._shelves.search(self._connections, asked, namespace, seal)
        return hits, withheld

    def get(self, template_id: int, *, namespace: str) -> Template:
        """Return a template.

        Raises:
            NotFoundError: if the namespace has no such template.
        """
        scope, number = Scope(namespace), whole(template_id, "template_id")
        return self._connections.read(lambda db: template_rows.find(db, scope, number))

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
