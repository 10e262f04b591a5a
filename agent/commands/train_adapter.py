"""``holdfast train adapter``: teach a frozen language model to read facts that it was told in earlier sessions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .training_options import RATE, SEED, training_options

if TYPE_CHECKING:
    from retention import Handle

    from ..adapter.plan import AdapterPlan
    from ..adapter.training import AdapterTraining

ITERATIONS, PEOPLE, STEP = 1500, 1400, 1e-3
_MARKS, _SHORTEST = 6, 50  # times that a training is tried and saved, and iterations between them at least
_SPOKEN = {"question": "as a question", "chat": "in chat"}
_UNFINISHED = "training.safetensors"


@click.command("adapter")
@click.option(
    "--model",
    default="local",
    show_default=True,
    help="The frozen model: local, the folder of a model of transformers, or its name on the hub.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder of the adapter; adapters/MODEL by default.",
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="The same seed, the same adapter.")
@click.option(
    "--iterations", type=click.IntRange(min=1), default=ITERATIONS, show_default=True, help="Optimiser steps."
)
@click.option(
    "--people",
    type=click.IntRange(min=10),
    default=PEOPLE,
    show_default=True,
    help="Made-up people whose facts are learned from; the model reads about nine texts of each.",
)
@click.option("--rate", type=RATE, default=STEP, show_default=True, help="Learning rate.")
@click.option("--device", default="cpu", show_default=True, help="Where the model runs, as torch names it.")
@training_options
def adapter(
    model: str,
    out: Path | None,
    seed: int,
    iterations: int,
    people: int,
    rate: float,
    device: str,
    tensorboard: Path | None,
    plot: str | None,
    as_json: bool,
    display: str,
) -> None:
    """Train an adapter by which a frozen language model reads facts that it was told in earlier sessions.

    The model stays as it is, to the bit. It reads made-up facts once; the adapter learns to write and to read them.
    A training that was interrupted goes on when the same command is given again, and ends with the same weights. The
    finished adapter is a folder with adapter.safetensors and recipe.json.

    \b
    Example:
      holdfast train adapter --out my-adapter --plot curve.png
      holdfast train adapter --model ./my-llama --people 3000 --iterations 2000
    """
    if plot is not None:
        from .plot import check_plot

        check_plot(plot)

    folder = out or Path("adapters") / (Path(model).name or model)
    _check_writable(folder)

    from retention import attach

    from ..adapter.plan import AdapterPlan
    from ..chat.causal import load_causal
    from .board import board

    plan = AdapterPlan(model=model, seed=seed, iterations=iterations, people=people, rate=rate)
    loaded = load_causal(model, device=device)
    handle = attach(loaded.model, tokenizer=loaded.tokenizer, seed=seed)
    try:
        with board(tensorboard) as write:
            training = _train(plan, handle, folder, display, write)
        recipe = _finish(training, folder)
    finally:
        handle.detach()
    _report(recipe, folder, loaded.name, as_json)
    if plot is not None:
        from .plot import draw_recall

        draw_recall(Path(plot), recipe["curve"], title=loaded.name)


def _check_writable(folder: Path) -> None:
    """Write into the folder at once: that it cannot be done must show now and not after minutes.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / ".holdfast"
    probe.write_bytes(b"")
    probe.unlink()


def _train(plan: AdapterPlan, handle: Handle, folder: Path, display: str, write: Any) -> AdapterTraining:
    """Train to the end, saving what has been reached at each mark."""
    from ..adapter.preparing import Prepared
    from ..adapter.training import AdapterTraining, checked
    from .live import texts_line, training_line

    unfinished = folder / _UNFINISHED
    try:
        if unfinished.exists():
            checked(unfinished, plan, handle.base)
        with texts_line(display) as on_texts:
            prepared = Prepared(plan, handle, folder, on_texts)
        if unfinished.exists():
            training = AdapterTraining.load(unfinished, plan, prepared)
        else:
            training = AdapterTraining(plan, prepared)
            training.save(unfinished)
        if training.iteration and display != "none":
            click.echo(f"going on at iteration {training.iteration:,} of {plan.iterations:,}", err=True)
        every = max(-(-plan.iterations // _MARKS), _SHORTEST)
        with training_line(training.iteration, plan.iterations, display) as (step, marked):
            while not training.finished:
                mark = training.run(training.iteration + every, on_step=step)
                training.save(unfinished)
                marked(mark)
                write(mark)
    except KeyboardInterrupt:
        click.echo(f"\nstopped; the same command goes on from {folder}", err=True)
        raise
    return training


def _finish(training: AdapterTraining, folder: Path) -> dict[str, Any]:
    """Try the adapter with the weights that are kept of it; save it, and return its recipe."""
    from retention import rounded_adapter

    from ..adapter.preparing import remove_prepared
    from ..adapter.recipe import recipe_of, save_recipe
    from ..adapter.trial import trial

    rounded_adapter(training.adapter)
    recipe = recipe_of(training, trial(training.reader))
    training.reader.handle.save(folder / "adapter.safetensors")
    save_recipe(recipe, folder / "recipe.json")
    (folder / _UNFINISHED).unlink(missing_ok=True)
    remove_prepared(folder)
    return recipe


def _report(recipe: dict[str, Any], folder: Path, name: str, as_json: bool) -> None:
    import json

    if as_json:
        click.echo(json.dumps({"folder": str(folder), **recipe}))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.panel import Panel
    from rich.table import Table

    scores = recipe["scores"]
    spoken = [f"{word} {scores[form]:.2f}" for form, word in _SPOKEN.items() if form in scores]
    rows = Table.grid(padding=(0, 2))
    rows.add_row("recalled", f"of {scores['facts']} facts of people it never saw, all in one memory:")
    rows.add_row("", f"{scores['asked']:.2f} told in the words in which they are asked")
    rows.add_row("", f"{scores['taught']:.2f} told in a paraphrase that was taught")
    rows.add_row("", f"{scores['unseen']:.2f} told in one that was not; {', '.join(spoken)}")
    rows.add_row("", f"{scores['untrained']:.2f} of relations that training was not about, told so")
    rows.add_row("", f"{scores['own']:.2f} of who speaks and of things around, likewise")
    rows.add_row("other texts", f"perplexity {scores['drift']:+.2f} % with that memory")
    rows.add_row("size", f"{recipe['trainable']:,} weights, {recipe['trainable_share']:.2%} of the model's")
    rows.add_row("cost", f"{recipe['cpu_seconds']:.0f} CPU-seconds, after {recipe['cache_cpu_seconds']:.0f} of reading")
    rows.add_row("adapter", escape(str(folder)))
    Console(highlight=False).print(Panel(rows, title=name, title_align="left", expand=False))
