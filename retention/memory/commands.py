"""The commands ``holdfast memory`` and ``holdfast feedback``."""

from __future__ import annotations

import json

import click

from .audit_command import audit
from .changing_commands import compact, export, forget, import_, reembed, seal
from .command_arguments import as_name, holder, in_file, is_receipt, is_run, of_namespace, with_json
from .looking_commands import list_, search, show, stats, verify


@click.group()
def memory() -> None:
    """Look into a memory file, keep it in order, move it.

    \b
    Example:
      holdfast memory stats memory.db
    """


for _command in (list_, show, search, stats, verify, audit, forget, export, import_, reembed, compact, seal):
    memory.add_command(_command)


@click.command(context_settings={"ignore_unknown_options": True})
@in_file
@click.argument("id")
@click.argument("rating", metavar="up|down")
@of_namespace
@click.option("--feedback-id", callback=as_name, help="A name for this rating: the same one again changes nothing.")
@click.option(
    "--source",
    default="user",
    show_default=True,
    callback=as_name,
    help="Who says it; what 'agent' says counts for little.",
)
@with_json
def feedback(
    file: str, id: str, rating: str, namespace: str | None, feedback_id: str | None, source: str, as_json: bool
) -> None:
    """Rate an episode, an agent's run, or the answer that a receipt was written for, now or long after it.

    The memory decides anew what it is worth, and what was recalled for it. A number from -1 to 1 is between up and
    down.

    \b
    Example:
      holdfast feedback memory.db 3f1c0a52b0e94d0f8a4f6f0c2f0f7a11 down
    """
    from .store import EpisodicMemory

    number = _as_rating(rating)
    # Reading comes first: a name that is mistyped must not make a file.
    with EpisodicMemory.open(file, mode="ro") as memory:
        name = holder(memory, namespace, id)
        by_receipt, by_run = is_receipt(memory, id, name), is_run(memory, id, name)
    with EpisodicMemory.open(file) as memory:
        tell = memory.run_outcome if by_run else memory.update_outcome if by_receipt else memory.feedback
        done = tell(id, namespace=name, rating=number, feedback_id=feedback_id, source=source)
        rating_now = None if done.episode_id is None else memory.episode(done.episode_id, namespace=name).rating
    if as_json:
        row = {"episode_id": done.episode_id, "receipt_id": done.receipt_id, "namespace": name, "rating": number}
        click.echo(
            json.dumps(row | {"gate": done.gate.signed, "feedback_id": done.feedback_id, "applied": done.applied})
        )
        return
    mean = ""
    if rating_now not in (None, number):
        mean = f" (with the ratings before, the episode stands at {rating_now:+.2g})"
    what = f"rated {number:+g}" if done.applied else "this rating was there already"
    click.echo(f"{what}; the gate is now {done.gate.signed:+.2f}{mean}")


def _as_rating(text: str) -> float:
    try:
        number = {"up": 1.0, "down": -1.0}.get(text) or float(text)
    except ValueError:
        number = float("nan")
    if not -1 <= number <= 1:
        raise click.BadParameter(f"{text!r} is not up, down or a number from -1 to 1", param_hint="RATING")
    return number
