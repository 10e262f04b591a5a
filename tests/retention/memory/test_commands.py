from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result

from retention import (
    EpisodeDraft,
    EpisodicMemory,
    ForeignFileError,
    HoldfastError,
    NotFoundError,
    TemplateDraft,
    Transitions,
)
from retention.memory.commands import feedback, memory
from retention.memory.encoder import FunctionEncoder
from retention.memory.schema import SCHEMA_VERSION


@pytest.fixture
def kept(path: Path, draft: Callable[..., EpisodeDraft], steps: Callable[..., Transitions]) -> Path:
    with EpisodicMemory.open(path) as memory:
        for number in range(1, 4):
            memory.commit_episode(draft(float(number), number=number), steps(number))
        memory.commit_episode(draft(namespace="bob", task="maze"), steps(9))
        memory.write([TemplateDraft(key=np.ones(3), content="never\x1b[2J mind")], namespace="bob")
    return path


def run(command: click.Command, *arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def parsed(command: click.Command, *arguments: object) -> Any:
    result = run(command, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def test_list(kept: Path) -> None:
    rows = parsed(memory, "list", kept)
    assert [(row["namespace"], row["kind"]) for row in rows] == [("alice", "transition")] * 3 + [
        ("bob", "transition"),
        ("bob", "text"),
    ]
    assert [row["id"] for row in parsed(memory, "list", kept, "--limit", 2)] == [4, 5]
    assert [row["id"] for row in parsed(memory, "list", kept, "--namespace", "alice", "--limit", 2)] == [2, 3]
    assert [row["id"] for row in parsed(memory, "list", kept, "--task", "maze")] == [4]
    assert [row["id"] for row in parsed(memory, "list", kept, "--kind", "text")] == [5]
    assert [row["return"] for row in parsed(memory, "list", kept, "--episodes", "--limit", 3)] == [2, 3, 1]
    assert run(memory, "list", kept, "--kind", "text", "--episodes").exit_code == 2


def test_list_as_text(kept: Path) -> None:
    lines = run(memory, "list", kept).output.splitlines()
    assert lines[0].split()[:5] == ["id", "namespace", "task", "kind", "action"]
    assert lines[1].split()[:6] == ["1", "alice", "corridor", "transition", "1", "1"]
    assert "never\ufffd[2J mind" in lines[5]
    assert run(memory, "list", kept, "--task", "maze", "--kind", "text").output == "nothing there\n"


def test_show(kept: Path) -> None:
    row = parsed(memory, "show", kept, 4)
    assert (row["namespace"], row["key"], row["next_key"]) == ("bob", [9, 1], [10, 1])
    (episode,) = parsed(memory, "list", kept, "--episodes", "--namespace", "bob")
    assert parsed(memory, "show", kept, episode["episode_id"]) == episode
    assert "namespace         bob" in run(memory, "show", kept, 4).output


def test_stats(kept: Path) -> None:
    found = parsed(memory, "stats", kept)
    assert [(row["namespace"], row["task"], row["episodes"]) for row in found["tasks"]] == [
        ("alice", "corridor", 3),
        ("bob", None, 0),
        ("bob", "maze", 1),
    ]
    assert found["bytes"] == kept.stat().st_size
    assert [row["namespace"] for row in parsed(memory, "stats", kept, "--namespace", "alice")["tasks"]] == ["alice"]
    assert f"schema version {SCHEMA_VERSION}" in run(memory, "stats", kept).output


@pytest.mark.parametrize(("said", "rating"), [("up", 1.0), ("down", -1.0), ("-0.5", -0.5), ("0.25", 0.25), ("0", 0.0)])
def test_feedback(kept: Path, said: str, rating: float) -> None:
    episode = parsed(memory, "list", kept, "--episodes", "--namespace", "alice")[0]
    done = parsed(feedback, kept, episode["episode_id"], said)
    assert (done["rating"], done["namespace"], done["applied"]) == (rating, "alice", True)
    with EpisodicMemory.open(kept, mode="ro") as opened:
        found = opened.episode(episode["episode_id"], namespace="alice")
    assert (found.rating, found.gate.signed) == (rating, done["gate"])
    result = run(feedback, kept, episode["episode_id"], "down", "--namespace", "alice")
    assert result.output.startswith("rated -1; the gate is now ")


def test_feedback_on_an_answer(kept: Path) -> None:
    with EpisodicMemory.open(kept) as opened:
        opened.write([TemplateDraft(content="the door is locked", key=np.ones(2))], namespace="carol")
        receipt = opened.recall(np.ones(2), namespace="carol").receipt_id
    assert receipt
    for applied in (True, False):
        done = parsed(feedback, kept, receipt, "up", "--feedback-id", "thumb", "--source", "nurse")
        assert (done["receipt_id"], done["episode_id"], done["applied"]) == (receipt, None, applied)
    assert run(feedback, kept, receipt, "up", "--feedback-id", "thumb").output.startswith("this rating was there")
    shown = parsed(memory, "show", kept, receipt)
    assert (shown["outcome"], shown["episode_id"], list(shown["exposures"].values())) == (1.0, None, [1.0])
    assert "exposures" in run(memory, "show", kept, receipt, "--namespace", "carol").output
    assert run(memory, "show", kept, receipt, "--namespace", "bob").exit_code == 1


@pytest.mark.parametrize("said", ["sideways", "2", "nan", "--up"])
def test_feedback_that_is_no_rating(kept: Path, said: str) -> None:
    episode = parsed(memory, "list", kept, "--episodes")[0]
    result = run(feedback, kept, episode["episode_id"], said)
    assert result.exit_code == 2
    assert f"'{said}' is not up, down or a number from -1 to 1" in result.output


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--source", ""], "it must have 1 to 200 characters, got 0"),
        (["--feedback-id", "f" * 201], "it must have 1 to 200 characters, got 201"),
    ],
)
def test_feedback_of_no_name_is_wrong_usage(words: list[str], says: str, kept: Path) -> None:
    result = run(feedback, kept, "7", "up", *words)
    assert result.exit_code == 2
    assert says in result.stderr


@pytest.mark.parametrize("name", ["", ":memory:"])
def test_what_names_no_file_is_wrong_usage(name: str) -> None:
    result = run(memory, "stats", name)
    assert result.exit_code == 2
    assert f"a file must be named, got {name!r}" in result.stderr


def test_what_is_not_there(kept: Path) -> None:
    gone = kept.with_name("gone.db")
    calls: list[tuple[click.Command, list[object], str]] = [
        (memory, ["list", gone], "gone.db: no such file"),
        (memory, ["show", gone, 1], "gone.db: no such file"),
        (memory, ["stats", gone], "gone.db: no such file"),
        (feedback, [gone, "x", "up"], "gone.db: no such file"),
        (memory, ["show", kept, 99], "no template 99; list them with: holdfast memory list"),
        (memory, ["show", kept, "9" * 40], "no episode, receipt or run 9999"),
        (memory, ["show", kept, 1, "--namespace", "bob"], "no template 1;"),
        (
            feedback,
            [kept, "x", "up"],
            "no episode, receipt or run x; list them with: holdfast memory list .* --episodes",
        ),
        (memory, ["list", kept, "--task", "mase"], "no task 'mase'; did you mean 'maze'?"),
        (memory, ["list", kept, "--task", "mase", "--episodes"], "no task 'mase'; did you mean 'maze'?"),
        (memory, ["search", kept, "x", "--task", "zzz"], "no task 'zzz'; there are: corridor, maze"),
        (memory, ["list", kept, "--task", "zzz", "--namespace", "alice"], "no task 'zzz'; there are: corridor"),
        (memory, ["search", gone, "x"], "gone.db: no such file"),
        (memory, ["verify", gone], "gone.db: no such file"),
        (memory, ["forget", gone, "1", "--yes"], "gone.db: no such file"),
        (memory, ["export", gone, gone], "gone.db: no such file"),
        (memory, ["reembed", gone, "--yes"], "gone.db: no such file"),
        (memory, ["compact", gone], "gone.db: no such file"),
        (memory, ["forget", kept, "99", "--yes"], "no template 99; list them with"),
        (memory, ["forget", kept, "1", "--namespace", "bob", "--yes"], "no template 1;"),
        (memory, ["forget", kept, "--namespace", "alise", "--all", "--yes"], "did you mean 'alice'?"),
        (memory, ["export", kept, gone, "--namespace", "alise"], "did you mean 'alice'?"),
        (memory, ["list", kept, "--namespace", "alise"], "no namespace 'alise'; did you mean 'alice'?"),
        (memory, ["stats", kept, "--namespace", "zoe"], "no namespace 'zoe'; there are: alice, bob"),
    ]
    for command, arguments, message in calls:
        with pytest.raises(NotFoundError, match=message) as raised:
            command.main([str(argument) for argument in arguments], standalone_mode=False)
        assert "\n" not in str(raised.value)
        assert isinstance(raised.value, HoldfastError)
    assert not gone.exists()


def test_search(kept: Path) -> None:
    (row,) = parsed(memory, "search", kept, "never mind")
    assert (row["id"], row["namespace"], row["kind"]) == (5, "bob", "text")
    assert 0 < row["score"] <= 1
    assert row["score"] == row["relevance"]
    assert parsed(memory, "search", kept, "never", "--namespace", "alice") == []
    assert parsed(memory, "search", kept, "never", "--kind", "fact") == []
    assert run(memory, "search", kept, "elephants").output == "nothing there\n"
    assert run(memory, "search", kept, "never").output.split()[:5] == ["id", "namespace", "kind", "score", "relevance"]


def test_verify(kept: Path) -> None:
    assert parsed(memory, "verify", kept) == {"faults": [], "unfinished": []}
    assert run(memory, "verify", kept).output == f"{kept}: everything is in order\n"
    with closing(sqlite3.connect(kept)) as connection, connection:
        connection.execute("UPDATE templates SET count = 0 WHERE id = 1")
    result = run(memory, "verify", kept)
    assert (result.exit_code, "never seen: 1" in result.output) == (1, True)


def test_forget(kept: Path) -> None:
    before = kept.read_bytes()
    for arguments in (["forget", kept], ["forget", kept, 1, "--all"], ["forget", kept, "--all"]):
        assert run(memory, *arguments).exit_code == 2
    refused = CliRunner().invoke(memory, ["forget", str(kept), "1"], input="n\n")
    assert refused.exit_code == 1
    assert "Delete 1 templates from" in refused.output
    assert kept.read_bytes() == before
    assert parsed(memory, "forget", kept, 1, 4, "--yes") == {"templates": 2, "receipts": 0}
    assert [row["id"] for row in parsed(memory, "list", kept)] == [2, 3, 5]
    assert CliRunner().invoke(memory, ["forget", str(kept), "2"], input="y\n").exit_code == 0
    done = parsed(memory, "forget", kept, "--namespace", "alice", "--all", "--yes")
    assert (done["templates"], done["episodes"]) == (1, 3)
    assert [row["namespace"] for row in parsed(memory, "stats", kept)["tasks"]] == ["bob", "bob"]


def test_export_and_import(kept: Path) -> None:
    out, other = kept.with_name("out.jsonl"), kept.with_name("other.db")
    assert parsed(memory, "export", kept, out)["templates"] == 5
    assert CliRunner().invoke(memory, ["export", str(kept), str(out)], input="n\n").exit_code == 1
    assert parsed(memory, "export", kept, out, "--namespace", "alice", "--yes")["templates"] == 3
    assert run(memory, "export", kept, "-").exit_code == 2
    done = parsed(memory, "import", other, out)
    assert (done["templates"], done["episodes"], done["known"]) == (3, 3, 0)
    assert parsed(memory, "import", other, out)["rows"] == 0
    assert run(memory, "import", other, out).output.startswith("templates 0, episodes 0, rows 0, known ")
    with pytest.raises(ForeignFileError, match="is no export"):
        memory.main(["import", str(kept.with_name("new.db")), str(kept)], standalone_mode=False)
    assert not kept.with_name("new.db").exists()


def test_reembed(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def encoder(name: str) -> FunctionEncoder:
        return FunctionEncoder(lambda texts: np.ones((len(texts), 2)), name)

    monkeypatch.setattr("retention.memory.encoder.SentenceEncoder", encoder)
    assert CliRunner().invoke(memory, ["reembed", str(kept), "--encoder", "mine"], input="n\n").exit_code == 1
    done = parsed(memory, "reembed", kept, "--encoder", "mine", "--yes")
    assert done == {"encoder": "mine", "encoded": 1, "known": 0}
    assert parsed(memory, "show", kept, 5)["key"] == [1, 1]
    assert [row["id"] for row in parsed(memory, "search", kept, "mind", "--encoder", "mine")] == [5]


def test_compact(kept: Path) -> None:
    with EpisodicMemory.open(kept) as opened:
        opened.write([TemplateDraft(key=np.ones(3), content=f"word {i}") for i in range(4)], namespace="bob")
    done = parsed(memory, "compact", kept)
    assert done["bytes_after"] == kept.stat().st_size
    assert CliRunner().invoke(memory, ["compact", str(kept), "--keep", "2"], input="n\n").exit_code == 1
    done = parsed(memory, "compact", kept, "--keep", 2, "--yes")
    assert (done["offered"], done["kept"]) == (5, 2)
    assert len(parsed(memory, "list", kept, "--kind", "text")) == 2
    assert len(parsed(memory, "list", kept, "--kind", "transition")) == 4


def test_looking_writes_nothing(kept: Path) -> None:
    before = kept.read_bytes()
    for arguments in (["list", kept], ["show", kept, 1], ["stats", kept], ["search", kept, "x"], ["verify", kept]):
        assert run(memory, *arguments).exit_code == 0
    assert kept.read_bytes() == before
    assert list(kept.parent.iterdir()) == [kept]


def test_every_command_has_help_with_an_example() -> None:
    for command in (memory, feedback, *memory.commands.values()):
        text = run(command, "--help").output
        assert re.search(r"Examples?:\n    holdfast ", text)
        assert command.get_short_help_str()


def test_a_process_of_its_own(kept: Path, root: Path, clean_environment: dict[str, str]) -> None:
    """The command works without anything that this test imported, and help imports nothing heavy."""
    script = "import sys; from retention.memory.commands import memory; memory()"
    done = subprocess.run(
        [sys.executable, "-c", script, "list", str(kept), "--json"],
        cwd=root,
        env=clean_environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(json.loads(done.stdout)) == 5
    script = (
        "import sys; from retention.memory.commands import memory; memory(['--help'], standalone_mode=False);"
        "print([name for name in ('numpy', 'sqlite_utils', 'torch') if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, env=clean_environment, capture_output=True, text=True, check=True
    )
    assert done.stderr == "[]\n"
