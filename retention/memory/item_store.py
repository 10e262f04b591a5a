"""What a memory does with items: values under a path and a key, overwritten exactly, and recalled by what they say."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sqlite_utils import Database

from . import item_rows
from .encoding import check_agrees, encoders
from .items import Item, ItemDraft, ItemHit, ItemRecall, check_key, check_path
from .recall import K_LIMIT, Hit, Question
from .receipts import present, store_receipt
from .scope import Scope
from .template_store import TemplateStore
from .templates import ITEM, ITEM_PART, Template
from .vectors import as_vectors

K_ALL = 2**63 - 1
"""More items than there can be."""

Where = Callable[[Mapping[str, Any]], bool]


class ItemStore(TemplateStore, ABC):
    """The part of :class:`EpisodicMemory` that is about items."""

    def put_items(self, drafts: Iterable[ItemDraft], *, namespace: str) -> int:
        """Keep items, all of them or none, each in place of what its path and key held; of one key the last counts.

        Unlike :meth:`write` this never merges: equal texts under two keys are two items. An item whose text stays
        keeps its template, and with it what is known of its use.

        Returns:
            How many were there and are deleted: those drafts whose value is ``None``.

        Raises:
            EncoderMismatchError: if a draft has texts, and those of the file are of another encoder.
            MissingExtraError: if a draft has texts, and the default encoder is not installed.
        """
        drafts, scope = list(drafts), Scope(namespace)
        texts = list(dict.fromkeys(text for draft in drafts if draft.value is not None for text in draft.texts))
        fingerprint, vectors = "", dict[str, NDArray[np.float32]]()
        if texts:
            self._check_encoder(namespace)
            fingerprint = self._encoding.encoder.fingerprint
            vectors = dict(zip(texts, self._encoding.encode(texts, progress=False), strict=True))

        seal = self._sealing.seal

        def put(db: Database) -> int:
            if texts:  # meanwhile the texts may have been encoded anew
                check_agrees(db, self._connections.name, fingerprint, scope.namespace)
            return item_rows.put(db, scope.namespace, drafts, vectors, fingerprint, seal)

        deleted = self._connections.write(put) if drafts else 0
        if deleted:
            self._connections.checkpoint()
        return deleted

    def get_items(self, wanted: Sequence[tuple[tuple[str, ...], str]], *, namespace: str) -> list[Item | None]:
        """Return what is kept under paths and keys, in the order asked; ``None`` where nothing is."""
        scope, places = Scope(namespace), [(check_path(path), check_key(key)) for path, key in wanted]
        found = self._connections.read(lambda db: item_rows.find(db, scope.namespace, places))
        return [found.get(place) for place in places]

    def items(
        self,
        *,
        namespace: str,
        path: tuple[str, ...] = (),
        where: Where | None = None,
        limit: int | None = None,
        offset: int = 0,
        below: bool = True,
    ) -> list[Item]:
        """Return the items of a path and of those below it: first the path that began first, in it the oldest item.

        Args:
            namespace: whose.
            path: the path; ``()`` for all.
            where: says of a value whether it counts.
            limit: how many at most.
            offset: how many to pass over.
            below: whether those below the path count.
        """
        scope, task, size = Scope(namespace), check_path(path), K_ALL if limit is None else limit
        _check_bounds(size, offset)
        return self._connections.read(
            lambda db: item_rows.select(db, scope.namespace, task, where, size, offset, below=below)
        )

    def item_paths(self, *, namespace: str, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
        """Return the paths that hold items, of a path and of those below it, sorted."""
        scope, task = Scope(namespace), check_path(path)
        return self._connections.read(lambda db: item_rows.paths(db, scope.namespace, task))

    def renew_items(self, items: Sequence[Item], *, namespace: str) -> None:
        """Let the time of those items begin anew that have one; a memory that is open read-only leaves it."""
        scope, timed = Scope(namespace), [item for item in items if item.ttl is not None]
        if timed and not self._connections.read_only:
            self._connections.write(lambda db: item_rows.renew(db, scope.namespace, timed))

    def recall_items(
        self,
        query: str | ArrayLike,
        *,
        namespace: str,
        path: tuple[str, ...] = (),
        where: Where | None = None,
        k: int = 10,
        offset: int = 0,
        by: Literal["recall", "cosine"] = "recall",
        below: bool = True,
        receipt: bool = True,
    ) -> ItemRecall:
        """Return the items of a path and of those below it that are most relevant, and write a receipt of them.

        An item that has several texts counts by the best of them. Equal texts of two items are both shown.

        Args:
            query: a text, or a vector of shape (d,).
            namespace: whose.
            path: the path; ``()`` for all.
            where: says of a value whether it counts.
            k: how many at most; ``offset + k`` beyond 1000 finds what 1000 finds.
            offset: how many to pass over.
            by: ``"recall"``: by words and vector, and nothing where nothing is relevant, as
                :meth:`EpisodicMemory.recall`; ``"cosine"``: by the vector, all of them, and those that have no text at
                the end. A query that is a vector is compared by cosine; those that have no text are left out then.
            below: whether those below the path count.
            receipt: whether to write one.

        Raises:
            ValueError: if the vector is not one row of finite numbers, or has another width than the texts'.
            EncoderMismatchError: if the texts of the file are of another encoder than the one at hand.
            MissingExtraError: if they are of the default encoder, and it is not installed.
        """
        _check_bounds(k, offset)
        if by not in ("recall", "cosine"):
            raise ValueError(f"by must be 'recall' or 'cosine', got {by!r}")
        scope = Scope(namespace, check_path(path) or None)
        if isinstance(query, str):
            vector, encoder = self._vector_of(query, namespace)
        else:
            vector, encoder = as_vectors("vector", query, "d"), None
        by_words = isinstance(query, str) and by == "recall"
        hits: list[Hit] = []
        withheld: list[int] = []
        if k and (by_words or vector is not None):
            asked = Question(
                text=query if isinstance(query, str) and by_words else None,
                vector=vector,
                encoder=encoder,
                task=scope.task,
                kinds=frozenset([ITEM, ITEM_PART]),
                # One without a text is found by nothing, also where its neighbours are.
                where=lambda template: (
                    template.content is not None and (where is None or where(template.metadata["value"]))
                ),
                k=offset + k,
                max_tokens=None,
                below=below,
                same=_of_one_item,
            )
            hits, withheld = self._search(asked, namespace)
        shown = hits[offset:]
        found = self._with_items(shown, scope)
        left = k - len(shown)
        if isinstance(query, str) and not by_words and left and len(hits) < K_LIMIT:
            passed = max(0, offset - len(hits))
            found += self._without_text(scope, where, left, passed, below)
        receipt_id = self._receive(shown, withheld, scope) if receipt else None
        return ItemRecall(receipt_id=receipt_id, hits=tuple(found), vector=vector)

    def _vector_of(self, text: str, namespace: str) -> tuple[NDArray[np.float32] | None, str | None]:
        """Return the vector of a text and what made it; ``None`` where the namespace has nothing to compare it with."""
        if not self._connections.read(lambda db: encoders(db, namespace)):
            return None, None
        self._check_encoder(namespace)
        return self._encoding.encode([text])[0], self._encoding.encoder.fingerprint

    def _receive(self, hits: Sequence[Hit], withheld: Sequence[int], scope: Scope) -> str | None:
        """Write a receipt of what is shown, and return its id; ``None`` where that is nothing or none is written."""
        if not hits or self._connections.read_only:
            return None
        masses = {hit.template.id: 1.0 for hit in hits}

        def write(db: Database) -> str:
            there = present(db, scope.namespace, masses)
            return store_receipt(db, scope.namespace, there, None, scope.task or "", tuple(withheld))

        return self._connections.write(write)

    def _with_items(self, hits: Sequence[Hit], scope: Scope) -> list[ItemHit]:
        """Return what was found with the items it is of; those that are gone meanwhile are left out."""
        places = [(hit.template.task or "", hit.template.metadata["key"]) for hit in hits]
        items = self._connections.read(lambda db: item_rows.find(db, scope.namespace, places)) if places else {}
        return [
            ItemHit(item=items[place], score=hit.score, template=hit.template)
            for place, hit in zip(places, hits, strict=True)
            if place in items
        ]

    def _without_text(self, scope: Scope, where: Where | None, limit: int, offset: int, below: bool) -> list[ItemHit]:
        bare = self._connections.read(
            lambda db: item_rows.select(
                db, scope.namespace, scope.task or "", where, limit, offset, below=below, without_text=True
            )
        )
        return [ItemHit(item=item, score=None, template=None) for item in bare]


def _check_bounds(limit: int, offset: int) -> None:
    for name, value in (("limit", limit), ("offset", offset)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ValueError(f"{name} must be a whole number, at least 0, got {value!r}")


def _of_one_item(one: Template, other: Template) -> bool:
    return one.task == other.task and one.metadata["key"] == other.metadata["key"]
