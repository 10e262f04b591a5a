"""The suite ``pretrained``, with a Llama of a few thousand random weights in the place of the real one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agent.commands import train_adapter
from evals.frozen.wordings import AS_ASKED, OF_PEOPLE, UNSEEN, WORDINGS
from evals.suite import Case
from evals.suites import pretrained
from evals.suites import pretrained_kept_phases as kept
from evals.suites import pretrained_phases as phases
from retention import FunctionEncoder, MissingExtraError, attach, config_for, save_adapter

SUITE = pretrained.SUITE
SMALL: dict[str, Any] = {
    "questions": 6,
    "sizes": [1, 2, 8],
    "prompt_sizes": [1, 8],
    "retrieved_sizes": [8],
    "tuned": {"1": 1, "8": 1},
    "lora": {"rank": 8, "rate": 0.03, "epochs": 2},
    "last layers": {"count": 2, "rate": 0.03, "epochs": 150},
    "speed": {"tokens": 2, "rounds": 2},
}


def case(arm: str, seed: int = 0, **settings: Any) -> Case:
    (found,) = [each for each in SUITE.cases([seed]) if each.arm == arm]
    return replace(found, settings={**found.settings, **SMALL, **settings})


def found(answer: Any, metric: str = "share_right") -> dict[tuple[str, str], float]:
    rows = json.loads(json.dumps(answer["rows"]))  # as it comes from another process
    keys = [(each, task, arm) for each, task, arm, _ in rows]
    assert len(keys) == len(set(keys))
    return {(task, arm): value for each, task, arm, value in rows if each == metric}


@pytest.fixture
def local(tiny, monkeypatch):
    for module in (phases, kept):
        monkeypatch.setattr(module, "frozen_model", lambda case: tiny)
    return tiny


def words(texts: list[str]) -> np.ndarray:
    made = np.zeros((len(texts), 256), np.float32)
    for row, text in enumerate(texts):
        for word in text.lower().replace(".", " ").split():
            made[row, sum(map(ord, word)) % 256] += 1
    return made


def test_the_model_alone_is_asked_once_and_stands_at_every_size(local, tmp_path):
    answer = phases.ask_base(case("base"), tmp_path, [])
    assert set(found(answer)) == {(f"{wording} {size}", "base") for wording in WORDINGS for size in (1, 2, 8)}
    neutral = phases.look_at_neutral(case("base"), tmp_path, [])
    assert set(found(neutral, "perplexity")) == {("neutral text", "base"), ("longer neutral text", "base")}
    assert min(found(neutral, "perplexity").values()) > 1


def test_a_model_that_reads_its_prompt_is_right_where_the_fact_stands_in_it(local, tmp_path, monkeypatch):
    """In the place of asking, a look at the prompt: does it hold the value?"""

    def reads(model, context, asked):
        text = local.tokenizer.decode(context)
        return [local.tokenizer.decode(answer).strip() in text for _, answer in asked]

    monkeypatch.setattr(phases, "exact_after", reads)
    shares = found(phases.ask_prompted(case("prompt"), tmp_path, []))
    assert shares == {(f"{wording} {size}", "prompt"): 1.0 for wording in WORDINGS for size in (1, 8)}


def test_retrieval_shows_the_best_fact_last_and_as_many_as_are_wanted(local, tmp_path, monkeypatch):
    monkeypatch.setattr("retention.memory.encoding.default_encoder", lambda: FunctionEncoder(words))
    shown = []

    def reads(model, asked):
        shown.append([local.tokenizer.decode(prompt) for prompt, _ in asked])
        values = [local.tokenizer.decode(answer).strip() for _, answer in asked]
        return [value in prompt for value, prompt in zip(values, shown[-1], strict=True)]

    monkeypatch.setattr(phases, "exact", reads)
    answer = phases.ask_retrieved(case("retrieval"), tmp_path, [])
    shares = found(answer)
    assert set(arm for _, arm in shares) == {"retrieval 1", "retrieval 4"}
    assert shares[f"{AS_ASKED} 8", "retrieval 1"] == shares[f"{AS_ASKED} 8", "retrieval 4"] == 1.0
    one, four = ([prompt.split("\n\n")[0].splitlines()[4:] for prompt in prompts] for prompts in shown[:2])
    assert all(
        len(few) == 1 and 1 <= len(more) <= 4 and more[-1] == few[0] for few, more in zip(one, four, strict=True)
    )
    assert set(found(answer, "writing_cpu_seconds")) == {(f"{wording} 8", "retrieval") for wording in WORDINGS}


def test_what_is_tuned_knows_what_it_was_told_as_it_is_asked_and_the_model_is_put_back(local, tmp_path):
    before = {name: tensor.clone() for name, tensor in local.model.state_dict().items()}
    answer = phases.ask_tuned(case("last layers"), tmp_path, [])
    shares = found(answer)
    assert set(shares) == {(f"{wording} {size}", "last layers") for wording in OF_PEOPLE for size in (1, 8)}
    assert shares[f"{AS_ASKED} 1", "last layers"] == 1.0
    assert abs(found(answer, "perplexity_moved")["neutral text 8", "last layers"]) > 1
    assert all(torch.equal(tensor, before[name]) for name, tensor in local.model.state_dict().items())
    share = found(phases.ask_tuned(case("lora"), tmp_path, []), "trainable_share")["all", "lora"]
    assert share == pytest.approx(100 * 8 * 4 * 2 * (32 + 32) / sum(each.numel() for each in before.values()), rel=0.2)


@pytest.fixture
def adapter(local, tmp_path):
    """An adapter that always reads: of random weights, and nothing goes to the null slot."""
    small = config_for(local.model, token_heads=1, token_dim=8, fact_heads=2, fact_dim=8, floor=0.0)
    handle = attach(local.model, small, tokenizer=local.tokenizer, seed=1)
    with torch.no_grad():
        handle.adapter.null_score.fill_(-50.0)
        handle.adapter.scale.fill_(2.0)
    save_adapter(handle.adapter, tmp_path / "adapter.safetensors")
    handle.detach()


def test_facts_that_one_process_wrote_are_read_by_another(local, adapter, tmp_path, monkeypatch):
    """The same model stands for both processes; of the first nothing is left but its folder."""
    handles = []
    real = kept._attached

    def attached(*args):
        for handle in handles:
            handle.detach()
        handles.append(real(*args))
        return handles[-1]

    monkeypatch.setattr(kept, "_attached", attached)
    monkeypatch.setattr(kept, "LONGER", kept.LONGER[:9])
    written = kept.write(case("kept"), tmp_path, [])
    assert set(found(written, "writing_cpu_seconds")) == {
        (f"{w} {size}", "kept") for w in WORDINGS for size in (1, 2, 8)
    }
    answer = kept.read(case("kept"), tmp_path, [])
    arms = ("kept", "wiped", "foreign")
    assert set(found(answer)) == {(f"{w} {size}", arm) for w in WORDINGS for size in (1, 2, 8) for arm in arms}
    moved = found(kept.drift(case("kept"), tmp_path, []), "perplexity_moved")
    for name in ("neutral text", "longer neutral text"):
        assert all(moved[f"{name} {size}", "wiped"] == 0 for size in (1, 2, 8))  # to the bit
        assert all(abs(moved[f"{name} {size}", arm]) > 0.1 for size in (1, 2, 8) for arm in ("kept", "foreign"))
    assert found(answer, "speed_kept")["all", "kept"] > 0
    assert 0 < found(answer, "trainable_share")["all", "kept"] < 100
    handles[-1].detach()


def test_the_longer_texts_are_read_with_several_memories_of_others(local, adapter, tmp_path):
    handle = kept._attached(local, tmp_path)
    first, second, again = (kept._of_others(case("kept"), draw, local, handle) for draw in (1, 2, 1))
    assert len(first) == len(second) == 8
    assert not torch.equal(first.key, second.key) and torch.equal(first.key, again.key)
    handle.detach()


def test_each_question_reads_its_own_memory(local, adapter, tmp_path, monkeypatch):
    """What a question reads is told by the memory that it is given: one fact, its own."""
    handle = kept._attached(local, tmp_path)
    worlds = phases.told(case("kept"), UNSEEN, 1, local)
    own = [handle.write([facts[0].statement]) for facts, _ in worlds]
    seen = []
    monkeypatch.setattr(type(handle), "reading", lambda self, memories: seen.append(memories))
    kept._around(handle, own)(range(2, 4))
    assert [part is wanted for part, wanted in zip(seen[0], own[2:4], strict=True)] == [True, True]
    handle.detach()


@pytest.fixture
def command(tmp_path, monkeypatch):
    """In the place of what ``holdfast train adapter`` does; the list is of the seeds and people that it was given."""
    given: list[tuple[int, int]] = []

    def adapter(*, out: Path, seed: int, people: int, display: str, **others: Any) -> None:
        given.append((seed, people))
        assert display == "none"
        out.mkdir(parents=True, exist_ok=True)
        (out / "adapter.safetensors").write_text(f"weights of {people}")
        plan = {"seed": seed, "people": people, "iterations": 600}
        recipe = {"plan": plan, "cache_cpu_seconds": 1.5, "cpu_seconds": 2.0, "scores": {"asked": 0.5}}
        (out / "recipe.json").write_text(json.dumps(recipe))

    monkeypatch.setattr(train_adapter.adapter, "callback", adapter)
    monkeypatch.setattr(kept, "files", lambda package: tmp_path / "package")
    return given


def test_an_adapter_is_trained_once_for_a_seed_and_its_plan(tmp_path, command):
    for number, (seed, people) in enumerate([(0, 12), (0, 12), (1, 12), (1, 13)]):
        folder = tmp_path / "cases" / str(number)
        folder.mkdir(parents=True)
        answer = kept.learn(case("kept", seed=seed, adapter={"people": people}), folder, [])
        assert found(answer, "training_cpu_seconds") == {("all", "kept"): 3.5} and not answer["shipped"]
        assert (folder / "adapter.safetensors").read_text() == f"weights of {people}"
    assert command == [(0, 12), (1, 12), (1, 13)]


def test_the_first_seed_has_the_adapter_that_comes_with_the_package(tmp_path, command):
    (tmp_path / "package" / "adapter").mkdir(parents=True)
    (tmp_path / "package" / kept._SHIPPED).write_text("shipped")
    for seed, weights in ((0, "shipped"), (1, "weights of 12")):
        folder = tmp_path / "cases" / str(seed)
        folder.mkdir(parents=True)
        answer = kept.learn(case("kept", seed=seed, adapter={"people": 12}), folder, [])
        assert answer["shipped"] is (seed == 0)
        assert (folder / "adapter.safetensors").read_text() == weights
    assert command == [(1, 12)]


def test_without_the_packages_one_line_says_so(monkeypatch):
    monkeypatch.setattr(phases, "local_model_missing", lambda: "the local model is not installed: pip install it")
    assert phases.absent(case("kept")) == (
        "the suite pretrained is left out: the local model is not installed: pip install it"
    )
    monkeypatch.setattr(phases, "local_model_missing", lambda: None)
    assert phases.absent(case("kept")) is None

    def lacking() -> None:
        raise MissingExtraError("the default encoder of texts", "text")

    monkeypatch.setattr(phases, "default_encoder", lacking)
    assert phases.absent(case("kept")) is None
    assert "the arm retrieval is left out" in str(phases.absent(case("retrieval")))
