"""The command ``holdfast bench index``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.table import Table


@click.command(name="index")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--slots",
    type=click.IntRange(min=1000),
    multiple=True,
    default=(1_000, 10_000, 100_000, 1_000_000),
    show_default=True,
    help="How many slots; may be given more than once.",
)
@click.option("--huge", is_flag=True, help="Measure 10,000,000 slots too: 3 GB for the vectors, and as much again.")
@click.option(
    "--data",
    type=click.Choice(["clustered", "iid"]),
    multiple=True,
    default=("clustered", "iid"),
    show_default=True,
    help="How the vectors lie; may be given more than once.",
)
@click.option("--peers/--no-peers", default=True, show_default=True, help="Measure the libraries that are installed.")
def index(as_json: bool, slots: tuple[int, ...], huge: bool, data: tuple[str, ...], peers: bool) -> None:
    """Measure what it costs to find slots among many: each tier, and other libraries where they are installed.

    Vectors of 64 numbers, the nearest 32, one thread, CPU time, fixed seeds. With a million slots the tiers take
    minutes, and peers that build a graph half an hour.

    \b
    Example:
      holdfast bench index --slots 10000 --slots 100000
      holdfast bench index --huge --no-peers --data clustered --json
    """
    import json

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from .index import HUGE, engines, measure

    sizes = (*slots, HUGE) if huge else slots
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    rows: list[dict[str, Any]] = []
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        total = len(sizes) * len(data) * len(engines(peers))
        task = progress.add_task("drawing vectors", total=total)

        def tell(name: str) -> None:
            progress.update(task, description=name)
            if not console.is_terminal:
                console.print(f"{len(rows) + 1}/{total} {name}", markup=False, highlight=False, soft_wrap=True)

        for row in measure(sizes, kinds=data, peers=peers, on_start=tell):
            rows.append(row)
            progress.advance(task)
    if as_json:
        click.echo(json.dumps({"bench": "index", "rows": rows}))
        return
    for table in index_tables(rows):
        Console().print(table, "")
    for row in rows:
        if row["error"] is not None:
            click.echo(f"{row['engine']} on {row['slots']:,} {row['data']} failed: {row['error']}")


_SHOWN = {
    "engine": "engine",
    "build_s": "build s",
    "add_us": "add us",
    "delete_us": "delete",
    "p50_us": "p50 us",
    "p99_us": "p99",
    "batch_us": "batch",
    "recall_1": "R@1",
    "recall_32": "R@32",
    "memory_mb": "MB",
}


def index_tables(rows: Sequence[Mapping[str, Any]]) -> list[Table]:
    """Return a table for the terminal for each number of slots and kind of data."""
    from ..report import bench_table

    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        shown = {header: "-" if row[name] is None else row[name] for name, header in _SHOWN.items()}
        groups.setdefault(f"index: {row['slots']:,} slots, {row['data']}", []).append(shown)
    return [bench_table(title, group) for title, group in groups.items()]
