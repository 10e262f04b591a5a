"""The training of an adapter: the same plan gives the same weights, also when it is left in the middle."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from agent.adapter import cache
from agent.adapter.cache import remove_shards, shard_path
from agent.adapter.lesson import Lesson
from agent.adapter.loss import Losses, Reader
from agent.adapter.plan import AdapterPlan
from agent.adapter.preparing import Prepared, remove_prepared
from agent.adapter.recipe import recipe_of
from agent.adapter.training import AdapterTraining, checked
from retention import AdapterConfig, FactSlots, Handle, HoldfastError, SlotFileError, attach

SCORES = {"asked": 0.9, "taught": 0.8, "unseen": 0.5, "untrained": 0.25, "own": 0.2, "drift": 0.1}


@pytest.fixture
def short_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials that cost nothing: what they measure has tests of its own."""
    monkeypatch.setattr("agent.adapter.training.trial", lambda reader: SCORES)


@contextmanager
def begun(model: Any, tokenizer: Any, config: AdapterConfig, plan: AdapterPlan, folder: Path) -> Iterator[Prepared]:
    handle = attach(model, config, tokenizer=tokenizer, seed=plan.seed)
    try:
        yield Prepared(plan, handle, folder)
    finally:
        handle.detach()


def weights(training: AdapterTraining) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in training.adapter.state_dict().items()}


@pytest.mark.usefixtures("short_trials")
def test_a_training_that_is_left_at_any_mark_ends_as_one_that_is_not(
    model: Any, tokenizer: Any, small_config: AdapterConfig, plan: AdapterPlan, prepared_folder: Path, tmp_path: Path
) -> None:
    with begun(model, tokenizer, small_config, plan, prepared_folder) as prepared:
        whole = AdapterTraining(plan, prepared)
        before = weights(whole)
        whole.run(6)
        assert whole.finished
        wanted = weights(whole)
        moved = {name for name in before if not torch.equal(before[name], wanted[name])}
        assert moved == set(before) - {"mean", "whiten"}
    path = tmp_path / "training.safetensors"
    with begun(model, tokenizer, small_config, plan, prepared_folder) as prepared:
        AdapterTraining(plan, prepared).save(path)  # also before the first step
    for until in (2, 3, 6):
        with begun(model, tokenizer, small_config, plan, prepared_folder) as prepared:
            parts = AdapterTraining.load(path, plan, prepared)
            torch.manual_seed(until)  # nothing is drawn from torch's own generator
            parts.run(until)
            parts.save(path)
    found = weights(parts)
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    assert [mark.iteration for mark in parts.marks] == [2, 3, 6]
    assert parts.marks[0].scores == SCORES
    assert all(a.cpu_seconds <= b.cpu_seconds for a, b in zip(parts.marks, parts.marks[1:], strict=False))


@pytest.mark.usefixtures("short_trials")
def test_the_callers_randomness_and_threads_are_untouched_and_the_model_too(
    prepared: Prepared, plan: AdapterPlan, model: Any
) -> None:
    held = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    torch.manual_seed(1)
    wanted = torch.rand(3)
    torch.manual_seed(1)
    threads = torch.get_num_threads()
    AdapterTraining(plan, prepared).run(1)
    assert torch.equal(torch.rand(3), wanted)
    assert torch.get_num_threads() == threads
    assert all(torch.equal(tensor, held[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.usefixtures("short_trials")
def test_states_are_hidden_in_steps_and_in_nothing_else(
    prepared: Prepared, plan: AdapterPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = AdapterTraining(replace(plan, decay=0.0), prepared)
    told = prepared.reader.corpus.facts[0].written["asked"]
    seen: list[torch.Tensor] = []

    def loss(plan: AdapterPlan, reader: Reader, lesson: Lesson, crowd: FactSlots) -> tuple[Losses, FactSlots]:
        keys = reader.write(told).slot_key
        seen.append(keys.detach())
        return Losses(0.0 * keys.sum(), *torch.zeros(4)), crowd  # nothing is learned

    monkeypatch.setattr("agent.adapter.training.lesson_loss", loss)
    training.run(2)
    training.iteration = 1
    training.run(2)
    first, second, again = seen
    assert not torch.equal(first, second)
    assert torch.equal(again, second)
    still = prepared.reader.write(told).slot_key
    assert not torch.equal(still, second)
    assert torch.equal(still, prepared.reader.write(told).slot_key)


@pytest.mark.usefixtures("short_trials")
def test_the_loss_falls(prepared: Prepared, plan: AdapterPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.adapter.lesson._WRITTEN", 1)
    steady = replace(plan, iterations=90, rate=1e-2, warm_up=5, questions=8, null=0.0, near=0.0)
    training = AdapterTraining(steady, prepared)
    losses: list[float] = []
    mark = training.run(90, on_step=lambda iteration, loss: losses.append(loss))
    assert len(losses) == 90
    assert sum(losses[-10:]) / 10 < 0.9 * sum(losses[:5]) / 5
    assert mark.loss == pytest.approx(sum(losses) / 90)
    assert mark.told().startswith(
        f"loss {mark.loss:.3f}, recalled asked 0.90, taught 0.80, unseen 0.50, untrained 0.25, own 0.20, drift +0.10 %"
    )
    assert mark.scalars() == {"loss": mark.loss, "cpu_seconds": mark.cpu_seconds, **SCORES}


@pytest.mark.usefixtures("short_trials")
def test_a_loss_that_is_not_finite_ends_the_training_with_a_word(prepared: Prepared, plan: AdapterPlan) -> None:
    training = AdapterTraining(plan, prepared)
    training.run(2)
    with torch.no_grad():
        training.adapter.gate.bias.fill_(float("nan"))
    threads = torch.get_num_threads()
    with pytest.raises(HoldfastError, match=r"training diverged at iteration 2: lower the rate of 0.001"):
        training.run(4)
    assert training.iteration == 2
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("change", [{"seed": 1}, {"iterations": 7}, {"rate": 2e-3}, {"model": "other"}])
def test_an_unfinished_training_of_another_plan_is_left_alone(
    change: dict[str, Any], prepared: Prepared, plan: AdapterPlan, tmp_path: Path
) -> None:
    path = tmp_path / "training.safetensors"
    AdapterTraining(plan, prepared).save(path)
    held = path.read_bytes()
    base = prepared.reader.handle.base
    checked(path, plan, base)
    with pytest.raises(HoldfastError, match="an unfinished training by another plan: finish it with the same"):
        AdapterTraining.load(path, replace(plan, **change), prepared)
    with pytest.raises(HoldfastError, match="an unfinished training by another plan"):
        checked(path, plan, "another model")
    assert path.read_bytes() == held


def test_a_file_that_is_none_is_refused(prepared: Prepared, plan: AdapterPlan, tmp_path: Path) -> None:
    path = tmp_path / "training.safetensors"
    with pytest.raises(SlotFileError, match="does not exist"):
        AdapterTraining.load(path, plan, prepared)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(SlotFileError, match="is not a safetensors file"):
        AdapterTraining.load(path, plan, prepared)


@pytest.mark.usefixtures("short_trials")
def test_a_recipe_says_where_an_adapter_came_from(prepared: Prepared, plan: AdapterPlan, model: Any) -> None:
    training = AdapterTraining(plan, prepared)
    training.run(1)
    training.run(2)
    recipe = recipe_of(training, {"asked": 1.0})
    assert recipe["plan"]["people"] == plan.people
    assert recipe["base"] == prepared.reader.handle.base
    assert recipe["adapter"] == training.adapter.fingerprint
    assert recipe["trainable"] == sum(parameter.numel() for parameter in training.adapter.parameters())
    assert recipe["trainable_share"] == recipe["trainable"] / sum(each.numel() for each in model.parameters())
    assert recipe["scores"] == {"facts": 12, "asked": 1.0}
    assert [each["iteration"] for each in recipe["curve"]] == [1, 2]
    assert recipe["cpu_seconds"] == training.marks[-1].cpu_seconds
    assert recipe["cache_cpu_seconds"] == round(prepared.seconds, 1) > 0


# -- the states of the frozen model


@pytest.fixture
def copied(prepared_folder: Path, tmp_path: Path) -> Path:
    """A folder of its own in which the texts have been read."""
    return shutil.copytree(prepared_folder, tmp_path / "copied")


class Counted:
    """A handle that counts the texts that its model reads."""

    def __init__(self, handle: Handle, monkeypatch: pytest.MonkeyPatch) -> None:
        self.texts, states = 0, handle.states

        def counted(rows: Any) -> Any:
            self.texts += len(rows)
            return states(rows)

        monkeypatch.setattr(handle, "states", counted)


def test_states_are_those_of_the_model_from_where_it_is_asked(prepared: Prepared) -> None:
    reader = prepared.reader
    places = [0, reader.corpus.facts[0].asked["chat"], reader.corpus.neutral[3], len(reader.corpus.rows) - 1]
    for place in places:
        row = reader.corpus.rows[place]
        (wanted,) = reader.handle.states([row.tokens])
        assert torch.allclose(reader.states[place], wanted[row.since :], atol=1e-5)


def test_what_was_read_is_not_read_again(
    handle: Handle, plan: AdapterPlan, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = Counted(handle, monkeypatch)
    seen: list[tuple[int, int]] = []
    first = Prepared(plan, handle, copied, lambda done, texts: seen.append((done, texts)))
    assert count.texts == 0
    texts = len(first.reader.corpus.rows)
    assert seen == [(min(done, texts), texts) for done in range(64, texts + 64, 64)]
    shard_path(copied, 1).unlink()
    again = Prepared(plan, handle, copied)
    assert count.texts == 64
    content = shard_path(copied, 0).read_bytes()
    shard_path(copied, 0).unlink()  # what was read lies in the file itself: it is not to change
    shard_path(copied, 0).write_bytes(content[:-9])
    again = Prepared(plan, handle, copied)
    assert count.texts == 128
    assert all(torch.equal(a, b) for a, b in zip(first.reader.states, again.reader.states, strict=True))


def test_texts_of_another_plan_are_read_anew(
    handle: Handle, plan: AdapterPlan, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = Counted(handle, monkeypatch)
    more = Prepared(replace(plan, seed=1), handle, copied)
    texts = len(more.reader.corpus.rows)
    assert count.texts == texts
    monkeypatch.setattr(cache, "_SHARD", 100)  # files of other sizes are not of these texts either
    Prepared(replace(plan, seed=1), handle, copied)
    assert count.texts == 2 * texts


def test_a_reading_that_is_interrupted_goes_on(
    handle: Handle, plan: AdapterPlan, prepared_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(done: int, texts: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Prepared(plan, handle, tmp_path, stop)
    count = Counted(handle, monkeypatch)
    found = Prepared(plan, handle, tmp_path)
    assert count.texts == len(found.reader.corpus.rows) - 64
    whole = Prepared(plan, handle, prepared_folder)
    assert all(torch.equal(a, b) for a, b in zip(found.reader.states, whole.reader.states, strict=True))
    assert found.seconds > 0


def test_what_is_removed_is_its_own(copied: Path) -> None:
    other = copied / "states-of-the-union.safetensors"
    other.write_bytes(b"mine")
    remove_shards(copied)
    assert sorted(each.name for each in copied.iterdir()) == ["neutral.safetensors", other.name]
    remove_prepared(copied)
    assert [each.name for each in copied.iterdir()] == [other.name]
