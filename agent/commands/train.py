"""``holdfast train``: meta-train a policy that uses a memory, or an adapter of a language model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import click

from .training_options import RATE, SEED, training_options

if TYPE_CHECKING:
    from ..meta.training import Training

_ADAPTER = "adapter"
_MARKS, _SHORTEST = 10, 100  # times that a training is tried and saved, and iterations between them at least


@final
class _FamilyOrAdapter(click.Command):
    """Takes the name of a family; ``adapter`` in its place is a command of its own, with options of its own."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Return the context of the command that the arguments are for."""
        if args[:1] == [_ADAPTER]:
            from .train_adapter import adapter

            return adapter.make_context(f"{info_name} {_ADAPTER}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that the context is of: where this one is called by itself, click would run this one."""
        return super().invoke(ctx) if ctx.command is self else ctx.command.invoke(ctx)


@click.command(cls=_FamilyOrAdapter)
@click.argument("family", required=False)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder of the policy; policies/FAMILY by default.",
)
@click.option(
    "--seed",
    type=SEED,
    default=0,
    show_default=True,
    help="The same seed, the same policy.",
)
@click.option("--iterations", type=click.IntRange(min=1), help="Optimiser steps; the family's own number by default.")
@click.option("--batch", type=click.IntRange(min=1), default=64, show_default=True, help="Tasks of each step.")
@click.option("--rate", type=RATE, default=1.5e-3, show_default=True, help="Learning rate.")
@training_options
def train(
    family: str | None,
    out: Path | None,
    seed: int,
    iterations: int | None,
    batch: int,
    rate: float,
    tensorboard: Path | None,
    plot: str | None,
    as_json: bool,
    display: str,
) -> None:
    """Meta-train a policy on a family of tasks: what to make of a memory, not what is in it.

    Without FAMILY it lists the families. With adapter in its place it trains one for a language model: see holdfast
    train adapter --help. A training that was interrupted goes on where it was saved last when the same
    command is given again, and ends with the same weights. The finished policy is a folder with weights and a recipe:
    holdfast run ENV_ID --policy retention:FOLDER.

    \b
    Example:
      holdfast train
      holdfast train hidden-rule --out my-rule --plot curve.png
      holdfast run holdfast/HiddenRule-v0 --policy retention:my-rule
      holdfast train adapter --out my-adapter
    """
    if family is None:
        _list(as_json)
        return
    if plot is not None:
        from .plot import check_plot

        check_plot(plot)

    from ..meta.catalogue import find_entry
    from ..meta.plan import Plan
    from .board import board

    plan = Plan(
        family=family, seed=seed, iterations=iterations or find_entry(family).iterations, batch=batch, rate=rate
    )
    folder = out or Path("policies") / family
    with board(tensorboard) as write:
        training = _train(plan, folder, display, write)
    recipe = _finish(training, folder)
    _report(recipe, folder, training.family.optimum, as_json)
    if plot is not None:
        from .plot import draw_curve

        draw_curve(Path(plot), recipe["curve"], optimum=training.family.optimum, title=family)


def _list(as_json: bool) -> None:
    import json

    from ..meta.catalogue import CATALOGUE
    from .train_adapter import ITERATIONS

    rows = [
        {"family": name, "env_id": each.env_id, "iterations": each.iterations, "summary": each.summary}
        for name, each in CATALOGUE.items()
    ]
    adapter = {"iterations": ITERATIONS, "summary": "a frozen language model that reads what it was told"}
    if as_json:
        click.echo(json.dumps({"families": rows, _ADAPTER: adapter}))
        return
    rows.append({"family": _ADAPTER, "env_id": "(a language model)", **adapter})
    for row in rows:
        click.echo(f"{row['family']:<16}{row['env_id']:<28}{row['iterations']:>7,} iterations  {row['summary']}")


def _train(plan: Any, folder: Path, display: str, write: Any) -> Training:
    """Train to the end, saving what has been reached at each mark."""
    from ..meta.training import Training
    from .live import training_line

    unfinished = folder / "training.safetensors"
    if unfinished.exists():
        training = Training.load(unfinished, plan)
    else:
        training = Training(plan)
        training.save(unfinished)  # where the folder cannot be written, that shows now and not after minutes
    if training.iteration and display != "none":
        click.echo(f"going on at iteration {training.iteration:,} of {plan.iterations:,}", err=True)
    every = max(-(-plan.iterations // _MARKS), _SHORTEST)
    try:
        with training_line(training.iteration, plan.iterations, display) as (step, marked):
            while not training.finished:
                mark = training.run(training.iteration + every, on_step=step)
                training.save(unfinished)
                marked(mark)
                write(mark)
    except KeyboardInterrupt:
        if unfinished.exists():
            click.echo(f"\nstopped; the same command goes on from {unfinished}", err=True)
        raise
    return training


def _finish(training: Training, folder: Path) -> dict[str, Any]:
    """Try the finished policy with its memory, without, and with another's; save it, and return its recipe."""
    from ..meta.checkpoint import rounded, save_checkpoint
    from ..meta.training import recipe_of
    from ..meta.trial import trial

    network = rounded(training.network)
    scores = {
        "optimum": training.family.optimum,
        "tasks": 200,
        "kept": trial(network, training.family, tasks=200),
        "wiped": trial(network, training.family, tasks=200, wiped=True),
    }
    recipe = recipe_of(training, scores)
    save_checkpoint(network, recipe, folder)
    (folder / "training.safetensors").unlink(missing_ok=True)
    return recipe


def _report(recipe: dict[str, Any], folder: Path, optimum: float, as_json: bool) -> None:
    import json
    import shlex

    if as_json:
        click.echo(json.dumps({"folder": str(folder), **recipe}))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.panel import Panel
    from rich.table import Table

    kept, wiped = recipe["scores"]["kept"], recipe["scores"]["wiped"]
    rows = Table.grid(padding=(0, 2))
    rows.add_row(
        "return", f"episode 1: {kept[0]:.3g}, episode {len(kept)}: {kept[-1]:.3g}; the optimum is {optimum:.3g}"
    )
    rows.add_row("memory wiped", f"episode {len(wiped)}: {wiped[-1]:.3g}")
    rows.add_row("cost", f"{recipe['env_steps']:,} steps of tasks, {recipe['cpu_seconds']:.0f} CPU-seconds")
    rows.add_row("tasks", f"{recipe['scores']['tasks']} that training never saw, the best action always")
    rows.add_row("policy", escape(str(folder)))
    Console(highlight=False).print(Panel(rows, title=recipe["family"], title_align="left", expand=False))
    words = ["holdfast", "run", recipe["env_id"], "--policy", f"retention:{folder}", "--memory", "memory.db"]
    click.echo(f"use it:   {shlex.join(words)}")
