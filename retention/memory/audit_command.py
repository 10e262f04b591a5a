"""The command ``holdfast memory audit``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from .command_arguments import confirm, in_file, is_run, namespaces, of_namespace, with_json, with_yes

if TYPE_CHECKING:
    from .store import EpisodicMemory


@click.command()
@in_file
@click.option("--as-of", "moment", required=True, metavar="TIME", help="2026-11-28T09:30, or an age: 30m, 2h, 3d.")
@of_namespace
@click.option("--source", help="Only what this source wrote and said.")
@click.option("--run", "run_id", metavar="ID", help="Only what belongs to this run of an agent.")
@click.option("--rollback", is_flag=True, help="Take it all back: what is left counts as if it had never come.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Show the newest so many.")
@with_yes
@with_json
def audit(
    file: str,
    moment: str,
    namespace: str | None,
    source: str | None,
    run_id: str | None,
    rollback: bool,
    limit: int,
    yes: bool,
    as_json: bool,
) -> None:
    """Show what has changed since a time, by whom and by which run; with --rollback, take it back.

    \b
    Examples:
      holdfast memory audit memory.db --as-of 2h
      holdfast memory audit memory.db --as-of 2026-11-28T09:30 --namespace alice --source web --rollback
    """
    import time
    from dataclasses import asdict

    from .display import AUDIT_COLUMNS, table
    from .moments import as_moment
    from .store import EpisodicMemory

    try:
        as_of = as_moment(moment, time.time())
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--as-of") from None
    # Reading comes first: a name that is mistyped must not make a file.
    with EpisodicMemory.open(file, mode="ro") as memory:
        names = namespaces(memory, namespace)
        if run_id is not None:
            names = [_holder_of_run(memory, names, run_id)]
        found = [memory.audit(as_of, namespace=name, source=source, run_id=run_id) for name in names]
    entries = sorted((asdict(entry) for each in found for entry in each.entries), key=lambda row: row["created"])
    report = {
        "as_of": as_of,
        "transitions": sum(each.transitions for each in found),
        "active_since": [number for each in found for number in each.active_since],
        "quarantined_since": [number for each in found for number in each.quarantined_since],
        "rolled_back": None,
    }
    if not as_json:
        click.echo(table(entries[-limit:], AUDIT_COLUMNS))
        click.echo(_summary(report, len(entries), limit))
    if rollback:
        confirm(yes, f"Take back all that came since {moment} in {', '.join(names)} of {file}, with no way back?")
        with EpisodicMemory.open(file) as memory:
            done = memory.roll_back(as_of, namespace=names, source=source, run_id=run_id)
        report["rolled_back"] = asdict(done)
        if not as_json:
            counts = ", ".join(f"{name} {count}" for name, count in asdict(done).items())
            click.echo(f"rolled back: {counts}")
    if as_json:
        click.echo(json.dumps({"entries": entries} | report))


def _holder_of_run(memory: EpisodicMemory, names: list[str], run_id: str) -> str:
    """Return which of some namespaces has a run.

    Raises:
        NotFoundError: if none has it.
    """
    from ..errors import NotFoundError

    for name in names:
        if is_run(memory, run_id, name):
            return name
    raise NotFoundError(f"{memory.path}: no run {run_id!r} in {', '.join(names)}; the audit without --run names them")


def _summary(report: dict[str, object], count: int, limit: int) -> str:
    lines = [f"changes {count}" + (f", the newest {limit} shown" if count > limit else "")]
    if report["transitions"]:
        lines.append(f"new transitions {report['transitions']}")
    for name, what in (("active_since", "in use now and not then"), ("quarantined_since", "in use then and not now")):
        numbers = report[name]
        if isinstance(numbers, list) and numbers:
            shown = ", ".join(map(str, numbers[:20])) + (", ..." if len(numbers) > 20 else "")
            lines.append(f"templates {what} ({len(numbers)}): {shown}")
    return "\n".join(lines)
