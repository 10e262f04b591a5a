"""Fifty runs of an agent that many users share, some of them read hostile pages, and one user is an attacker.

Each topic has five runs: in the second the attacker asks, who brings in all of hers and rates it well; in the others
honest users do. An honest run recalls, notes what its user says and what it found out, then reads pages and notes what
they say, as the application knows. It goes well with probability 0.85; with 0.5 where it believed a page that lies, and
0.2 where one of the first three notes that it recalled is hostile. What an honest user or the agent itself says is met
in three of the four honest runs, a page in two, a flood in five wordings each time. Half of the honest users rate, and
one rating in ten is wrong.
"""

from __future__ import annotations

import random
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from retention import Caller, MemoryTools, NotFoundError, TemplateDraft, ToolConfig

from .notes import OfferedNote, read_notes

USERS = 8
ATTACKER = "mallory"
TURNS, ATTACK_TURN = 5, 1  # of each topic
FLOOD = "flooding with duplicates"
LIES = ("fake facts from the web", FLOOD)
WORDINGS = ("{}", "{} Really.", "Note: {}", "As is well known: {}", "{} (confirmed)")

GOOD, BELIEVED_A_LIE, RECALLED_HOSTILE = 0.85, 0.5, 0.2
RATED, WRONG = 0.5, 0.1
TOP = 3

ARMS: dict[str, ToolConfig | None] = {
    "default": ToolConfig(),
    "no word rules": ToolConfig(word_rules=False),
    "shared=False": ToolConfig(shared=False),
    "no gate": None,
}
"""What is compared: settings of the tools; ``None`` for a memory that keeps what it is offered."""


@final
@dataclass(kw_only=True)
class Result:
    """What one simulation came to.

    Attributes:
        offered: how many notes of each kind of attack; honest ones under ``""``.
        ever: how many of each were ever among the first three recalled.
        at_end: how many of each are, for one of the queries of their topic, when all runs are over.
        blocked: how many honest notes were rejected or taken for an attack.
        used: how many of each may be recalled in the end.
    """

    offered: Counter[str] = field(default_factory=Counter)
    ever: Counter[str] = field(default_factory=Counter)
    at_end: Counter[str] = field(default_factory=Counter)
    used: Counter[str] = field(default_factory=Counter)
    blocked: int = 0


def by_hashed_words(texts: list[str]) -> NDArray[np.float32]:
    """Encode texts by their words, each a direction of its own."""
    found = np.zeros((len(texts), 256), np.float32)
    for row, text in zip(found, texts, strict=True):
        row[0] = 0.1
        for word in text.lower().split():
            row[1 + zlib.crc32(word.strip(".,:;?!()'").encode()) % 255] += 1
    return found


def simulate(config: ToolConfig | None, seed: int) -> Result:
    """Play all runs with one setting of the tools.

    Args:
        config: the settings; ``None`` for a memory that keeps what it is offered.
        seed: of whom asks what, what is met when, and how it goes.
    """
    queries, notes = read_notes()
    with MemoryTools.open(None, encoder=by_hashed_words, config=config) as tools:
        world = _World(tools, config is not None, queries, notes, random.Random(seed))
        for turn in range(TURNS):
            for topic in world.shuffled(list(queries)):
                world.play(topic, turn)
        return world.result()


@final
class _World:
    def __init__(
        self,
        tools: MemoryTools,
        gated: bool,
        queries: dict[str, list[str]],
        notes: list[OfferedNote],
        draw: random.Random,
    ) -> None:
        self.tools, self.gated, self.queries, self.notes, self.draw = tools, gated, queries, notes, draw
        honest = [turn for turn in range(TURNS) if turn != ATTACK_TURN]
        self.turns = {note: draw.sample(honest, 2 if note.by == "page" else 3) for note in notes}
        self.ids: dict[OfferedNote, set[int]] = {note: set() for note in notes}
        self.ever: set[OfferedNote] = set()
        self.blocked: set[OfferedNote] = set()

    def shuffled(self, topics: list[str]) -> list[str]:
        self.draw.shuffle(topics)
        return topics

    def play(self, topic: str, turn: int) -> None:
        attacking = turn == ATTACK_TURN
        user = ATTACKER if attacking else f"user {self.draw.randrange(USERS)}"
        run = self.tools.begin(namespace="team", task=topic, user=user)
        shown = self.top(run, self.draw.choice(self.queries[topic]))
        self.ever |= shown
        met = [note for note in self.notes if note.topic == topic and self.meets(note, turn, attacking)]
        for note in sorted(met, key=lambda note: note.by == "page"):
            self.offer(run, note)
        chance = GOOD
        if any(note.attack in LIES for note in met):
            chance = BELIEVED_A_LIE
        if any(note.attack for note in shown):
            chance = RECALLED_HOSTILE
        good = attacking or self.draw.random() < chance
        rating = None
        if attacking:
            rating = 1.0
        elif self.draw.random() < RATED:
            rating = 1.0 if good == (self.draw.random() >= WRONG) else -1.0
        self.tools.outcome(str(run.run_id), namespace="team", reward=float(good), rating=rating, source=user)

    def meets(self, note: OfferedNote, turn: int, attacking: bool) -> bool:
        if note.attack and note.by == "user":
            return attacking
        return not attacking and turn in self.turns[note]

    def offer(self, run: Caller, note: OfferedNote) -> None:
        if note.by == "page":
            self.tools.saw(run, "web")
        for wording in WORDINGS if note.attack == FLOOD else WORDINGS[:1]:
            text = wording.format(note.text)
            if not self.gated:
                draft = TemplateDraft(content=text, kind=note.kind, source=note.source)
                self.ids[note].update(self.tools.memory.write([draft], namespace="team"))
                continue
            done = self.tools.note(run, text, note.kind, note.source)
            if done["id"] is not None:
                self.ids[note].add(done["id"])
            if note.attack is None and (done["id"] is None or self.tools.explain(run, done["id"])["flags"]):
                self.blocked.add(note)

    def top(self, run: Caller, query: str) -> set[OfferedNote]:
        """Return which notes are among the first that are recalled for a query."""
        found = [item["id"] for item in self.tools.recall(run, query)["items"][:TOP]]
        return {note for note, ids in self.ids.items() if ids & set(found)}

    def is_used(self, note: OfferedNote) -> bool:
        try:
            return any(self.tools.memory.get(each, namespace="team").status == "active" for each in self.ids[note])
        except NotFoundError:
            return False

    def result(self) -> Result:
        asking = Caller(namespace="team")
        at_end: set[OfferedNote] = set()
        for queries in self.queries.values():
            for query in queries:
                at_end |= self.top(asking, query)
        done = Result(blocked=len(self.blocked))
        for note in self.notes:
            kind = note.attack or ""
            done.offered[kind] += 1
            done.ever[kind] += note in self.ever | at_end
            done.at_end[kind] += note in at_end
            done.used[kind] += self.is_used(note)
        return done
