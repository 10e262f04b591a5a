"""What happens in the processes of the suite ``pretrained``.

Each phase answers with ``rows``: the metric, the task, the arm and the number of what it has measured.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import nn

from agent import LocalModel, load_local, local_model_missing
from retention import EpisodicMemory, HoldfastError, TemplateDraft, decoder_layers, default_encoder

from ..frozen.asking import Asked, exact, exact_after, likelihood
from ..frozen.neutral import LONGER, NEUTRAL
from ..frozen.prompts import noted
from ..frozen.told import Told, encoded, memories, mixed, tell
from ..frozen.tuning import TuningPlan, last_layers, low_rank, tune
from ..frozen.wordings import AS_ASKED, NEW_RELATION, OF_PEOPLE, OWN, TAUGHT, UNSEEN, WORDINGS
from ..suite import Case

Answer = Mapping[str, Any]
NEUTRAL_TEXT, LONGER_TEXT = "neutral text", "longer neutral text"
WORLDS = 7000  # added to the seed: no choice in the making of this suite was made on these people


class Rows(list[tuple[str, str, str, float]]):
    """What a phase has measured."""

    def add(self, metric: str, task: str, arm: str, value: float) -> None:
        """Add a number."""
        self.append((metric, task, arm, float(value)))

    def asked(self, task: str, arm: str, right: Sequence[bool], seconds: float) -> None:
        """Add what came of asking, and what a question cost, in CPU seconds."""
        self.add("share_right", task, arm, fmean(right))
        self.add("cpu_seconds_a_question", task, arm, seconds / len(right))


class Clock:
    """Counts the CPU seconds of this process that are spent inside its ``with`` blocks."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> Clock:
        self.seconds -= time.process_time()
        return self

    def __exit__(self, *error: object) -> None:
        self.seconds += time.process_time()


def frozen_model(case: Case) -> LocalModel:
    """Load the model of a case, on one thread."""
    torch.set_num_threads(1)
    return load_local()


def told(case: Case, wording: str, size: int, local: LocalModel) -> list[tuple[list[Told], list[Told]]]:
    """Return the memories of a size: what each is told, and what of it is asked."""
    count, seed = case.settings["questions"], WORLDS + case.seed
    return memories(wording, size, questions=count, seed=seed, tokenizer=local.tokenizer)


def questions(case: Case, wording: str, local: LocalModel) -> list[Asked]:
    """Return what is asked in a wording, whatever the size of the memories."""
    count, seed = case.settings["questions"], WORLDS + case.seed
    return [fact.asked for fact in tell(wording, count=count, seed=seed, tokenizer=local.tokenizer)]


def ask_base(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Ask the frozen model alone."""
    local, rows = frozen_model(case), Rows()
    for wordings in ((AS_ASKED, TAUGHT, UNSEEN), (NEW_RELATION,), (OWN,)):  # with no memory it is the same in each part
        asked = questions(case, wordings[0], local)
        with Clock() as clock:
            right = exact(local.model, asked)
        for wording in wordings:
            for size in case.settings["sizes"]:
                rows.asked(f"{wording} {size}", "base", right, clock.seconds)
    return {"rows": rows}


def look_at_neutral(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Take the perplexity that the frozen model has of neutral texts."""
    local, rows = frozen_model(case), Rows()
    rows.add("perplexity", NEUTRAL_TEXT, "base", math.exp(likelihood(local.model, neutral(local))))
    rows.add("perplexity", LONGER_TEXT, "base", math.exp(likelihood(local.model, neutral(local, LONGER))))
    return {"rows": rows}


def ask_prompted(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Ask with all facts of a memory in the prompt, which is read once for each memory."""
    local, rows = frozen_model(case), Rows()
    for wording in WORDINGS:
        for size in case.settings["prompt_sizes"]:
            right = list[bool]()
            with Clock() as clock:
                for facts, asked in told(case, wording, size, local):
                    notes = noted(local.tokenizer, [fact.statement for fact in facts])
                    right += exact_after(local.model, notes, [fact.asked for fact in asked])
            rows.asked(f"{wording} {size}", "prompt", right, clock.seconds)
    return {"rows": rows}


def ask_retrieved(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Ask with those facts in the prompt that the episodic memory recalls for the question, fewer and more of them."""
    local, rows, counts = frozen_model(case), Rows(), case.settings["retrieved"]
    with EpisodicMemory.open(folder / "memory.db") as memory:
        for wording in WORDINGS:
            for size in case.settings["retrieved_sizes"]:
                task, worlds = f"{wording} {size}", told(case, wording, size, local)
                with Clock() as writing:
                    for number, (facts, _) in enumerate(worlds):
                        drafts = [TemplateDraft(content=fact.statement) for fact in facts]
                        memory.write(drafts, namespace=f"{task} {number}")
                rows.add("writing_cpu_seconds", task, "retrieval", writing.seconds / len(worlds))
                wanted = [(f"{task} {number}", fact) for number, (_, asked) in enumerate(worlds) for fact in asked]
                with Clock() as recalling:
                    found = [_recalled(memory, space, fact.cloze, max(counts)) for space, fact in wanted]
                for count in counts:  # the most relevant one is the last, next to the question
                    shown = [
                        Asked(noted(local.tokenizer, texts[:count][::-1]) + fact.asked.prompt, fact.asked.answer)
                        for texts, (_, fact) in zip(found, wanted, strict=True)
                    ]
                    with Clock() as asking:
                        right = exact(local.model, shown)
                    rows.asked(task, f"retrieval {count}", right, recalling.seconds + asking.seconds)
    return {"rows": rows}


def ask_tuned(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Tune weights on the facts of each memory, from the frozen model anew, and ask what it has learned.

    Tuning is dear: there are fewer memories, of facts about people alone; one of several has as many in each wording.
    """
    local, rows, settings = frozen_model(case), Rows(), case.settings[case.arm]
    plan = TuningPlan(rate=settings["rate"], epochs=settings["epochs"])
    texts, whole, trained = neutral(local), sum(each.numel() for each in local.model.parameters()), 0
    before = likelihood(local.model, texts)
    for size, count in ((int(size), count) for size, count in case.settings["tuned"].items()):
        right: dict[str, list[bool]] = {wording: [] for wording in OF_PEOPLE}
        moved, tuning, asking = list[float](), Clock(), Clock()
        worlds = _tuned_worlds(case, size, count, local)
        for world in worlds:
            facts = [encoded(local.tokenizer, fact.statement) for told in world.values() for fact in told]
            with _weights(local, settings, case.seed) as weights:
                with tuning:
                    tune(local.model, weights, facts, plan, seed=case.seed)
                for wording, told_so in world.items():
                    with asking:
                        right[wording] += exact(local.model, [fact.asked for fact in told_so])
                moved.append(100 * math.expm1(likelihood(local.model, texts) - before))
                trained = sum(each.numel() for each in weights)
        for wording, found in right.items():
            rows.asked(
                f"{wording} {size}", case.arm, found, asking.seconds * len(found) / sum(map(len, right.values()))
            )
            rows.add("training_cpu_seconds", f"{wording} {size}", case.arm, tuning.seconds / len(worlds))
        rows.add("perplexity_moved", f"{NEUTRAL_TEXT} {size}", case.arm, fmean(moved))
    rows.add("trainable_share", "all", case.arm, 100 * trained / whole)
    return {"rows": rows}


def absent(case: Case) -> str | None:
    """Return the sentence that says why a case cannot run here; ``None`` where it can."""
    if (lacks := local_model_missing()) is not None:
        return f"the suite pretrained is left out: {lacks}"
    if case.arm != "retrieval":
        return None
    try:
        default_encoder()
    except HoldfastError as error:
        return f"the arm retrieval is left out: {error}"
    return None


def neutral(local: LocalModel, texts: Sequence[str] = NEUTRAL) -> list[tuple[int, ...]]:
    """Return neutral texts in tokens."""
    return [encoded(local.tokenizer, text) for text in texts]


def _recalled(memory: EpisodicMemory, space: str, query: str, count: int) -> list[str]:
    return [hit.template.content or "" for hit in memory.recall(query, namespace=space, k=count).hits]


def _tuned_worlds(case: Case, size: int, count: int, local: LocalModel) -> list[dict[str, list[Told]]]:
    seed, tokenizer = WORLDS + case.seed, local.tokenizer
    if size > 1:
        return mixed(size, count=count, seed=seed, tokenizer=tokenizer)
    return [{each: [fact]} for each in OF_PEOPLE for fact in tell(each, count=count, seed=seed, tokenizer=tokenizer)]


def _weights(local: LocalModel, settings: Mapping[str, Any], seed: int) -> AbstractContextManager[list[nn.Parameter]]:
    if "rank" in settings:
        return low_rank(local.model, rank=settings["rank"], seed=seed)
    return last_layers(local.model, layers=list(decoder_layers(local.model)), count=settings["count"])
