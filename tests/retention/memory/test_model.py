"""A memory of three namespaces against dictionaries: equal after every step, whatever the order of the steps.

What one namespace sees does not depend on the others: a twin that holds the first namespace alone answers the same to
the bit. The size here is small. ``HOLDFAST_SOAK=1000`` in the environment makes it 100,000 operations.
"""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from retention import EpisodeDraft, EpisodicMemory, NotFoundError, TemplateDraft
from retention.memory.encoder import FunctionEncoder
from retention.memory.ranking import RankingConfig
from retention.memory.words import canonical, words

# A long run that fails says at once what it found.
PHASES = [Phase.generate] if "HOLDFAST_SOAK" in os.environ else list(Phase)
EXAMPLES, STEPS = 9 * int(os.environ.get("HOLDFAST_SOAK", "10")) // 4, 50  # some examples end early
NAMESPACES = ("a", "ab", "A")
TWIN = "a"

namespaces = st.sampled_from(NAMESPACES)
CONTENTS = (
    "the red door", "A red door!", "red doors", "not the red door", "red door 2", "door red", "!!!", "blue", "Blue.",
    "green grass grows", "grass grows green", "the cat sat on the mat", "\u00e9t\u00e9 chaud", "ete chaud",
)  # fmt: skip
drafts = st.fixed_dictionaries(
    {
        "content": st.sampled_from(CONTENTS),
        "key": st.sampled_from([None, (1.0, 0.0), (1.0, 0.1), (0.0, 1.0)]),
        "kind": st.sampled_from(["text", "text", "rule"]),
        "task": st.sampled_from([None, None, "t", "ta"]),
        "metadata": st.sampled_from([{}, {"room": 1}, {"room": 2}]),
        "source": st.sampled_from(["user", "tool"]),
        "ttl": st.sampled_from([None, 5.0, 50.0]),
        "pinned": st.sampled_from([False, False, False, True]),
    }
)
picks = st.lists(st.integers(0, 60), max_size=4)
ratings = st.sampled_from([-1.0, 1.0, 0.5])


def vectors(width: int) -> Callable[[list[str]], Any]:
    def encode(texts: list[str]) -> Any:
        rows = [[1.0 + sum(map(ord, said(text))) * (i + 1) % 7 for i in range(width)] for text in texts]
        return np.array(rows, np.float32)

    return encode


ENCODERS = (FunctionEncoder(vectors(4), "four"), FunctionEncoder(vectors(5), "five"))


class Clock(SimpleNamespace):
    """The module time as the memory sees it."""

    now = 1e9

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    def time(self) -> float:
        return self.now


def said(content: str) -> str:
    """Return what texts that say the same have in common."""
    return canonical(words(content))


def cosine(one: Any, other: Any) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other)) if len(one) == len(other) else -1.0


def seen(hits: Iterable[Any]) -> list[Any]:
    return [(hit.template.content, hit.template.count, hit.score, hit.relevance, hit.template.utility) for hit in hits]


class Model(RuleBasedStateMachine):
    """Each namespace is a dictionary of templates by id."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = Clock()
        self.timed = [
            module
            for name, module in list(sys.modules.items())
            if name.startswith("retention.memory") and getattr(module, "time", None) is time
        ]
        for module in self.timed:
            module.time = self.clock
        self.encoder = ENCODERS[0]
        self.memory = self.open()
        self.twin = EpisodicMemory.open(None, encoder=self.encoder, recall=RankingConfig(floor=0.05))
        self.kept: dict[str, dict[int, dict[str, Any]]] = {name: {} for name in NAMESPACES}
        self.episodes: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in NAMESPACES}
        self.receipts: list[tuple[str, str, str | None]] = []  # namespace, receipt, episode
        self.found: set[tuple[str, str, int]] = set()  # namespace, the episode that wrote a text, the text
        self.twins: dict[str, str] = {}  # receipts and episodes of the twin by ours
        self.to_twin: dict[int, int] = {}
        self.used: set[int] = set()
        self.unknown: dict[tuple[str, str], str] = {}
        self.names = (f"feedback {i}" for i in itertools.count())

    def open(self) -> EpisodicMemory:
        return EpisodicMemory.open(self.folder / "memory.db", encoder=self.encoder, recall=RankingConfig(floor=0.05))

    # What the model holds ------------------------------------------------------------------------------------------

    def there(self, namespace: str) -> dict[int, dict[str, Any]]:
        return {
            number: row
            for number, row in self.kept[namespace].items()
            if row["expires"] is None or row["pinned"] or row["expires"] > self.clock.now
        }

    def usable(self, namespace: str) -> dict[int, dict[str, Any]]:
        return {number: row for number, row in self.there(namespace).items() if row["status"] == "active"}

    def purge(self, namespace: str) -> int:
        gone = self.kept[namespace].keys() - self.there(namespace).keys()
        for number in gone:
            del self.kept[namespace][number]
        return len(gone)

    def merged_into(self, namespace: str, row: dict[str, Any]) -> int | None:
        """Which template says the same, and is the nearest."""
        alike = []
        for number, held in self.kept[namespace].items():
            if (held["task"], held["kind"]) != (row["task"], row["kind"]):
                continue
            if held["born"] == row["born"]:
                return number
            near = cosine(held["key"], row["key"])
            if (
                said(row["content"])
                and said(row["content"]) == said(held["content"])
                and held["encoder"] == row["encoder"]
                and near >= 0.9
            ):
                alike.append((-near, number))
        return min(alike)[1] if alike else None

    def refused(self, namespace: str, episode: str | None) -> bool | None:
        if episode is None:
            return None
        told = self.episodes[namespace][episode]["ratings"]
        return bool(told) and sum(told) < 0

    # Steps ---------------------------------------------------------------------------------------------------------

    @initialize(offered=st.lists(drafts, min_size=10, max_size=10))
    def begin(self, offered: list[dict[str, Any]]) -> None:
        for namespace in NAMESPACES:
            self.commit_episode(namespace=namespace, return_=1.0, task="t")
            self.write_some(namespace, offered[:5], None, 0)
            self.write_some(namespace, offered[5:], None, 1)

    @rule(
        namespace=namespaces,
        offered=st.lists(drafts, min_size=1, max_size=8),
        batch=st.sampled_from([None, 2]),
        of=st.integers(0, 12),
    )
    def write(self, namespace: str, offered: list[dict[str, Any]], batch: int | None, of: int) -> None:
        self.write_some(namespace, offered, batch, of)

    @rule(namespace=namespaces, offered=st.lists(drafts, min_size=1, max_size=3))
    def write_again(self, namespace: str, offered: list[dict[str, Any]]) -> None:
        self.write_some(namespace, offered, None, 0)

    def write_some(self, namespace: str, offered: list[dict[str, Any]], batch: int | None, of: int) -> None:
        episode = [None, *self.episodes[namespace]][of % (1 + len(self.episodes[namespace]))]
        made = [TemplateDraft(**row, episode_id=episode) for row in offered]
        if batch is None:
            ids = self.memory.write(made, namespace=namespace)
        else:
            report = self.memory.write_many(made, namespace=namespace, batch=batch, progress=False)
            ids = list(report.ids)
            assert report.offered == len(made) == report.kept + report.merged
            assert report.kept == len(set(ids) - self.kept[namespace].keys())
        if namespace == TWIN:
            copies = [TemplateDraft(**row, episode_id=self.twins.get(str(episode))) for row in offered]
            twins = self.twin.write_many(copies, namespace=TWIN, batch=batch or 99, progress=False).ids
            for number, twin in zip(ids, twins, strict=True):
                assert self.to_twin.setdefault(number, twin) == twin
        self.purge(namespace)
        refused = self.refused(namespace, episode)
        if episode is not None:
            self.found |= {(namespace, episode, number) for number in ids}
        for number, given in zip(ids, offered, strict=True):
            encoded = given["key"] is None
            key = self.encoder.encode([given["content"]])[0] if encoded else np.array(given["key"], np.float32)
            row = given | {
                "key": key,
                "task": given["task"],
                "encoder": self.encoder.fingerprint if encoded else "",
                "born": (key.tobytes(), given["content"]),
                "expires": None if given["ttl"] is None else self.clock.now + given["ttl"],
                "status": "quarantined" if refused else "active",
                "first": episode,
            }
            into = self.merged_into(namespace, row)
            assert number == into or into is None, (given, into)
            if into is None:
                assert number not in self.used
                self.used.add(number)
                self.kept[namespace][number] = row | {"count": 1, "last": episode}
                continue
            held = self.kept[namespace][into]
            held["count"] += 1
            held["pinned"] |= row["pinned"]
            either = (held["expires"], row["expires"])
            held["expires"] = None if None in either else max(either)
            held["last"] = episode
            if refused is False:
                held["status"] = "active"

    @rule(namespace=namespaces, ids=picks)
    def forget(self, namespace: str, ids: list[int]) -> None:
        gone = {number for number in ids if self.kept[namespace].pop(number, None)}
        assert self.memory.forget(ids, namespace=namespace).templates == len(gone)
        if namespace == TWIN:
            assert self.twin.forget([self.to_twin[number] for number in gone], namespace=TWIN).templates == len(gone)

    @rule(namespace=namespaces, sure=st.sampled_from([False, False, True]))
    def forget_namespace(self, namespace: str, sure: bool) -> None:
        if not sure:
            return
        done = self.memory.forget_namespace(namespace)
        assert (done.templates, done.episodes) == (len(self.kept[namespace]), len(self.episodes[namespace]))
        assert done.receipts == sum(owner == namespace for owner, _, _ in [*self.receipts, *self.found])
        if namespace == TWIN:
            assert self.twin.forget_namespace(TWIN) == done
        self.kept[namespace], self.episodes[namespace] = {}, {}
        self.receipts = [row for row in self.receipts if row[0] != namespace]
        self.found = {row for row in self.found if row[0] != namespace}

    @rule(namespace=namespaces, ids=picks, pinned=st.booleans())
    def pin(self, namespace: str, ids: list[int], pinned: bool) -> None:
        there = set(ids) & self.there(namespace).keys()
        assert self.memory.pin(ids, namespace=namespace, pinned=pinned) == len(there)
        if namespace == TWIN:
            self.twin.pin([self.to_twin[number] for number in there], namespace=TWIN, pinned=pinned)
        for number in there:
            self.kept[namespace][number]["pinned"] = pinned

    @rule(namespace=namespaces, limit=st.integers(0, 6), task=st.sampled_from([None, "t"]))
    def trim(self, namespace: str, limit: int, task: str | None) -> None:
        self.purge(namespace)
        kept = self.kept[namespace]
        told = {each.id: each.utility for each in self.memory.templates(namespace=namespace)}
        offered = {n for n, row in kept.items() if row["kind"] == "text" and task in (None, row["task"])}
        done = self.memory.trim(limit, namespace=namespace, task=task)
        free = {number for number in offered if not kept[number]["pinned"]}
        assert (done.offered, done.kept) == (len(offered), len(offered) - len(done.discarded))
        assert set(done.discarded) <= free
        assert len(done.discarded) == min(len(free), max(0, len(offered) - limit))
        worst = max((told[number] for number in done.discarded), default=-9.0)
        # a record of its source moves what is shown and not the order
        assert len({kept[n]["source"] for n in free}) > 1 or all(told[n] >= worst for n in free - set(done.discarded))
        if namespace == TWIN:
            twins = self.twin.trim(limit, namespace=TWIN, task=task).discarded
            assert [self.to_twin[number] for number in done.discarded] == list(twins)
        for number in done.discarded:
            del kept[number]

    @rule(
        namespace=namespaces,
        query=st.one_of(st.sampled_from(CONTENTS), st.sampled_from([(1.0, 0.5), (1.0, 2.0, 3.0, 4.0)])),
        task=st.sampled_from([None, None, "t", "ta", "other"]),
        kind=st.sampled_from([None, None, "text", "rule"]),
        where=st.sampled_from([None, None, {"room": 1}]),
        k=st.sampled_from([2, 50]),
        of=st.integers(0, 8),
    )
    def recall(self, namespace: str, query: Any, **how: Any) -> None:
        of, k = how.pop("of"), how["k"]
        task = how["task"]
        of_task = [n for n, row in self.episodes[namespace].items() if task in (None, row["task"])]
        episode = [None, *of_task][of % (1 + len(of_task))]
        may = {
            number: row
            for number, row in self.usable(namespace).items()
            if task in (None, row["task"])
            and how["kind"] in (None, row["kind"])
            and all(row["metadata"].get(name) == value for name, value in (how["where"] or {}).items())
        }
        try:
            found = self.memory.recall(query, namespace=namespace, episode_id=episode, **how)
        except ValueError as error:
            assert not isinstance(query, str)
            assert "vector must have the width of the templates" in str(error)
            widths = {len(row["key"]) for row in self.kept[namespace].values()}
            assert widths
            assert len(query) not in {len(row["key"]) for row in may.values()}
            if namespace == TWIN:
                with pytest.raises(ValueError, match="vector must have the width"):
                    self.twin.recall(query, namespace=TWIN, **how)
            return
        ids = [hit.template.id for hit in found.hits]
        assert len(set(ids)) == len(ids) <= k
        assert set(ids) <= may.keys()
        for hit in found.hits:
            assert hit.template.namespace == namespace
            assert hit.template.content == may[hit.template.id]["content"]
        if not isinstance(query, str):
            comparable = {number for number, row in may.items() if len(row["key"]) == len(query)}
            assert len(ids) == min(k, len(comparable))
            assert set(ids) <= comparable
            for hit in found.hits:
                wanted = cosine(np.array(query, np.float32), may[hit.template.id]["key"])
                assert hit.relevance == pytest.approx(wanted, abs=1e-5)
        elif said(query) and k == 50 and any(row["content"] == query for row in may.values()):
            assert found.hits
        assert (found.receipt_id is None) == (not ids)
        twin = None
        if namespace == TWIN:
            twin = self.twin.recall(query, namespace=TWIN, episode_id=self.twins.get(str(episode)), **how)
            assert seen(found.hits) == seen(twin.hits)
        if found.receipt_id is not None:
            self.receipts.append((namespace, found.receipt_id, episode))
            if twin is not None:
                self.twins[found.receipt_id] = str(twin.receipt_id)

    @rule(namespace=namespaces, return_=st.sampled_from([0.0, 1.0, 2.0]), task=st.sampled_from(["t", "ta"]))
    def commit_episode(self, namespace: str, return_: float, task: str) -> None:
        number = 1 + sum(row["task"] == task for row in self.episodes[namespace].values())
        draft = EpisodeDraft(
            namespace=namespace, task=task, number=number, seed=None, return_=return_, length=1, success=None, seconds=0
        )
        done = self.memory.commit_episode(draft)
        self.episodes[namespace][done.episode_id] = {"task": task, "return": return_, "ratings": []}
        if namespace == TWIN:
            twin = self.twin.commit_episode(draft)
            assert twin.gate == done.gate
            self.twins[done.episode_id] = twin.episode_id

    @rule(namespace=namespaces, of=st.integers(0, 20), rating=ratings, again=st.booleans())
    def feedback(self, namespace: str, of: int, rating: float, again: bool) -> None:
        owners = [namespace] if of % 4 else NAMESPACES
        every = [(owner, episode) for owner in owners for episode in self.episodes[owner]]
        if every:
            owner, episode = every[of % len(every)]
            self.say(self.memory.feedback, self.twin.feedback, namespace, owner, episode, episode, rating, again)

    @rule(namespace=namespaces, of=st.integers(0, 20), rating=ratings, again=st.booleans())
    def update_outcome(self, namespace: str, of: int, rating: float, again: bool) -> None:
        every = [row for row in self.receipts if of % 4 == 0 or row[0] == namespace]
        if every:
            owner, receipt, episode = every[-1 - of % len(every)]
            ours, theirs = self.memory.update_outcome, self.twin.update_outcome
            self.say(ours, theirs, namespace, owner, receipt, episode, rating, again)

    def say(
        self, ours: Any, theirs: Any, namespace: str, owner: str, name: str, episode: str | None, rating: float,
        again: bool,
    ) -> None:  # fmt: skip
        feedback = next(self.names)
        if namespace != owner:
            for unknown in (name, "0" * 32):
                with pytest.raises(NotFoundError) as raised:
                    ours(unknown, namespace=namespace, rating=rating)
                assert str(raised.value).startswith(f"namespace {namespace!r} has no ")
                error = str(raised.value).replace(unknown, "?")
                assert self.unknown.setdefault((ours.__name__, namespace), error) == error
            return
        for turn in range(1 + again):
            done = ours(name, namespace=namespace, rating=rating, feedback_id=feedback)
            assert (done.applied, done.episode_id) == (turn == 0, episode)
            if namespace == TWIN:
                twin = theirs(self.twins[name], namespace=TWIN, rating=rating, feedback_id=feedback)
                assert (twin.applied, twin.gate) == (done.applied, done.gate)
        if episode is not None:
            self.episodes[namespace][episode]["ratings"].append(rating)
            status = "quarantined" if self.refused(namespace, episode) else "active"
            for row in self.kept[namespace].values():
                if row["first"] == row["last"] == episode:
                    row["status"] = status

    @rule(seconds=st.sampled_from([1.0, 10.0, 100.0]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule()
    def compact(self) -> None:
        assert self.memory.compact().expired == sum(self.purge(name) for name in NAMESPACES)
        self.twin.compact()

    @rule()
    def reopen(self) -> None:
        self.memory.close()
        self.memory = self.open()
        self.twin._shelves.clear()

    @rule(which=st.integers(0, 1))
    def reembed(self, which: int) -> None:
        self.encoder = ENCODERS[which]
        every = [row for kept in self.kept.values() for row in kept.values()]
        done = self.memory.reembed(self.encoder, progress=False)
        self.twin.reembed(self.encoder, progress=False)
        assert done.known == sum(row["encoder"] == self.encoder.fingerprint for row in every)
        assert done.encoded + done.known == len(every)
        for row in every:
            if row["encoder"] != self.encoder.fingerprint:
                row |= {"encoder": self.encoder.fingerprint, "key": self.encoder.encode([row["content"]])[0]}

    @rule(namespace=st.sampled_from([None, *NAMESPACES]))
    def export_and_import(self, namespace: str | None) -> None:
        out, again = self.folder / "out.jsonl", self.folder / "again.jsonl"
        self.memory.export(out, namespace=namespace, overwrite=True)
        with EpisodicMemory.open(None, encoder=self.encoder, recall=RankingConfig(floor=0.05)) as other:
            done = other.import_file(out)
            names = [namespace] if namespace else list(NAMESPACES)
            assert done.templates == sum(len(self.kept[name]) for name in names)
            assert other.verify() == []
            other.export(again, overwrite=True)
            assert again.read_bytes() == out.read_bytes()
            for name in NAMESPACES:
                held = self.listed(other, name)
                assert held == (self.listed(self.memory, name) if name in names else {})
        known = self.memory.import_file(out)
        assert (known.templates, known.episodes, known.rows) == (0, 0, 0)

    @rule(
        namespace=namespaces,
        task=st.sampled_from([None, "t"]),
        kind=st.sampled_from([None, "rule"]),
        limit=st.sampled_from([None, 2]),
        offset=st.sampled_from([0, 1]),
        newest=st.booleans(),
    )
    def list_(self, namespace: str, limit: int | None, offset: int, newest: bool, **of: str | None) -> None:
        found = self.memory.templates(namespace=namespace, limit=limit, offset=offset, newest=newest, **of)
        wanted = [
            number
            for number, row in sorted(self.there(namespace).items(), reverse=newest)
            if of["task"] in (None, row["task"]) and of["kind"] in (None, row["kind"])
        ]
        assert [each.id for each in found] == wanted[offset:][:limit]

    @rule(namespace=namespaces, number=st.integers(-1, 80))
    def get(self, namespace: str, number: int) -> None:
        if number in self.there(namespace):
            assert self.memory.get(number, namespace=namespace).content == self.kept[namespace][number]["content"]
            return
        with pytest.raises(NotFoundError) as raised:  # another's, one that was, one that never was: all the same
            self.memory.get(number, namespace=namespace)
        assert str(raised.value) == (
            f"namespace {namespace!r} has no template {number}; list them with: holdfast memory list"
        )

    @rule()
    def verify(self) -> None:
        assert self.memory.verify() == []
        assert self.memory.unfinished() == []

    # What holds after every step -----------------------------------------------------------------------------------

    @staticmethod
    def listed(memory: EpisodicMemory, namespace: str) -> dict[int, Any]:
        return {
            each.id: (each.content, each.count, each.pinned, each.status, each.task, each.kind, each.metadata,
                      each.source, each.encoder, each.key.tobytes(), each.expires, each.utility, each.uses)
            for each in memory.templates(namespace=namespace)
        }  # fmt: skip

    @invariant()
    def all_is_equal(self) -> None:
        for namespace in NAMESPACES:
            there = self.listed(self.memory, namespace)
            assert {number: row[:11] for number, row in there.items()} == {
                number: (row["content"], row["count"], row["pinned"], row["status"], row["task"], row["kind"],
                         row["metadata"], row["source"], row["encoder"], row["key"].tobytes(), row["expires"])
                for number, row in self.there(namespace).items()
            }  # fmt: skip
            for task in (None, "", "t"):
                wanted = sum(task is None or (row["task"] or "") == task for row in self.usable(namespace).values())
                assert self.memory.template_count(namespace=namespace, task=task) == wanted
            stats = self.memory.stats(namespace=namespace)["tasks"]
            assert {row["namespace"] for row in stats} <= {namespace}
            assert sum(row["templates"] for row in stats) == len(self.kept[namespace])
            assert sum(row["episodes"] for row in stats) == len(self.episodes[namespace])
            if namespace == TWIN:
                twin = self.listed(self.twin, TWIN)
                assert {self.to_twin[number]: row for number, row in there.items()} == twin
        assert self.memory.namespaces() == sorted(name for name in NAMESPACES if self.kept[name] or self.episodes[name])

    def teardown(self) -> None:
        try:
            assert self.memory.verify() == []
            assert self.twin.verify() == []
        finally:
            self.memory.close()
            self.twin.close()
            for module in self.timed:
                module.time = time
            shutil.rmtree(self.folder)


TestModel = Model.TestCase
TestModel.settings = settings(
    deadline=None,
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    suppress_health_check=list(HealthCheck),
    phases=PHASES,
)
