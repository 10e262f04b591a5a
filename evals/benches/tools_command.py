"""The commands ``holdfast bench tools`` and ``holdfast bench poisoning``."""

from __future__ import annotations

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--templates", type=click.IntRange(min=1), default=1000, show_default=True, help="Texts in the memory.")
@click.option("--rounds", type=click.IntRange(min=5), default=300, show_default=True, help="How many queries.")
def tools(as_json: bool, templates: int, rounds: int) -> None:
    """Measure what a recall through the tools takes longer than the memory's own, in milliseconds.

    \b
    Example:
      holdfast bench tools --rounds 1000
    """
    import json

    from rich.console import Console

    from ..report import bench_table
    from .tools import measure

    rows = measure(templates, rounds)
    if as_json:
        click.echo(json.dumps({"bench": "tools", "templates": templates, "rows": rows}))
        return
    Console().print(bench_table("tools: a recall, medians over queries", rows))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--seeds", type=click.IntRange(min=1), default=5, show_default=True, help="How many seeds.")
def poisoning(as_json: bool, seeds: int) -> None:
    """Measure how many hostile notes are ever among the first three recalled, over fifty runs; half a minute a seed.

    A column for each setting of the tools; a row for each kind of attack, then shares of all hostile notes, and of the
    honest ones that were taken for attacks and that are in use in the end.

    \b
    Example:
      holdfast bench poisoning --seeds 1
    """
    import json

    from rich.console import Console

    from ..poisoning.measuring import measure
    from ..report import bench_table

    rows = measure(seeds)
    if as_json:
        click.echo(json.dumps({"bench": "poisoning", "seeds": seeds, "rows": rows}))
        return
    Console().print(bench_table("poisoning: shares, means over seeds", rows))
