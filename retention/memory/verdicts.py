"""Verdicts: what is said of single templates on a receipt, and what each receipt gave a template."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from sqlite_utils import Database

from .credit import LIMIT, SELF_RATING_LIMIT, Evidence, utility
from .episodes import AGENT
from .receipts import credit_receipt, find_receipt
from .scope import Scope


@final
@dataclass(frozen=True, kw_only=True)
class Credited:
    """What one receipt gave a template.

    Attributes:
        receipt_id: the receipt.
        episode_id: the episode it belongs to; ``None`` for none, or none yet.
        run_id: the run it belongs to; ``None`` for none.
        advantage: of the outcome, in spreads; ``None`` until it is known.
        credit: what the template got of it; ``None`` likewise.
        weight: for how many outcomes it counts.
        utility: the template's utility after it, in the order in which the receipts were written.
        created: when the receipt was written, in seconds since 1970.
    """

    receipt_id: str
    episode_id: str | None
    run_id: str | None
    advantage: float | None
    credit: float | None
    weight: float
    utility: float
    created: float


def judge(
    db: Database, scope: Scope, receipt_id: str, items: Mapping[int, float | None], source: str = "user"
) -> list[int]:
    """Keep what is said of single templates on a receipt, and credit it anew; see :meth:`EpisodicMemory.judge`."""
    receipt = find_receipt(db, scope, receipt_id)[0]
    on_it = {
        row[0]
        for row in db.conn.execute(
            "SELECT template_id FROM receipt_templates WHERE receipt_id = ? AND NOT withheld", (receipt,)
        )
    }
    for number, verdict in items.items():
        if number not in on_it:
            raise ValueError(f"template {number} was not recalled there; name some of {sorted(on_it)}")
        if verdict is not None and not (math.isfinite(verdict) and abs(verdict) <= LIMIT):
            raise ValueError(f"the verdict on template {number} must lie in [-{LIMIT:g}, {LIMIT:g}], got {verdict!r}")
    most, now = SELF_RATING_LIMIT if source == AGENT else LIMIT, time.time()
    (gained,) = db.conn.execute("SELECT advantage FROM receipts WHERE id = ?", (receipt,)).fetchone()
    credit_receipt(db, receipt, None)
    for number, verdict in items.items():
        db.conn.execute(
            "UPDATE receipt_templates SET exposure = ?, verdict = ?, judge = ?, judged = ? "
            "WHERE receipt_id = ? AND template_id = ?",
            (0.0 if verdict is None else 1.0, max(-most, min(most, verdict or 0.0)), source, now, receipt, number),
        )
    credit_receipt(db, receipt, gained)
    return sorted(items)


def credited(db: Database, scope: Scope, template_id: int) -> list[Credited]:
    """Return what receipts gave a template, oldest first, with its utility after each."""
    query = (
        "SELECT receipts.receipt_id, episode_id, run_id, advantage, credit, weight * exposure AS weight, created "
        "FROM receipt_templates JOIN receipts ON receipts.id = receipt_templates.receipt_id "
        f"WHERE template_id = :template AND NOT withheld AND void IS NULL AND {scope.where} ORDER BY receipts.id"
    )
    found, evidence = [], Evidence(0.0, 0.0, 0.0)
    for row in db.query(query, scope.bind(template=template_id)):
        if row["credit"] is not None and row["weight"] > 0:
            evidence = evidence.plus(row["weight"], row["credit"])
        found.append(Credited(**row, utility=utility(*evidence)[0]))
    return found
