from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import evals.stores as stores
from evals.benches.quiet import quiet
from evals.stores import STORES, available, left_out, open_store
from evals.stores.given_vectors import given_vectors
from retention import NotFoundError

COLOURS = ["amber", "blue", "coral", "denim", "ebony", "fuchsia", "green", "hazel"]
TEXTS = [f"the {colour} door of house {number}" for number, colour in enumerate(COLOURS)]
IDS = [f"door-{number}" for number in range(8)]
WORDS_ALONE, VECTORS_ALONE = {"rank-bm25", "fts5"}, {"langchain", "langgraph", "chromadb", "mem0"}


def unit_vectors(count, seed=0):
    drawn = np.random.default_rng(seed).random((count, 16), dtype=np.float32)  # mem0 finds no negative cosines
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


VECTORS = unit_vectors(8)


@pytest.fixture(params=sorted(STORES))
def name(request):
    if not available(request.param):
        pytest.skip(left_out(request.param))
    return request.param


@pytest.fixture
def opened(name, tmp_path):
    """Open a store with six texts that came together and two that came alone."""
    with quiet():
        store = open_store(name, tmp_path / "folder")
        store.add(IDS[:6], TEXTS[:6], VECTORS[:6])
        for number in (6, 7):
            store.add_one(IDS[number], TEXTS[number], VECTORS[number])
        yield store
        store.close()


def found(hits):
    return [id for id, _ in hits]


def check_finds_all(store):
    for number, id in enumerate(IDS):
        hits = store.search(f"is a door {COLOURS[number]}?", VECTORS[number], 3)
        assert hits[0][0] == id
        assert len(hits) <= 3
        scores = [score for _, score in hits]
        assert scores == sorted(scores, reverse=True)
        assert all(isinstance(score, float) for score in scores)


def test_each_text_is_found_best_first(opened):
    check_finds_all(opened)


def test_as_many_as_asked_for_are_found(opened):
    hits = opened.search("the door of a house", VECTORS[2], 5)
    assert len(set(found(hits))) == len(hits) == 5


def test_what_counts_in_a_query_is_what_the_store_says(name, opened):
    assert (opened.finds_words, opened.finds_vectors) == (name not in VECTORS_ALONE, name not in WORDS_ALONE)
    assert found(opened.search("ebony", None, 1)) == ([IDS[4]] if opened.finds_words else [])
    assert found(opened.search("", VECTORS[5], 1)) == ([IDS[5]] if opened.finds_vectors else [])
    decided = found(opened.search("ebony", VECTORS[5], 8))
    if opened.finds_words and opened.finds_vectors:
        assert set(decided[:2]) == {IDS[4], IDS[5]}
    if not opened.finds_words:
        assert decided[0] == IDS[5]
    if not opened.finds_vectors:
        assert decided == [IDS[4]]


def test_what_is_added_after_a_search_is_found(opened):
    opened.search("amber", VECTORS[0], 1)
    new = unit_vectors(10)[8:]
    opened.add_one("later", "an indigo window", new[0])
    assert found(opened.search("indigo", new[0], 1)) == ["later"]
    opened.add(["last"], ["a jade roof"], new[1:])
    assert found(opened.search("jade", new[1], 1)) == ["last"]


def test_what_a_durable_store_was_given_is_there_when_it_is_opened_again(name, opened, tmp_path):
    folder = tmp_path / "folder"
    size = opened.size_bytes()
    opened.close()
    assert opened.durable or not opened.synced
    assert opened.durable == any(file.is_file() for file in folder.rglob("*"))
    assert (size > 0) == opened.durable
    if not opened.durable:
        return
    with quiet():
        again = open_store(name, folder)
        check_finds_all(again)
        assert again.size_bytes() == sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        again.close()
        again.close()


def test_equal_texts_keep_their_ids(name, tmp_path):
    with quiet():
        store = open_store(name, tmp_path)
        store.add(["one", "two", "three"], ["a red door", "a red door", "blue"], VECTORS[[0, 0, 1]])
        store.add_one("four", "a red door", VECTORS[0])
        assert set(found(store.search("red door", VECTORS[0], 3))) == {"one", "two", "four"}
        store.close()


_WATCHED = """
import sys
from pathlib import Path
import numpy as np

reached = []
events = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname")
sys.addaudithook(lambda event, given: reached.append((event, given)) if event in events else None)
from evals.stores import STORES, available, open_store

rng = np.random.default_rng(0)
for name in filter(available, STORES):
    store = open_store(name, Path(sys.argv[1], name))
    vectors = rng.standard_normal((3, 8)).astype(np.float32)
    store.add(["a", "b"], ["one thing", "another"], vectors[:2])
    store.add_one("c", "a third", vectors[2])
    assert store.search("third", vectors[2], 2)[0][0] == "c", name
    store.close()
assert not reached, reached
"""


def test_no_store_reaches_out_or_writes_beside_its_folder(tmp_path, root, clean_environment):
    places = {name: tmp_path / name for name in ("home", "temporary", "here")}
    for place in places.values():
        place.mkdir()
    environment = clean_environment | {
        "HOME": str(places["home"]),
        "TMPDIR": str(places["temporary"]),
        "PYTHONPATH": os.pathsep.join([str(root), *filter(None, sys.path)]),
    }
    done = subprocess.run(
        [sys.executable, "-c", _WATCHED, str(tmp_path / "stores")],
        capture_output=True,
        text=True,
        cwd=places["here"],
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "stores").iterdir()} == {name for name in STORES if available(name)}
    assert [path for place in places.values() for path in place.rglob("*") if path.is_file()] == []


def test_a_store_whose_package_is_missing_is_left_out_with_what_installs_it(monkeypatch):
    monkeypatch.setattr(stores, "find_spec", lambda module: None)
    assert left_out("chromadb") == "chromadb is left out: chromadb is not installed (pip install 'holdfast[bench]')"
    both = "mem0 is left out: mem0ai and langchain are not installed (pip install 'holdfast[bench]')"
    assert left_out("mem0") == both
    assert not available("mem0")
    assert left_out("holdfast") is None
    assert available("fts5")


def test_a_store_that_is_not_there_is_named_with_its_nearest():
    with pytest.raises(NotFoundError, match=r"no store named 'chroma'\. Did you mean 'chromadb'"):
        available("chroma")
    with pytest.raises(NotFoundError, match="Known stores: chromadb, fts5, holdfast"):
        open_store("nothing", None)


def test_given_vectors_knows_what_it_was_given_last_and_makes_nothing_up():
    embedder = given_vectors()
    embedder.give(["a", "b"], VECTORS[:2])
    assert embedder.embed_documents(["b", "a"]) == VECTORS[[1, 0]].tolist()
    embedder.give(["c"], VECTORS[2:3])
    assert embedder.embed_query("c") == VECTORS[2].tolist()
    with pytest.raises(KeyError):
        embedder.embed_query("a")
