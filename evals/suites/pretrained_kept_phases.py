"""What happens in the processes of the arm kept: an adapter is trained, facts are written, and read elsewhere."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from statistics import fmean, median
from typing import Any

from agent import LocalModel
from retention import EpisodicMemory, FactMemory, FactSlots, Handle, attach, load_adapter

from ..frozen.asking import Around, exact, likelihood
from ..frozen.neutral import LONGER
from ..frozen.speed import speeds
from ..frozen.told import Told, others
from ..frozen.wordings import TAUGHT, UNSEEN, WORDINGS
from ..suite import Case
from .pretrained_phases import (
    LONGER_TEXT,
    NEUTRAL_TEXT,
    WORLDS,
    Answer,
    Clock,
    Rows,
    frozen_model,
    neutral,
    questions,
    told,
)

_ADAPTER, _MEMORY, _SHIPPED = "adapter.safetensors", "memory.db", "adapter/smollm2-135m.adapter"
_OTHERS = 500_000  # added to the seed: other people
_FOREIGN, _NOBODY = "foreign", "nobody"
_DRAWS = 3  # memories of others that the longer texts are read with
_AT_ONCE = 64  # facts that are written at once


def learn(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Leave an adapter in the folder of the case: for the first seed the one that comes with the package.

    Other seeds have one of their own. It is trained in the run's folder, under ``adapters``, so that a training that
    was interrupted goes on, and one that is finished is not done again when something else of the suite changes.
    """
    rows, shipped = Rows(), files("agent") / _SHIPPED
    if case.seed == 0 and shipped.is_file():
        (folder / _ADAPTER).write_bytes(shipped.read_bytes())
        return {"rows": rows, "shipped": True}
    place = folder.parents[1] / "adapters" / f"seed-{case.seed}"
    recipe = _trained(case.settings["adapter"], case.seed, place)
    shutil.copyfile(place / _ADAPTER, folder / _ADAPTER)
    rows.add("training_cpu_seconds", "all", "kept", recipe["cache_cpu_seconds"] + recipe["cpu_seconds"])
    return {"rows": rows, "shipped": False, "scores": recipe["scores"]}


def _trained(options: Mapping[str, Any], seed: int, place: Path) -> Mapping[str, Any]:
    """Train an adapter as ``holdfast train adapter`` does, unless it is there already, and return its recipe.

    Args:
        options: of that command, by their names.
        seed: of the training.
        place: the folder where the adapter is left.
    """
    wanted = {"seed": seed, **options}
    if (recipe := _recipe(place)) is not None and wanted.items() <= recipe["plan"].items():
        return recipe
    (command,) = entry_points(group="holdfast.commands", name="train")
    given = [text for name, value in wanted.items() for text in (f"--{name}", str(value))]
    command.load().main(["adapter", "--out", str(place), "--display", "none", *given], standalone_mode=False)
    recipe = _recipe(place)
    assert recipe is not None
    return recipe


def _recipe(place: Path) -> Mapping[str, Any] | None:
    file = place / "recipe.json"
    found: Mapping[str, Any] | None = json.loads(file.read_text()) if file.exists() else None
    return found


def write(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Tell the frozen model the facts of every memory, each a namespace of one file, and those about other people."""
    local, rows = frozen_model(case), Rows()
    handle = _attached(local, folder)
    with EpisodicMemory.open(folder / _MEMORY) as memory:
        for wording in WORDINGS:
            for size in case.settings["sizes"]:
                with Clock() as clock:
                    worlds = told(case, wording, size, local)
                    for number, (facts, _) in enumerate(worlds):
                        _remember(handle, memory, f"{wording} {size} {number}", facts)
                rows.add("writing_cpu_seconds", f"{wording} {size}", "kept", clock.seconds / len(worlds))
            seed, most = WORLDS + _OTHERS + case.seed, max(case.settings["sizes"])
            theirs = others(wording, most, seed=seed, tokenizer=local.tokenizer)
            _remember(handle, memory, f"{wording} {_FOREIGN}", theirs)
    return {"rows": rows}


def read(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Ask with the memory that another process wrote, with none, and with another's; take the speed."""
    local, rows = frozen_model(case), Rows()
    handle = _attached(local, folder)
    with EpisodicMemory.open(folder / _MEMORY, mode="ro") as memory:
        for wording in WORDINGS:
            _ask(case, wording, local, handle, memory, rows)
        most = _slots(handle, memory, f"{UNSEEN} {max(case.settings['sizes'])} 0")
    pairs = speeds(local.model, neutral(local)[0], lambda: handle.reading(most), **case.settings["speed"])
    rows.add("tokens_a_second", "all", "base", median(alone for alone, _ in pairs))
    rows.add("tokens_a_second", "all", "kept", median(reading for _, reading in pairs))
    rows.add("speed_kept", "all", "kept", median(reading / alone for alone, reading in pairs))
    whole = sum(each.numel() for each in local.model.parameters())
    rows.add("trainable_share", "all", "kept", 100 * handle.adapter.trainable / whole)
    return {"rows": rows}


def drift(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Take how far memories move the perplexity of neutral texts, of the longer ones several memories of others."""
    local, rows = frozen_model(case), Rows()
    handle, sizes = _attached(local, folder), case.settings["sizes"]
    with EpisodicMemory.open(folder / _MEMORY, mode="ro") as memory:
        own = {size: _slots(handle, memory, f"{TAUGHT} {size} 0") for size in sizes}
        nothing, theirs = _slots(handle, memory, _NOBODY), [_slots(handle, memory, f"{TAUGHT} {_FOREIGN}")]
    theirs += [_of_others(case, draw, local, handle) for draw in range(1, _DRAWS)]
    for name, texts in ((NEUTRAL_TEXT, neutral(local)), (LONGER_TEXT, neutral(local, LONGER))):
        moved = partial(_moved, local, handle, texts, likelihood(local.model, texts))
        wiped = moved(nothing)
        for size in sizes:
            foreign = [slots.index(range(size)) for slots in (theirs if name == LONGER_TEXT else theirs[:1])]
            rows.add("perplexity_moved", f"{name} {size}", "kept", moved(own[size]))
            rows.add("perplexity_moved", f"{name} {size}", "foreign", fmean(map(moved, foreign)))
            rows.add("perplexity_moved", f"{name} {size}", "wiped", wiped)
    return {"rows": rows}


def _ask(case: Case, wording: str, local: LocalModel, handle: Handle, memory: EpisodicMemory, rows: Rows) -> None:
    asked, foreign = questions(case, wording, local), _slots(handle, memory, f"{wording} {_FOREIGN}")
    nothing = _slots(handle, memory, _NOBODY)
    with Clock() as alone:
        known = exact(local.model, asked, around=_around(handle, [nothing] * len(asked)))
    for size in case.settings["sizes"]:
        task, worlds = f"{wording} {size}", told(case, wording, size, local)
        slots = [_slots(handle, memory, f"{task} {number}") for number in range(len(worlds))]
        own = [slots[number] for number, (_, asked_here) in enumerate(worlds) for _ in asked_here]
        for arm, memories in (("kept", own), ("foreign", [foreign.index(range(size))] * len(asked))):
            with Clock() as clock:
                right = exact(local.model, asked, around=_around(handle, memories))
            rows.asked(task, arm, right, clock.seconds)
        rows.asked(task, "wiped", known, alone.seconds)


def _moved(
    local: LocalModel, handle: Handle, texts: Sequence[tuple[int, ...]], before: float, slots: FactSlots
) -> float:
    """Return by how many per cent a memory moves the perplexity of texts."""
    after = likelihood(local.model, texts, around=_around(handle, [slots] * len(texts)))
    return 100 * math.expm1(after - before)


def _of_others(case: Case, draw: int, local: LocalModel, handle: Handle) -> FactSlots:
    """Return a memory of the most facts, about people of a draw of their own."""
    seed, most = WORLDS + (draw + 1) * _OTHERS + case.seed, max(case.settings["sizes"])
    facts = others(TAUGHT, most, seed=seed, tokenizer=local.tokenizer)
    return FactSlots.cat(
        [
            handle.write([fact.statement for fact in facts[first : first + _AT_ONCE]])
            for first in range(0, most, _AT_ONCE)
        ]
    )


def _attached(local: LocalModel, folder: Path) -> Handle:
    return attach(local.model, load_adapter(folder / _ADAPTER), tokenizer=local.tokenizer)


def _remember(handle: Handle, memory: EpisodicMemory, space: str, facts: Sequence[Told]) -> None:
    FactMemory(handle, memory, namespace=space).remember(" ".join(fact.statement for fact in facts))


def _slots(handle: Handle, memory: EpisodicMemory, space: str) -> FactSlots:
    return FactMemory(handle, memory, namespace=space).slots


def _around(handle: Handle, memories: Sequence[FactSlots]) -> Around:
    """Have each question of a batch, which is a row, read its own memory."""
    return lambda places: handle.reading([memories[place] for place in places])
