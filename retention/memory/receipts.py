"""Receipts in the tables: what was recalled for an episode, and the credit its outcome gives."""

from __future__ import annotations

import time
from collections.abc import Mapping

from sqlite_utils import Database

from .credit import advantage, shares
from .scope import Scope

_MOVE = """
UPDATE templates SET
    utility_sum = utility_sum + :weight * :advantage,
    utility_square = utility_square + :weight * :advantage * :advantage,
    utility_weight = utility_weight + :weight
WHERE id = :id
"""


def present(db: Database, namespace: str, masses: Mapping[int, float]) -> dict[int, float]:
    """Return those of the templates that the namespace has: another process may have discarded some meanwhile."""
    scope = Scope(namespace)
    known = f"SELECT 1 FROM templates WHERE {scope.where} AND id = :id"
    return {number: mass for number, mass in masses.items() if db.conn.execute(known, scope.bind(id=number)).fetchone()}


def store_receipt(db: Database, namespace: str, masses: Mapping[int, float], episode_id: str | None) -> int:
    """Write which templates were recalled, with each one's share of the attention, and return the receipt's id.

    Args:
        db: the memory.
        namespace: whose they are.
        masses: attention by template id; each is there.
        episode_id: the episode they were recalled for, if it is known.

    Raises:
        ValueError: if a mass is negative or not finite.
    """
    receipt = db.conn.execute(
        "INSERT INTO receipts (namespace, episode_id, created) VALUES (?, ?, ?)", (namespace, episode_id, time.time())
    ).lastrowid
    db.conn.executemany(
        "INSERT INTO receipt_templates VALUES (?, ?, ?)",
        [(receipt, template_id, share) for template_id, share in shares(masses).items()],
    )
    assert receipt is not None
    return receipt


def credit_episode(db: Database, episode_id: str, *, outcome: float, rating: float | None) -> None:
    """Credit the templates on an episode's receipts with its outcome, in place of what they had for it before."""
    (baseline,) = db.conn.execute("SELECT baseline FROM episodes WHERE episode_id = ?", (episode_id,)).fetchone()
    gained = advantage(outcome, baseline, rating)
    receipts = db.conn.execute("SELECT id, advantage FROM receipts WHERE episode_id = ?", (episode_id,)).fetchall()
    for receipt, given in receipts:
        portions = db.conn.execute(
            "SELECT template_id, share FROM receipt_templates WHERE receipt_id = ?", (receipt,)
        ).fetchall()
        # Takes back what the receipt gave, then gives anew: an outcome that is corrected counts once.
        for sign, amount in ((-1, given), (1, gained)):
            if amount is not None:
                moves = [{"id": number, "weight": sign * share, "advantage": amount} for number, share in portions]
                db.conn.executemany(_MOVE, moves)
        db.conn.execute("UPDATE receipts SET advantage = ? WHERE id = ?", (gained, receipt))
