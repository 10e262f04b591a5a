"""Credit by ridge regression: utilities fitted anew to the whole history of receipts, instead of one by one.

With x the exposures of the templates on a receipt and z the advantage of its outcome, it minimises
``sum_r f_r (z_r - b_task - x_r u)^2 + lambda |u|^2``: what templates bring that are often recalled together is told
apart better than the running rule can. Older receipts count less, by f.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from sqlite_utils import Database

from .credit import HORIZON, LIMIT, PRIOR_WEIGHT
from .scope import Scope

PENALTY = 5.0
"""lambda: as so many outcomes of zero, each of one template alone."""

MEMORY = 3000.0
"""After how many receipts one counts 1/e."""

_STEPS = 200


@final
@dataclass(frozen=True, kw_only=True)
class Refitted:
    """What fitting utilities anew did.

    Attributes:
        receipts: how many receipts with an outcome there are.
        templates: how many templates were on them.
    """

    receipts: int
    templates: int


def refit(db: Database, scope: Scope) -> Refitted:
    """Fit the utilities of a namespace to its receipts; what comes later is credited on top of it."""
    rows = db.conn.execute(
        "SELECT receipts.id, task, advantage, weight, template_id, exposure FROM receipts "
        "JOIN receipt_templates ON receipt_templates.receipt_id = receipts.id "
        f"WHERE {scope.where} AND advantage IS NOT NULL AND NOT withheld ORDER BY receipts.id",
        scope.bind(),
    ).fetchall()
    if not rows:
        return Refitted(receipts=0, templates=0)
    numbers, tasks, gained, weights, ids, exposures = zip(*rows, strict=True)
    _, first, receipt = np.unique(np.array(numbers), return_index=True, return_inverse=True)
    known, template = np.unique(np.array(ids), return_inverse=True)
    exposure = np.array(exposures)
    _, task = np.unique(np.array(tasks)[first], return_inverse=True)
    fade = np.exp((np.arange(len(first)) - len(first) + 1) / MEMORY) * np.array(weights)[first]
    worth = fitted(receipt, template, exposure, np.array(gained)[first], task, fade).clip(-LIMIT, LIMIT)
    seen = np.bincount(template, exposure * np.array(weights))
    weight = np.minimum(seen, HORIZON)
    # Kept as what the running rule would have summed up: what is taken back later was given here.
    credit = worth * (weight + PRIOR_WEIGHT) / weight
    spread = float(np.average((np.array(gained)[first]) ** 2, weights=fade))
    db.conn.executemany(
        "UPDATE templates SET utility_sum = ?, utility_square = ?, utility_weight = ? WHERE id = ?",
        zip((credit * weight).tolist(), (spread * weight).tolist(), weight.tolist(), known.tolist(), strict=True),
    )
    db.conn.executemany(
        "UPDATE receipt_templates SET credit = ? WHERE receipt_id = ? AND template_id = ?",
        zip(credit[template].tolist(), numbers, ids, strict=True),
    )
    return Refitted(receipts=len(first), templates=len(known))


def fitted(
    receipt: NDArray[np.int64],
    template: NDArray[np.int64],
    exposure: NDArray[np.float64],
    gained: NDArray[np.float64],
    task: NDArray[np.int64],
    fade: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the utilities that minimise the penalised error, by conjugate gradients.

    Args:
        receipt: of each place, the number of its receipt, of shape (p,).
        template: of each place, the number of its template, of shape (p,).
        exposure: of each place, of shape (p,).
        gained: of each receipt, its advantage, of shape (r,).
        task: of each receipt, the number of its task, of shape (r,); each task has an offset of its own.
        fade: of each receipt, how much it counts, of shape (r,).
    """
    receipts, templates, tasks = len(gained), int(template.max()) + 1, int(task.max()) + 1

    def predict(unknown: NDArray[np.float64]) -> NDArray[np.float64]:
        by_templates = np.bincount(receipt, exposure * unknown[template], receipts)
        found: NDArray[np.float64] = by_templates + unknown[templates:][task]
        return found

    def collect(errors: NDArray[np.float64]) -> NDArray[np.float64]:
        weighted = fade * errors
        by_template = np.bincount(template, exposure * weighted[receipt], templates)
        return np.concatenate([by_template, np.bincount(task, weighted, tasks)])

    penalty = np.concatenate([np.full(templates, PENALTY), np.full(tasks, 0.1)])
    unknown = np.zeros(templates + tasks)
    left = collect(gained)
    direction, size = left.copy(), float(left @ left)
    for _ in range(_STEPS):
        if size < 1e-16 * max(1.0, receipts):
            break
        moved = collect(predict(direction)) + penalty * direction
        step = size / float(direction @ moved)
        unknown += step * direction
        left -= step * moved
        direction, size = left + (after := float(left @ left)) / size * direction, after
    return unknown[:templates]
