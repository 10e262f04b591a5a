"""The commands that change a memory file: forgetting, moving, encoding anew, compacting."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from .command_arguments import (
    confirm,
    holder,
    in_file,
    namespaces,
    of_namespace,
    with_encoder,
    with_json,
    with_yes,
)

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def _say(done: DataclassInstance, as_json: bool, **more: Any) -> None:
    row = asdict(done) | more
    click.echo(json.dumps(row) if as_json else ", ".join(f"{name} {value}" for name, value in row.items()))


@click.command()
@in_file
@click.argument("ids", type=int, nargs=-1)
@of_namespace
@click.option("--all", "everything", is_flag=True, help="Everything of the namespace, its name included.")
@with_yes
@with_json
def forget(file: str, ids: tuple[int, ...], namespace: str | None, everything: bool, yes: bool, as_json: bool) -> None:
    """Delete templates by their numbers, or a whole namespace, for good.

    \b
    Examples:
      holdfast memory forget memory.db 17 18 --yes
      holdfast memory forget memory.db --namespace alice --all --yes
    """
    from .store import EpisodicMemory

    if everything == bool(ids):
        raise click.UsageError("name the templates to forget, or --all with --namespace")
    if everything and namespace is None:
        raise click.UsageError("--all needs --namespace: it says whose everything goes")
    # Reading comes first: a name that is mistyped must not make a file.
    with EpisodicMemory.open(file, mode="ro") as memory:
        if everything:
            namespaces(memory, namespace)
        owners = {number: holder(memory, namespace, str(number)) for number in ids}
    what = f"everything of {namespace!r}" if everything else f"{len(owners)} templates"
    confirm(yes, f"Delete {what} from {file} for good?")
    with EpisodicMemory.open(file) as memory:
        if everything and namespace is not None:
            _say(memory.forget_namespace(namespace), as_json)
            return
        gone = receipts = 0
        for name in sorted(set(owners.values())):
            done = memory.forget([number for number, owner in owners.items() if owner == name], namespace=name)
            gone, receipts = gone + done.templates, receipts + done.receipts
    click.echo(json.dumps({"templates": gone, "receipts": receipts}) if as_json else f"templates {gone}")


@click.command()
@in_file
@click.argument("out", type=click.Path())
@of_namespace
@with_yes
@with_json
def export(file: str, out: str, namespace: str | None, yes: bool, as_json: bool) -> None:
    """Write everything, or one namespace, to a file of JSON lines.

    \b
    Example:
      holdfast memory export memory.db memory.jsonl
    """
    from pathlib import Path

    from .store import EpisodicMemory

    if out == "-":
        raise click.UsageError("OUT is a file: an export is there as a whole or not at all")
    with EpisodicMemory.open(file, mode="ro") as memory:
        namespaces(memory, namespace)
        there = Path(out).exists()
        if there:
            confirm(yes, f"Replace {out}?")
        _say(memory.export(out, namespace=namespace, overwrite=there), as_json)


@click.command("import")
@in_file
@click.argument("source", type=click.Path())
@with_json
def import_(file: str, source: str, as_json: bool) -> None:
    """Take in what `holdfast memory export` wrote; what is there already stays as it is.

    \b
    Example:
      holdfast memory import memory.db memory.jsonl
    """
    from .store import EpisodicMemory
    from .transfer import check_export

    check_export(source)
    with EpisodicMemory.open(file) as memory:
        _say(memory.import_file(source), as_json)


@click.command()
@in_file
@with_encoder
@with_yes
@with_json
def reembed(file: str, encoder: str | None, yes: bool, as_json: bool) -> None:
    """Give every text the vector of another encoder; after an interruption the same command goes on.

    \b
    Example:
      holdfast memory reembed memory.db --encoder ./my-model --yes
    """
    from .store import EpisodicMemory

    with EpisodicMemory.open(file, mode="ro"):
        pass
    confirm(yes, f"Replace the vectors of all texts in {file}?")
    with EpisodicMemory.open(file) as memory:
        _say(memory.reembed(encoder), as_json)


@click.command()
@in_file
@click.option("--keep", type=click.IntRange(min=0), help="Discard the least useful texts beyond so many a namespace.")
@of_namespace
@with_yes
@with_json
def compact(file: str, keep: int | None, namespace: str | None, yes: bool, as_json: bool) -> None:
    """Write the file anew as small as what it holds; with --keep, discard the least useful texts first.

    \b
    Examples:
      holdfast memory compact memory.db
      holdfast memory compact memory.db --keep 5000 --yes
    """
    from .store import EpisodicMemory

    with EpisodicMemory.open(file, mode="ro") as memory:
        names = namespaces(memory, namespace)
    offered = kept = 0
    if keep is not None:
        confirm(yes, f"Discard all but the {keep} most useful texts of {', '.join(names)} in {file} for good?")
    with EpisodicMemory.open(file) as memory:
        for name in names if keep is not None else []:
            done = memory.trim(keep or 0, namespace=name)
            offered, kept = offered + done.offered, kept + done.kept
        report = {} if keep is None else {"offered": offered, "kept": kept}
        _say(memory.compact(), as_json, **report)


@click.command()
@in_file
@with_yes
@with_json
def seal(file: str, yes: bool, as_json: bool) -> None:
    """Seal every text as it is with the key file beside the memory, which is made if there is none.

    For a memory that has lost its key, or that was not sealed yet; what is held as tampered stays so.

    \b
    Example:
      holdfast memory seal memory.db --yes
    """
    from .store import EpisodicMemory

    # Reading comes first: a name that is mistyped must not make a file.
    with EpisodicMemory.open(file, mode="ro"):
        pass
    confirm(yes, f"Take every text in {file} for true as it is now?")
    with EpisodicMemory.open(file) as memory:
        sealed = memory.seal()
    click.echo(json.dumps({"sealed": sealed}) if as_json else f"sealed {sealed}")
