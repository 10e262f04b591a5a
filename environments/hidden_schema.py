"""Questions about a shop, answered by SQL on a database whose schema nobody tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from .instance import checked_integer, draw
from .read_only_sql import Result, Table, Value, ask, guarded_database
from .shop import KINDS, PEOPLE, TABLES, code
from .text_task import Reply, TextTask

_FAMILY = "holdfast/HiddenSchema-v0"
_HALF_A_CENT = 0.005
_DECOY = 2  # of the three names of a column the one after the right one is not there, and the next misleads


@final
@dataclass(frozen=True, kw_only=True)
class _Question:
    """A question of one task: its words, the queries to choose among, and the right one."""

    words: str
    candidates: tuple[str, ...]
    right: str


class HiddenSchemaEnv(TextTask):
    """Answer questions with SQL, on tables and columns that have to be found out.

    ## Description
    A shop's database has a table each of people, goods and sales. What the tables are called is hidden, and from level
    2 on what their columns are called, and from level 3 on whether values are stored as they are said or in a code:
    cities by three letters, states by one, money in cents. This schema is fixed by ``task`` alone, as are the
    questions: the same in every episode, process and machine. The rows are drawn anew in each episode, by the seed of
    ``reset``: what an earlier episode found is not the answer any more, but the query that found it still is right.

    An episode asks four questions, in a random order, and allows ``queries`` for each. Queries run on SQLite, in
    memory. What a query finds is told, and so is SQLite's error. Of the names that a column might have one is not
    there, and one is another column, with other values.

    ## Action Space
    ``Text(1000)``: a query, ``SELECT ...``, or ``ANSWER`` and a value. A question is answered by a query that finds one
    value, the right one, or by ``ANSWER`` with it; everything else costs a query.

    Only queries are run: no statement that writes, no catalogue, no pragma, no recursion, no function but those that
    count, compare and cut. A query that takes too long (two million operations of SQLite's machine) is stopped. So no
    action can hang, write or fill the memory.

    ## Observation Space
    ``Text(4000)``: what the last query found, at most 10 rows, with the names of its columns; an empty line; the
    question, and the queries left for it. The text has printable characters and newlines alone. After the last step
    nothing is left, and the question is the last one again.

    ## Starting State
    The first question of a random order.

    ## Rewards
    1/4 for the right answer to a question, else 0: a return is the share of questions answered.

    ## Episode End
    Termination: when the last question is answered, or its queries are used up. There is no truncation.

    ## Information
    - ``info["candidates"]``: queries to choose among, 6 at level 1 (names of the table), 9 at level 2 (three of a
      table, three of a column) and 12 at level 3 (two, three, and two codes), in an order that the seed decides. One of
      them is right, and no other one finds the same.
    - ``info["situation"]``: the question, without what earlier queries found: the same text in every episode.
    - ``info["success"]``: whether every question was answered; False before the end.

    ## Arguments
    - ``task`` (0): which schema; any integer from 0.
    - ``level`` (2): what is hidden, 1 to 3, as above.
    - ``queries`` (2): how many queries a question allows, from 1.

    ```python
    import gymnasium
    import environments
    env = gymnasium.make("holdfast/HiddenSchema-v0", task=3)
    ```

    ## Optimum
    Who knows the schema earns 1: ``optimal_return``. Candidates drawn at random answer a question with chance
    ``1 - (1 - 1 / candidates) ** queries``.

    ## Version History
    - v0: first version
    """

    def __init__(self, task: int = 0, level: int = 2, queries: int = 2, *, render_mode: str | None = None) -> None:
        """See the class.

        Raises:
            TypeError: an argument is no integer.
            ValueError: an argument is out of range.
        """
        super().__init__(render_mode=render_mode)
        self.task = checked_integer("task", task, low=0)
        self.level = checked_integer("level", level, low=1, high=3)
        self.queries = checked_integer("queries", queries, low=1)
        self._names = tuple(names[self._drawn(0, place) % len(names)] for place, names in enumerate(TABLES))
        self._columns = tuple(self._drawn(1, place) % 3 if self.level > 1 else 0 for place in range(len(KINDS)))
        self._coded = tuple(bool(self._drawn(2, place) % 2) and self.level == 3 for place in range(len(KINDS)))
        self.questions = tuple(map(self._made, range(len(KINDS))))
        self.tables: tuple[Table, ...] = ()
        self._answers: tuple[Value, ...] = ()
        self._order: list[int] = []
        self._queries_left = self._done = 0

    def _drawn(self, *what: int) -> int:
        return draw(_FAMILY, self.task, *what)

    def _made(self, place: int) -> _Question:
        """Make the question of a kind, and its candidates."""
        kind = KINDS[place]
        right_table, all_tables = self._names[kind.table], TABLES[kind.table]
        wrong = [name for name in all_tables if name != right_table]
        wrong.sort(key=lambda name: self._drawn(3, place, all_tables.index(name)))
        tables = [right_table, *wrong[: (5, 2, 1)[self.level - 1]]]
        columns = kind.columns[:1] if self.level == 1 else kind.columns
        asked = kind.asked[self._drawn(4, place) % len(kind.asked)] if kind.asked else ""
        queries = [
            form.format(table=table, column=column, asked=asked, code=code(asked))
            for table in tables
            for column in columns
            for form in ((kind.query, kind.coded) if self.level == 3 else (kind.query,))
        ]
        form = kind.coded if self._coded[place] else kind.query
        right = form.format(table=right_table, column=kind.columns[self._columns[place]], asked=asked, code=code(asked))
        return _Question(words=kind.words.format(asked=asked), candidates=tuple(queries), right=right)

    @property
    def candidate_count(self) -> int:
        """How many candidates there are."""
        return len(self.questions[0].candidates)

    def _start(self) -> None:
        self._fill()
        self._order = self.np_random.permutation(len(self.questions)).tolist()
        self._queries_left, self._done = self.queries, 0

    def _fill(self) -> None:
        """Draw rows until each question has an answer that none of its other candidates finds."""
        while True:
            self.tables = self._drawn_tables()
            found = []
            with guarded_database(self.tables) as database:
                for question in self.questions:
                    answer = ask(database, question.right).single
                    others = [ask(database, query) for query in question.candidates if query != question.right]
                    if answer and not any(_same(answer, other.single) for other in others):
                        found.append(answer)
            if len(found) == len(self.questions):
                self._answers = tuple(found)
                return

    def _drawn_tables(self) -> tuple[Table, ...]:
        people = [self._values(0, name) for name in PEOPLE]
        goods = [self._values(1, f"number {place}") for place in range(1, 9)]
        sales = [self._values(2, PEOPLE[int(self.np_random.integers(6))]) for _ in range(24)]
        return tuple(
            Table(name=self._names[place], columns=self._column_names(place), rows=tuple(rows))
            for place, rows in enumerate((people, goods, sales))
        )

    def _column_names(self, table: int) -> tuple[str, ...]:
        names = ["name"]
        for kind, right in zip(KINDS, self._columns, strict=True):
            if kind.table == table:
                names += [kind.columns[right], kind.columns[(right + _DECOY) % 3]]
        return tuple(names)

    def _values(self, table: int, name: str) -> tuple[Value, ...]:
        """Draw a row of a table: the name, and for each kind of question a value and a misleading one."""
        values: list[Value] = [name]
        for kind, coded in zip(KINDS, self._coded, strict=True):
            if kind.table != table:
                continue
            for _ in range(2):
                if kind.asked and kind.asked[0] not in PEOPLE:
                    word = kind.asked[int(self.np_random.integers(len(kind.asked)))]
                    values.append(code(word) if coded else word)
                else:
                    cents = int(self.np_random.integers(100, 10_000))
                    values.append(cents if coded else cents / 100)
        return tuple(values)

    def _situation(self) -> str | None:
        if not self._order:
            return None
        known = "" if self.level > 1 else "\nColumns are called name, city, price, status, paid."
        return (
            "A shop's SQLite database has a table of people, one of goods and one of sales. What they are called is "
            f"not told, and the catalogue cannot be read.{known}\n"
            f"Question: {self.questions[self._order[0]].words}\n"
            "Reply with one query, SELECT ..., that finds just the answer, or with ANSWER and the value."
        )

    def _left(self) -> str:
        return f"Queries left: {self._queries_left}"

    def _choices(self) -> Sequence[str]:
        return self.questions[self._order[0]].candidates

    def _reply(self, action: str) -> Reply:
        self._queries_left -= 1
        told, value = self._tried(action)
        right = _same(self._answers[self._order[0]], value)
        if right or self._queries_left == 0:
            self._done += right
            self._order.pop(0)
            self._queries_left = self.queries
        return Reply(
            text=f"{told}\n{'That is right.' if right else 'That is not the answer.'}",
            reward=right / len(self.questions),
        )

    def _tried(self, action: str) -> tuple[str, Value]:
        """Return what is told of an action, and the value that it gives as the answer."""
        words = action.split(maxsplit=1)
        if words and words[0].upper() == "ANSWER":
            said = words[1].strip() if len(words) > 1 else ""
            return f"You answered {said or 'nothing'}.", _number(said)
        with guarded_database(self.tables) as database:
            found = ask(database, action)
        return _told(found), found.single

    def _succeeded(self) -> bool:
        return self._done == len(self.questions)


def _number(said: str) -> Value:
    try:
        return float(said)
    except ValueError:
        return None


def _same(answer: Value, value: Value) -> bool:
    """Return whether a value is the answer, which is a number: sums of cents may differ in their last digits."""
    return isinstance(answer, int | float) and isinstance(value, int | float) and abs(answer - value) < _HALF_A_CENT


def _told(found: Result) -> str:
    if found.error:
        return f"Error: {found.error}"
    lines = [" | ".join(map(_cell, row)) for row in (found.columns, *found.rows)]
    return "\n".join([*lines, "..."] if found.more else lines)


def _cell(value: Value) -> str:
    text = "NULL" if value is None else f"{round(value, 6):.15g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
