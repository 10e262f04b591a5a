"""The commands ``holdfast eval`` and ``holdfast bench``."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, final

import click

from .benches.index_command import index
from .benches.layer_command import layer
from .benches.memory_command import memory
from .benches.recall_command import recall
from .benches.tools_command import poisoning, tools

if TYPE_CHECKING:
    from .report import Report
    from .suite import Case, Suite

_Function = TypeVar("_Function", bound=Callable[..., Any])


@final
class _Suites(click.Group):
    """A click group with one command for each suite, made when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return ``list`` and the names of the suites."""
        from .suites import SUITES

        return [*super().list_commands(ctx), *sorted(SUITES)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name; wrong usage with the nearest name where there is none."""
        from retention import NotFoundError

        from .suites import find_suite

        command = super().get_command(ctx, cmd_name)
        if command is not None or ctx.resilient_parsing or cmd_name.startswith("-"):
            return command
        try:
            return _suite_command(find_suite(cmd_name))
        except NotFoundError as error:
            ctx.fail(str(error))


@click.group(name="eval", cls=_Suites)
def evaluate() -> None:
    """Run evaluation suites: tasks, arms and seeds, each case in processes of its own.

    A suite keeps its results in one SQLite file under its --out folder. Calling it again goes on where it stopped: a
    finished case is never run twice.

    \b
    Example:
      holdfast eval list
      holdfast eval cross-session --seeds 2 --out results
    """


@evaluate.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def list_suites(as_json: bool) -> None:
    """List the suites.

    \b
    Example:
      holdfast eval list
    """
    import json

    from .suites import SUITES, find_suite

    suites = [find_suite(name) for name in sorted(SUITES)]
    if as_json:
        rows = [
            {
                "name": suite.name,
                "version": suite.version,
                "summary": suite.summary,
                "tasks": list(suite.tasks),
                "arms": list(suite.arms),
                "seeds": suite.seeds,
            }
            for suite in suites
        ]
        click.echo(json.dumps({"suites": rows}))
        return
    for suite in suites:
        click.echo(f"{suite.name}  {suite.summary}")
        click.echo(f"  tasks {', '.join(suite.tasks)}; arms {', '.join(suite.arms)}; {suite.seeds} seeds")


def _suite_command(suite: Suite) -> click.Command:
    """Return the command that runs a suite."""

    @click.command(
        name=suite.name,
        short_help=suite.summary,
        help=f"{suite.summary}\n\n\b\nExample:\n  holdfast eval {suite.name} --seeds {suite.seeds} --out results",
    )
    @click.option(
        "--seeds",
        type=click.IntRange(min=1),
        default=suite.seeds,
        show_default=True,
        help="How many seeds; they are 0, 1, 2, ...",
    )
    @click.option(
        "--first-seed",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help="The first of them: with --seeds 2, a first seed of 3 runs 3 and 4.",
    )
    @_only("task", suite.tasks)
    @_only("arm", suite.arms)
    @click.option(
        "--out",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path("holdfast-results") / suite.name,
        show_default=True,
        help="The folder for results, memories, report and figure.",
    )
    @click.option(
        "--jobs",
        type=click.IntRange(min=1),
        default=_cores,
        show_default="the number of cores",
        help="How many cases run at the same time.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
    def run_suite(
        seeds: int,
        first_seed: int,
        tasks: tuple[str, ...],
        arms: tuple[str, ...],
        out: Path,
        jobs: int,
        as_json: bool,
    ) -> None:
        from .suite import limits

        cases = suite.cases(range(first_seed, first_seed + seeds), tasks=tasks, arms=arms)
        if not cases:
            raise click.UsageError(f"{suite.name}: no task of {', '.join(tasks)} is played by {', '.join(arms)}")
        chosen = [("--first-seed", str(first_seed))] if first_seed else []
        chosen += [("--task", task) for task in tasks] + [("--arm", arm) for arm in arms]
        again = ["holdfast", "eval", suite.name, "--seeds", str(seeds), *chain(*chosen), "--out", str(out)]
        _run_suite(suite, cases, out, jobs, as_json, shlex.join(again), limits(seeds, tasks, arms))

    return run_suite


def _only(what: str, names: Iterable[str]) -> Callable[[_Function], _Function]:
    """Return the option that chooses among the tasks or the arms of a suite."""
    return click.option(
        f"--{what}",
        f"{what}s",
        type=click.Choice(list(names), case_sensitive=False),
        multiple=True,
        metavar=what.upper(),
        help=f"Run and report this {what} alone; may be given several times. 'holdfast eval list' names them.",
    )


def _run_suite(
    suite: Suite, cases: Sequence[Case], out: Path, jobs: int, as_json: bool, again: str, limits: Sequence[str]
) -> None:
    from retention import HoldfastError

    from .progress import ProgressLine
    from .reference import load
    from .runner import run_cases

    cases, absent = _that_can_run(suite, cases)
    if not cases:
        raise HoldfastError(f"nothing of this can be run here: {'; '.join(absent)}")
    for sentence in absent:
        click.echo(sentence, err=True)
    with ProgressLine(len(cases)) as line:
        try:
            results = run_cases(
                cases, out, jobs=jobs, on_resume=line.resumed, on_start=line.started, on_result=line.ended
            )
        except KeyboardInterrupt:
            click.echo(f"\nstopped; what has ended is kept in {out}. Go on with: {again}", err=True)
            raise
    finished = [result for result in results if result.error is None]
    if finished:
        report: Report = load(suite.score)(finished)
        told = " ".join([report.verdict, *(f"{sentence}." for sentence in (*limits, *absent))])
        _show(suite, replace(report, verdict=told), out, as_json)
    failed = len(cases) - len(finished)
    if failed:
        raise HoldfastError(
            f"{failed} of {len(cases)} cases failed (their logs are in {out / 'cases'}). Try again: {again}"
        )


def _that_can_run(suite: Suite, cases: Sequence[Case]) -> tuple[Sequence[Case], tuple[str, ...]]:
    """Return the cases that can run on this machine, and a sentence for each reason why others cannot."""
    from .reference import load

    if not suite.left_out:
        return cases, ()
    why = load(suite.left_out)
    reasons: dict[tuple[str, str], str | None] = {}
    for case in cases:  # a reason is the machine's: the same for every seed
        if (case.task, case.arm) not in reasons:
            reasons[case.task, case.arm] = why(case)
    absent = tuple(dict.fromkeys(reason for reason in reasons.values() if reason is not None))
    return [case for case in cases if reasons[case.task, case.arm] is None], absent


def _show(suite: Suite, report: Report, out: Path, as_json: bool) -> None:
    """Write the report and its figure into the folder of the run, and print it."""
    from rich.console import Console

    from retention import MissingExtraError

    from .figure import draw_report
    from .report import report_tables

    (out / "report.json").write_text(report.as_json() + "\n")
    if report.rows:
        try:
            draw_report(report, out / "report.png", metric=suite.headline, title=suite.summary)
            click.echo(f"figure: {out / 'report.png'}", err=True)
        except MissingExtraError as error:  # the numbers are there all the same
            click.echo(f"no figure: {error}", err=True)
    if as_json:
        click.echo(report.as_json())
        return
    console = Console()
    for table in report_tables(report):
        console.print(table, "")
    click.echo(f"{report.verdict}\nresults: {out / 'results.db'}, {out / 'report.json'}")


def _cores() -> int:
    import os

    affinity = getattr(os, "sched_getaffinity", None)  # not on every system; a container may grant fewer than there are
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@click.group()
def bench() -> None:
    """Measure speed on this machine.

    \b
    Example:
      holdfast bench loop
      holdfast bench layer --quick
    """


@bench.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def loop(as_json: bool) -> None:
    """Measure what the agent's loop costs over a bare environment loop, in microseconds a step, beside other libraries.

    The loops run by turns, on one thread; a row holds medians over the turns: of_dqn is the speed as a share of that of
    Stable-Baselines3's DQN, times_recurrent a multiple of that of RecurrentPPO, in the same environment. Takes two
    minutes. The other libraries come with the extra "bench"; what is not installed is left out.

    \b
    Example:
      holdfast bench loop --json
    """
    import json

    from rich.console import Console

    from .benches.loop import absent, measure
    from .report import bench_table

    sentences = absent()
    for sentence in sentences:
        click.echo(sentence, err=True)
    rows = measure()
    if as_json:
        click.echo(json.dumps({"bench": "loop", "left_out": sentences, "rows": rows}))
        return
    Console().print(bench_table("loop: medians over turns", rows))


bench.add_command(index)
bench.add_command(layer)
bench.add_command(memory)
bench.add_command(recall)
bench.add_command(poisoning)
bench.add_command(tools)
