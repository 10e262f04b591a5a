"""Credit of a file of version 1, counted anew: there it was in the units of the task, shared by attention mass."""

from __future__ import annotations

import math

from sqlite_utils import Database

from .credit import LIMIT, Evidence, spread


def recount(db: Database) -> None:
    """Turn the advantages on receipts into spreads of their task, and the sums of templates into sums of those."""
    returns: dict[tuple[str, str], list[float]] = {}
    for namespace, task, return_ in db.execute("SELECT namespace, task, return_ FROM episodes"):
        returns.setdefault((namespace, task), []).append(return_)
    apart = {scope: spread(earned) or 1.0 for scope, earned in returns.items()}
    tasks = dict(db.execute("SELECT episode_id, task FROM episodes").fetchall())
    sums: dict[int, Evidence] = {}
    receipts = db.execute("SELECT id, namespace, episode_id, advantage FROM receipts ORDER BY id").fetchall()
    for receipt, namespace, episode_id, advantage in receipts:
        task = tasks.get(episode_id, "")
        gained = None
        if advantage is not None:
            gained = math.copysign(min(LIMIT, abs(advantage) / apart.get((namespace, task), 1.0)), advantage)
        db.execute("UPDATE receipts SET task = ?, advantage = ? WHERE id = ?", (task, gained, receipt))
        places = db.execute("SELECT template_id, share FROM receipt_templates WHERE receipt_id = ?", (receipt,))
        shares = places.fetchall()
        greatest = max((share for _, share in shares), default=1.0)
        for template_id, share in shares:
            exposure = share / greatest
            db.execute(
                "UPDATE receipt_templates SET exposure = ?, credit = ? WHERE receipt_id = ? AND template_id = ?",
                (exposure, gained, receipt, template_id),
            )
            if gained is not None:
                sums[template_id] = sums.get(template_id, Evidence(0.0, 0.0, 0.0)).plus(exposure, gained)
    db.execute("UPDATE templates SET utility_sum = 0, utility_square = 0, utility_weight = 0 WHERE utility_weight <> 0")
    db.conn.executemany(
        "UPDATE templates SET utility_sum = ?, utility_square = ?, utility_weight = ? WHERE id = ?",
        [(*evidence, template_id) for template_id, evidence in sums.items()],
    )
