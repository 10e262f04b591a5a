"""Facts of a namespace read by a tiny random model: in step with the file, cached, told by template."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from langchain_core.messages import AIMessage, HumanMessage

from retention import (
    EpisodicMemory,
    FactMemory,
    FactSlots,
    Handle,
    HoldfastError,
    MemoryWriteError,
    TemplateDraft,
    attach,
    config_for,
    fact_text,
)
from retention.layer.attach import Handle as TheHandle

ANN, BOB = "The locker code of Ann is 4821.", "Bob was born in Oslo."


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({letter: number for number, letter in enumerate(["<s>", "</s>", *letters])}, []))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    found: Any = PreTrainedTokenizerFast
    return found(tokenizer_object=made, bos_token="<s>", eos_token="</s>", clean_up_tokenization_spaces=False)


@pytest.fixture(scope="module")
def model(tokenizer: Any) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=3,
            num_attention_heads=2,
            max_position_embeddings=128,
            bos_token_id=0,
            eos_token_id=1,
        )
    ).eval()


@pytest.fixture
def handle(model: Any, tokenizer: Any) -> Iterator[Handle]:
    """With a read that always reads: nothing goes to the null slot."""
    small = config_for(model, token_heads=1, token_dim=8, fact_heads=2, fact_dim=8, floor=0.0)
    made = attach(model, small, tokenizer=tokenizer, seed=1)
    with torch.no_grad():
        made.adapter.null_score.fill_(-50.0)
        made.adapter.scale.fill_(1.0)
    made.adapter.requires_grad_(False)
    yield made
    made.detach()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory.db"


@pytest.fixture
def memory(path: Path) -> Iterator[EpisodicMemory]:
    with EpisodicMemory.open(path) as opened:
        yield opened


@pytest.fixture
def facts(handle: Handle, memory: EpisodicMemory) -> FactMemory:
    return FactMemory(handle, memory, namespace="alice")


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that the model has read."""
    read: list[str] = []
    write = TheHandle.write

    def counted(self: Handle, texts: list[str]) -> FactSlots:
        read.extend(texts)
        return write(self, texts)

    monkeypatch.setattr(TheHandle, "write", counted)
    return read


def same(one: FactSlots, other: FactSlots) -> bool:
    return one.to_bytes() == other.to_bytes()


def say(handle: Handle, text: str) -> None:
    with torch.no_grad():
        handle.model(torch.tensor([handle.encode(text)]))


def test_each_sentence_is_a_fact_and_its_slots_are_what_the_model_writes_of_it(
    facts: FactMemory, handle: Handle, memory: EpisodicMemory
) -> None:
    ids = facts.remember(f"{ANN} {BOB}", source="tool")
    assert [(each.id, each.content, each.kind, each.source) for each in facts.facts()] == [
        (ids[0], ANN, "fact", "tool"),
        (ids[1], BOB, "fact", "tool"),
    ]
    assert facts.ids == tuple(ids)
    assert same(facts.slots, handle.write([ANN, BOB]))
    assert facts.remember(ANN) == ids[:1]
    assert memory.get(ids[0], namespace="alice").count == 2
    assert facts.remember(" \n ") == []
    assert memory.recall("locker code", namespace="alice").hits[0].template.id == ids[0]
    assert memory.verify() == []


def test_of_messages_the_users_statements_are_remembered(facts: FactMemory) -> None:
    said = [
        HumanMessage(f"Hello! {ANN} What is yours?"),
        AIMessage("Mine is 1234 here."),
        {"role": "user", "content": BOB},
    ]
    facts.remember(said)
    assert [each.content for each in facts.facts()] == [ANN, BOB]


def test_texts_are_facts_as_they_stand(facts: FactMemory) -> None:
    facts.remember([f" {ANN} She has two.", "Who is Bob?"])
    assert [each.content for each in facts.facts()] == [f"{ANN} She has two.", "Who is Bob?"]
    assert facts.remember([]) == []


def test_a_text_that_is_no_fact_is_refused_and_nothing_kept(facts: FactMemory) -> None:
    with pytest.raises(ValueError, match=r"one sentence of 3 to 63 tokens, got 2 tokens: 'a'"):
        facts.remember(f"{ANN}\na")
    with pytest.raises(ValueError, match="got 201 tokens"):
        facts.remember("x" * 200)
    assert facts.facts() == []


def test_with_a_detached_handle_nothing_is_kept(facts: FactMemory, handle: Handle) -> None:
    handle.detach()
    with pytest.raises(HoldfastError, match="was detached"):
        facts.remember("Marek keeps the red key.")
    assert not facts.facts()


def test_a_fact_that_cannot_be_read_stops_no_other(
    facts: FactMemory, memory: EpisodicMemory, caplog: pytest.LogCaptureFixture
) -> None:
    """As another program may have noted it."""
    drafts = [TemplateDraft(content=text, key=np.ones(3), kind="fact", encoder="own") for text in ("x" * 200, "y")]
    long, short = memory.write(drafts, namespace="alice")
    with caplog.at_level(logging.WARNING):
        ids = facts.remember(ANN)
        assert facts.ids == tuple(ids)
    assert f"fact {long} is not read: it has 201 tokens" in caplog.text
    assert f"fact {short} is not read: it has 2 tokens" in caplog.text
    facts.remember(BOB)
    assert caplog.text.count("is not read") == 2  # each is told of once


def test_opened_again_the_slots_come_from_the_cache_to_the_bit(
    facts: FactMemory, handle: Handle, path: Path, written: list[str]
) -> None:
    ids = facts.remember(f"{ANN} {BOB}")
    before = facts.slots
    written.clear()
    with EpisodicMemory.open(path) as again:
        held = FactMemory(handle, again, namespace="alice")
        assert held.ids == tuple(ids)
        assert same(held.slots, before)
        assert all(
            torch.equal(getattr(held.slots, name), getattr(before, name)) for name in ("key", "slot_key", "token")
        )
    assert written == []


def test_another_adapter_has_slots_of_its_own(
    facts: FactMemory, handle: Handle, memory: EpisodicMemory, written: list[str]
) -> None:
    facts.remember(ANN)
    before = facts.slots
    handle.adapter.log_fact.data.add_(1.0)
    written.clear()
    other = FactMemory(handle, memory, namespace="alice")
    assert not same(other.slots, before)
    assert written == [ANN]
    assert same(FactMemory(handle, memory, namespace="alice").slots, other.slots)
    assert written == [ANN]


def test_what_the_cache_lacks_is_made_anew(facts: FactMemory, handle: Handle, path: Path, written: list[str]) -> None:
    import sqlite3
    from contextlib import closing

    facts.remember(f"{ANN} {BOB}")
    before = facts.slots
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE cached_slots SET slots = x'00' WHERE template_id = 1")
        connection.execute("DELETE FROM cached_slots WHERE template_id = 2")
    written.clear()
    with EpisodicMemory.open(path, mode="ro") as frozen:
        assert same(FactMemory(handle, frozen, namespace="alice").slots, before)
        assert sorted(written) == sorted([ANN, BOB])
    written.clear()
    for wanted in ([ANN, BOB], []):
        with EpisodicMemory.open(path) as again:
            assert same(FactMemory(handle, again, namespace="alice").slots, before)
        assert sorted(written) == sorted(wanted)
        written.clear()


def test_slots_of_other_sizes_are_made_anew(
    facts: FactMemory, handle: Handle, memory: EpisodicMemory, written: list[str]
) -> None:
    """As an older holdfast may have written them for the same adapter."""
    ids = facts.remember(ANN)
    adapter = f"{handle.adapter.fingerprint} {handle.base}"
    (row,) = memory.load_facts(ids, namespace="alice", adapter=adapter)
    memory.cache_slots([row._replace(slots=b"\x01\0\0\0odd")], namespace="alice", adapter=adapter)
    written.clear()
    assert same(FactMemory(handle, memory, namespace="alice").slots, facts.slots)
    assert written == [ANN]


def test_it_is_in_step_with_what_others_do(facts: FactMemory, path: Path, handle: Handle, written: list[str]) -> None:
    ids = facts.remember(f"{ANN} {BOB}")
    with EpisodicMemory.open(path) as other:
        theirs = FactMemory(handle, other, namespace="alice")
        (third,) = theirs.remember("Eve plays the violin.")
        assert facts.ids == (*ids, third)
        other.put_facts_in_use(ids[:1], namespace="alice", usable=False)
        assert facts.ids == (ids[1], third)
        other.forget([third], namespace="alice")
        assert facts.ids == (ids[1],)
        assert same(facts.slots, handle.write([BOB]))
        other.put_facts_in_use(ids[:1], namespace="alice")
        assert facts.ids == tuple(ids)
        assert same(facts.slots, handle.write([ANN, BOB]))
        facts.forget(ids)
        assert theirs.ids == () and len(theirs.slots) == 0
    assert written.count("Eve plays the violin.") == 1


def test_nothing_is_read_from_the_file_while_it_stays(
    facts: FactMemory, memory: EpisodicMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts.remember(ANN)
    held = facts.slots

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("the facts were read again")

    monkeypatch.setattr(EpisodicMemory, "facts_in_use", refuse)
    assert facts.slots is held
    memory.write([TemplateDraft(content="no fact", key=np.ones(3, np.float32))], namespace="alice")
    with pytest.raises(AssertionError, match="read again"):
        _ = facts.slots


def test_what_runs_out_is_not_read(facts: FactMemory, memory: EpisodicMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    (kept,) = facts.remember(ANN)
    memory.write([TemplateDraft(content=BOB, key=np.ones(1, np.float32), kind="fact", ttl=60)], namespace="alice")
    assert len(facts.ids) == 2
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 61)
    assert facts.ids == (kept,)


def test_namespaces_and_tasks_do_not_see_each_other(facts: FactMemory, handle: Handle, memory: EpisodicMemory) -> None:
    ids = facts.remember(ANN)
    bobs = FactMemory(handle, memory, namespace="bob")
    assert bobs.ids == () and bobs.facts() == []
    assert bobs.forget(ids).templates == 0
    work = FactMemory(handle, memory, namespace="alice", task="work")
    (at_work,) = work.remember(BOB)
    assert work.ids == (at_work,)
    assert facts.ids == (*ids, at_work)
    with pytest.raises(ValueError, match="namespace must have 1 to 200 characters"):
        FactMemory(handle, memory, namespace="")


def test_what_was_changed_from_outside_is_not_read(
    path: Path, handle: Handle, caplog: pytest.LogCaptureFixture
) -> None:
    import sqlite3
    from contextlib import closing

    with EpisodicMemory.open(path, seal=True) as memory:
        ids = FactMemory(handle, memory, namespace="alice").remember(f"{ANN} {BOB}")
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE templates SET content = 'The locker code of Ann is 1111.' WHERE id = ?", ids[:1])
        with caplog.at_level(logging.WARNING):
            assert FactMemory(handle, memory, namespace="alice").ids == tuple(ids[1:])
        assert f"templates {ids[0]} were changed from outside, and are held" in caplog.text
        assert FactMemory(handle, memory, namespace="alice").remember(ANN)  # the words themselves are a new fact
        assert memory.get(ids[0], namespace="alice").held == "tampered"


def test_recalls_are_told_by_template_and_make_a_receipt(
    facts: FactMemory, handle: Handle, memory: EpisodicMemory
) -> None:
    gone, ann, bob = facts.remember(f"Eve plays the violin. {ANN} {BOB}")
    facts.forget([gone])
    with facts.reading() as reading:
        say(handle, "The locker code of")
        say(handle, "Bob")
    assert reading.tokens(bob) == list(fact_text(handle.tokenizer, BOB).written[1:])
    with pytest.raises(ValueError, match="fact"):
        reading.tokens(gone)
    recalls = reading.recalls()
    assert len(recalls) == 2 and all(each.read for each in recalls)
    for each in recalls:
        assert set(each.masses) == {ann, bob}
        assert list(each.masses.values()) == sorted(each.masses.values(), reverse=True)
        assert sum(each.masses.values()) + each.null == pytest.approx(1.0, abs=1e-5)
    receipt = facts.receipt(recalls)
    assert receipt is not None
    total = {number: sum(each.masses[number] for each in recalls) for number in (ann, bob)}
    shown = memory.receipt(receipt, namespace="alice").exposures
    assert shown == pytest.approx({number: mass / max(total.values()) for number, mass in total.items()}, rel=1e-5)
    rated = facts.rate(receipt, -1.0)
    assert rated.kept_back and not set(rated.kept_back) & set(facts.ids)
    assert all(memory.get(number, namespace="alice").utility < 0 for number in rated.kept_back)
    assert facts.rate(receipt, 1.0).freed == rated.kept_back
    assert facts.ids == (ann, bob)


def test_said_again_what_a_rating_kept_from_use_is_in_use(facts: FactMemory) -> None:
    ids = facts.remember(ANN)
    facts.rate(None, -1.0, told=ids)
    assert facts.ids == ()
    assert facts.remember(ANN) == ids
    assert facts.ids == tuple(ids)


def test_what_drew_too_little_was_not_read(facts: FactMemory, handle: Handle) -> None:
    facts.remember(ANN)
    handle.adapter.null_score.fill_(90.0)
    with facts.reading() as reading:
        say(handle, "Who is")
    (recall,) = reading.recalls()
    assert not recall.read and recall.null == pytest.approx(1.0)
    assert facts.receipt([recall]) is None


def test_without_facts_nothing_is_recalled_and_the_model_is_as_it_was(facts: FactMemory, handle: Handle) -> None:
    row = torch.tensor([handle.encode("Who is")])
    with torch.no_grad():
        bare = handle.model(row).logits
        with facts.reading() as reading:
            assert torch.equal(handle.model(row).logits, bare)
        (recall,) = reading.recalls()
        assert (recall.masses, recall.null, recall.read) == ({}, 1.0, False)
        facts.remember(ANN)
        with facts.reading():
            assert not torch.equal(handle.model(row).logits, bare)
        assert torch.equal(handle.model(row).logits, bare)


def test_leading_tokens_can_be_left_out_of_the_question(facts: FactMemory, handle: Handle) -> None:
    facts.remember(f"{ANN} {BOB}")
    said, earlier = handle.encode("Bob was"), handle.encode("nothing of it ")
    with torch.no_grad():
        found = []
        for since in (0, len(earlier)):
            with facts.reading(since=since) as reading:
                handle.model(torch.tensor([[*earlier, *said]]))
            found.append(reading.recalls()[0].masses)
    assert found[0] != found[1]


def test_each_row_of_a_batch_reads_the_same_facts(facts: FactMemory, handle: Handle) -> None:
    facts.remember(f"{ANN} {BOB}")
    row = handle.encode("Bob")
    with facts.reading() as reading, torch.no_grad():
        handle.model(torch.tensor([row, row]))
    assert reading.recalls(0)[0].masses == pytest.approx(reading.recalls(1)[0].masses, rel=1e-5)


def test_a_read_only_memory_can_be_read(facts: FactMemory, handle: Handle, path: Path, memory: EpisodicMemory) -> None:
    facts.remember(ANN)
    memory.close()
    with EpisodicMemory.open(path, mode="ro") as frozen:
        held = FactMemory(handle, frozen, namespace="alice")
        with held.reading() as reading:
            say(handle, "Who is")
        assert held.receipt(reading.recalls()) is None
        with pytest.raises(MemoryWriteError, match="read-only"):
            held.remember(BOB)


def test_threads_share_it(facts: FactMemory) -> None:
    start = threading.Barrier(3)

    def work(part: int) -> None:
        start.wait()
        for number in range(4):
            facts.remember(f"The box {part} holds {number} things of its own.")
            seen = facts.ids
            assert list(seen) == sorted(set(seen))

    threads = [threading.Thread(target=work, args=(part,)) for part in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(facts.ids) == sorted(each.id for each in facts.facts())
    assert len(facts.slots) == len(facts.ids) == 12


def test_many_are_read_with_a_bar(
    facts: FactMemory, handle: Handle, memory: EpisodicMemory, written: list[str]
) -> None:
    texts = [f"The box {number} holds {number * number} things." for number in range(150)]
    facts.remember("\n".join(texts))
    assert written == texts
    assert same(facts.slots.index([0, 149]), handle.write([texts[0], texts[149]]))
