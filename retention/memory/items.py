"""Items: values that are kept under a path and a key, each a template or more, and overwritten exactly."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from .numeric import real
from .scope import TASK_LIMIT, check_name
from .templates import Template

_latest = 0


@final
@dataclass(frozen=True, kw_only=True)
class ItemDraft:
    """A value to keep under a key, in place of what is there.

    Attributes:
        path: where: one name or more, as of folders.
        key: under which name; equal texts under two keys are two items.
        value: what JSON can hold, by name; ``None`` to delete what is there.
        texts: what it is found by, each with a vector of its own; empty for one that is found by its key alone.
        ttl: for how many seconds it is kept after it was last written or renewed; ``None`` for ever.
        source: who said it; it stays where the text stays.
    """

    path: tuple[str, ...]
    key: str
    value: Mapping[str, Any] | None
    texts: Sequence[str] = ()
    ttl: float | None = None
    source: str = "user"

    def __post_init__(self) -> None:
        if not check_path(self.path):
            raise ValueError("path must have at least one name")
        check_key(self.key)
        if self.value is not None and not isinstance(self.value, Mapping):
            raise TypeError(f"value must be a mapping, or None to delete, got {type(self.value).__name__}")
        if self.value is not None:
            object.__setattr__(self, "value", _checked(self.value))
        if isinstance(self.texts, str):
            raise TypeError(f"texts must be a list of str, got the str {self.texts[:40]!r}")
        for text in self.texts:
            _check_text(text, "text")
        if self.ttl is not None:
            object.__setattr__(self, "ttl", real(self.ttl, "ttl"))
        if self.ttl is not None and not (math.isfinite(self.ttl) and self.ttl > 0):
            raise ValueError(f"ttl must be a finite number above 0, got {self.ttl!r}")
        check_name(self.source, "source")


@final
@dataclass(frozen=True, kw_only=True)
class Item:
    """A value that is kept under a key.

    Attributes:
        path: where it is.
        key: its name there.
        value: what was put, as JSON gives it back.
        created: when it was first put, in seconds since 1970.
        updated: when it was last put.
        ttl: for how many seconds it is kept after it was last written or renewed; ``None`` for ever.
        template_id: the template of its first text.
    """

    path: tuple[str, ...]
    key: str
    value: dict[str, Any]
    created: float
    updated: float
    ttl: float | None
    template_id: int


@final
@dataclass(frozen=True, kw_only=True)
class ItemHit:
    """An item that was found.

    Attributes:
        item: the item.
        score: what it is ranked by; ``None`` for one that has no text, at the end of a search by cosine.
        template: the text it was found by; ``None`` without one.
    """

    item: Item
    score: float | None
    template: Template | None


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class ItemRecall:
    """What was found among the items.

    Attributes:
        receipt_id: the record of it, which an outcome credits; ``None`` where nothing was scored or may be written.
        hits: the items, the best first; of equals the older first.
        vector: what the vectors were compared with, float32 of shape (d,); ``None`` where there were none.
    """

    receipt_id: str | None
    hits: tuple[ItemHit, ...]
    vector: NDArray[np.float32] | None


def check_path(path: tuple[str, ...]) -> str:
    """Return the task that the items of a path are kept in: its names with dots between; ``""`` for an empty path.

    Raises:
        TypeError: if it is not a tuple of strings.
        ValueError: if a name is empty, has a dot or a zero byte, or is not text, or all together are too long.
    """
    if not isinstance(path, tuple) or not all(isinstance(name, str) for name in path):
        raise TypeError(f"path must be a tuple of str, got {path!r}")
    for name in path:
        if not name or "." in name or "\0" in name:
            raise ValueError(f"each name of a path must have characters, none of them '.' or zero, got {path!r}")
    return check_name(".".join(path), "path", TASK_LIMIT) if path else ""


def check_key(key: str) -> str:
    """Return the key of an item as it is.

    Raises:
        TypeError: if it is not a string.
        ValueError: if it is not text that UTF-8 can hold.
    """
    return _check_text(key, "key")


def place_now() -> int:
    """Return a number for what is put now, higher than all before: the time in nanoseconds."""
    global _latest
    _latest = max(time.time_ns(), _latest + 1)
    return _latest


def to_metadata(draft: ItemDraft, place: str, parts: int, now: float) -> str:
    """Return what is kept beside the texts of an item. It begins with the place, so that SQLite can order by it."""
    about = {"place": place, "key": draft.key, "parts": parts, "ttl": draft.ttl, "updated": now, "value": draft.value}
    return json.dumps(about, allow_nan=False)


def as_place(born: int | str, since: int) -> str:
    """Return where an item stands: when its path began to be, and when it was put there; texts of one length."""
    return f"{int(born):020d}/{since:020d}"


def from_row(template_id: int, task: str, metadata: str) -> Item:
    """Return an item from the columns of its first template."""
    about = json.loads(metadata)
    return Item(
        path=tuple(task.split(".")),
        key=about["key"],
        value=about["value"],
        created=int(about["place"].split("/")[1]) / 1e9,
        updated=about["updated"],
        ttl=about["ttl"],
        template_id=template_id,
    )


def _checked(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a value as JSON gives it back.

    Raises:
        ValueError: if JSON cannot hold it, or a name in it is not a string.
    """
    try:
        found: dict[str, Any] = json.loads(json.dumps(dict(value), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"value must be something that JSON can hold: {error}") from None
    _check_names(value)
    return found


def _check_names(value: object) -> None:
    """Raise where JSON would make a string of a name, so that it comes back as another."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if not isinstance(name, str):
                raise ValueError(f"value must have names that are strings, got {name!r}")
            _check_names(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _check_names(inner)


def _check_text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{what} must be a str, got {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what} must be text that UTF-8 can hold, got {value[:40]!r}") from None
    return value
