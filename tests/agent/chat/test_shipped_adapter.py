"""The adapter that comes with the package, on the model it is for: told in one memory, asked in another process's."""

from __future__ import annotations

from random import Random

import pytest
import torch

from agent import Vocabulary, asked, attach_adapter, load_causal, local_model_missing, make_facts, statement
from agent.chat.fact_chat import FactChat
from retention import EpisodicMemory, FactMemory, fact_text

LACKS = local_model_missing()

# No extra can bring the model; CI installs it by a line of its own and runs these.
pytestmark = pytest.mark.skipif(LACKS is not None, reason=str(LACKS))


@pytest.fixture(scope="module")
def local():
    torch.set_num_threads(1)
    return load_causal()


@pytest.fixture(scope="module")
def handle(local):
    made = attach_adapter(local)
    yield made
    made.detach()


def test_facts_of_unseen_people_in_unseen_words_are_found_again(local, handle, tmp_path):
    vocabulary, rng = Vocabulary.of(local.tokenizer, "test"), Random(5)
    told = make_facts(10, split="test", seed=77, vocabulary=vocabulary)
    with EpisodicMemory.open(tmp_path / "memory.db") as memory:
        FactMemory(handle, memory, namespace="alice").remember([statement(fact, "tested", rng) for fact in told])
    right = {"alice": 0, "bob": 0}
    with EpisodicMemory.open(tmp_path / "memory.db") as memory:
        for namespace in right:
            facts = FactMemory(handle, memory, namespace=namespace)
            for fact in told:
                answer = local.tokenizer(f" {fact.value}", add_special_tokens=False)["input_ids"]
                tokens = local.tokenizer(asked(fact), return_tensors="pt")["input_ids"]
                with facts.reading(), torch.inference_mode():
                    said = local.model.generate(
                        tokens,
                        attention_mask=torch.ones_like(tokens),
                        max_new_tokens=len(answer),
                        do_sample=False,
                        pad_token_id=0,
                    )
                right[namespace] += said[0, tokens.shape[1] :].tolist() == answer
    assert right["alice"] >= 14  # of 20; .83 to .87 of a hundred, by holdfast eval pretrained
    assert right["bob"] == 0


def test_a_conversation_is_answered_from_what_was_said_before_and_else_by_the_model_alone(local, handle):
    with EpisodicMemory.open(None) as memory:
        chat = FactChat(local, FactMemory(handle, memory, namespace="alice"), max_tokens=12)
        for said in ("The locker code of Brato Kelin is 4821.", "Anna Miller sails a boat, the Silver Minute."):
            "".join(chat.say(said))
        chat.begin_anew()
        assert "".join(chat.say("What is the locker code of Brato Kelin?")) == "4821"
        assert chat.last is not None and next(iter(chat.last.masses)) == 1
        chat.begin_anew()
        assert "".join(chat.say("What is the capital of France?")) == "The capital of France is Paris."
        assert chat.last.receipt_id is None


OF_ONESELF = (
    ("I am allergic to walnuts.", "What am I allergic to?", "walnuts"),
    ("The spare key is under the blue pot.", "Where is the spare key?", "blue pot"),
    ("Our plumber is called Henrik Olander.", "What is our plumber called?", "Henrik Olander"),
    ("My sister's flight lands at 21:35.", "When does the flight of my sister land?", "21:35"),
    ("Tom takes his coffee with cinnamon.", "What does Tom take in his coffee?", "cinnamon"),
    ("My brother lives in Ghent.", "Where does my brother live?", "Ghent"),
)
"""What somebody told a chat, and how they asked for it."""


def test_what_somebody_tells_of_themselves_and_of_things_around_is_found_again(local, handle):
    with EpisodicMemory.open(None) as memory:
        facts = FactMemory(handle, memory, namespace="alice")
        facts.remember([told for told, _, _ in OF_ONESELF])
        right = 0
        for _, question, value in OF_ONESELF:
            chat = FactChat(local, facts, max_tokens=16)
            right += value in "".join(chat.say(question))
        assert right >= 5
        chat = FactChat(local, facts, max_tokens=40)
        told = "".join(chat.say("The garden hose hangs behind the green shed."))
        assert told.lower().count("green shed") <= 1 and chat.last is not None and chat.last.finish_reason == "stop"
        assert "Paris" in "".join(FactChat(local, facts, max_tokens=16).say("What is the capital of France?"))


def test_a_fact_that_is_said_again_is_said_to_its_end(local, handle):
    told = "Marek Tobin drives a green tractor. Greta Simm collects porcelain owls."
    with EpisodicMemory.open(None) as memory:
        facts = FactMemory(handle, memory, namespace="alice")
        facts.remember(told)
        said = [
            "".join(FactChat(local, facts, max_tokens=16).say(question))
            for question in ("What does Marek Tobin drive?", "Tell me about Greta Simm.")
        ]
        assert " ".join(said) == told
        begun = "".join(FactChat(local, facts, max_tokens=16).say("What does Greta Simm collect?"))
        assert begun.startswith("owls") or "porcelain" in begun  # and not with "I'm"


def test_a_fact_is_the_answer_where_it_is_asked_for_by_what_it_says(local, handle):
    """Without it the answers are "Ostrava. Ostrava is Ostrava" and of what is common in the human diet."""
    told = ("Mina Toral was born in Ostrava.", "Pavel Drost is allergic to walnuts.", "I was born in Leeds.")
    with EpisodicMemory.open(None) as memory:
        chat = FactChat(local, FactMemory(handle, memory, namespace="alice"), max_tokens=24)
        for said in told:
            "".join(chat.say(said))
        assert "".join(chat.say("Who was born in Ostrava?")) == told[0]
        assert "".join(chat.say("Was Mina Toral born in Ostrava?")) == told[0]
        assert "".join(chat.say("Who is allergic to walnuts?")) == told[1]
        assert "".join(chat.say("Where was Mina Toral born?")).startswith("Ostrava")
        assert "".join(chat.say("Who was born in Leeds?")) == f"You said: {told[2]}"


def test_a_word_that_is_one_token_behind_a_space_and_two_without_is_a_fact_like_another(local, handle):
    """It is refused or kept by one measure: else the whole namespace could not be read any more."""
    assert len(handle.encode("Einstein")) == 3
    assert len(fact_text(local.tokenizer, "Einstein").written) == 2
    with EpisodicMemory.open(None) as memory:
        facts = FactMemory(handle, memory, namespace="alice")
        facts.remember(["Einstein", "The locker code of Brato Kelin is 4821."])
        assert facts.slots.token[0].tolist().count(-1) == facts.slots.token.shape[1] - 1
