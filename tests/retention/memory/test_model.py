"""A memory of three namespaces against dictionaries: equal after every step, whatever the order of the steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from retention import EpisodicMemory, NotFoundError, TemplateDraft
from retention.memory.ranking import RankingConfig

NAMESPACES = ("a", "ab", "A")
namespaces = st.sampled_from(NAMESPACES)
words = st.sampled_from(["red", "blue", "green", "grey", "pink", "black", "white", "brown"])
picks = st.lists(st.integers(0, 40), max_size=3)


class Model(RuleBasedStateMachine):
    """Each namespace is a dictionary of content and count by id."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = EpisodicMemory.open(None, recall=RankingConfig(floor=0, neighbours=0))
        self.kept: dict[str, dict[int, dict[str, Any]]] = {name: {} for name in NAMESPACES}
        self.receipts: list[tuple[str, str, list[int]]] = []
        self.used: set[int] = set()

    @rule(namespace=namespaces, contents=st.lists(words, min_size=1, max_size=4), pinned=st.booleans())
    def write(self, namespace: str, contents: list[str], pinned: bool) -> None:
        drafts = [TemplateDraft(content=content, key=np.ones(2), pinned=pinned) for content in contents]
        ids = self.memory.write(drafts, namespace=namespace)
        kept = self.kept[namespace]
        for number, content in zip(ids, contents, strict=True):
            if number not in kept:
                assert number not in self.used
                assert all(row["content"] != content for row in kept.values())
                self.used.add(number)
                kept[number] = {"content": content, "count": 0, "pinned": False}
            assert kept[number]["content"] == content
            kept[number]["count"] += 1
            kept[number]["pinned"] |= pinned

    @rule(namespace=namespaces, ids=picks)
    def forget(self, namespace: str, ids: list[int]) -> None:
        gone = [self.kept[namespace].pop(number) for number in set(ids) if number in self.kept[namespace]]
        assert self.memory.forget(ids, namespace=namespace).templates == len(gone)

    @rule(namespace=namespaces)
    def forget_namespace(self, namespace: str) -> None:
        assert self.memory.forget_namespace(namespace).templates == len(self.kept[namespace])
        self.kept[namespace] = {}
        self.receipts = [row for row in self.receipts if row[0] != namespace]

    @rule(namespace=namespaces, ids=picks, pinned=st.booleans())
    def pin(self, namespace: str, ids: list[int], pinned: bool) -> None:
        there = set(ids) & self.kept[namespace].keys()
        assert self.memory.pin(ids, namespace=namespace, pinned=pinned) == len(there)
        for number in there:
            self.kept[namespace][number]["pinned"] = pinned

    @rule(namespace=namespaces, limit=st.integers(0, 6))
    def trim(self, namespace: str, limit: int) -> None:
        kept = self.kept[namespace]
        done = self.memory.trim(limit, namespace=namespace)
        assert done.offered == len(kept)
        for number in done.discarded:
            assert not kept.pop(number)["pinned"]
        assert len(kept) == done.kept
        assert len(kept) <= limit or all(row["pinned"] for row in kept.values())

    @rule(namespace=namespaces, content=words)
    def recall(self, namespace: str, content: str) -> None:
        found = self.memory.recall(content, namespace=namespace, k=20)
        wanted = [number for number, row in self.kept[namespace].items() if row["content"] == content]
        assert [hit.template.id for hit in found.hits] == wanted
        if found.receipt_id is not None:
            self.receipts.append((namespace, found.receipt_id, wanted))
        near = self.memory.recall([1, 1], namespace=namespace, k=20)
        assert {hit.template.id for hit in near.hits} == self.kept[namespace].keys()

    @rule(namespace=namespaces, number=st.integers(0, 9), rating=st.sampled_from([-1.0, 1.0]))
    def rate(self, namespace: str, number: int, rating: float) -> None:
        if number < len(self.receipts):
            owner, receipt, _ = self.receipts[number]
            if owner == namespace:
                assert self.memory.update_outcome(receipt, namespace=namespace, rating=rating).applied
            else:
                with pytest.raises(NotFoundError):
                    self.memory.update_outcome(receipt, namespace=namespace, rating=rating)

    @invariant()
    def all_is_equal(self) -> None:
        for namespace, kept in self.kept.items():
            there = self.memory.templates(namespace=namespace)
            assert {t.id: {"content": t.content, "count": t.count, "pinned": t.pinned} for t in there} == kept
            assert self.memory.template_count(namespace=namespace, task="") == len(kept)
            for other in NAMESPACES:
                for number in list(kept)[:1]:
                    if other != namespace:
                        with pytest.raises(NotFoundError):
                            self.memory.get(number, namespace=other)
        assert self.memory.namespaces() == sorted(name for name, kept in self.kept.items() if kept)

    def teardown(self) -> None:
        assert self.memory.verify() == []
        self.memory.close()


TestModel = Model.TestCase
TestModel.settings = settings(deadline=None, max_examples=25, stateful_step_count=30)
