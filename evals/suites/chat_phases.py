"""What happens in the process of a case of the suite ``chat``."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import Agent, ChatPolicy, choose_answer, data_block, local_model_missing, make_chat_model
from retention import EpisodicMemory, HoldfastError, TemplateDraft, default_encoder

from ..matching_model import MatchingModel
from ..suite import Case
from ..told_world import is_right, told_facts
from ..tool_requests import REQUESTS, TOOLS, graded, instruction
from ..worlds import make_world

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

Answer = Mapping[str, Any]
_FOREIGN = 100  # the seed of another world
_NONCE = "8c41f7"


def chat_model(case: Case) -> BaseChatModel:
    """Make the model of a case, on one thread."""
    import torch

    torch.set_num_threads(1)
    if case.arm == "no model":
        return MatchingModel()
    return make_chat_model(case.settings["model"])


def run(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Do what the task of a case asks."""
    if "questions" in case.settings:
        return ask(case, folder)
    return play(case, folder) if "env" in case.settings else write_calls(case)


def ask(case: Case, folder: Path) -> Answer:
    """Ask what the memory was told; ``right`` is the share of answers that name the value, by how many notes are shown.

    ``found`` is the share of questions whose fact is the first that is recalled.
    """
    settings, started = case.settings, time.process_time()
    facts = told_facts(case.seed, count=settings["facts"])
    told = told_facts(case.seed + _FOREIGN, count=settings["facts"]) if case.arm == "foreign" else facts
    right = {str(shown): 0 for shown in settings["shown"][: None if case.arm == "kept" else 1]}
    found = 0
    with EpisodicMemory.open(folder / "memory.db") as memory:
        if case.arm != "wiped":
            memory.write([TemplateDraft(content=fact.statement) for fact in told], namespace="eval")
        model = chat_model(case)
        for fact in facts[: settings["questions"]]:
            for shown in map(int, right):
                hits = memory.recall(fact.question, namespace="eval", k=shown).hits
                notes = [hit.template.content or "" for hit in reversed(hits)]
                said = _said(model, [*_block(notes), f"Question: {fact.question}\nAnswer:"], settings["max_tokens"])
                right[str(shown)] += is_right(said, fact)
                found += shown == settings["shown"][0] and notes[-1:] == [fact.statement]
    count = settings["questions"]
    return {
        "right": {shown: number / count for shown, number in right.items()},
        "found": found / count,
        "cpu_seconds": time.process_time() - started,
    }


def play(case: Case, folder: Path) -> Answer:
    """Play an environment of texts; ``shares`` is the share of the optimum in each episode.

    Kept, and without a model, the memory grows from episode to episode; else each begins with what there is: nothing,
    or the notes of another world, which were made without a model.
    """
    settings, started = case.settings, time.process_time()
    world = make_world(settings, index=case.seed)
    path, task = folder / "memory.db", "world"
    if case.arm == "foreign":
        other = make_world(settings, index=case.seed + _FOREIGN)
        with Agent.open(path, namespace="eval", policy=ChatPolicy(MatchingModel()), seed=case.seed) as agent:
            agent.run(other, episodes=settings["foreign_episodes"], task=task)
    learns = case.arm in ("kept", "no model")
    policy = ChatPolicy(chat_model(case), enabled=case.arm != "wiped")
    with Agent.open(
        path if case.arm != "wiped" else None, namespace="eval", policy=policy, seed=case.seed, frozen=not learns
    ) as agent:
        episodes = settings["episodes"] if learns else settings["frozen_episodes"]
        returns = agent.run(world, episodes=episodes, task=task).returns
    best = world.get_wrapper_attr("optimal_return")
    return {"shares": (returns / best).tolist(), "cpu_seconds": time.process_time() - started}


def write_calls(case: Case) -> Answer:
    """Have the model write tool calls; the shares that are JSON, callable and right, and of tools that it chooses."""
    from langchain_core.messages import HumanMessage, SystemMessage

    settings, started = case.settings, time.process_time()
    model, names = chat_model(case), [str(tool["name"]) for tool in TOOLS]
    turned = [*names[case.seed % len(names) :], *names[: case.seed % len(names)]]
    counts = {"json": 0, "callable": 0, "right": 0, "chosen": 0}
    for request in REQUESTS:
        messages = [SystemMessage(instruction()), HumanMessage(request.said)]
        said = str(model.invoke(messages, max_tokens=settings["max_tokens"], temperature=0.3, seed=case.seed).text)
        for what, holds in graded(said, request).items():
            counts[what] += holds
        wanted = [f'{{"name": "{name}", "arguments": {{' for name in turned]
        place = choose_answer(model, messages, wanted)
        counts["chosen"] += place is not None and turned[place] == request.tool
    return {
        **{what: count / len(REQUESTS) for what, count in counts.items()},
        "cpu_seconds": time.process_time() - started,
    }


def absent(case: Case) -> str | None:
    """Return the sentence that says why a case cannot run here; ``None`` where it can."""
    if case.settings["model"] == "local" and (lacks := local_model_missing()) is not None:
        return f"the suite chat is left out: {lacks}"
    try:
        default_encoder()
    except HoldfastError as error:
        return f"the suite chat is left out: {error}"
    return None


def _said(model: BaseChatModel, parts: Sequence[str], max_tokens: int) -> str:
    from langchain_core.messages import HumanMessage

    return str(model.invoke([HumanMessage("\n\n".join(parts))], max_tokens=max_tokens).text)


def _block(notes: Sequence[str]) -> list[str]:
    return [data_block(notes, nonce=_NONCE)] if notes else []
