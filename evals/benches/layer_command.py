"""The command ``holdfast bench layer``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

_COLUMNS = {
    "name": "layer",
    "forward_us": "forward",
    "forward_ratio": "/vanilla",
    "read_us": "read",
    "read_ratio": "read/vanilla",
    "train_us": "train",
    "step_us": "step",
    "step_written_us": "step, written",
    "memory_mb": "MB",
    "state_kb": "state kB",
    "read_floor_share": "of floor",
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="Where the layers run."
)
@click.option(
    "--dtype",
    type=click.Choice(["float32", "bfloat16", "float16"]),
    default="float32",
    show_default=True,
    help="What the weights and the memories are made of.",
)
@click.option("--width", type=click.IntRange(min=4), default=256, show_default=True, help="Width; there are 4 heads.")
@click.option("--most-slots", type=click.IntRange(min=64), help="Slots of our largest row.  [default: 65536]")
@click.option("--rounds", type=click.IntRange(min=1), help="Turns that each row has.  [default: 15]")
@click.option("--quick", is_flag=True, help="At most 1024 slots, 5 rounds, and no peak of memory.")
@click.option("--compile", "compiled", is_flag=True, help="Give our layer and the vanilla one to torch.compile.")
def layer(
    as_json: bool,
    device: str,
    dtype: str,
    width: int,
    most_slots: int | None,
    rounds: int | None,
    quick: bool,
    compiled: bool,
) -> None:
    """Measure our layer beside a vanilla transformer layer and the memories of other packages.

    A call is 2 x 128 tokens, a step is one token of one row. Microseconds a token, on one thread, by turns; a row holds
    medians over the rounds. "train" is forward and backward, through the write too; "MB" is what it takes at most,
    over weights and memory; "of floor" is the share that a read reaches of what the device can move and multiply,
    measured in the same run. Takes about ten minutes; --quick about one.

    \b
    Example:
      holdfast bench layer --quick --json
    """
    import json
    from dataclasses import asdict

    import torch
    from rich.console import Console

    from retention import HoldfastError

    from ..peers.contender import LayerSizes
    from ..report import json_values
    from .device_ceilings import measure_ceilings
    from .layer import measure
    from .layer_lineup import SLOTS, lineup
    from .peak_memory import peak_megabytes
    from .rounds_line import RoundsLine
    from .stopwatch import one_thread

    if device == "cuda" and not torch.cuda.is_available():
        raise HoldfastError("this torch sees no CUDA device: leave out --device, or install torch for CUDA")
    sizes = LayerSizes(width=width, device=device, dtype=dtype, compiled=compiled)
    entries = lineup(sizes, most_slots=most_slots or (1024 if quick else SLOTS[-1]))
    repeats = rounds or (5 if quick else 15)
    with RoundsLine(len(entries) * (1 + repeats + (not quick))) as line:
        with one_thread():
            ceilings = measure_ceilings(device, dtype, megabytes=64 if quick else 256, side=512 if quick else 2048)
        rows = measure(entries, sizes, repeats=repeats, ceilings=ceilings, on_turn=line.turned)
        if not quick:
            for row, (name, megabytes) in zip(rows, peak_megabytes(entries, sizes), strict=True):
                row["memory_mb"] = megabytes
                line.turned(name)
    if as_json:
        run = {"bench": "layer", "torch": torch.__version__, "rounds": repeats, **asdict(sizes), **asdict(ceilings)}
        click.echo(json.dumps({**run, "rows": [json_values(row) for row in rows]}))
        return
    console = Console()
    console.print(_table(rows), width=max(console.width, 125))
    for row in rows:
        if row["error"] or row["note"]:
            click.echo(f"{row['name']}: {row['error'] or row['note']}")


def _table(rows: Sequence[Mapping[str, Any]]) -> Any:
    from ..report import bench_table

    shown = []
    for row in rows:
        held = row["state_bytes"]
        values = {**row, "state_kb": None if held is None else held / 1e3}
        shown.append({title: "-" if values[name] is None else values[name] for name, title in _COLUMNS.items()})
    return bench_table("layer: microseconds a token, medians over rounds", shown)
