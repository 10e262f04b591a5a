from __future__ import annotations

import pytest

from evals.benches import memory as bench
from evals.benches.memory import MemoryPlan, encoder_speed, measure, names
from evals.benches.memory_crew import StoreFailedError

STORES = ("holdfast", "fts5")


class ScriptedMember:
    """Stands for a process: answers at once, notes what is asked, and fails where it is told to."""

    asked: list
    fails: dict
    threads: list

    def __init__(self, log, threads=None):
        ScriptedMember.threads.append(threads)
        self.name = log.stem
        self.added = 0

    def ask(self, method, /, **settings):
        ScriptedMember.asked.append((self.name, method, settings))
        if ScriptedMember.fails.get(self.name) == method:
            raise StoreFailedError("planted")
        if method == "open":
            durable, vectors = self.name != "langchain", self.name != "fts5"
            return {"name": self.name, "durable": durable, "finds_vectors": vectors, "seconds": 0.5}
        if method == "add_singles":
            return [0.001] * (settings["stop"] - settings["start"])
        if method == "add_many":
            return {"added": settings["stop"] - settings["start"], "seconds": 1.0, "cpu": 0.5}
        if method.startswith("search"):
            return [{"query": each, "seconds": 0.002, "cpu": 0.001, "rank": 0} for each in settings["queries"]]
        return 7.0

    def end(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass


@pytest.fixture
def scripted(monkeypatch):
    """Let scripted processes stand for the stores."""
    monkeypatch.setattr(bench, "Member", ScriptedMember)
    ScriptedMember.asked, ScriptedMember.fails, ScriptedMember.threads = [], {}, []
    return ScriptedMember


def plan(**values):
    return MemoryPlan(**{"sizes": (200,), "stores": STORES, "width": 8, "queries": 9, "rounds": 3, **values})


def test_a_small_measurement_has_a_row_for_each_store_and_one_without_receipts(tmp_path):
    said = []
    rows = {row["store"]: row for row in measure(plan(width=64), tmp_path, on_start=said.append)}
    assert list(rows) == ["holdfast", "holdfast ro", "holdfast synced", "fts5"]
    assert [row["error"] for row in rows.values()] == [None] * 4
    synced = rows.pop("holdfast synced")
    assert (synced["held"], synced["synced"], synced["note"], synced["recall_p50_ms"]) == (50, True, "", None)
    assert synced["single_per_s"] > 0
    assert {row["held"] for row in rows.values()} == {200}
    ours, read_only, words = rows.values()
    assert ours["synced"] is False
    assert min(ours["single_per_s"], ours["full_per_s"], ours["batch_per_s"], ours["file_mb"], ours["cold_s"]) > 0
    assert min(each["recall_at_10"] for each in rows.values()) > 0.8
    assert min(ours["vector_at_10"], read_only["vector_at_10"]) > 0.8
    assert (words["vector_p50_ms"], read_only["single_per_s"], read_only["file_mb"]) == (None, None, None)
    assert min(read_only["recall_p50_ms"], read_only["cold_s"], words["after_p50_ms"]) > 0
    assert len(said) == plan().steps
    assert list(tmp_path.iterdir()) == []


def test_files_are_kept_where_they_are_wanted(scripted, tmp_path):
    list(measure(plan(), tmp_path, keep=True))
    assert (tmp_path / "200" / "texts.txt").exists()


def order_of(method, asked, **wanted):
    return [name for name, called, settings in asked if called == method and wanted.items() <= settings.items()]


def test_stores_are_asked_by_turns_in_an_order_that_rotates(scripted, tmp_path):
    trio = ("holdfast", "langchain", "fts5")
    list(measure(plan(stores=trio), tmp_path))
    for number, turn in enumerate(([0, 3, 6], [1, 4, 7], [2, 5, 8])):
        rotated = trio[number:] + trio[:number]
        words = [call for call in scripted.asked if call[2].get("words", True)]
        assert order_of("search", words, queries=turn) == [*rotated, "holdfast ro"]
    alone = order_of("search", scripted.asked, words=False)
    assert "fts5" not in alone
    assert len(alone) == 3 * 3


def test_ours_is_not_stopped_and_a_peer_has_its_budget(scripted, tmp_path):
    list(measure(plan(budget=12.0), tmp_path))
    for name, method, settings in scripted.asked:
        if name.startswith("holdfast") or settings.get("queries") == [0]:
            assert settings.get("budget") is None
        elif "budget" in settings:
            assert settings["budget"] == {"add_singles": 3.0, "add_many": 12.0, "search": 4.0}.get(method, 12.0)


def test_what_is_added_later_is_not_what_was_there_before(scripted, tmp_path):
    list(measure(plan(), tmp_path))
    spans = [
        (each["start"], each.get("stop")) for name, method, each in scripted.asked if name == "fts5" and "start" in each
    ]
    assert spans == [(0, 50), (50, 200), (200, None), (250, 750)]


@pytest.mark.parametrize("method", ["open", "add_many", "search", "search_after_adding", "close"])
def test_a_store_that_fails_is_a_row_and_the_others_go_on(method, scripted, tmp_path):
    scripted.fails = {"holdfast": method}
    rows = {row["store"]: row for row in measure(plan(), tmp_path)}
    assert list(rows) == ["holdfast", "fts5"]
    assert (rows["holdfast"]["error"], rows["fts5"]["error"]) == ("planted", None)
    assert rows["fts5"]["asked"] == 9


def test_the_read_only_row_can_fail_alone(scripted, tmp_path):
    scripted.fails = {"holdfast ro": "search"}
    rows = {row["store"]: row for row in measure(plan(), tmp_path)}
    assert {name: row["error"] for name, row in rows.items()} == {
        "holdfast": None,
        "holdfast ro": "planted",
        "holdfast synced": None,
        "fts5": None,
    }


def test_all_processes_have_the_threads_that_were_asked_for(scripted, tmp_path):
    list(measure(plan(threads=3), tmp_path))
    assert scripted.threads == [3] * 6


def test_only_durable_stores_are_opened_again(scripted, tmp_path):
    list(measure(plan(stores=("langchain", "fts5")), tmp_path))
    assert order_of("open", scripted.asked) == ["langchain", "fts5", "fts5"]


def test_peers_that_are_not_installed_are_not_named(monkeypatch):
    monkeypatch.setattr(bench, "available", lambda name: name != "mem0")
    assert names(peers=False) == ("holdfast",)
    assert names(peers=True)[0] == "holdfast"
    assert "chromadb" in names(peers=True)
    assert "mem0" not in names(peers=True)


def test_an_encoder_that_is_not_there_is_told(scripted):
    assert encoder_speed(threads=2) == 7.0
    assert scripted.threads == [2]
    scripted.fails = {"log": "encode"}
    assert encoder_speed() == {"error": "planted"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sizes": ()}, "sizes must be at least 100"),
        ({"sizes": (99,)}, "sizes must be at least 100"),
        ({"width": 0}, "width and rounds must be at least 1"),
        ({"queries": 2}, "queries at least rounds"),
        ({"budget": 0.0}, "budget must be above 0"),
        ({"threads": 0}, "threads must be at least 1"),
    ],
)
def test_wrong_plans_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        plan(**wrong)
