"""One phase of a case, in an operating-system process of its own.

The parent writes a request into the folder of the case and starts a fresh interpreter on it; the child writes the
outcome there. Nothing else goes between them, so what one phase leaves to the next is what lies in that folder. A phase
that raises, runs out of memory or is killed harms nobody but its case.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from .reference import load
from .suite import Case

# Isolated (-I): nothing in the working directory can stand in front of ours. The search path comes with the request.
_CHILD = """
import json, sys
request = json.load(open(sys.argv[1]))
sys.path[:] = request["path"]
from evals.phase import serve
serve(request)
"""
_POLL_SECONDS = 0.2


class PhaseFailedError(Exception):
    """A phase ended without an answer; the message is one line."""


class PhaseStoppedError(Exception):
    """A phase was stopped because the run was."""


@final
@dataclass(frozen=True, kw_only=True)
class PhaseRun:
    """A phase that ended well.

    Attributes:
        phase: ``"module:function"``.
        process: the id of the process that it ran in.
        seconds: how long that process lived.
        answer: what the function returned.
    """

    phase: str
    process: int
    seconds: float
    answer: Mapping[str, Any]


def run_phase(
    case: Case, number: int, folder: Path, earlier: Sequence[Mapping[str, Any]], stop: threading.Event
) -> PhaseRun:
    """Run a phase in a new process and wait for its answer.

    Args:
        case: whose phase.
        number: which of its phases, from 0.
        folder: the folder of the case; exists.
        earlier: the answers of the earlier phases.
        stop: when set, the process is killed.

    Raises:
        PhaseFailedError: the process ended without an answer.
        PhaseStoppedError: ``stop`` was set.
    """
    phase = case.phases[number]
    folder = folder.resolve()
    request_file, outcome_file, log_file = (folder / f"phase-{number}.{end}" for end in ("request", "json", "log"))
    request = {
        "path": [str(Path(entry).resolve()) for entry in sys.path],
        "case": case.as_dict(),
        "phase": phase,
        "folder": str(folder),
        "earlier": list(earlier),
        "outcome_file": str(outcome_file),
    }
    request_file.write_text(json.dumps(request))
    started = time.monotonic()
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", _CHILD, str(request_file)],
            stdin=subprocess.PIPE,  # never written to: the child sees it close when this process is gone
            stdout=log,
            stderr=log,
            env={**os.environ, "OMP_NUM_THREADS": "1"},  # cases are what runs in parallel, and sums keep their order
            start_new_session=True,  # Ctrl-C is for the parent, which ends its children
        )
    with process:
        try:
            while not _ended(process) and not stop.is_set():
                pass
        finally:
            process.kill()  # does nothing to one that has ended
    if outcome_file.exists():
        outcome = json.loads(outcome_file.read_text())
        if "answer" in outcome:
            seconds = time.monotonic() - started
            return PhaseRun(phase=phase, process=process.pid, seconds=seconds, answer=outcome["answer"])
        reason = f"failed: {outcome['error']}"
    elif stop.is_set():
        raise PhaseStoppedError(phase)
    elif process.returncode < 0:
        reason = f"was killed by signal {-process.returncode} ({signal.strsignal(-process.returncode)})"
    else:
        reason = f"gave no answer and ended with exit code {process.returncode}"
    raise PhaseFailedError(f"{phase} {reason} (log: {log_file})")


def serve(request: Mapping[str, Any]) -> None:
    """Run the function of a request and write the outcome; this is the child's side."""
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    try:
        case = Case.from_dict(request["case"])
        answer = load(request["phase"])(case, Path(request["folder"]), request["earlier"])
        outcome = json.dumps({"answer": answer}, allow_nan=False)
    except Exception as error:
        traceback.print_exc()
        outcome = json.dumps({"error": " ".join(f"{type(error).__name__}: {error}".split())})
    outcome_file = Path(request["outcome_file"])
    unfinished = outcome_file.with_suffix(".part")
    unfinished.write_text(outcome)
    unfinished.replace(outcome_file)


def _end_with_the_parent() -> None:
    os.read(0, 1)  # returns when the parent closes the pipe or is gone, however it ended
    os._exit(1)


def _ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(_POLL_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True
