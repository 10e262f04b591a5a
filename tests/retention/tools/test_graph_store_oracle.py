"""The LangGraph store against LangGraph's own ``InMemoryStore``: random operations, equal answers.

The oracle is theirs with its faults mended, each of which ``test_graph_store_faults.py`` shows. Time stamps apart, of
which the order is compared, every answer must be the same: items, scores, order, pages, namespaces.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from langgraph.store.base import (
    GetOp,
    Item,
    ListNamespacesOp,
    MatchCondition,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
)
from langgraph.store.memory import InMemoryStore

from retention import EpisodicMemory, LangGraphStore

from .conftest import ROOM, bag

EVERYTHING = 10_000


def listed(texts: list[str]) -> list[list[float]]:
    return [row.tolist() for row in bag(texts)]


class Mended(InMemoryStore):
    """LangGraph's store without its faults: what an overwritten item said before, empty namespaces, lost pages."""

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        ops = list(ops)
        spaces = {at: self._handle_list_namespaces(op) for at, op in enumerate(ops) if isinstance(op, ListNamespacesOp)}
        results, puts, searches = self._prepare_ops(ops)
        for at, found in spaces.items():  # before reading made more
            results[at] = found
        if searches:
            self._batch_search(searches, self._embed_search_queries(searches), results)
        before = {place: self._data[place[0]].get(place[1]) for place in puts}
        for namespace, key in puts:
            self._vectors[namespace].pop(key, None)
        for text, places in (self._extract_texts(puts) or {}).items():
            for namespace, key, path in places:
                self._vectors[namespace][key][path] = listed([text])[0]
        self._prune()
        self._apply_put_ops(puts)
        for (namespace, key), old in before.items():
            if old is not None and key in self._data[namespace]:
                self._data[namespace][key].created_at = old.created_at
        self._prune()
        return results

    def _prune(self) -> None:
        for namespace in [namespace for namespace, items in self._data.items() if not items]:
            del self._data[namespace]

    def _batch_search(self, ops: Any, queries: Any, results: list[Result]) -> None:
        whole = {at: (op._replace(offset=0, limit=EVERYTHING), found) for at, (op, found) in ops.items()}
        super()._batch_search({at: pair for at, pair in whole.items() if pair[0].query and queries}, queries, results)
        rest = {at: pair for at, pair in ops.items() if not (pair[0].query and queries)}
        super()._batch_search(rest, queries, results)
        for at, (op, _) in ops.items():
            if at not in rest:
                results[at] = results[at][op.offset : op.offset + op.limit]


# Few places, so that what is put is often put again, deleted and found.
labels = st.sampled_from(["a", "b", "c", "a-b"])
namespaces = st.sampled_from([("a",), ("a", "b"), ("a-b",), ("b", "a")])
prefixes = st.sampled_from([(), (), ("a",), ("a", "b"), ("a-b",), ("b",), ("c",)])
keys = st.sampled_from(["one", "two", ""])
vocabulary = st.sampled_from(["red", "green", "apple", "pear", "plum", "a", "ox"])
words = st.lists(vocabulary, min_size=1, max_size=4).map(" ".join)
values = st.fixed_dictionaries(
    {"text": words, "n": st.integers(-2, 2)},
    optional={"tags": st.lists(words, max_size=2), "inner": st.fixed_dictionaries({"flag": st.booleans()})},
)
indices = st.sampled_from([None, None, None, False, [], ["text"], ["tags[*]"], ["text", "tags[*]"], ["nothing"]])
operators = st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"])
filters = st.one_of(
    st.none(),
    st.fixed_dictionaries({"n": st.integers(-2, 2)}),
    st.fixed_dictionaries({"n": st.dictionaries(operators, st.integers(-2, 2), min_size=1, max_size=2)}),
    st.fixed_dictionaries({"text": st.fixed_dictionaries({"$ne": words})}),
    st.fixed_dictionaries({"inner": st.fixed_dictionaries({"flag": st.booleans()})}),
    st.fixed_dictionaries({"tags": st.lists(words, max_size=2)}),
)
limits = st.sampled_from([20, 20, 20, 3, 2, 1, 0])
offsets = st.sampled_from([0, 0, 0, 1, 2, 4])
puts = st.builds(lambda *given: PutOp(*given), namespaces, keys, st.one_of(values, values, values, st.none()), indices)
gets = st.builds(lambda *given: GetOp(*given), namespaces, keys)
searches = st.builds(
    lambda *given: SearchOp(*given),
    prefixes,
    filters,
    limits,
    offsets,
    st.one_of(st.none(), words, words),
)
conditions = st.builds(
    MatchCondition,
    st.sampled_from(["prefix", "suffix"]),
    st.lists(st.one_of(labels, st.just("*")), min_size=1, max_size=2).map(tuple),
)
listings = st.builds(
    ListNamespacesOp,
    st.one_of(st.none(), st.lists(conditions, max_size=2).map(tuple)),
    st.one_of(st.none(), st.integers(1, 3)),
    limits,
    offsets,
)


def same(one: Item | None, other: Item | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.namespace, one.key, one.value) == (other.namespace, other.key, other.value)


class AgainstInMemoryStore(RuleBasedStateMachine):
    indexed = True

    @initialize()
    def begin(self) -> None:
        begun = [(("a",), "one"), (("a-b",), "two"), (("a", "b"), "one"), (("b", "a"), "")]
        self.memory = EpisodicMemory.open(None, encoder=bag)
        fields = ["text", "tags[*]"]
        index = {"dims": ROOM, "embed": listed, "fields": fields}
        self.theirs = Mended(index=index if self.indexed else None)
        self.ours = LangGraphStore(
            self.memory, namespace="alice", fields=fields if self.indexed else False, rank="cosine"
        )
        self.recalling = LangGraphStore(self.memory, namespace="alice", fields=fields)
        for number, (namespace, key) in enumerate(begun):
            value = {"text": ["red apple", "pear", "a red ox", "plum"][number], "n": number - 1, "tags": ["green plum"]}
            self.put(namespace, key, value, None)
        self.other = LangGraphStore(self.memory, namespace="alice2")
        self.other.put(("a",), "one", {"text": "red apple", "n": 0})

    def teardown(self) -> None:
        if hasattr(self, "memory"):
            assert self.memory.verify() == []
            assert len(self.other.search(())) == 1
            self.memory.close()

    @rule(ops=st.lists(st.one_of(puts, gets, searches, listings), min_size=1, max_size=8))
    def do(self, ops: list[Op]) -> None:
        whole = [
            self.theirs.batch([op._replace(offset=0, limit=EVERYTHING)])[0] if isinstance(op, SearchOp) else None
            for op in ops
        ]
        for op, all_of_it in zip(ops, whole, strict=True):
            if all_of_it is not None and op.query and self.indexed:
                self.recall(op, all_of_it)
        for op, ours, theirs, all_of_it in zip(ops, self.ours.batch(ops), self.theirs.batch(ops), whole, strict=True):
            if isinstance(op, SearchOp):
                self.compare(ours, theirs, all_of_it)
            elif isinstance(op, GetOp):
                assert same(ours, theirs), op
            else:
                assert ours == theirs, op

    def recall(self, op: SearchOp, whole: list[SearchItem]) -> None:
        """By recall: some of those that have a text and pass the filter, each once, the best first, on a receipt."""
        found = self.recalling.batch([op])[0]
        assert len(found) <= op.limit
        assert len({(item.namespace, item.key) for item in found}) == len(found)
        assert [item.score for item in found] == sorted((item.score for item in found), reverse=True)
        assert all(any(same(item, other) and other.score is not None for other in whole) for item in found)
        receipts = {item.receipt_id for item in found}
        assert len(receipts) <= 1
        for receipt_id in receipts:
            shown = self.memory.receipt(receipt_id, namespace="alice").exposures
            assert sorted(shown) == sorted(item.template_id for item in found)

    def compare(self, ours: list[SearchItem], theirs: list[SearchItem], whole: list[SearchItem]) -> None:
        """Compare two pages; among equal scores the order is free, so each of ours must be of its group in theirs."""
        assert [score(item) for item in ours] == [score(item) for item in theirs]
        assert len({(item.namespace, item.key) for item in ours}) == len(ours)
        for mine, yours in zip(ours, theirs, strict=True):
            group = [item for item in whole if score(item) == score(mine)] if mine.score is not None else [yours]
            assert any(same(mine, item) for item in group)

    @rule(namespace=namespaces, key=keys, value=values, index=indices)
    def put(self, namespace: tuple[str, ...], key: str, value: dict[str, Any], index: Any) -> None:
        for store in (self.ours, self.theirs):
            store.put(namespace, key, value, index)

    @rule(found=st.integers(0, 11))
    def delete(self, found: int) -> None:
        for item in self.theirs.search((), limit=1, offset=found):
            for store in (self.ours, self.theirs):
                store.delete(item.namespace, item.key)

    @invariant()
    def everything_is_the_same(self) -> None:
        if not hasattr(self, "ours"):
            return
        ours = self.ours.search((), limit=EVERYTHING)
        theirs = self.theirs.search((), limit=EVERYTHING)
        assert len(ours) == len(theirs) and all(map(same, ours, theirs))
        for stamp in ("created_at", "updated_at"):
            # What they stamp later we stamp no earlier; what one batch puts has one time with us.
            line = sorted(zip(theirs, ours, strict=True), key=lambda pair: getattr(pair[0], stamp))
            assert all(getattr(one, stamp) <= getattr(other, stamp) for (_, one), (_, other) in pairwise(line))
        assert all(item.created_at <= item.updated_at for item in ours)
        assert self.ours.list_namespaces(limit=EVERYTHING) == self.theirs.list_namespaces(limit=EVERYTHING)


def score(item: SearchItem) -> float | None:
    return None if item.score is None else round(item.score, 4)


class WithoutVectors(AgainstInMemoryStore):
    indexed = False


AgainstInMemoryStore.TestCase.settings = settings(max_examples=45, stateful_step_count=12, deadline=None)
WithoutVectors.TestCase.settings = settings(max_examples=20, stateful_step_count=10, deadline=None)
TestAgainstInMemoryStore = AgainstInMemoryStore.TestCase
TestWithoutVectors = WithoutVectors.TestCase
