"""The suite ``retrieval``: what it counts by hand, and a small run of it without a model."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from evals.conversations import Conversation, Style, generate
from evals.phase import PhaseRun
from evals.results import Result
from evals.suite import Case
from evals.suites import find_suite, retrieval
from evals.suites import retrieval_phases as phases
from retention.memory.words import terms

SUITE = retrieval.SUITE


def case(task: str = "conversations", seed: int = 0, **settings: object) -> Case:
    (found,) = [each for each in SUITE.cases([seed]) if each.task == task]
    return replace(found, settings={**found.settings, **settings})


def a_run(numbers: dict[str, float], seed: int = 0, missing: dict[str, str] | None = None) -> Result:
    measured = [
        {"task": "conversations", "system": name, "metrics": {"recall_at_10": value, "recall_at_10 of talk": None}}
        for name, value in numbers.items()
    ]
    answer = {"measured": measured, "missing": missing or {}}
    the_case = case(seed=seed)
    return Result(case=the_case, phases=(PhaseRun(phase=the_case.phases[0], process=1, seconds=1.0, answer=answer),))


@cache
def direction(term: str) -> np.ndarray:
    seed = int.from_bytes(hashlib.sha256(term.encode()).digest()[:4], "little")
    return np.random.default_rng(seed).normal(size=256)


class WordEncoder:
    """Vectors of texts that share words are alike: a sum of one random direction for each word."""

    fingerprint = "words"

    def encode(self, texts: list[str]) -> np.ndarray:
        found = np.stack([sum(map(direction, terms(text)), np.full(256, 1e-6)) for text in texts])
        return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def small(seed: int, *, conversations: int) -> list[Conversation]:
    style = Style(sessions=(4, 5), turns=(8, 12), kinds=9)
    return generate(seed, conversations=conversations, style=style)


def test_the_suite_is_known() -> None:
    assert find_suite("retrieval") is SUITE


def test_the_verdict_by_hand() -> None:
    runs = [
        a_run(
            {"holdfast": 0.7 + seed / 1000, "fts5": 0.5, "mem0ai": 0.4},
            seed,
            {"chromadb": "chromadb is left out"},
        )
        for seed in range(3)
    ]
    report = retrieval.score(runs)
    assert report.find("conversations", "holdfast", "recall_at_10").value == pytest.approx(0.701)
    assert report.verdict == (
        "conversations: 0.70 [0.70, 0.70] of the evidence is among the first 10, more than the 0.50 [0.50, 0.50] of "
        "the best other store, fts5. chromadb is left out."
    )
    assert "less than the" in retrieval.score([a_run({"holdfast": 0.3, "mem0ai": 0.4})]).verdict
    assert "not clearly more or less" in retrieval.score([a_run({"holdfast": 0.4, "mem0ai": 0.4})]).verdict
    assert retrieval.score([a_run({"holdfast": 0.4})]).verdict.startswith("Nothing can be said yet")


def test_the_numbers_by_hand() -> None:
    tally = phases.Tally(ranks=[("single", [1]), ("talk", [0, 7]), ("talk", [0])], seconds=[0.001, 0.003, 0.002])
    for what, scores in {
        "answered": [0.9, 0.8],
        "unanswered": [0.1, 0.8],
        "own": [0.5],
        "elsewhere": [0.7],
        "own specific": [0.5],
        "elsewhere specific": [0.4],
    }.items():
        for score in scores:
            tally.note(what, [("t", score)] if score > 0.3 else [], [("t", score)])
    metrics = tally.metrics()
    assert metrics["recall_at_5"] == pytest.approx(1 / 3)
    assert metrics["recall_at_10"] == pytest.approx((1 + 0.5) / 3)
    assert metrics["mrr"] == pytest.approx((1 + 1 / 7) / 3)
    assert metrics["recall_at_10 of talk"] == pytest.approx(0.25)
    assert metrics["recall_at_10 of two-hop"] is None
    assert metrics["auroc_unanswered"] == pytest.approx(3.5 / 4)
    assert (metrics["auroc_elsewhere"], metrics["auroc_elsewhere_specific"]) == (0, 1)
    assert (metrics["refused"], metrics["refused_unanswered"]) == (0, 0.5)
    assert metrics["milliseconds"] == pytest.approx(2)


def test_every_conversation_is_asked_of_itself_and_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phases, "default_encoder", WordEncoder)
    monkeypatch.setattr(phases, "STORES", ["holdfast", "fts5", "langchain"])
    monkeypatch.setattr(phases, "generate", small)
    answer = phases.measure(case(conversations=2), tmp_path, [])
    found = {(each["task"], each["system"]): each["metrics"] for each in answer["measured"]}
    assert answer["missing"] == {}
    assert {task for task, _ in found} == {"conversations", "shuffled turns"}
    others = {"fts5", "langchain"}
    assert {system for task, system in found if task == "conversations"} == {*retrieval.OURS, *others}
    assert {system for task, system in found if task == "shuffled turns"} == set(retrieval.OURS)
    ours, cosine = (found["conversations", name] for name in ("holdfast", "langchain"))
    assert ours["recall_at_10"] > cosine["recall_at_10"] > 0.3
    assert ours["recall_at_10"] >= ours["recall_at_5"] > 0.3
    assert ours["auroc_elsewhere_specific"] > 0.7
    assert ours["refused_elsewhere"] > ours["refused_own"]
    by_vector = found["conversations", "our cosine"]
    assert by_vector["recall_at_10"] == pytest.approx(cosine["recall_at_10"], abs=0.05)  # equal turns are one to us
    words = found["conversations", "our words"]
    assert words["recall_at_10"] not in (ours["recall_at_10"], by_vector["recall_at_10"])
    assert found["shuffled turns", "holdfast"]["recall_at_10"] < ours["recall_at_10"]
    assert found["shuffled turns", "our cosine"]["mrr"] == pytest.approx(by_vector["mrr"], abs=0.02)


def test_drawn_styles_and_what_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = phases._conversations(case("other styles", conversations=2))
    assert [each.name for each in drawn] == ["0/0", "0/1"]
    assert drawn != generate(0, conversations=2)
    assert len({name for each in drawn for name in each.speakers}) == 4
    monkeypatch.setattr(phases, "default_encoder", WordEncoder)
    monkeypatch.setattr(phases, "STORES", ["holdfast", "chromadb"])
    monkeypatch.setattr(phases, "left_out", lambda name: f"{name} is left out: not installed")
    monkeypatch.setattr(phases, "OURS", ())
    answer = phases.measure(case(conversations=2), tmp_path, [])
    assert answer == {"measured": [], "missing": {"chromadb": "chromadb is left out: not installed"}}
