"""Facts in a memory: the cache of their slots goes with them, and ratings of answers decide on them."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from retention import EpisodicMemory, MemoryWriteError, NotFoundError, TemplateDraft
from retention.memory.fact_rows import FactRow

KEY = np.ones(1, np.float32)
SLOTS = b"slots of a fact that are easily found in a file"


@pytest.fixture
def memory(path: Path) -> Iterator[EpisodicMemory]:
    with EpisodicMemory.open(path) as opened:
        yield opened


def tell(memory: EpisodicMemory, *texts: str, namespace: str = "alice", **more: object) -> list[int]:
    drafts = [TemplateDraft(content=text, key=KEY, kind="fact", **more) for text in texts]
    return memory.write(drafts, namespace=namespace)


def cache(memory: EpisodicMemory, ids: list[int], *, slots: bytes = SLOTS, namespace: str = "alice") -> int:
    rows = memory.load_facts(ids, namespace=namespace, adapter="a")
    return memory.cache_slots([row._replace(slots=slots) for row in rows], namespace=namespace, adapter="a")


def cached(memory: EpisodicMemory, ids: list[int], *, namespace: str = "alice", adapter: str = "a") -> list[object]:
    return [row.slots for row in memory.load_facts(ids, namespace=namespace, adapter=adapter)]


def rows_in(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM cached_slots").fetchone()[0])


def test_slots_are_found_again_by_their_adapter_alone(memory: EpisodicMemory) -> None:
    ids = tell(memory, "One is odd.", "Two is even.")
    assert cached(memory, ids) == [None, None]
    assert cache(memory, ids) == 2
    assert cached(memory, ids) == [SLOTS, SLOTS]
    assert cached(memory, ids, adapter="b") == [None, None]
    assert cache(memory, ids[:1], slots=b"anew") == 1
    assert cached(memory, ids) == [b"anew", SLOTS]


def test_many_are_read_in_one_query(memory: EpisodicMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = tell(memory, *(f"The number {i} has {i * i} for a square." for i in range(1200)))
    assert cache(memory, ids) == 1200
    asked: list[str] = []
    memory._connections.read(lambda db: db.conn.set_trace_callback(asked.append))
    assert memory.facts_in_use(namespace="alice").ids == ids
    assert cached(memory, ids) == [SLOTS] * 1200
    memory._connections.read(lambda db: db.conn.set_trace_callback(None))
    assert sum("cached_slots" in line for line in asked) == 1
    assert len(memory.load_facts(ids[:3], namespace="alice", adapter="a")) == 3


def test_another_namespace_neither_sees_nor_changes_them(memory: EpisodicMemory) -> None:
    ids = tell(memory, "One is odd.")
    cache(memory, ids)
    assert memory.load_facts(ids, namespace="bob", adapter="a") == []
    assert memory.load_facts(ids, namespace="Alice", adapter="a") == []
    foreign = FactRow(ids[0], "One is odd.", b"evil")
    assert memory.cache_slots([foreign], namespace="bob", adapter="a") == 0
    assert memory.put_facts_in_use(ids, namespace="bob", usable=False) == []
    assert cached(memory, ids) == [SLOTS]
    receipt = memory.write_receipt({ids[0]: 1.0}, namespace="bob")
    assert receipt is None
    ours = memory.write_receipt({ids[0]: 1.0}, namespace="alice")
    assert ours is not None
    with pytest.raises(NotFoundError, match="has no receipt"):
        memory.rate_answer(ours, -1, namespace="bob")
    assert memory.get(ids[0], namespace="alice").status == "active"


def test_what_is_forgotten_takes_its_slots_along_to_the_last_byte(path: Path) -> None:
    with EpisodicMemory.open(path) as memory:
        ids = tell(memory, "One is odd.", "Two is even.")
        cache(memory, ids)
        memory.forget(ids[:1], namespace="alice")
        assert rows_in(path) == 1
        memory.forget(ids[1:], namespace="alice")
        assert rows_in(path) == 0
        assert memory.verify() == []
        theirs = tell(memory, "One is odd.", namespace="bob")
        cache(memory, theirs, namespace="bob")
        assert rows_in(path) == 1
        memory.forget_namespace("bob")
        assert rows_in(path) == 0
    for file in path.parent.iterdir():
        assert SLOTS not in file.read_bytes()


def test_slots_of_what_a_text_said_before_are_no_slots_of_it(memory: EpisodicMemory, path: Path) -> None:
    ids = tell(memory, "One is odd.", "Two is even.")
    cache(memory, ids)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE templates SET content = 'One is even.' WHERE id = ?", ids[:1])
    assert rows_in(path) == 1
    late = FactRow(ids[0], "One is odd.", SLOTS)  # read before the change, written after it
    assert memory.cache_slots([late], namespace="alice", adapter="a") == 0
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE templates SET utility_sum = 1 WHERE id = ?", ids[1:])
    assert cached(memory, ids[1:]) == [SLOTS]


@pytest.mark.parametrize("seal", [None, b"a key of sixteen bytes"])
def test_slots_that_were_changed_in_the_file_are_not_read(path: Path, seal: bytes | None) -> None:
    """Damaged ones, and those of one text put in the place of another's."""
    with EpisodicMemory.open(path, seal=seal) as memory:
        if seal is not None:
            memory.seal(seal)
        ids = tell(memory, "One is odd.", "Two is even.", "Three is odd.")
        cache(memory, ids)
        with closing(sqlite3.connect(path)) as connection, connection:
            change = "UPDATE cached_slots SET slots = {} WHERE template_id = ?"
            connection.execute(change.format("slots || x'00'"), ids[:1])
            other = f"(SELECT slots FROM cached_slots WHERE template_id = {ids[2]})"
            connection.execute(change.format(other), ids[1:2])
        assert cached(memory, ids) == [None, None, SLOTS]


def test_without_the_key_slots_cannot_be_made_to_fit(path: Path) -> None:
    with EpisodicMemory.open(path) as memory:
        ids = tell(memory, "One is odd.")
        cache(memory, ids, slots=b"planted")  # by who can write the file but does not know the key
        memory.seal(b"a key of sixteen bytes")
        assert cached(memory, ids) == [None]
        cache(memory, ids)
        assert cached(memory, ids) == [SLOTS]
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE templates SET content = 'One is even.'")
        assert memory.load_facts(ids, namespace="alice", adapter="a") == []
        assert memory.get(ids[0], namespace="alice").held == "tampered"
        assert memory.facts_in_use(namespace="alice").ids == []


def test_a_read_only_memory_keeps_no_slots_and_is_used_all_the_same(path: Path) -> None:
    with EpisodicMemory.open(path) as memory:
        ids = tell(memory, "One is odd.", "Two is even.")
        cache(memory, ids[:1])
    before = path.read_bytes()
    with EpisodicMemory.open(path, mode="ro") as memory:
        assert memory.read_only
        assert cached(memory, ids) == [SLOTS, None]
        assert cache(memory, ids) == 0
        assert memory.write_receipt({ids[0]: 1.0}, namespace="alice") is None
        with pytest.raises(MemoryWriteError, match="read-only"):
            memory.put_facts_in_use(ids, namespace="alice", usable=False)
    assert path.read_bytes() == before


def test_an_export_has_no_cache(memory: EpisodicMemory, tmp_path: Path) -> None:
    ids = tell(memory, "One is odd.")
    cache(memory, ids)
    memory.export(tmp_path / "out.jsonl")
    assert "cached_slots" not in (tmp_path / "out.jsonl").read_text()
    with EpisodicMemory.open(tmp_path / "other.db") as other:
        other.import_file(tmp_path / "out.jsonl")
        assert cached(other, other.facts_in_use(namespace="alice").ids) == [None]
    memory.compact()
    assert cached(memory, ids) == [SLOTS]


def test_threads_that_cache_at_once_lose_nothing(path: Path, memory: EpisodicMemory) -> None:
    ids = tell(memory, *(f"The number {i} has {i * i} for a square." for i in range(40)))
    start = threading.Barrier(4)
    counts: list[int] = []

    def work(part: int) -> None:
        with EpisodicMemory.open(path) as own:
            start.wait()
            for number in ids[part::4]:
                counts.append(cache(own, [number]))

    threads = [threading.Thread(target=work, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [1] * 40
    assert cached(memory, ids) == [SLOTS] * 40
    assert memory.verify() == []


def test_facts_in_use_and_until_when(memory: EpisodicMemory) -> None:
    first, second = tell(memory, "One is odd."), tell(memory, "Two is even.", ttl=3600)
    memory.write([TemplateDraft(content="No fact.", key=KEY)], namespace="alice")
    standing = memory.facts_in_use(namespace="alice")
    assert standing.ids == first + second
    assert standing.until == memory.get(second[0], namespace="alice").expires
    assert standing.revision == memory.revision()
    memory.pin(second, namespace="alice")
    assert memory.facts_in_use(namespace="alice").until is None
    assert memory.revision() > standing.revision
    assert memory.facts_in_use(namespace="alice", task="other").ids == []


def test_a_bad_rating_keeps_what_carried_the_answer_from_use_and_a_good_one_frees_it(memory: EpisodicMemory) -> None:
    carrier, beside, faint = tell(memory, "One is odd.", "Two is even.", "Three is odd.")
    receipt = memory.write_receipt({carrier: 2.0, beside: 1.2, faint: 0.2}, namespace="alice", task="chat")
    assert receipt is not None
    assert memory.receipt(receipt, namespace="alice").exposures == {carrier: 1.0, beside: 0.6, faint: 0.1}
    before = memory.revision()
    rated = memory.rate_answer(receipt, -1.0, namespace="alice", feedback_id="x")
    assert rated.kept_back == (carrier, beside)
    assert rated.feedback is not None and rated.feedback.applied
    assert memory.facts_in_use(namespace="alice").ids == [faint]
    assert memory.removed_since(before, namespace="alice")
    assert memory.get(carrier, namespace="alice").utility < memory.get(faint, namespace="alice").utility < 0
    again = memory.rate_answer(receipt, 1.0, namespace="alice", feedback_id="x")  # the same name: known already
    assert again.freed == ()
    assert memory.rate_answer(receipt, 1.0, namespace="alice", source="agent").freed == ()
    assert memory.rate_answer(receipt, 0.0, namespace="alice").freed == ()
    assert memory.rate_answer(receipt, 1.0, namespace="alice").freed == (carrier, beside)
    assert memory.facts_in_use(namespace="alice").ids == [carrier, beside, faint]
    with pytest.raises(ValueError, match=r"rating must lie in \[-1, 1\], got 2"):
        memory.rate_answer(receipt, 2, namespace="alice")


def test_what_was_told_is_rated_without_a_receipt(memory: EpisodicMemory) -> None:
    ids = tell(memory, "One is odd.")
    rated = memory.rate_answer(None, -1, namespace="alice", told=ids)
    assert (rated.feedback, rated.kept_back) == (None, tuple(ids))
    assert memory.put_facts_in_use(ids, namespace="alice") == ids


def test_what_others_decide_on_stays_theirs(memory: EpisodicMemory, draft: Callable[..., object]) -> None:
    fact = TemplateDraft(content="One is odd.", key=KEY, kind="fact")
    run = memory.begin_run(namespace="alice", task="chat").run_id
    pending = memory.note(fact, run_id=run, namespace="alice").template_id
    assert pending is not None
    assert memory.put_facts_in_use([pending], namespace="alice") == []
    assert memory.get(pending, namespace="alice").status == "quarantined"
    done = memory.commit_episode(draft(), notes=[TemplateDraft(content="Two is even.", key=KEY, kind="fact")])
    (of_episode,) = memory.facts_in_use(namespace="alice").ids
    memory.feedback(done.episode_id, namespace="alice", rating=-1)
    assert memory.put_facts_in_use([of_episode], namespace="alice") == []
    with pytest.raises(NotFoundError, match="has no run"):
        memory.write_receipt({of_episode: 1.0}, namespace="alice", run_id="none")


def test_a_receipt_of_a_run_is_credited_by_its_outcome(memory: EpisodicMemory) -> None:
    (number,) = tell(memory, "One is odd.")
    run = memory.begin_run(namespace="alice", task="chat").run_id
    receipt = memory.write_receipt({number: 0.4}, namespace="alice", task="chat", run_id=run)
    assert receipt is not None
    memory.run_outcome(run, namespace="alice", rating=1.0)
    assert memory.get(number, namespace="alice").utility > 0
    assert memory.receipt(receipt, namespace="alice").run_id == run
