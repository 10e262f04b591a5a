"""LangGraph's ``BaseStore`` over an episodic memory: what ``create_agent(store=...)`` takes, in the same file."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from typing import Any, Literal, TypeVar, final

from ..errors import MissingExtraError
from ..memory.items import Item as Kept
from ..memory.items import ItemDraft
from ..memory.scope import Scope
from ..memory.store import EpisodicMemory
from .item_filter import check_filter, matches

try:
    from langgraph.store.base import (
        BaseStore,
        GetOp,
        InvalidNamespaceError,
        Item,
        ListNamespacesOp,
        MatchCondition,
        Op,
        PutOp,
        Result,
        SearchItem,
        SearchOp,
        TTLConfig,
        get_text_at_path,
        tokenize_path,
    )
except ModuleNotFoundError as error:
    raise MissingExtraError("LangGraphStore", "tools") from error

_MINUTE = 60.0
_ROOT = "langgraph"
_TTL_NAMES = {"default_ttl", "omit_expired", "refresh_on_read", "sweep_interval_minutes"}

OpT = TypeVar("OpT", GetOp, SearchOp, PutOp, ListNamespacesOp)


class RecalledItem(SearchItem):
    """An item that a search with a query found, with the receipt of it.

    Attributes:
        receipt_id: what :meth:`EpisodicMemory.update_outcome` takes to say how it turned out; ``None`` where there is
            none: of what has no score, and of a memory that is open read-only.
        template_id: the template that was found.
    """

    __slots__ = ("receipt_id", "template_id")

    def __init__(self, *, receipt_id: str | None, template_id: int | None, **item: Any) -> None:
        super().__init__(**item)
        self.receipt_id = receipt_id
        self.template_id = template_id

    def dict(self) -> dict[str, Any]:
        """Return it as a dictionary that JSON can hold, its receipt included."""
        return super().dict() | {"receipt_id": self.receipt_id, "template_id": self.template_id}


@final
class LangGraphStore(BaseStore):
    """A LangGraph store in an episodic memory.

    LangGraph's namespaces, tuples of labels, lie within one namespace of the memory, the tenant, which the application
    names here and nobody names later. Threads and processes may share the file. Reads make no namespaces. A search with
    a query is a recall of the memory: it ranks by words and vectors and by what feedback taught, leaves out what is not
    relevant, and its items carry a receipt (:class:`RecalledItem`). A search without one lists.

    Args:
        memory: the memory; its encoder makes the vectors.
        namespace: whose items these are.
        fields: which parts of a value are looked for by a query, as paths (``"$"`` is the whole of it) where ``put``
            does not say; ``False`` to keep no vectors: then a query is not looked at, and a search lists.
        rank: ``"recall"``; or ``"cosine"`` to have every item returned, by its vector alone, as LangGraph's stores do.
        ttl: LangGraph's settings of time to live, in minutes. What has run out is never returned, and is deleted by the
            next write: no sweeper is needed.
        source: who says what is put.

    Raises:
        MissingExtraError: on import, without the extra ``tools``.
    """

    supports_ttl = True

    def __init__(
        self,
        memory: EpisodicMemory,
        *,
        namespace: str,
        fields: Sequence[str] | Literal[False] = ("$",),
        rank: Literal["recall", "cosine"] = "recall",
        ttl: TTLConfig | None = None,
        source: str = "user",
    ) -> None:
        if not isinstance(memory, EpisodicMemory):
            raise TypeError(f"memory must be an EpisodicMemory, got {type(memory).__name__}")
        if rank not in ("recall", "cosine"):
            raise ValueError(f"rank must be 'recall' or 'cosine', got {rank!r}")
        self._memory = memory
        self._namespace = Scope(namespace).namespace
        self._fields = fields if fields is False else _as_fields(fields, "fields")
        self._rank: Literal["recall", "cosine"] = rank
        self.ttl_config = _checked_ttl(ttl)
        self._source = source

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Do several things at once: what is read is what was there before, what is put is kept all or not at all.

        Raises:
            InvalidNamespaceError: if a label is empty, no text, or has a dot; if one to put into or delete from is
                empty or begins with ``"langgraph"``.
            ValueError: if a filter, a bound, a time or a value cannot be used; nothing is done then.
        """
        asked = list(ops)
        for op in asked:
            self._check(op)
        drafts = [self._draft(op) for _, op in _of(asked, PutOp)]
        results: list[Result] = [None] * len(asked)
        again: list[Kept] = []
        gets = _of(asked, GetOp)
        wanted = [(op.namespace, op.key) for _, op in gets if op.namespace]
        kept = iter(self._memory.get_items(wanted, namespace=self._namespace) if wanted else ())
        for at, got in gets:
            item = next(kept) if got.namespace else None
            if item is not None:
                results[at] = Item(**_columns(item))
                again += [item] if got.refresh_ttl else []
        for at, search in _of(asked, SearchOp):
            found = self._search(search)
            results[at] = [item for item, _ in found]
            again += [item for _, item in found] if search.refresh_ttl else []
        for at, listing in _of(asked, ListNamespacesOp):
            results[at] = self._list(listing)
        self._memory.renew_items(again, namespace=self._namespace)
        self._memory.put_items(drafts, namespace=self._namespace)
        return results

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Do what :meth:`batch` does in a thread, so that the event loop goes on meanwhile."""
        return await asyncio.to_thread(self.batch, list(ops))

    def _search(self, op: SearchOp) -> list[tuple[SearchItem, Kept]]:
        where = partial(matches, asked=op.filter) if op.filter else None
        if not op.query or self._fields is False:
            items = self._memory.items(
                namespace=self._namespace, path=op.namespace_prefix, where=where, limit=op.limit, offset=op.offset
            )
            return [(SearchItem(**_columns(item)), item) for item in items]
        found = self._memory.recall_items(
            op.query,
            namespace=self._namespace,
            path=op.namespace_prefix,
            where=where,
            k=op.limit,
            offset=op.offset,
            by=self._rank,
        )
        return [
            (
                RecalledItem(
                    **_columns(hit.item),
                    score=hit.score,
                    receipt_id=None if hit.template is None else found.receipt_id,
                    template_id=None if hit.template is None else hit.template.id,
                ),
                hit.item,
            )
            for hit in found.hits
        ]

    def _list(self, op: ListNamespacesOp) -> list[tuple[str, ...]]:
        paths = self._memory.item_paths(namespace=self._namespace)
        found = [path for path in paths if all(_matches(path, each) for each in op.match_conditions or ())]
        if op.max_depth is not None:
            found = sorted({path[: op.max_depth] for path in found})
        return found[op.offset : op.offset + op.limit]

    def _draft(self, op: PutOp) -> ItemDraft:
        ttl = None if op.ttl is None else op.ttl * _MINUTE
        draft = ItemDraft(path=op.namespace, key=op.key, value=op.value, ttl=ttl, source=self._source)
        if draft.value is None or op.index is False or self._fields is False:
            return draft
        fields = self._fields if op.index is None else _as_fields(op.index, "index")
        found = [get_text_at_path(draft.value, "$" if field == "$" else tokenize_path(field)) for field in fields]
        return replace(draft, texts=[text for texts in found for text in texts])

    def _check(self, op: Op) -> None:
        if isinstance(op, (GetOp, PutOp)):
            _check_labels(op.namespace)
            if isinstance(op, PutOp):
                _check_root(op.namespace)
                if op.ttl is not None:
                    _check_minutes("ttl", op.ttl)
        elif isinstance(op, SearchOp):
            _check_labels(op.namespace_prefix)
            check_filter(op.filter or {})
            _check_bounds(op.limit, op.offset)
            if op.query is not None and not isinstance(op.query, str):
                raise TypeError(f"query must be a str, got {type(op.query).__name__}")
        elif isinstance(op, ListNamespacesOp):
            _check_bounds(op.limit, op.offset)
            if op.max_depth is not None and op.max_depth < 1:
                raise ValueError(f"max_depth must be at least 1, got {op.max_depth!r}")
            for condition in op.match_conditions or ():
                _check_labels(condition.path)
                if condition.match_type not in ("prefix", "suffix"):
                    raise ValueError(f"match_type must be 'prefix' or 'suffix', got {condition.match_type!r}")
        else:
            raise TypeError(f"an operation must be a GetOp, PutOp, SearchOp or ListNamespacesOp, got {op!r}")


def _of(ops: Sequence[Op], kind: type[OpT]) -> list[tuple[int, OpT]]:
    return [(at, op) for at, op in enumerate(ops) if isinstance(op, kind)]


def _columns(item: Kept) -> dict[str, Any]:
    return {
        "namespace": item.path,
        "key": item.key,
        "value": item.value,
        "created_at": datetime.fromtimestamp(item.created, timezone.utc),
        "updated_at": datetime.fromtimestamp(item.updated, timezone.utc),
    }


def _matches(path: tuple[str, ...], condition: MatchCondition) -> bool:
    size = len(condition.path)
    if size > len(path):
        return False
    part = path[:size] if condition.match_type == "prefix" else path[len(path) - size :]
    return all(wanted in ("*", label) for label, wanted in zip(part, condition.path, strict=True))


def _as_fields(fields: Sequence[str], name: str) -> tuple[str, ...]:
    if isinstance(fields, str) or not all(isinstance(field, str) for field in fields):
        raise TypeError(f"{name} must be False or a list of paths such as 'text' or 'parts[*].text', got {fields!r}")
    return tuple(fields)


def _check_labels(namespace: tuple[str, ...]) -> None:
    if not isinstance(namespace, tuple):
        raise InvalidNamespaceError(f"a namespace must be a tuple of labels, got {namespace!r}")
    for label in namespace:
        if not isinstance(label, str) or not label or "." in label or "\0" in label:
            raise InvalidNamespaceError(
                f"each label of a namespace must be a str that is not empty and has no '.' or zero byte, got {label!r} "
                f"in {namespace!r}"
            )


def _check_root(namespace: tuple[str, ...]) -> None:
    if not namespace:
        raise InvalidNamespaceError("a namespace must have at least one label, got ()")
    if namespace[0] == _ROOT:
        raise InvalidNamespaceError(f"a namespace must not begin with {_ROOT!r}, got {namespace!r}")


def _check_bounds(limit: int, offset: int) -> None:
    if limit < 0 or offset < 0:
        raise ValueError(f"limit and offset must be at least 0, got {limit!r} and {offset!r}")


def _check_minutes(name: str, minutes: float) -> None:
    if isinstance(minutes, bool) or not isinstance(minutes, (int, float)):
        raise TypeError(f"{name} must be a number of minutes, got {type(minutes).__name__}")
    if not (math.isfinite(minutes) and minutes > 0):
        raise ValueError(f"{name} must be a finite number of minutes above 0, got {minutes!r}")


def _checked_ttl(ttl: TTLConfig | None) -> TTLConfig | None:
    if ttl is None:
        return None
    if not isinstance(ttl, Mapping) or not ttl.keys() <= _TTL_NAMES:
        raise ValueError(f"ttl may have {', '.join(sorted(_TTL_NAMES))}, got {ttl!r}")
    if ttl.get("omit_expired") is False:
        raise ValueError("ttl: omit_expired cannot be False, since what has run out is never returned; leave it out")
    if (default := ttl.get("default_ttl")) is not None:
        _check_minutes("ttl: default_ttl", default)
    return TTLConfig(**ttl)
