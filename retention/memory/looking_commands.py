"""The commands that look into a memory file and write nothing."""

from __future__ import annotations

import json
from typing import Any

import click

from .command_arguments import (
    check_task,
    holder,
    in_file,
    is_receipt,
    is_run,
    is_template,
    namespaces,
    of_namespace,
    with_encoder,
    with_json,
)


@click.command("list")
@in_file
@of_namespace
@click.option("--task", help="Only this task.")
@click.option("--kind", help="Only templates of this kind, e.g. transition.")
@click.option("--episodes", is_flag=True, help="List episodes instead of templates.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="The newest so many.")
@with_json
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
        names = namespaces(memory, namespace)
        check_task(memory, names, task)
        for name in names:
            if episodes:
                rows += map(episode_row, memory.episodes(namespace=name, task=task, limit=limit))
            else:
                newest = memory.templates(namespace=name, task=task, kind=kind, limit=limit, newest=True)
                rows += map(template_row, newest)
    rows = sorted(rows, key=lambda row: (row["created"], row.get("id", 0)))[-limit:]
    click.echo(json.dumps(rows) if as_json else table(rows, EPISODE_COLUMNS if episodes else TEMPLATE_COLUMNS))


@click.command()
@in_file
@click.argument("id")
@of_namespace
@with_json
def show(file: str, id: str, namespace: str | None, as_json: bool) -> None:
    """Show a template by its number, an episode, a receipt or a run by its id.

    \b
    Example:
      holdfast memory show memory.db 17
    """
    from dataclasses import asdict

    from .display import card, episode_row, template_row
    from .store import EpisodicMemory

    with EpisodicMemory.open(file, mode="ro") as memory:
        name = holder(memory, namespace, id)
        if is_template(id):
            row = template_row(memory.get(int(id), namespace=name), vectors=True)
        elif is_receipt(memory, id, name):
            row = asdict(memory.receipt(id, namespace=name))
        elif is_run(memory, id, name):
            row = asdict(memory.run(id, namespace=name))
        else:
            row = episode_row(memory.episode(id, namespace=name))
    click.echo(json.dumps(row) if as_json else card(row))


@click.command()
@in_file
@of_namespace
@with_json
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
            namespaces(memory, namespace)
        found = memory.stats(namespace=namespace)
    if as_json:
        click.echo(json.dumps(found))
        return
    click.echo(table(found["tasks"], STATS_COLUMNS))
    size = "" if found["bytes"] is None else f", {found['bytes']:,} bytes"
    click.echo(f"{file}: schema version {found['schema_version']}{size}")


@click.command()
@in_file
@click.argument("text")
@of_namespace
@click.option("--task", help="Only this task.")
@click.option("--kind", help="Only templates of this kind.")
@click.option("--limit", type=click.IntRange(min=1), default=8, show_default=True, help="The best so many.")
@with_encoder
@with_json
def search(
    file: str,
    text: str,
    namespace: str | None,
    task: str | None,
    kind: str | None,
    limit: int,
    encoder: str | None,
    as_json: bool,
) -> None:
    """Look for texts by their words and by what they mean; no receipt is written.

    \b
    Example:
      holdfast memory search memory.db "who is allergic to peanuts" --namespace alice
    """
    from .display import HIT_COLUMNS, hit_row, table
    from .store import EpisodicMemory

    rows: list[dict[str, Any]] = []
    with EpisodicMemory.open(file, mode="ro", encoder=encoder) as memory:
        names = namespaces(memory, namespace)
        check_task(memory, names, task)
        for name in names:
            rows += map(hit_row, memory.recall(text, namespace=name, task=task, kind=kind, k=limit).hits)
    rows = sorted(rows, key=lambda row: (-row["score"], row["id"]))[:limit]
    click.echo(json.dumps(rows) if as_json else table(rows, HIT_COLUMNS))


@click.command()
@in_file
@with_json
def verify(file: str, as_json: bool) -> None:
    """Check that the file is whole; exit status 1 if it is not.

    \b
    Example:
      holdfast memory verify memory.db
    """
    from .store import EpisodicMemory

    with EpisodicMemory.open(file, mode="ro") as memory:
        faults, unfinished = memory.verify(), memory.unfinished()
    if as_json:
        click.echo(json.dumps({"faults": faults, "unfinished": unfinished}))
    else:
        click.echo("\n".join([*faults, *unfinished]) or f"{file}: everything is in order")
    if faults:
        raise click.exceptions.Exit(1)
