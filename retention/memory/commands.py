"""The commands that look into a memory file and rate what is in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from .store import EpisodicMemory

_file = click.argument("file", type=click.Path())
_namespace = click.option("--namespace", help="Only this namespace; without it, all of them.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def memory() -> None:
    """Look into a memory file.

    \b
    Example:
      holdfast memory stats memory.db
    """


@memory.command("list")
@_file
@_namespace
@click.option("--task", help="Only this task.")
@click.option("--kind", help="Only templates of this kind, e.g. transition.")
@click.option("--episodes", is_flag=True, help="List episodes instead of templates.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="The newest so many.")
@_json
def list_(
    file: str, namespace: str | None, task: str | None, kind: str | None, episodes: bool, limit: int, as_json: bool
) -> None:
    """List the newest templates or episodes, the oldest of them first.

    \b
    Example:
      holdfast memory list memory.db --namespace alice --limit 5
    """
    from .display import EPISODE_COLUMNS, TEMPLATE_COLUMNS, episode_row, table, template_row
    from .store import EpisodicMemory

    if episodes and kind is not None:
        raise click.UsageError("--kind is for templates: leave it out with --episodes")
    rows: list[dict[str, Any]] = []
    with EpisodicMemory.open(file, mode="ro") as memory:
        for name in _namespaces(memory, namespace):
            if episodes:
                rows += map(episode_row, memory.episodes(namespace=name, task=task, limit=limit))
            else:
                newest = memory.templates(namespace=name, task=task, kind=kind, limit=limit, newest=True)
                rows += map(template_row, newest)
    rows = sorted(rows, key=lambda row: (row["created"], row.get("id", 0)))[-limit:]
    click.echo(json.dumps(rows) if as_json else table(rows, EPISODE_COLUMNS if episodes else TEMPLATE_COLUMNS))


@memory.command()
@_file
@click.argument("id")
@_namespace
@_json
def show(file: str, id: str, namespace: str | None, as_json: bool) -> None:
    """Show a template by its number, or an episode by its id.

    \b
    Example:
      holdfast memory show memory.db 17
    """
    from .display import card, episode_row, template_row
    from .store import EpisodicMemory

    with EpisodicMemory.open(file, mode="ro") as memory:
        name = _holder(memory, namespace, id)
        if _is_template(id):
            row = template_row(memory.get(int(id), namespace=name), vectors=True)
        else:
            row = episode_row(memory.episode(id, namespace=name))
    click.echo(json.dumps(row) if as_json else card(row))


@memory.command()
@_file
@_namespace
@_json
def stats(file: str, namespace: str | None, as_json: bool) -> None:
    """Show what the file holds: episodes, returns, ratings and templates of each task.

    \b
    Example:
      holdfast memory stats memory.db --json
    """
    from .display import STATS_COLUMNS, table
    from .store import EpisodicMemory

    with EpisodicMemory.open(file, mode="ro") as memory:
        if namespace is not None:
            _namespaces(memory, namespace)
        found = memory.stats(namespace=namespace)
    if as_json:
        click.echo(json.dumps(found))
        return
    click.echo(table(found["tasks"], STATS_COLUMNS))
    size = "" if found["bytes"] is None else f", {found['bytes']:,} bytes"
    click.echo(f"{file}: schema version {found['schema_version']}{size}")


@click.command(context_settings={"ignore_unknown_options": True})
@_file
@click.argument("episode_id")
@click.argument("rating", metavar="up|down")
@_namespace
@_json
def feedback(file: str, episode_id: str, rating: str, namespace: str | None, as_json: bool) -> None:
    """Rate an episode up or down, now or long after it: the memory decides anew what it is worth.

    A number from -1 to 1 says it in between.

    \b
    Example:
      holdfast feedback memory.db 3f1c0a52b0e94d0f8a4f6f0c2f0f7a11 down
    """
    from .store import EpisodicMemory

    number = _as_rating(rating)
    # Reading comes first: a name that is mistyped must not make a file.
    with EpisodicMemory.open(file, mode="ro") as memory:
        name = _holder(memory, namespace, episode_id)
    with EpisodicMemory.open(file) as memory:
        done = memory.feedback(episode_id, namespace=name, rating=number)
        rating_now = memory.episode(episode_id, namespace=name).rating
    if as_json:
        row = {"episode_id": episode_id, "namespace": name, "rating": number, "gate": done.gate.signed}
        click.echo(json.dumps(row | {"feedback_id": done.feedback_id, "applied": done.applied}))
    else:
        mean = "" if rating_now == number else f" (with the ratings before, the episode stands at {rating_now:+.2g})"
        click.echo(f"rated {number:+g}; the gate is now {done.gate.signed:+.2f}{mean}")


def _as_rating(text: str) -> float:
    try:
        number = {"up": 1.0, "down": -1.0}.get(text) or float(text)
    except ValueError:
        number = float("nan")
    if not -1 <= number <= 1:
        raise click.BadParameter(f"{text!r} is not up, down or a number from -1 to 1", param_hint="RATING")
    return number


def _is_template(id: str) -> bool:
    """Tell a template's number from an episode's id, which is 32 hexadecimal digits."""
    return id.isascii() and id.isdigit() and len(id) < 19


def _namespaces(memory: EpisodicMemory, wanted: str | None) -> list[str]:
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


def _holder(memory: EpisodicMemory, wanted: str | None, id: str) -> str:
    from ..errors import NotFoundError

    for name in _namespaces(memory, wanted):
        try:
            if _is_template(id):
                memory.get(int(id), namespace=name)
            else:
                memory.episode(id, namespace=name)
        except NotFoundError:
            continue
        return name
    what = "template" if _is_template(id) else "episode"
    option = "" if what == "template" else " --episodes"
    raise NotFoundError(f"{memory.path}: no {what} {id}; list them with: holdfast memory list {memory.path}{option}")
