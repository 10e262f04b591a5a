"""What it costs to keep texts with their vectors and to find them: holdfast beside other people's stores.

Each store lives in a process of its own, and all get the same texts, vectors and queries. They are filled one after the
other; then they are asked by turns, in an order that rotates from round to round. Times are of the clock: what a person
would wait. What an encoder costs is told apart.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, final

from ..stores import STORES, available
from ..stores.store import folder_bytes
from .memory_crew import Member, StoreFailedError
from .memory_data import Sample, draw_sample
from .memory_rows import Run, row_of

OURS = "holdfast"
READ_ONLY = "holdfast ro"
SYNCED = "holdfast synced"

_SINGLES = 500  # added one by one to the empty store, and again to the full one
_AFTER = 50  # recalls that follow an addition
_ENCODED, _ENCODER_SECONDS = 2048, 10.0

Say = Callable[[str], None]


@final
@dataclass(frozen=True, kw_only=True)
class MemoryPlan:
    """What is measured.

    Attributes:
        sizes: numbers of templates.
        stores: names of ``STORES``.
        width: of the vectors.
        queries: how many are asked, of a store that is not stopped before.
        rounds: turns in which they are asked.
        seed: of what is drawn.
        budget: seconds for each phase of a store that is not ours; what it has not done by then it does not do.
        threads: how many the libraries of a store may use for one call; None for as many as they like.
    """

    sizes: tuple[int, ...] = (6_000, 100_000)
    stores: tuple[str, ...] = tuple(STORES)
    width: int = 384
    queries: int = 300
    rounds: int = 3
    seed: int = 0
    budget: float = 60.0
    threads: int | None = None

    def __post_init__(self) -> None:
        if not self.sizes or min(self.sizes) < 100:
            raise ValueError(f"sizes must be at least 100 each, got {list(self.sizes)}")
        if min(self.width, self.rounds) < 1 or self.queries < self.rounds:
            raise ValueError(
                f"width and rounds must be at least 1, and queries at least rounds; "
                f"got {self.width}, {self.rounds} and {self.queries}"
            )
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads must be at least 1, got {self.threads}")
        if not self.budget > 0:
            raise ValueError(f"budget must be above 0 seconds, got {self.budget}")

    @property
    def steps(self) -> int:
        """How often :func:`measure` says what it does next."""
        return len(self.sizes) * (2 + len(self.stores) * (self.rounds + 3))

    def budget_of(self, name: str, share: float = 1.0) -> float | None:
        """Return the seconds that a store has for a part of a phase; None for ours, which does all."""
        return None if name in (OURS, READ_ONLY, SYNCED) else self.budget * share


def names(peers: bool) -> tuple[str, ...]:
    """Return ours, and the peers whose packages are installed."""
    return tuple(name for name in STORES if name == OURS or (peers and available(name)))


def measure(
    plan: MemoryPlan, folder: Path, *, keep: bool = False, on_start: Say | None = None
) -> Iterator[dict[str, Any]]:
    """Measure all stores at each size, and yield a row for each; see :func:`~evals.benches.memory_rows.row_of`.

    A store that fails is a row with its error, and with what was measured before.

    Args:
        plan: what is measured.
        folder: for texts, vectors and the files of the stores; exists.
        keep: whether to leave them there.
        on_start: is called with what is done next.
    """
    say: Say = on_start or (lambda doing: None)
    for size in plan.sizes:
        here = folder / str(size)
        here.mkdir()
        say(f"drawing {size:,} texts")
        draw_sample(
            here,
            size + _AFTER + _SINGLES,
            plan.queries,
            among=size,
            width=plan.width,
            seed=plan.seed,
        )
        for run in _measured(plan, size, here, say):
            yield row_of(run, plan.budget)
        if not keep:
            shutil.rmtree(here)


def encoder_speed(seed: int = 0, threads: int | None = None) -> dict[str, Any]:
    """Return the texts that the default encoder encodes in a second, one by one and in batches, or its ``error``."""
    with tempfile.TemporaryDirectory() as folder, Member(Path(folder, "log.txt"), threads=threads) as member:
        try:
            found: dict[str, Any] = member.ask("encode", seed=seed, count=_ENCODED, seconds=_ENCODER_SECONDS)
        except StoreFailedError as error:
            return {"error": str(error)}
    return found


def _measured(plan: MemoryPlan, size: int, here: Path, say: Say) -> list[Run]:
    with _Field(plan, size, here, say) as field:
        field.each("writing", field.fill)
        for number, turn in enumerate(field.turns):
            field.each(f"recalling, round {number + 1}", partial(field.ask, turn), first=number)
        field.each("writing and recalling", field.after)
        field.each("opened again", field.again)
        return field.found()


@final
class _Field:
    """All stores at one size; use it as a context manager: the processes end with it."""

    def __init__(self, plan: MemoryPlan, size: int, here: Path, say: Say) -> None:
        queries = Sample(here).queries
        self.plan, self.size, self.here, self.say = plan, size, here, say
        self.runs = {name: Run(store=name, templates=size, queries=queries) for name in plan.stores}
        self.turns = [list(range(number, plan.queries, plan.rounds)) for number in range(plan.rounds)]
        self._stack = ExitStack()
        self.members = {name: self._stack.enter_context(self.member(name)) for name in plan.stores}

    def __enter__(self) -> _Field:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def member(self, name: str) -> Member:
        """Start a process for a store."""
        return Member(self.here / f"{name}.log", threads=self.plan.threads)

    def each(self, doing: str, act: Callable[[str], None], first: int = 0) -> None:
        """Do something with each store that has not failed, beginning with the ``first``."""
        names = self.plan.stores
        for place in range(len(names)):
            name = names[(place + first) % len(names)]
            if self.runs[name].error is None:
                self.say(f"{name}, {self.size:,}: {doing}")
                try:
                    act(name)
                except StoreFailedError as error:
                    self.runs[name].error = str(error)

    def fill(self, name: str) -> None:
        """Open a store, add some one by one and the rest in bulk, and ask it once."""
        run, member, budget = self.runs[name], self.members[name], self.plan.budget_of(name)
        run.opened = member.ask("open", name=name, folder=str(self.here / name), sample=str(self.here))
        singles, part = min(_SINGLES, self.size // 4), self.plan.budget_of(name, 0.25)
        run.singles = member.ask("add_singles", start=0, stop=singles, budget=part)
        run.bulk = member.ask("add_many", start=len(run.singles), stop=self.size, budget=budget)
        run.first = member.ask("search", queries=[0], budget=None)

    def ask(self, turn: list[int], name: str) -> None:
        """Ask the queries of a turn."""
        _ask(self.plan, self.members[name], self.runs[name], turn)

    def after(self, name: str) -> None:
        """Ask right after additions, add some more one by one, and close the store."""
        run, member = self.runs[name], self.members[name]
        few, budget = list(range(min(_AFTER, self.plan.queries))), self.plan.budget_of(name)
        run.after = member.ask("search_after_adding", queries=few, start=self.size, budget=budget)
        start, part = self.size + _AFTER, self.plan.budget_of(name, 0.25)
        run.full = member.ask("add_singles", start=start, stop=start + _SINGLES, budget=part)
        run.peak_mb = member.ask("peak_mb")
        member.ask("close")
        member.end()
        run.size_bytes = folder_bytes(self.here / name)

    def again(self, name: str) -> None:
        """Open a durable store in a fresh process, and ask it once."""
        run = self.runs[name]
        if run.opened is not None and run.opened["durable"]:
            with self.member(name) as fresh:
                _open_cold(fresh, name, self.here, run)
                fresh.ask("close")

    def found(self) -> list[Run]:
        """Return all runs, and after ours the one without receipts and the one that waits for the disk."""
        runs = list(self.runs.values())
        ours = self.runs.get(OURS)
        if ours is not None and ours.error is None:
            self.say(f"{READ_ONLY}, {self.size:,}: recalling")
            place = 1 + runs.index(ours)
            runs[place:place] = [self._read_only(ours), self._synced(ours)]
        return runs

    def _synced(self, ours: Run) -> Run:
        """Return what a single addition costs where each is on the disk before the next begins."""
        run = Run(store=SYNCED, templates=ours.templates, queries=ours.queries)
        with self.member(SYNCED) as member:
            try:
                settings: dict[str, Any] = {
                    "name": OURS,
                    "folder": str(self.here / SYNCED),
                    "sample": str(self.here),
                    "synced": True,
                }
                run.opened = member.ask("open", **settings)
                run.singles = member.ask("add_singles", start=0, stop=min(_SINGLES, self.size // 4), budget=None)
                member.ask("close")
            except StoreFailedError as error:
                run.error = str(error)
        return run

    def _read_only(self, ours: Run) -> Run:
        """Return what recall costs where nothing may be written: no receipts."""
        run = Run(store=READ_ONLY, templates=ours.templates, queries=ours.queries, held_before=ours.held)
        with self.member(READ_ONLY) as member:
            try:
                _open_cold(member, OURS, self.here, run, mode="ro")
                for turn in self.turns:
                    _ask(self.plan, member, run, turn)
                run.peak_mb = member.ask("peak_mb")
                member.ask("close")
            except StoreFailedError as error:
                run.error = str(error)
        return run


def _ask(plan: MemoryPlan, member: Member, run: Run, turn: list[int]) -> None:
    """Ask the queries of a turn with words and vector, and then for the vector alone."""
    budget = plan.budget_of(run.store, 1 / plan.rounds)
    assert run.opened is not None
    run.both.append(member.ask("search", queries=turn, budget=budget))
    if run.opened["finds_vectors"]:
        run.vector.append(member.ask("search", queries=turn, budget=budget, words=False))


def _open_cold(member: Member, name: str, here: Path, run: Run, **settings: Any) -> None:
    """Open a store that was filled by another process, and ask one query."""
    run.opened = member.ask("open", name=name, folder=str(here / name), sample=str(here), **settings)
    assert run.opened is not None
    run.cold_open = run.opened["seconds"]
    run.cold_first = member.ask("search", queries=[0], budget=None)[0]["seconds"]
