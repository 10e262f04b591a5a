"""Export and import: bit by bit, once, as a whole or not at all."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retention import (
    EpisodeDraft,
    EpisodicMemory,
    ForeignFileError,
    MemoryWriteError,
    NewerFileError,
    TemplateDraft,
    Transitions,
)
from retention.memory import transfer


@pytest.fixture
def full(path: Path, draft: Callable[..., EpisodeDraft], steps: Callable[..., Transitions]) -> Path:
    """A memory with something in every table, odd numbers and odd texts, and gaps in its ids."""
    with EpisodicMemory.open(path) as memory:
        for name in ("alice", "bob"):
            memory.commit_episode(draft(1 / 3, namespace=name), steps(1, 2, reward=0.1))
            draft_ = TemplateDraft(
                key=np.array([np.float32(1e-45), -3.4e38]), content="n\u00e9\x00\u2028 line\nend",
                metadata={"a": [1e-320, None]}, source="tool", encoder="enc", ttl=1e6, pinned=True,
            )  # fmt: skip
            first, _ = memory.write([draft_, TemplateDraft(key=np.ones(2), content="gone")], namespace=name)
            done = memory.commit_episode(draft(2 / 3, namespace=name), steps(3), recalled={first: 0.3, first - 1: 0.1})
            memory.feedback(done.episode_id, namespace=name, rating=0.7, reward=0.1)
            receipt = memory.recall([1, 1], namespace=name).receipt_id
            assert receipt is not None
            memory.update_outcome(receipt, namespace=name, rating=1, feedback_id="x")
            memory.save_values([first - 1], [1 / 7], namespace=name, task="corridor", revision=1)
            memory.save_setting("scale", {"x": 0.1}, namespace=name, task="corridor")
            memory.forget([first + 1], namespace=name)
    return path


def exported(path: Path, **how: Any) -> Path:
    out = path.with_name(path.name + ".jsonl")
    with EpisodicMemory.open(path, mode="ro") as memory:
        memory.export(out, overwrite=True, **how)
    return out


def test_a_round_trip_is_equal_to_the_bit(full: Path) -> None:
    first = exported(full)
    copy = full.with_name("copy.db")
    with EpisodicMemory.open(copy) as memory:
        done = memory.import_file(first)
        assert (done.templates, done.episodes, done.known) == (8, 4, 0)
        assert memory.verify() == []
        with EpisodicMemory.open(full) as original:
            for name in ("alice", "bob"):
                for one, other in zip(
                    original.templates(namespace=name), memory.templates(namespace=name), strict=True
                ):
                    assert one.key.tobytes() == other.key.tobytes()
                    assert (one.utility, one.utility_error, one.created) == (
                        other.utility,
                        other.utility_error,
                        other.created,
                    )
    assert exported(copy).read_bytes() == first.read_bytes()


def test_what_is_imported_twice_is_there_once(full: Path) -> None:
    out = exported(full)
    with EpisodicMemory.open(full) as memory:
        before = memory.stats()["tasks"]
        done = memory.import_file(out)
        assert (done.templates, done.episodes, done.rows) == (0, 0, 0)
        assert done.known > 20
        assert memory.stats()["tasks"] == before
    assert exported(full).read_bytes().split(b"\n", 1)[1] == out.read_bytes().split(b"\n", 1)[1]


def test_rows_join_those_that_are_there(full: Path, draft: Callable[..., EpisodeDraft], steps: Any) -> None:
    """Numbers of the rows differ, what they point at does not; credit that comes with receipts is not lost."""
    out = exported(full, namespace="alice")
    other = full.with_name("other.db")
    with EpisodicMemory.open(other) as memory:
        memory.commit_episode(draft(namespace="carol"), steps(7))
        kept = memory.commit_episode(draft(9.0), steps(1, 2), recalled={})
        shared = int(kept.template_ids[1])
        assert memory.get(shared, namespace="alice").uses == 0
        _, revision = memory.transitions(namespace="alice", task="corridor")
        done = memory.import_file(out)
        assert (done.templates, done.episodes) == (2, 2)
        assert memory.get(shared, namespace="alice").uses == pytest.approx(1 / 3 + 1)
        assert [episode.return_ for episode in memory.episodes(namespace="alice")] == [9, 1 / 3, 2 / 3]
        assert memory.verify() == []
        assert memory.namespaces() == ["alice", "carol"]
        changed, _ = memory.transitions(namespace="alice", task="corridor", after=revision)
        assert changed.key[:, 0].tolist() == [3]
        ended = memory.episodes(namespace="alice")[-1].last_template_id
        assert ended is not None
        assert memory.get(ended, namespace="alice").key.tolist() == [3, 1]
        memory.import_file(out)
        assert len(memory.episodes(namespace="alice")) == 3


def test_a_file_is_there_as_a_whole_or_not_at_all(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = full.with_name("out.jsonl")
    with EpisodicMemory.open(full) as memory:

        def full_disk(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full_disk)
        with pytest.raises(MemoryWriteError, match=r"out\.jsonl: cannot be written \(No space left on device\)"):
            memory.export(out)
        monkeypatch.undo()
        assert [file.name for file in full.parent.iterdir() if "jsonl" in file.name] == []
        memory.export(out)
        assert stat.S_IMODE(out.stat().st_mode) & 0o077 == 0
        with pytest.raises(MemoryWriteError, match="is there already; name another file"):
            memory.export(out)
        memory.export(out, overwrite=True)
        with pytest.raises(MemoryWriteError, match="cannot be written"):
            memory.export(full.parent / "gone" / "out.jsonl")


def test_an_export_replaces_no_memory_and_no_pipe_and_writes_through_links(full: Path) -> None:
    other = full.with_name("other.db")
    EpisodicMemory.open(other).close()
    link, target = full.with_name("link.jsonl"), full.with_name("target.jsonl")
    target.write_text("old")
    link.symlink_to(target)
    with EpisodicMemory.open(full) as memory:
        for database in (full, other):
            before = database.read_bytes()
            with pytest.raises(MemoryWriteError, match="is a memory, or another SQLite database; name another file"):
                memory.export(database, overwrite=True)
            assert database.read_bytes() == before
        memory.export(link, overwrite=True)
        assert link.is_symlink() and target.read_text().startswith('{"format"')
        for odd in (full.parent, _pipe(full)):
            with pytest.raises(MemoryWriteError, match="is no regular file"):
                memory.export(odd, overwrite=True)
            with pytest.raises(MemoryWriteError, match="is no regular file"):
                memory.import_file(odd)


def _pipe(beside: Path) -> Path:
    if not hasattr(os, "mkfifo"):
        return beside.parent
    pipe = beside.with_name("pipe")
    os.mkfifo(pipe)
    return pipe


def test_two_cannot_write_one_file(full: Path) -> None:
    out = full.with_name("out.jsonl")
    with EpisodicMemory.open(full) as memory, transfer._claimed(out.with_name("out.jsonl.part")):
        with pytest.raises(MemoryWriteError, match=r"out\.jsonl: another process is writing it; name another file"):
            memory.export(out)
        assert not out.exists()
        assert out.with_name("out.jsonl.part").exists()


def test_an_export_that_is_interrupted_leaves_nothing(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with EpisodicMemory.open(full) as memory, pytest.raises(KeyboardInterrupt):
        memory.export(full.with_name("out.jsonl"))
    assert [file.name for file in full.parent.iterdir() if "jsonl" in file.name] == []


def test_what_is_renamed_to_another_namespace_does_not_join_it(full: Path) -> None:
    """Its episodes would be alice's still, and her feedback would reach bob's templates."""
    out = exported(full, namespace="alice")
    out.write_text(out.read_text().replace('"alice"', '"carol"'))
    with EpisodicMemory.open(full) as memory:
        with pytest.raises(ForeignFileError, match=r"do not fit together \(episode_id '.*' is of another namespace"):
            memory.import_file(out)
        assert memory.namespaces() == ["alice", "bob"]
        assert memory.verify() == []
    with EpisodicMemory.open(full.with_name("new.db")) as memory:  # where nobody has them it is fine
        memory.import_file(out)
        assert memory.namespaces() == ["carol"]
        assert memory.verify() == []


def lines_of(out: Path) -> list[str]:
    return out.read_text().splitlines()


def cut(lines: list[str]) -> list[str]:
    return lines[:-3]


def without_end(lines: list[str]) -> list[str]:
    return lines[:-1]


def half_a_line(lines: list[str]) -> list[str]:
    return [*lines[:4], lines[4][:30], *lines[5:]]


def a_row_less(lines: list[str]) -> list[str]:
    return [line for line in lines if '"settings"' not in line or '"end"' in line]


def more_after_the_end(lines: list[str]) -> list[str]:
    return [*lines, lines[1]]


def no_table(lines: list[str]) -> list[str]:
    return [lines[0], '{"table": "sqlite_master"}', *lines[1:]]


def odd_column(lines: list[str]) -> list[str]:
    return [lines[0], lines[1].replace('"seed"', '"seed) --"'), *lines[2:]]


def odd_bytes(lines: list[str]) -> list[str]:
    return [line.replace('"base64": "', '"base64": "***') for line in lines]


def huge_number(lines: list[str]) -> list[str]:
    return [line.replace('"number": 1', '"number": 99999999999999999999') for line in lines]


def a_list(lines: list[str]) -> list[str]:
    return [line.replace('"number": 1', '"number": [1]') for line in lines]


def no_namespace(lines: list[str]) -> list[str]:
    return [line.replace('"namespace": "alice"', '"namespace": ""') for line in lines]


def no_number(lines: list[str]) -> list[str]:
    return [line.replace('"count": 1', '"count": "many"') for line in lines]


def dangling(lines: list[str]) -> list[str]:
    return [line.replace('"template_id": ', '"template_id": 7') for line in lines]


def a_head_without_version(lines: list[str]) -> list[str]:
    return [json.dumps({"format": "holdfast memory", "revision": 1}), *lines[1:]]


def a_head_with_words(lines: list[str]) -> list[str]:
    return [json.dumps(json.loads(lines[0]) | {"revision": "many"}), *lines[1:]]


def an_older_head(lines: list[str]) -> list[str]:
    return [json.dumps(json.loads(lines[0]) | {"revision": 1}), *lines[1:]]


def another_width(lines: list[str]) -> list[str]:
    """One of two texts of one kind and encoder has a number more."""
    text = next(line for line in lines if '"enc"' in line)
    row = json.loads(text)
    more = row | {"id": 77, "content": "more", "key": {"base64": "AACAPwAAgD8AAIA/"}, "merge_key": {"base64": "AAAA"}}
    end = json.loads(lines[-1])
    end["end"]["templates"] += 1
    at = lines.index(text) + 1
    return [*lines[:at], json.dumps(more), *lines[at:-1], json.dumps(end)]


def anothers_template(lines: list[str]) -> list[str]:
    """A template of alice's that says it is bob's."""
    table, *_ = [line for line in lines if '"table": "templates"' in line and '"transition"' in line]
    return [line if line != table else table.replace('"alice"', '"bob"') for line in lines]


def anothers_receipt(lines: list[str]) -> list[str]:
    table = next(line for line in lines if '"table": "receipts"' in line and "episode_id" not in line)
    return [line if line != table else table.replace('"alice"', '"bob"') for line in lines]


DAMAGES = (
    a_head_without_version,
    a_head_with_words,
    an_older_head,
    another_width,
    anothers_template,
    anothers_receipt,
    cut,
    without_end,
    half_a_line,
    a_row_less,
    more_after_the_end,
    no_table,
    odd_column,
    odd_bytes,
    huge_number,
    a_list,
    no_namespace,
    no_number,
    dangling,
)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_changes_nothing(full: Path, damage: Callable[[list[str]], list[str]]) -> None:
    out = exported(full)
    changed = damage(lines_of(out))
    assert changed != lines_of(out)
    out.write_text("\n".join(changed) + "\n")
    with EpisodicMemory.open(full.with_name("new.db")) as memory:
        with pytest.raises(ForeignFileError) as raised:
            memory.import_file(out)
        assert "\n" not in str(raised.value)
        assert str(out.name) in str(raised.value)
        assert memory.stats()["tasks"] == []
        assert memory.verify() == []


@pytest.mark.parametrize(
    "content", [b"", b"dear diary\n", b"[]\n", b"{}\n", b"\xff\xfe\x00", b"SQLite format 3\x00" * 9]
)
def test_a_file_of_something_else_is_refused(path: Path, content: bytes) -> None:
    strange = path.with_name("strange")
    strange.write_bytes(content)
    with EpisodicMemory.open(path) as memory:
        with pytest.raises(ForeignFileError, match="is no export of a holdfast memory; name another file"):
            memory.import_file(strange)
        with pytest.raises(MemoryWriteError, match="cannot be read"):
            memory.import_file(path.with_name("gone"))


def test_a_newer_file_is_refused(full: Path) -> None:
    out = exported(full)
    head, *rest = lines_of(out)
    out.write_text("\n".join([json.dumps(json.loads(head) | {"schema_version": 99}), *rest]) + "\n")
    with (
        EpisodicMemory.open(None) as memory,
        pytest.raises(NewerFileError, match="has schema version 99, this holdfast"),
    ):
        memory.import_file(out)


def test_an_export_of_version_2_is_taken_in(path: Path) -> None:
    out = path.with_suffix(".jsonl")
    with EpisodicMemory.open(path) as memory:
        (number,) = memory.write([TemplateDraft(content="the door is locked", key=np.ones(2))], namespace="alice")
        memory.recall("door", namespace="alice")
        memory.export(out)
    head, *rows = out.read_text().splitlines()
    rows = [json.dumps({name: value for name, value in json.loads(row).items() if name != "weight"}) for row in rows]
    out.write_text("\n".join([json.dumps(json.loads(head) | {"schema_version": 2}), *rows]) + "\n")
    with EpisodicMemory.open(None) as other:
        assert other.import_file(out).templates == 1
        assert [hit.template.id for hit in other.recall("a locked door", namespace="alice").hits] == [number]
        assert other.verify() == []
