"""What a run says before it plays, where the memory is not the one that the user may think it is."""

from __future__ import annotations

from collections.abc import Iterator

from retention import EpisodicMemory

from ..policies.protocol import Policy
from ..task_memory import SETTINGS

_MOST = 5  # names that are told


def notices(memory: EpisodicMemory, policy: Policy, *, namespace: str, task: str, frozen: bool) -> Iterator[str]:
    """Say in a line each that a frozen agent has nothing to act on, and that the discount is not the one learned with.

    Args:
        memory: what the agent acts on.
        policy: what acts.
        namespace: whose memory it is.
        task: the name of the task.
        frozen: whether the agent writes nothing.
    """
    held = memory.template_count(namespace=namespace, task=task) or memory.episode_count(namespace=namespace, task=task)
    if frozen and not held:
        yield _nothing(memory, namespace=namespace, task=task)
    settings = memory.setting(SETTINGS, namespace=namespace, task=task) or {}
    learned, used = settings.get("discount"), getattr(getattr(policy, "config", None), "discount", None)
    if None not in (learned, used) and learned != used:
        yield f"{task!r} was learned with the discount {learned:g}, not {used:g}: --discount {learned:g} keeps it"


def _nothing(memory: EpisodicMemory, *, namespace: str, task: str) -> str:
    """Say that the memory holds nothing of a task, and what it holds instead."""
    namespaces = memory.namespaces()
    if namespace not in namespaces:
        return f"{memory.path} has no namespace {namespace!r}, so nothing is recalled; it has {_named(namespaces)}"
    tasks = memory.tasks(namespace=namespace)
    return (
        f"{memory.path} holds nothing of {task!r} in the namespace {namespace!r}, so nothing is recalled; it has "
        f"{_named(tasks)} there"
    )


def _named(names: list[str]) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return (", ".join(map(repr, names[:_MOST])) or "none") + more
