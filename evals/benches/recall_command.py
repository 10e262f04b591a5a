"""The command ``holdfast bench recall``."""

from __future__ import annotations

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--steps", type=click.IntRange(min=1), default=300, show_default=True, help="Optimiser steps.")
@click.option("--seeds", type=click.IntRange(min=1), default=5, show_default=True, help="How many seeds.")
@click.option("--peers/--no-peers", default=True, show_default=True, help="Train the memories of other packages too.")
def recall(as_json: bool, steps: int, seeds: int, peers: bool) -> None:
    """Measure how soon a memory learns to recall eight facts that are no longer in the context.

    A key and a value each, of 64; chance is 1/64. Ours stores a slot for each fact. On one thread; a minute or two for
    ours and the transformer without memory, much more for the memories of other packages.

    \b
    Example:
      holdfast bench recall --no-peers --seeds 2
    """
    import json

    from rich.console import Console

    from ..peers import RECALLERS
    from ..report import bench_table
    from .recall import measure
    from .rounds_line import RoundsLine
    from .stopwatch import one_thread

    ours = ["retention", "vanilla"]
    names = [*ours, *sorted(RECALLERS.keys() - set(ours))] if peers else ours
    with RoundsLine(len(names) * seeds) as line, one_thread():
        rows = measure(names, steps=steps, seeds=seeds, on_turn=line.turned)
    if as_json:
        click.echo(json.dumps({"bench": "recall", "steps": steps, "seeds": seeds, "rows": rows}))
        return
    shown = [{key: "-" if row[key] is None else row[key] for key in row if key != "error"} for row in rows]
    Console().print(bench_table("recall: eight facts, the context cleared; medians over seeds", shown))
    for row in rows:
        if row["error"]:
            click.echo(f"{row['name']}: {row['error']}")
