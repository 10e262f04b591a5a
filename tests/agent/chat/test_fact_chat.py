"""A conversation with a tiny random model whose adapter always reads: what is remembered, recalled and rated."""

from __future__ import annotations

import signal

import pytest
import torch

from agent.chat.asking import asked
from agent.chat.fact_chat import FactChat
from agent.chat.interrupt import noted_interrupts
from agent.chat.local_chat import LocalChat
from retention import EpisodicMemory, FactMemory, HoldfastError

ANN = "The locker code of Ann is 4821."


@pytest.fixture
def chat(talker, facts) -> FactChat:
    return FactChat(talker, facts, max_tokens=12, go_on=True)


def said(chat: FactChat, text: str) -> str:
    return "".join(chat.say(text))


def test_what_is_stated_is_remembered_before_the_first_word_of_the_answer(chat, facts):
    pieces = chat.say(f"Hello! {ANN} Who is Bob?")
    next(pieces)
    assert [fact.content for fact in facts.facts()] == [ANN]
    rest = list(pieces)
    assert chat.last.remembered == list(facts.ids)
    assert chat.last.text.endswith("".join(rest))
    said(chat, "What is the locker code of Ann?")
    assert chat.last.remembered == []
    assert len(facts.facts()) == 1


def test_what_asks_nothing_is_remembered_and_not_answered(talker, facts):
    chat = FactChat(talker, facts, max_tokens=12, turns=1)
    assert said(chat, f"Hello! {ANN}") == ""
    (number,) = facts.ids
    assert (chat.last.remembered, chat.last.finish_reason, chat.last.pieces) == ([number], "stop", [])
    assert not chat._turns  # no empty answer is told the model
    assert chat.rate(-1.0).kept_back == (number,)
    assert said(chat, f"{ANN} Who is Bob?")
    assert said(chat, "Who is Ann?")


def test_an_answer_is_what_the_model_says_with_the_facts_in_memory(chat, talker, facts, handle, monkeypatch):
    """Against greedy decoding without a cache, one forward pass for each token; but for how it begins."""
    monkeypatch.setattr("agent.chat.ending._SURE", 1.0)
    facts.remember(f"{ANN} Bob was born in Oslo.")
    answer = said(chat, "Who is Ann?")
    tokens, since = asked(LocalChat(local=talker), [], "Who is Ann?", room=12)
    wanted: list[int] = []
    for number in range(12):
        with facts.reading(since=since) as reading, torch.no_grad():
            token = int(talker.model(torch.tensor([[*tokens, *wanted]]), use_cache=False).logits[0, -1].argmax())
        (recall,) = reading.recalls()
        if token == talker.tokenizer.eos_token_id:
            break
        wanted.append(token)
        assert chat.last.recalls[number].masses == pytest.approx(recall.masses, abs=1e-4)
    assert answer == talker.tokenizer.decode(wanted)
    assert len(chat.last.recalls) == len(chat.last.pieces) == len(wanted)
    assert "".join(chat.last.pieces) == answer


def test_an_answer_begins_with_what_is_read(chat, talker, facts):
    facts.remember(ANN)
    assert said(chat, "Who is Ann?")
    first = chat.last.recalls[0]
    assert first.read and first.null < 0.2
    assert chat.last.text.startswith(talker.tokenizer.decode([first.token]).strip())


def test_facts_change_the_answer_and_an_empty_memory_does_not(chat, talker, facts, handle):
    bare = said(chat, "Who is Ann?")
    assert chat.last.receipt_id is None and chat.last.masses == {}
    facts.remember(ANN)
    chat.begin_anew()
    assert said(chat, "Who is Ann?") != bare
    assert set(chat.last.masses) == set(facts.ids)
    facts.forget(facts.ids)
    chat.begin_anew()
    assert said(chat, "Who is Ann?") == bare


def test_opened_again_it_knows(chat, talker, handle, memory, path):
    said(chat, ANN)
    memory.close()
    with EpisodicMemory.open(path) as again:
        other = FactChat(talker, FactMemory(handle, again, namespace="alice"), max_tokens=12, go_on=True)
        said(other, "What is the locker code of Ann?")
        assert list(other.last.masses) == chat.last.remembered
        stranger = FactChat(talker, FactMemory(handle, again, namespace="bob"), max_tokens=12, go_on=True)
        said(stranger, "What is the locker code of Ann?")
        assert stranger.last.masses == {}


def test_the_last_turns_alone_are_told_the_model(talker, facts, monkeypatch):
    told: list[str] = []
    prompt = LocalChat.prompt
    monkeypatch.setattr(
        LocalChat, "prompt", lambda self, rows: told.append([row.text for row in rows]) or prompt(self, rows)
    )
    for turns in (None, 0, 1, 2):
        chat = FactChat(talker, facts, max_tokens=1, **{} if turns is None else {"turns": turns})
        for word in ("one?", "two?", "three?"):
            said(chat, word)
        assert told[-2][::2] == ["one?", "two?", "three?"][2 - (turns or 0) :]  # none, unless it is asked for


def test_a_thumb_credits_what_was_read_and_keeps_it_from_use_or_frees_it(chat, facts, memory):
    assert chat.rate(1.0) is None
    (number,) = facts.remember(ANN)
    said(chat, "Who is Ann?")
    receipt = memory.receipt(chat.last.receipt_id, namespace="alice")
    assert receipt.exposures == {number: 1.0}
    assert chat.rate(-1.0).kept_back == (number,)
    assert memory.get(number, namespace="alice").utility < 0
    assert not chat._turns  # the bad answer is told to the model no more
    said(chat, "Who is Ann?")
    assert chat.last.masses == {} and chat.last.receipt_id is None
    assert chat.rate(1.0).freed == ()
    assert facts.remember(ANN) == [number]
    assert facts.ids == (number,)


def test_a_thumb_after_a_statement_is_about_the_statement(chat, facts):
    said(chat, ANN)
    assert chat.rate(-1.0).kept_back == tuple(chat.last.remembered)
    assert facts.ids == ()
    assert chat.rate(1.0).freed == tuple(chat.last.remembered)


def test_what_is_too_long_for_a_fact_is_answered_all_the_same(chat, facts):
    long = "Ann has " + "very " * 60 + "long hair."
    said(chat, long)
    assert "one sentence of 3 to 256 tokens" in chat.last.not_remembered
    assert facts.facts() == [] and chat.last.pieces
    with pytest.raises(HoldfastError, match="reads fewer than 1024"):
        said(chat, "x" * 2000)


def test_an_answer_that_is_stopped_keeps_what_was_remembered_and_can_be_rated(chat, facts, handle):
    presses = iter([False, False, True])
    text = "".join(chat.say(ANN, interrupted=lambda: next(presses)))
    assert chat.last.finish_reason == "interrupted" and chat.last.text == text
    assert len(chat.last.recalls) == len(chat.last.pieces) == 3
    assert chat.last.receipt_id is not None
    assert len(facts.ids) == 1
    pieces = chat.say("Who is Ann?")
    next(pieces)
    pieces.close()  # as where the reader is gone
    assert chat.last.finish_reason == "interrupted" and chat.last.receipt_id is not None
    with handle.reading(facts.slots):  # nothing is left open
        pass


def test_why_an_answer_ended(talker, facts):
    assert FactChat(talker, facts, max_tokens=3).last is None
    short = FactChat(talker, facts, max_tokens=3)
    said(short, "Who is Ann?")
    assert (short.last.finish_reason, len(short.last.pieces)) == ("length", 3)
    assert short.last.seconds > 0


def test_the_first_ctrl_c_is_noted_and_the_second_breaks_off():
    before = signal.getsignal(signal.SIGINT)
    with noted_interrupts() as interrupted:
        assert not interrupted()
        signal.raise_signal(signal.SIGINT)
        assert interrupted()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_thread_without_signals_is_never_interrupted():
    import threading

    seen: list[bool] = []

    def work() -> None:
        with noted_interrupts() as interrupted:
            seen.append(interrupted())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]


def test_without_go_on_the_model_does_not_speak_on_after_what_it_read(talker, facts) -> None:
    facts.remember(["Ann has a dog called Rex."])
    long, short = (FactChat(talker, facts, max_tokens=12, go_on=go_on) for go_on in (True, False))
    whole, cut = "".join(long.say("Who?")), "".join(short.say("Who?"))
    assert long.last is not None and short.last is not None
    assert whole.startswith(cut) and len(short.last.pieces) <= len(long.last.pieces)
    if len(short.last.pieces) < len(long.last.pieces):
        assert short.last.finish_reason == "stop"
