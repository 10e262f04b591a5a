"""What the commands on a memory file have in common: arguments, and finding what they name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from .store import EpisodicMemory


def as_file(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """Return the name of a memory's file, which no other text than a name can be.

    Raises:
        click.BadParameter: there is none.
    """
    if value in ("", ":memory:"):
        raise click.BadParameter(f"a file must be named, got {value!r}")
    return value


def as_name(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Return a name that the memory can keep.

    Raises:
        click.BadParameter: it is empty or too long.
    """
    from .scope import check_name

    try:
        return None if value is None else check_name(value, "it")
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


in_file = click.argument("file", type=click.Path(), callback=as_file)
of_namespace = click.option("--namespace", help="Only this namespace; without it, all of them.")
with_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
with_encoder = click.option(
    "--encoder", help="A model of sentence-transformers: its folder or name. [default: all-MiniLM-L6-v2, extra text]"
)
with_yes = click.option("--yes", is_flag=True, help="Do it without asking.")


def confirm(yes: bool, question: str) -> None:
    """Ask before something is deleted, unless it was said to go ahead; leave if the answer is no."""
    if not yes:
        click.confirm(question, abort=True, err=True)


def is_template(id: str) -> bool:
    """Tell a template's number from an episode's id, which is 32 hexadecimal digits."""
    return id.isascii() and id.isdigit() and len(id) < 19


def is_receipt(memory: EpisodicMemory, id: str, namespace: str) -> bool:
    """Tell a receipt's id from an episode's, which looks the same."""
    from ..errors import NotFoundError

    try:
        memory.receipt(id, namespace=namespace)
    except NotFoundError:
        return False
    return True


def is_run(memory: EpisodicMemory, id: str, namespace: str) -> bool:
    """Tell the id of an agent's run from others."""
    from ..errors import NotFoundError

    try:
        memory.run(id, namespace=namespace)
    except NotFoundError:
        return False
    return True


def namespaces(memory: EpisodicMemory, wanted: str | None) -> list[str]:
    """Return the namespaces of a file, or the one that is wanted.

    Raises:
        NotFoundError: if it is not there; names the nearest.
    """
    from difflib import get_close_matches

    from ..errors import NotFoundError

    known = memory.namespaces()
    if wanted is None:
        return known
    if wanted not in known:
        near = get_close_matches(wanted, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known) or 'none'}"
        raise NotFoundError(f"{memory.path}: no namespace {wanted!r}; {hint}")
    return [wanted]


def holder(memory: EpisodicMemory, wanted: str | None, id: str) -> str:
    """Return the namespace that has a template, an episode, a receipt or a run.

    Raises:
        NotFoundError: if none has it, or not the one that is wanted.
    """
    from ..errors import NotFoundError

    for name in namespaces(memory, wanted):
        try:
            if is_template(id):
                memory.get(int(id), namespace=name)
            elif not (is_receipt(memory, id, name) or is_run(memory, id, name)):
                memory.episode(id, namespace=name)
        except NotFoundError:
            continue
        return name
    what, option = ("template", "") if is_template(id) else ("episode, receipt or run", " --episodes")
    raise NotFoundError(f"{memory.path}: no {what} {id}; list them with: holdfast memory list {memory.path}{option}")


def check_task(memory: EpisodicMemory, names: Sequence[str], task: str | None) -> None:
    """Check that one of some namespaces has a task.

    Raises:
        NotFoundError: if none has it; names the nearest.
    """
    from difflib import get_close_matches

    from ..errors import NotFoundError

    known = sorted({known for name in names for known in memory.tasks(namespace=name)})
    if task is None or task in known:
        return
    near = get_close_matches(task, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known) or 'none'}"
    raise NotFoundError(f"{memory.path}: no task {task!r}; {hint}")
