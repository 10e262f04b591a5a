"""The commands ``holdfast memory`` and ``holdfast feedback``."""

from __future__ import annotations

import json

import click

from .changing_commands import compact, export, forget, import_, reembed
from .command_arguments import holder, in_file, of_namespace, with_json
from .looking_commands import list_, search, show, stats, verify


@click.group()
def memory() -> None:
    """Look into a memory file, keep it in order, move it.

    \b
    Example:
      holdfast memory stats memory.db
    """


for _command in (list_, show, search, stats, verify, forget, export, import_, reembed, compact):
    memory.add_command(_command)


@click.command(context_settings={"ignore_unknown_options": True})
@in_file
@click.argument("episode_id")
@click.argument("rating", metavar="up|down")
@of_namespace
@with_json
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
        name = holder(memory, namespace, episode_id)
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
