"""The one place where a query is bound to a namespace."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

NAME_LIMIT = 200
TASK_LIMIT = 4000


def check_name(value: object, what: str, limit: int = NAME_LIMIT) -> str:
    """Return a name as it is, or say what is wrong with it.

    Args:
        value: the name to check.
        what: what it names, for the message.
        limit: the most characters it may have.

    Raises:
        TypeError: if it is not a string.
        ValueError: if it is empty, too long, or not text that UTF-8 can hold.
    """
    if not isinstance(value, str):
        raise TypeError(f"{what} must be a str, got {type(value).__name__}")
    if not 0 < len(value) <= limit:
        raise ValueError(f"{what} must have 1 to {limit} characters, got {len(value)}: {value[:40]!r}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what} must be text that UTF-8 can hold, got {value[:40]!r}") from None
    return value


@dataclass(frozen=True)
class Scope:
    """The rows a query may see: those of one namespace, and within it of a task or a kind.

    Every query on rows of a namespace takes its predicate from here. The match is exact: case counts, and a prefix
    does not match.

    Attributes:
        namespace: the tenant; never empty.
        task: the task within it; ``None`` for all, ``""`` for rows that belong to no task.
        kind: the kind of template; ``None`` for all.
    """

    namespace: str
    task: str | None = None
    kind: str | None = None

    def __post_init__(self) -> None:
        check_name(self.namespace, "namespace")
        if self.task:
            check_name(self.task, "task", TASK_LIMIT)
        if self.kind is not None:
            check_name(self.kind, "kind")

    @classmethod
    def of_task(cls, namespace: str, task: str) -> Scope:
        """Return the rows of one task, which must have a name."""
        return cls(namespace, check_name(task, "task", TASK_LIMIT))

    @property
    def where(self) -> str:
        """The predicate, with named parameters."""
        terms = ["namespace = :namespace"]
        if self.task is not None:
            terms.append("task = :task")
        if self.kind is not None:
            terms.append("kind = :kind")
        return " AND ".join(terms)

    @property
    def there(self) -> str:
        """The predicate for templates, without those whose time has run out; a pinned one stays."""
        return f"{self.where} AND (expires IS NULL OR pinned OR expires > :now)"

    @property
    def usable(self) -> str:
        """The predicate for templates that may be recalled: there, and not kept from use."""
        return f"{self.there} AND status = 'active'"

    def bind(self, **more: Any) -> dict[str, Any]:
        """Return the parameters of the predicates, and those given beside them."""
        return {"namespace": self.namespace, "task": self.task, "kind": self.kind, "now": time.time(), **more}
