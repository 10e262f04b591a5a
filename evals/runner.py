"""Runs the cases of a suite on this machine, several at a time, and never a finished one again."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from .phase import PhaseFailedError, PhaseRun, run_phase
from .results import Result, ResultsFile
from .suite import Case


def run_cases(
    cases: Sequence[Case],
    out: Path,
    *,
    jobs: int = 1,
    on_resume: Callable[[int], None] = lambda finished: None,
    on_start: Callable[[Case], None] = lambda case: None,
    on_result: Callable[[Result], None] = lambda result: None,
) -> list[Result]:
    """Run what is not finished yet, and return the results of all.

    Each result is stored in ``out/results.db`` as soon as its case ends; an interrupted run therefore loses the cases
    in flight alone, and goes on where it stopped when it is called again. A case that failed is stored as failed, does
    not stop the others, and is tried again by the next call. Each case has a folder of its own under ``out/cases``; it
    is emptied before the case begins.

    Args:
        cases: what to run, in this order.
        out: the folder of the run; made where it is missing.
        jobs: how many cases run at the same time, at least 1.
        on_resume: called once, with the number of cases that were finished before.
        on_start: called when a case begins, from another thread.
        on_result: called when a case has ended, after its result is stored.

    Returns:
        One result for each case, in the order of ``cases``.

    Raises:
        ValueError: ``jobs`` is below 1.
        KeyboardInterrupt: Ctrl-C; what had ended is stored, what ran is killed.
    """
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}")
    out.mkdir(parents=True, exist_ok=True)
    with ResultsFile(out / "results.db") as stored:
        results = {result.case.key: result for result in stored.finished(cases)}
        on_resume(len(results))

        def keep(result: Result) -> None:
            stored.save(result)
            results[result.case.key] = result
            on_result(result)

        waiting = {case.key: case for case in cases if case.key not in results}  # one that is named twice runs once
        _run(list(waiting.values()), out / "cases", jobs, on_start, keep)
        return [results[case.key] for case in cases]


def _run(
    cases: Sequence[Case],
    folder: Path,
    jobs: int,
    on_start: Callable[[Case], None],
    keep: Callable[[Result], None],
) -> None:
    stop = threading.Event()
    with ThreadPoolExecutor(max_workers=jobs) as pool:  # a thread only waits for the processes of its case
        waiting = {pool.submit(_run_case, case, folder, stop, on_start) for case in cases}
        try:
            for future in as_completed(tuple(waiting)):
                waiting.remove(future)
                keep(future.result())
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)
            for future in waiting:  # what ended while the run was being interrupted
                if not future.cancelled() and future.exception() is None:
                    keep(future.result())


def _run_case(case: Case, folder: Path, stop: threading.Event, on_start: Callable[[Case], None]) -> Result:
    on_start(case)
    place = folder / f"{case.task}-{case.arm}-seed{case.seed}-{case.key[:8]}"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    done: list[PhaseRun] = []
    try:
        for number in range(len(case.phases)):
            done.append(run_phase(case, number, place, [each.answer for each in done], stop))
    except (PhaseFailedError, OSError) as error:
        return Result(case=case, phases=tuple(done), error=str(error))
    return Result(case=case, phases=tuple(done))
