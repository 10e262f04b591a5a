"""The words of a shop that keeps its books in SQL: names of tables and columns, and kinds of questions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

TABLES = (
    ("accounts", "buyers", "clients", "customers", "members", "patrons"),
    ("articles", "goods", "items", "products", "stock", "wares"),
    ("bookings", "deals", "orders", "purchases", "receipts", "sales"),
)
CITIES = ("Athens", "Bergen", "Cork", "Delft", "Espoo")
PEOPLE = ("Ada", "Boris", "Chloe", "Dario", "Elena", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Kira", "Leo")
STATES = ("cancelled", "open", "paid", "returned")


@final
@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of question.

    Attributes:
        words: of the question.
        table: about people (0), goods (1) or sales (2).
        columns: names that the column might have; the first is the one of the question's words.
        asked: what the question may be about; empty where it is about nothing in particular.
        query: of a column, a table and a value asked for, where values are stored as they are said.
        coded: the same where they are stored in a code.
    """

    words: str
    table: int
    columns: tuple[str, str, str]
    asked: tuple[str, ...]
    query: str
    coded: str


KINDS = (
    Kind(
        words="How many customers live in {asked}?",
        table=0,
        columns=("city", "place", "town"),
        asked=CITIES,
        query="SELECT count(*) FROM {table} WHERE {column} = '{asked}'",
        coded="SELECT count(*) FROM {table} WHERE {column} = '{code}'",
    ),
    Kind(
        words="What does the dearest product cost, in euros?",
        table=1,
        columns=("price", "charge", "cost"),
        asked=(),
        query="SELECT max({column}) FROM {table}",
        coded="SELECT max({column}) / 100.0 FROM {table}",
    ),
    Kind(
        words="How many orders are {asked}?",
        table=2,
        columns=("status", "phase", "state"),
        asked=STATES,
        query="SELECT count(*) FROM {table} WHERE {column} = '{asked}'",
        coded="SELECT count(*) FROM {table} WHERE {column} = '{code}'",
    ),
    Kind(
        words="How much did {asked} pay in all, in euros?",
        table=2,
        columns=("paid", "sum", "total"),
        asked=PEOPLE[:6],
        query="SELECT sum({column}) FROM {table} WHERE name = '{asked}'",
        coded="SELECT sum({column}) / 100.0 FROM {table} WHERE name = '{asked}'",
    ),
)


def code(word: str) -> str:
    """Return the code of a city or a state: Athens is ATH, open is O."""
    return word[:3].upper() if word in CITIES else word[:1].upper()
