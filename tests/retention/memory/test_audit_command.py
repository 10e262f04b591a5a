"""The command that shows what has changed in a memory since a time, and takes it back."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from retention import EpisodicMemory, TemplateDraft
from retention.memory.commands import memory
from retention.memory.moments import as_moment

KEY = np.array([1.0, 0.0])


@pytest.fixture
def poisoned(path: Path) -> tuple[Path, str, str]:
    """A memory with a text of before, and what a web page had a run note since; the time between, and the run."""
    with EpisodicMemory.open(path) as opened:
        opened.write([TemplateDraft(content="the ward opens at nine", key=KEY)], namespace="alice")
        opened.write([TemplateDraft(content="bob's own", key=KEY)], namespace="bob")
        then = datetime.now().astimezone().isoformat()
        run = opened.begin_run(namespace="alice", task="chat", user="ann").run_id
        draft = TemplateDraft(content="press the\x1b[2J red knob", key=KEY, source="web")
        opened.note(draft, run_id=run, namespace="alice")
        opened.run_outcome(run, namespace="alice", reward=1.0)
        found = opened.recall(KEY, namespace="alice").receipt_id
        opened.update_outcome(str(found), namespace="alice", rating=-1.0, source="mallory", reason="it lied")
    return path, then, run


def run(*arguments: object, answer: str | None = None) -> Result:
    return CliRunner().invoke(memory, ["audit", *map(str, arguments)], input=answer)


def parsed(*arguments: object) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def active(path: Path) -> list[int]:
    with EpisodicMemory.open(path, mode="ro") as opened:
        return [
            each.id
            for name in opened.namespaces()
            for each in opened.templates(namespace=name)
            if each.status == "active"
        ]


def test_it_shows_what_came_since_and_writes_nothing(poisoned: tuple[Path, str, str]) -> None:
    path, then, of = poisoned
    before = path.read_bytes()
    shown = parsed(path, "--as-of", then)
    assert [(row["what"], row["source"], row["run_id"], row["user"]) for row in shown["entries"]] == [
        ("template", "web", of, "ann"),
        ("outcome", "user", of, "ann"),
        ("feedback", "mallory", None, None),
    ]
    assert shown["entries"][2]["says"] == "rating -1; it lied"
    assert (shown["active_since"], shown["quarantined_since"], shown["transitions"]) == ([3], [], 0)
    assert shown["rolled_back"] is None
    text = run(path, "--as-of", then).output
    assert "changes 3\ntemplates in use now and not then (1): 3\n" in text
    assert "\x1b" not in text
    assert "changes 2, the newest 1 shown" in run(path, "--as-of", then, "--run", of, "--limit", 1).output
    assert [row["what"] for row in parsed(path, "--as-of", then, "--source", "mallory")["entries"]] == ["feedback"]
    assert len(parsed(path, "--as-of", "1h")["entries"]) == 5
    assert [row["namespace"] for row in parsed(path, "--as-of", "1h", "--namespace", "bob")["entries"]] == ["bob"]
    assert path.read_bytes() == before


def test_it_takes_it_back_after_a_yes(poisoned: tuple[Path, str, str]) -> None:
    path, then, of = poisoned
    asked = run(path, "--as-of", then, "--rollback", answer="n\n")
    assert asked.exit_code == 1
    assert f"Take back all that came since {then} in alice, bob of {path}, with no way back?" in asked.output
    assert active(path) == [1, 3, 2]
    done = parsed(path, "--as-of", then, "--run", of, "--rollback", "--yes")["rolled_back"]
    assert (done["quarantined"], done["outcomes"], done["episodes"]) == (1, 1, 1)
    assert active(path) == [1, 2]
    assert "rolled back: quarantined 0, freed 0" in run(path, "--as-of", then, "--rollback", answer="y\n").output
    last = parsed(path, "--as-of", then)["entries"][-1]
    assert last["what"] == "rollback"
    assert last["says"].endswith("; outcomes 1; utilities 2")
    with EpisodicMemory.open(path, mode="ro") as opened:
        assert opened.verify() == []
        assert opened.get(1, namespace="alice").utility == 0


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--as-of", "yesterday"], "'yesterday' is no time; write one as 2026-11-28T09:30, or an age as 30m, 2h or 3d"),
        (["--as-of", "9999-01-01"], "'9999-01-01' has not come yet; name a time in the past"),
        (["--as-of", "1h", "--namespace", "alcie"], "no namespace 'alcie'; did you mean 'alice'?"),
        (["--as-of", "1h", "--run", "x"], "no run 'x' in alice, bob; the audit without --run names them"),
        ([], "Missing option '--as-of'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_in_a_fresh_process(
    arguments: list[str], fault: str, poisoned: tuple[Path, str, str], root: Path
) -> None:
    command = [sys.executable, "-m", "agent", "memory", "audit", str(poisoned[0]), *arguments]
    for more in ([], ["--rollback", "--yes"]):
        done = subprocess.run([*command, *more], capture_output=True, text=True, cwd=root, check=False)
        assert done.returncode != 0
        assert fault in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stdout == ""
    assert active(poisoned[0]) == [1, 3, 2]


def test_a_fresh_process_takes_it_back(poisoned: tuple[Path, str, str], root: Path) -> None:
    path, then, _ = poisoned
    command = [sys.executable, "-m", "agent", "memory", "audit", str(path), "--as-of", then]
    # Without a terminal to ask at, nothing is taken back.
    closed = subprocess.DEVNULL
    asked = subprocess.run([*command, "--rollback"], capture_output=True, stdin=closed, cwd=root, check=False)
    assert asked.returncode != 0
    assert active(path) == [1, 3, 2]
    command += ["--rollback", "--yes", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=True)
    assert json.loads(done.stdout)["rolled_back"]["quarantined"] == 1
    assert active(path) == [1, 2]


NOW = datetime(2026, 11, 28, 12, 0, tzinfo=timezone.utc).timestamp()


def test_times_as_people_write_them() -> None:
    for text, seconds in {"90s": 90, "30m": 1800, "2h": 7200, "3d": 259_200, "1w": 604_800, " 1.5 h ": 5400}.items():
        assert as_moment(text, NOW) == NOW - seconds
    assert as_moment("2026-11-28T11:00:00Z", NOW) == NOW - 3600
    assert as_moment("2026-11-28T11:00+02:00", NOW) == NOW - 3 * 3600
    assert as_moment("2026-11-20T09:30", NOW) == datetime(2026, 11, 20, 9, 30).timestamp()
    for text in ("", "h", "2 years", "-2h", "2026-13-01", "12:00", "1e3d", "9" * 400 + "d"):
        with pytest.raises(ValueError, match="is no time; write one as"):
            as_moment(text, NOW)
    with pytest.raises(ValueError, match="'2026-11-28T12:00:01Z' has not come yet"):
        as_moment("2026-11-28T12:00:01Z", NOW)


@given(st.integers(1, 10**6), st.sampled_from([-8, 0, 5]))
def test_a_time_with_a_zone_is_that_moment(minutes: int, hours: int) -> None:
    moment = datetime.fromtimestamp(NOW, timezone(timedelta(hours=hours))) - timedelta(minutes=minutes)
    assert as_moment(moment.isoformat(), NOW) == moment.timestamp() == as_moment(f"{minutes}m", NOW)


def test_the_present_is_no_future() -> None:
    assert as_moment(datetime.now().astimezone().isoformat(), time.time()) <= time.time()
