"""Texts, rows and states: what is read from states is what the model itself says when it reads with its hooks."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from importlib.resources import files
from statistics import fmean
from typing import Any

import pytest
import torch

from agent.adapter.corpus import make_corpus
from agent.adapter.lesson import Spot, draw_lesson
from agent.adapter.loss import Reader, lesson_loss
from agent.adapter.neutral import neutral_rows, openings, plain_rows, prompts
from agent.adapter.people import Fact
from agent.adapter.plan import AdapterPlan
from agent.adapter.preparing import Prepared
from agent.adapter.rows import Row, asked_row, chat_row, statement_row
from agent.adapter.trial import drift, recalled, trial
from evals.frozen.neutral import NEUTRAL
from retention import FactSlots, Handle

FACT = Fact("Anna Berg", "dog", "Abmo")


def decoded(tokenizer: Any, row: Row) -> str:
    return str(tokenizer.decode(row.tokens))


def wild(handle: Handle) -> None:
    """Give an adapter weights with which it reads whatever there is."""
    with torch.no_grad():
        handle.adapter.scale.normal_(generator=torch.Generator().manual_seed(0))
        handle.adapter.null_score.fill_(-5.0)


def test_rows_end_with_the_value_and_begin_where_it_is_asked(tokenizer: Any) -> None:
    cloze, spoken, chat = (asked_row(tokenizer, FACT, form) for form in ("cloze", "question", "chat"))
    assert decoded(tokenizer, cloze) == "The dog of Anna Berg is called Abmo"
    assert decoded(tokenizer, spoken) == "Question: What is the dog of Anna Berg called?\nAnswer: Abmo"
    assert decoded(tokenizer, chat) == "<s>user\nWhat is the dog of Anna Berg called?</s><s>assistant\n Abmo"
    for row in (cloze, spoken, chat):
        assert tokenizer.decode(row.tokens[-row.answer :]) == " Abmo"
    assert (cloze.since, spoken.since) == (1, 1)
    assert tokenizer.decode(chat.tokens[: chat.since]) == "<s>user\n"
    told = statement_row(tokenizer, "Anna Berg has a dog.")
    assert (decoded(tokenizer, told), told.since, told.answer) == ("<s>Anna Berg has a dog.", 0, 0)
    assert chat_row(tokenizer, "hello").answer == 0


def test_neutral_texts_are_the_models_own_and_of_one_side(model: Any, tokenizer: Any) -> None:
    rows = neutral_rows(model, tokenizer, texts=30, seed=1)
    assert rows == neutral_rows(model, tokenizer, texts=30, seed=1)
    assert rows != neutral_rows(model, tokenizer, texts=30, seed=2)
    assert len(rows) == 30
    begun = Counter(
        next(each for each in openings(test=False) + prompts(test=False) if each in text)
        for text in (decoded(tokenizer, row) for row in rows)
    )
    assert len(begun) >= 20
    assert not set(openings(test=True)) & set(openings(test=False))
    assert not set(prompts(test=True)) & set(prompts(test=False))
    for row in rows:
        drawn = row.tokens[-28:]
        assert 1 not in drawn[:-1] or row.tokens.index(1, row.since) <= len(row.tokens)


def test_a_text_ends_where_the_model_ends_it(model: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def generate(tokens: torch.Tensor, **more: Any) -> torch.Tensor:
        drawn = torch.tensor([[5, 6, 1, 1, 1]]).expand(len(tokens), -1)
        return torch.cat([tokens, drawn], dim=1)

    monkeypatch.setattr(model, "generate", generate)
    for row in neutral_rows(model, tokenizer, texts=25, seed=0):
        assert row.tokens[-3:] == (5, 6, 1)


def test_a_corpus_has_every_text_once_and_no_fact_twice(tokenizer: Any, plan: AdapterPlan) -> None:
    neutral, tests = [Row((5, 6, 7))], [Row((7, 8, 9))]
    corpus = make_corpus(plan, tokenizer, neutral, tests)
    assert corpus.digest == make_corpus(plan, tokenizer, neutral, tests).digest
    assert (len(corpus.facts), len(corpus.tests)) == (20, 2 * plan.test_people)
    assert [corpus.rows[row] for row in corpus.neutral] == neutral
    plain = plain_rows(tokenizer, test=False)
    assert [corpus.rows[row] for row in corpus.plain] == plain
    assert [corpus.rows[row] for row in corpus.neutral_tests] == tests + plain_rows(tokenizer, test=True)
    own, own_tests = ([fact for speaker in each for fact in speaker] for each in (corpus.own, corpus.own_tests))
    every = corpus.facts + own + corpus.tests + corpus.untrained + own_tests
    places = [row for fact in every for rows in fact.written.values() for row in rows]
    places += [row for fact in every for row in fact.asked.values()]
    places += corpus.told + corpus.neutral + corpus.plain + corpus.neutral_tests
    assert sorted(places) == list(range(len(corpus.rows)))
    for pair in range(0, 20, 2):
        one, other = corpus.facts[pair : pair + 2]
        assert set(one.asked) == set(other.asked) == ({"cloze", "question", "chat"} if pair % 4 == 0 else {"cloze"})
    assert all(set(fact.written) == {"asked", "taught"} for fact in corpus.facts)
    assert all(set(fact.written) == {"asked", "taught", "unseen"} for fact in corpus.tests)
    assert [(set(fact.asked), set(fact.written)) for fact in corpus.untrained] == [({"cloze"}, {"unseen"})] * 12
    assert (len(own), len(own_tests), len(corpus.own_tests)) == (20, 60, 3)
    assert all(set(fact.written) == {"asked", "taught"} for fact in own)
    assert [(set(fact.asked), set(fact.written)) for fact in own_tests] == [({"cloze"}, {"unseen"})] * 60
    for fact in corpus.facts + own + corpus.tests:
        said = decoded(tokenizer, corpus.rows[fact.asked["cloze"]])
        assert decoded(tokenizer, corpus.rows[fact.written["asked"][0]]) == f"<s> {said}. {said}."
    assert len(corpus.told) == 10
    for place in corpus.told:
        told = corpus.rows[place]
        assert decoded(tokenizer, told).startswith("<s>") and told.since == 0


@pytest.mark.parametrize("form", ["cloze", "question", "chat"])
def test_it_reads_what_the_model_says_with_its_hooks(prepared: Prepared, model: Any, form: str) -> None:
    reader, handle = prepared.reader, prepared.reader.handle
    wild(handle)
    corpus = reader.corpus
    with torch.no_grad():
        memory = reader.write([fact.written["taught"][0] for fact in corpus.tests[:12]]).rounded()
    place = corpus.tests[3].asked[form]
    row = corpus.rows[place]
    spots = [Spot(0, at) for at in range(len(row.tokens) - row.since)]
    with torch.no_grad():
        logits, _, states = reader.read([place], spots, memory, training=False)
        tokens = torch.tensor([row.tokens])
        plain = model(input_ids=tokens).logits[0, row.since :]
        with handle.reading(memory, since=row.since):
            wanted = model(input_ids=tokens).logits[0, row.since :]
        frozen = reader.head(states)
    assert torch.allclose(frozen, plain, atol=1e-4)
    assert torch.allclose(logits, wanted, atol=1e-4)
    assert (logits - frozen).abs().max() > 0.1


def test_a_statement_is_read_without_the_token_that_begins_it(prepared: Prepared, model: Any) -> None:
    reader, handle = prepared.reader, prepared.reader.handle
    wild(handle)
    memory = handle.write(["Anna Berg has a dog called Abmo.", "The seat of Anna Berg is 12A."])
    place = reader.corpus.told[0]
    tokens = reader.corpus.rows[place].tokens
    with torch.no_grad():
        with handle.reading(memory, since=1):
            wanted = model(input_ids=torch.tensor([tokens])).logits[0, 1:]
        logits, _, _ = reader.read([place], [Spot(0, at) for at in range(1, len(tokens))], memory, training=False)
    assert torch.allclose(logits, wanted, atol=1e-4)


def test_a_lesson_asks_for_values_that_are_in_memory(tokenizer: Any, plan: AdapterPlan, prepared: Prepared) -> None:
    corpus = prepared.reader.corpus
    every = [*corpus.facts, *corpus.own[0]]  # those of who speaks come last
    people = len(corpus.facts)
    owner = {row: fact for fact, each in enumerate(every) for rows in each.written.values() for row in rows}
    questioned = {row: fact for fact, each in enumerate(every) for row in each.asked.values()}
    spoken, own_vain = list[int](), list[bool]()  # facts of who speaks in memory; whether such are asked in vain
    vain = list[bool]()  # whether people asked about in vain are like some in memory
    assert draw_lesson(plan, corpus, 3) == draw_lesson(plan, corpus, 3) != draw_lesson(plan, corpus, 4)
    for iteration in range(24):
        lesson = draw_lesson(plan, corpus, iteration)
        inside = [owner[row] for row in lesson.written]
        assert len(inside) == len(set(inside)) == 8
        named = [fact for fact in inside if fact < people]
        spoken.append(8 - len(named))
        assert named[::2] == [fact - 1 for fact in named[1::2]]  # both of each person
        groups = [fact // (2 * plan.alike) for fact in named[::2]]
        assert max(Counter(groups).values()) < plan.alike  # one is left out, and may be asked for
        absent = {questioned[row] for row in lesson.texts if row in questioned} - set(inside)
        own_vain.append(any(fact >= people for fact in absent))
        outside = {fact // 2 for fact in absent if fact < people} - {fact // 2 for fact in named}
        vain += [person // plan.alike in groups for person in outside]
        told = dict(enumerate(corpus.rows[row] for row in lesson.texts))
        asked = {spot.text for spot in lesson.wanted}
        assert len(asked) == 4
        assert {questioned[lesson.texts[text]] for text in asked} <= set(inside)
        for spot, target in zip(lesson.wanted, lesson.targets, strict=True):
            assert told[spot.text].tokens[told[spot.text].since + spot.place + 1] == target
            assert spot.withheld is None
        for spot in lesson.hard:
            row = told[spot.text]
            if spot.withheld is None:  # after the value
                assert spot.place + row.since == len(row.tokens) - 1
            else:
                assert inside[spot.withheld] == questioned[lesson.texts[spot.text]]
                assert spot.place + row.since == len(row.tokens) - row.answer - 1
        assert len(lesson.hard) == 4
        for spot in lesson.away:
            assert spot.text not in asked
            assert questioned.get(lesson.texts[spot.text]) not in inside
            assert 0 <= spot.place < len(told[spot.text].tokens) - told[spot.text].since
        assert len(set(lesson.tried[:10]) & set(corpus.plain)) == 10
        assert len(set(lesson.tried[10:]) & set(corpus.neutral)) == 4
        assert len(set(lesson.spots)) == len(lesson.spots)
        assert len(lesson.spots) == sum(len(corpus.rows[row].tokens) - corpus.rows[row].since for row in lesson.tried)
        assert inside[: lesson.people] == named
    assert set(spoken) == {0, 2, 4}
    assert set(vain) == {True, False}
    assert all(own_vain)


def test_the_loss_is_low_where_values_are_said_and_nothing_else_moves(plan: AdapterPlan, prepared: Prepared) -> None:
    reader = prepared.reader
    lesson = draw_lesson(plan, reader.corpus, 0)
    nobody = reader.handle.adapter.no_facts()
    still, _ = lesson_loss(plan, reader, lesson, nobody)
    assert float(still.away) == pytest.approx(0.0, abs=1e-6)  # a new adapter reads nothing
    assert float(still.hard) == float(still.near) == pytest.approx(0.0, abs=1e-6)
    wild(reader.handle)
    moved, crowd = lesson_loss(plan, reader, lesson, nobody)
    assert float(moved.away) > 0.01
    assert float(moved.hard) > 0.01
    assert float(moved.near) > 0.01
    assert float(moved.total.detach()) > float(moved.value) + float(moved.away)
    again, _ = lesson_loss(plan, reader, lesson, crowd)
    assert (again.value, again.away, again.hard) == (moved.value, moved.away, moved.hard)
    assert again.near != moved.near  # where alone the crowd is read


def test_where_facts_draw_next_to_nothing_the_divergence_need_not_be_computed(
    plan: AdapterPlan, prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, found = prepared.reader, []
    wild(reader.handle)
    lesson, adapter = draw_lesson(plan, reader.corpus, 0), reader.handle.adapter
    with torch.no_grad():
        _, null, _ = reader.read(lesson.texts, lesson.away, reader.write(lesson.written), training=True)
        odds = (1 / null.amin(dim=-1) - 1).median()  # half of these places lie below two parts in a hundred
        adapter.null_score.add_((odds / 0.02).log())
    for bound in (0.0, 0.02, 0.5):
        monkeypatch.setattr("agent.adapter.loss._DRAWN", bound)
        losses, _ = lesson_loss(plan, reader, lesson, adapter.no_facts())
        trained = list(adapter.parameters())
        grads = torch.autograd.grad(losses.total, trained, allow_unused=True)
        found.append((losses, torch.cat([each.flatten() for each in grads if each is not None])))
    (whole, wanted), (skipped, gradient), (_, wrong) = found
    assert float(skipped.away) != float(whole.away)  # something was left out
    assert float(skipped.total.detach()) == pytest.approx(float(whole.total.detach()), rel=1e-3)
    assert float((gradient - wanted).norm()) < 0.01 * float(wanted.norm())
    assert float((wrong - wanted).norm()) > float((gradient - wanted).norm())


def test_of_neutral_texts_those_positions_are_learned_from_at_which_facts_draw_most(
    plan: AdapterPlan, prepared: Prepared
) -> None:
    reader = prepared.reader
    wild(reader.handle)
    lesson = draw_lesson(plan, reader.corpus, 0)
    with torch.no_grad():
        memory = reader.write(lesson.written[:1])
        _, null, _ = reader.read(lesson.tried, lesson.spots, memory, training=False)
    attention = dict(zip(lesson.spots, (1 - null.mean(dim=1)).tolist(), strict=True))
    chosen = reader.nearest(lesson.tried, lesson.spots, memory, 30)
    left = [spot for spot in lesson.spots if spot not in chosen]
    assert len(chosen) == 30 < len(left)
    assert min(attention[spot] for spot in chosen) > fmean(attention[spot] for spot in left)
    assert reader.nearest(lesson.tried, lesson.spots, memory, 10_000) == lesson.spots


def test_facts_of_people_of_earlier_steps_stand_beside_those_of_a_step(plan: AdapterPlan, prepared: Prepared) -> None:
    reader = prepared.reader
    lessons = [draw_lesson(plan, reader.corpus, number) for number in range(4)]
    crowd, written = reader.handle.adapter.no_facts(), list[int]()
    for lesson in lessons:
        _, crowd = lesson_loss(replace(plan, crowd=13), reader, lesson, crowd)
        written = [*lesson.written[: lesson.people], *written][:13]
        wanted = reader.write(written)
        assert not any(each.requires_grad for each in (crowd.key, crowd.slot_key, crowd.bias))
        assert torch.equal(crowd.token, wanted.token)
        for name in ("key", "slot_key", "bias"):
            torch.testing.assert_close(getattr(crowd, name), getattr(wanted, name).detach())
    assert len(crowd) == 13


def test_texts_of_people_are_shipped_and_share_no_run_of_words_with_those_of_the_suite(tokenizer: Any) -> None:
    train, test = (plain_rows(tokenizer, test=side) for side in (False, True))
    assert len(train) > 4 * len(test) > 400
    assert not {row.tokens for row in train} & {row.tokens for row in test}

    def runs(text: str) -> set[tuple[str, ...]]:
        words = re.findall(r"[a-z0-9']+", text.lower())
        return {tuple(words[at : at + 4]) for at in range(len(words) - 3)}

    theirs = {run for text in NEUTRAL for run in runs(text)}
    written = json.loads(files("agent.adapter").joinpath("neutral.json").read_text("utf-8"))
    assert len(theirs) > 300
    assert not {run for text in written for run in runs(text)} & theirs


class Oracle:
    """Says of each text the tokens that it goes on with, for the facts that it knows; stands in for a reader."""

    def __init__(self, reader: Reader, known: set[int]) -> None:
        self.corpus, self._known = reader.corpus, known

    def read(self, texts: Any, spots: Any, memory: FactSlots, *, training: bool) -> Any:
        logits = torch.zeros(len(spots), 2000)
        for row, spot in enumerate(spots):
            text = self.corpus.rows[texts[spot.text]]
            told = text.tokens[text.since + spot.place + 1]
            logits[row, told if texts[spot.text] in self._known else 0] = 9.0
        return logits, None, None


def test_a_trial_counts_facts_of_which_every_token_is_right(prepared: Prepared) -> None:
    tests = prepared.reader.corpus.tests
    oracle: Any = Oracle(prepared.reader, {fact.asked["chat"] for fact in tests[:3]})
    memory = prepared.reader.handle.adapter.no_facts()
    assert recalled(oracle, tests, memory, "chat") == pytest.approx(0.25)
    assert recalled(oracle, tests, memory, "cloze") == 0.0


def test_the_drift_is_that_of_the_perplexity(prepared: Prepared) -> None:
    reader = prepared.reader
    assert drift(reader, reader.handle.adapter.no_facts()) == 0.0
    wild(reader.handle)
    with torch.no_grad():
        memory = reader.write([fact.written["taught"][0] for fact in reader.corpus.tests[:12]]).rounded()
    kept = reader.corpus.neutral_tests[:]
    reader.corpus.neutral_tests[:] = kept[:3]
    try:
        found = drift(reader, memory)
    finally:
        reader.corpus.neutral_tests[:] = kept
    nll = {True: 0.0, False: 0.0}
    count = 0
    for row in (reader.corpus.rows[place] for place in kept[:3]):
        tokens = torch.tensor([row.tokens])
        for with_memory in nll:
            with (
                torch.no_grad(),
                reader.handle.reading(memory if with_memory else reader.handle.adapter.no_facts(), since=row.since),
            ):
                logits = reader.handle.model(input_ids=tokens).logits[0, row.since : -1].log_softmax(dim=-1)
            nll[with_memory] -= float(logits.gather(1, tokens[0, row.since + 1 :, None]).sum())
        count += len(row.tokens) - row.since - 1
    wanted = 100 * (torch.tensor((nll[True] - nll[False]) / count).exp() - 1)
    assert found == pytest.approx(float(wanted), abs=0.01)
    assert abs(found) > 0.5


def test_a_trial_names_what_it_measured(prepared: Prepared) -> None:
    assert trial(prepared.reader) == {
        "asked": 0.0, "taught": 0.0, "unseen": 0.0, "untrained": 0.0, "own": 0.0, "question": 0.0, "chat": 0.0,
        "drift": pytest.approx(0.0),
    }  # fmt: skip
