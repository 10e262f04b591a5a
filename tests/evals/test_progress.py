from __future__ import annotations

import io

from rich.console import Console

from evals.phase import PhaseRun
from evals.progress import ProgressLine
from evals.results import Result
from evals.suite import Case


def result(seed: int, error: str | None = None) -> Result:
    case = Case(suite="s", version=1, task="t", arm="[a]", seed=seed, phases=("m:f",))
    return Result(case=case, phases=(PhaseRun(phase="m:f", process=1, seconds=2.04, answer={}),), error=error)


def told(*, terminal: bool) -> str:
    out = io.StringIO()
    with ProgressLine(5, Console(file=out, force_terminal=terminal, width=100)) as line:
        line.resumed(2)
        line.started(result(2).case)
        line.ended(result(2))
        line.ended(result(3, "m:f failed: ValueError: [red] (log: x)"))
    return out.getvalue()


def test_without_a_terminal_there_is_a_plain_line_for_each_case():
    assert told(terminal=False) == (
        "2 of 5 cases were finished before\n"
        "3/5 t [a] seed 2: done in 2.0 s\n"
        "t [a] seed 3 failed: m:f failed: ValueError: [red] (log: x)\n"
    )


def test_on_a_terminal_one_line_lives_and_only_failures_stay():
    text = told(terminal=True)
    assert "4/5" in text
    assert "done in" not in text
    assert "t [a] seed 3 failed: m:f failed: ValueError: [red] (log: x)" in text
