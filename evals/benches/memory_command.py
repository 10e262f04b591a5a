"""The command ``holdfast bench memory``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.table import Table


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--templates",
    type=click.IntRange(min=100),
    multiple=True,
    default=(6_000, 100_000),
    show_default=True,
    help="How many templates; may be given more than once.",
)
@click.option("--width", type=click.IntRange(min=1), default=384, show_default=True, help="Width of the vectors.")
@click.option("--queries", type=click.IntRange(min=3), default=300, show_default=True, help="How many recalls.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of texts, vectors and queries.")
@click.option("--peers/--no-peers", default=True, show_default=True, help="Measure the stores that are installed.")
@click.option(
    "--budget",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="Seconds for each phase of a peer; what is not done by then is left, and said.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="Threads that the libraries of a store may use for one call.  [default: as they choose]",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="An empty folder that keeps texts, vectors and the files of the stores.  [default: a temporary one]",
)
def memory(
    as_json: bool,
    templates: tuple[int, ...],
    width: int,
    queries: int,
    seed: int,
    peers: bool,
    budget: float,
    threads: int | None,
    out: Path | None,
) -> None:
    """Measure the episodic memory beside other people's stores: writing, recalling, file size and memory.

    The same texts, vectors and queries for all, each in a process of its own; vectors are given, so what an encoder
    costs is told apart. Times are of the clock: leave the machine alone meanwhile. Half a minute for ours with 6,000
    templates, some minutes with the peers of the extra `bench`; 1,000,000 templates need 10 GB of disk.

    \b
    Example:
      holdfast bench memory --templates 6000
      holdfast bench memory --templates 1000000 --no-peers --json
    """
    import json
    from dataclasses import asdict

    from rich.console import Console

    from ..report import json_values
    from ..stores import STORES, left_out
    from .machine import machine_facts
    from .memory import OURS, MemoryPlan, encoder_speed, measure, names

    plan = MemoryPlan(
        sizes=templates,
        stores=names(peers),
        width=width,
        queries=queries,
        seed=seed,
        budget=budget,
        threads=threads,
    )
    absent = [reason for name in STORES if peers and (reason := left_out(name))]
    needed = ["holdfast", *(distribution for store in plan.stores for _, distribution in STORES[store].packages)]
    facts = machine_facts(dict.fromkeys([*needed, "langchain-core", "numpy", "qdrant-client"]))
    with _line(plan.steps + 1) as say, _folder(out) as folder:
        rows = list(measure(plan, folder, keep=out is not None, on_start=say))
        say("the default encoder, apart")
        encoder = encoder_speed(seed, threads)
    if as_json:
        run = {"bench": "memory", "ours": OURS, **asdict(plan), "machine": facts, "encoder": encoder}
        click.echo(json.dumps({**run, "left_out": absent, "rows": [json_values(row) for row in rows]}))
        return
    console = Console()
    for table in memory_tables(rows):
        console.print(table, "")
    for line in [_LEGEND, *_said(rows), _encoder_line(encoder), *absent]:
        click.echo(line)


@contextmanager
def _line(total: int) -> Iterator[Any]:
    """Show what is done: a live line on a terminal, else a line for each step; yields what is called with it."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("starting", total=total)
        begun = -1

        def say(doing: str) -> None:
            nonlocal begun
            begun += 1
            progress.update(task, completed=begun, description=escape(doing))
            if not console.is_terminal:
                console.print(f"{begun + 1}/{total} {doing}", markup=False, highlight=False, soft_wrap=True)

        yield say


@contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    """Yield the folder to work in: the one that was asked for, which must be empty, or one that is gone afterwards."""
    import tempfile

    from retention import HoldfastError

    if out is None:
        with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
            yield Path(folder)
        return
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise HoldfastError(f"{out} is not empty: name another folder with --out, since stores are measured from empty")
    yield out


# A title is a key: those of the second R@10 and p99 end in spaces.
_WRITING = {
    "store": "store",
    "held": "held",
    "synced": "synced",
    "single_per_s": "single/s",
    "full_per_s": "full/s",
    "batch_per_s": "bulk/s",
    "file_mb": "file MB",
    "file_bytes_each": "B each",
    "memory_mb": "RAM MB",
}
_RECALLING = {
    "store": "store",
    "recall_p50_ms": "p50 ms",
    "recall_p99_ms": "p99",
    "recall_cpu_ms": "cpu",
    "recall_at_10": "R@10",
    "vector_p50_ms": "v p50",
    "vector_at_10": "R@10 ",
    "after_p50_ms": "w p50",
    "after_p99_ms": "p99 ",
    "cold_s": "cold s",
}
_LEGEND = """single: added one by one; full: the same to a full store; synced: each is on the disk before the next
v: by the vector alone; w: right after a write; cold: from opening in a fresh process to the first answer"""


def memory_tables(rows: Sequence[Mapping[str, Any]]) -> list[Table]:
    """Return two tables for the terminal for each number of templates: writing, and recalling."""
    from ..report import bench_table

    tables = []
    for size in dict.fromkeys(row["templates"] for row in rows):
        here = [row for row in rows if row["templates"] == size]
        for doing, columns in (("writing", _WRITING), ("recalling the best 10", _RECALLING)):
            shown = [{title: _shown(row[name]) for name, title in columns.items()} for row in here]
            tables.append(bench_table(f"memory: {size:,} templates, {doing}", shown))
    return tables


def _shown(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else value


def _said(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for row in rows:
        what = f"{row['store']} with {row['templates']:,} templates"
        if row["error"]:
            yield f"{what} failed: {row['error']}"
        if row["note"]:
            yield f"{what} {row['note']}"


def _encoder_line(encoder: Mapping[str, Any]) -> str:
    if "error" in encoder:
        return f"the default encoder, apart: not measured ({encoder['error']})"
    single, batch = encoder["single_per_s"], encoder["batch_per_s"]
    return f"the default encoder, apart: {single:.0f} texts/s one by one, {batch:.0f} in batches of 64"
