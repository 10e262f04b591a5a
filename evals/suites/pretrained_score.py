"""The report of the suite ``pretrained``: its rows, and the answer to its question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

from ..frozen.wordings import AS_ASKED, TAUGHT, UNSEEN, WORDINGS
from ..report import Report, Row, measured, reached, summarise
from ..results import Result

Rows: TypeAlias = Mapping[tuple[str, str, str], Row]

ARMS = (
    "kept", "wiped", "foreign", "base", "prompt", "retrieval 1", "retrieval 4", "retrieval", "lora", "last layers",
)  # fmt: skip
"""The arms of the report, in its order."""

METRICS = (
    "share_right", "perplexity_moved", "perplexity", "trainable_share", "speed_kept", "tokens_a_second",
    "cpu_seconds_a_question", "writing_cpu_seconds", "training_cpu_seconds",
)  # fmt: skip
"""The metrics of the report, in its order."""

_WITHOUT = ("wiped", "foreign", "base")
_OTHER_WAYS = ("prompt", "retrieval 1", "retrieval 4", "lora", "last layers")
_FACTS = 100  # where the targets are
_FROM = 8  # facts, from which on the layer is to be better than the prompt


@final
@dataclass(frozen=True, kw_only=True)
class Target:
    """What the layer is to reach.

    Attributes:
        what: what the number is, in words that stand behind it.
        row: the metric, the task and the arm of its row.
        bound: the number that is wanted.
        most: whether it is to be no more than that; else no less.
        unit: of both.
    """

    what: str
    row: tuple[str, str, str]
    bound: float
    most: bool = False
    unit: str = ""

    def met(self, row: Row) -> str:
        """Return whether it is reached, in words that the interval bears."""
        if not self.most:
            return reached(row, self.bound)
        return "reached" if row.high <= self.bound else "not reached" if row.low > self.bound else "not clearly reached"

    def told(self, row: Row) -> str:
        """Return the number, what was wanted and whether it is reached."""
        wanted = f"{'at most' if self.most else 'at least'} {self.bound:g}{self.unit}"
        return f"{measured(row)}{self.unit} {self.what} ({wanted} was wanted: {self.met(row)})"


TARGETS = (
    Target(what="of facts told as asked", row=("share_right", f"{AS_ASKED} {_FACTS}", "kept"), bound=0.99),
    Target(what="in a taught wording", row=("share_right", f"{TAUGHT} {_FACTS}", "kept"), bound=0.90),
    Target(what="in an unseen wording", row=("share_right", f"{UNSEEN} {_FACTS}", "kept"), bound=0.50),
    Target(
        what="is what another's memory moves of the perplexity of neutral texts",
        row=("perplexity_moved", f"neutral text {_FACTS}", "foreign"),
        bound=0.5,
        most=True,
        unit=" %",
    ),
    Target(
        what="of that of 181 longer ones",
        row=("perplexity_moved", f"longer neutral text {_FACTS}", "foreign"),
        bound=0.5,
        most=True,
        unit=" %",
    ),
    Target(what="of the weights are trained", row=("trainable_share", "all", "kept"), bound=2, most=True, unit=" %"),
    Target(what="of the speed is left with a full memory", row=("speed_kept", "all", "kept"), bound=0.85),
)
"""What the layer is to reach with 100 facts in memory."""


def score(results: Sequence[Result]) -> Report:
    """Compute the rows and the verdict.

    Args:
        results: finished cases of the suite, in any order.
    """
    values: dict[tuple[str, str, str], list[float]] = {}
    for result in sorted(results, key=lambda each: each.case.seed):
        for phase in result.phases:
            for metric, task, arm, value in phase.answer["rows"]:
                values.setdefault((metric, task, arm), []).append(value)
    rows = {key: summarise(key[1], key[2], key[0], [values[key]]) for key in sorted(values, key=_place)}
    return Report(suite="pretrained", rows=tuple(rows.values()), verdict=verdict(rows))


def verdict(rows: Rows) -> str:
    """Answer the question of the suite, as far as the intervals bear it."""
    remembered = {wording: _above(rows, f"{wording} {_FACTS}", _WITHOUT) for wording in WORDINGS}
    judged = [wording for wording, above in remembered.items() if above is not None]
    if not judged:
        return "Nothing can be said yet: no case that decides has finished."
    known = [wording for wording in judged if remembered[wording]]
    found = [(target, rows[target.row]) for target in TARGETS if target.row in rows]
    all_met = len(found) == len(TARGETS) and all(target.met(row) == "reached" for target, row in found)
    beside = {
        task: above
        for wording in WORDINGS
        for size in _sizes(rows, wording)
        if size >= _FROM and (above := _above(rows, task := f"{wording} {size}", ["prompt"])) is not None
    }
    ahead, behind = (", ".join(task for task, above in beside.items() if above is held) for held in (True, False))
    answer = "No" if not known else "Yes" if all_met and beside and not behind else "Partly"
    sentences = [
        f"{answer}. With {_FACTS} facts in its own memory the frozen model knows more than with none, with another's "
        f"and by itself where they were told: {', '.join(known) or 'in no wording'}",
        "; ".join(target.told(row) for target, row in found),
    ]
    if beside:
        sentences.append(
            f"From {_FROM} facts on it is above a prompt that holds them for: {ahead or 'none'}; not clearly for: "
            f"{behind or 'none'}"
        )
    sentences += [_other_ways(rows, wording) for wording in (AS_ASKED, UNSEEN)]
    return ". ".join(filter(None, sentences)) + "."


def _other_ways(rows: Rows, wording: str) -> str:
    """Say what the other ways reach, and what those cost the model that change it."""
    parts = []
    for arm in _OTHER_WAYS:
        if (row := rows.get(("share_right", f"{wording} {_FACTS}", arm))) is None:
            continue
        moved = rows.get(("perplexity_moved", f"neutral text {_FACTS}", arm))
        cost = f", the perplexity of neutral texts being moved by {measured(moved)} %" if moved is not None else ""
        parts.append(f"{arm} {measured(row)}{cost}")
    return f"The other ways with {_FACTS} facts, {wording}: {'; '.join(parts)}" if parts else ""


def _above(rows: Rows, task: str, others: Sequence[str]) -> bool | None:
    """Return whether kept lies clearly above each of the arms that have finished; ``None`` where none or itself has."""
    kept = rows.get(("share_right", task, "kept"))
    there = [row for arm in others if (row := rows.get(("share_right", task, arm))) is not None]
    return None if kept is None or not there else kept.low > max(row.high for row in there)


def _sizes(rows: Rows, wording: str) -> list[int]:
    """Return the sizes of memories that were asked in a wording."""
    found = {task.removeprefix(f"{wording} ") for metric, task, _ in rows if metric == "share_right"}
    return sorted(int(size) for size in found if size.isdigit())


def _place(key: tuple[str, str, str]) -> tuple[int, int, str, int, int]:
    """Return where a row stands: by metric, then by wording and size, then by arm."""
    metric, task, arm = key
    name, _, size = task.rpartition(" ")
    kind, number = (name, int(size)) if size.isdigit() else (task, 0)
    return METRICS.index(metric), _index(WORDINGS, kind), kind, number, ARMS.index(arm)


def _index(order: Sequence[str], name: str) -> int:
    return order.index(name) if name in order else len(order)
