"""Explaining a note: where it comes from, what waits for what, and what outcomes made of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ..memory.runs import Note, standing
from ..memory.store import EpisodicMemory
from ..memory.templates import ROLLED_BACK, Template
from .plain_text import plain
from .suspicion import suspicions

_LATEST = 50


def explain(memory: EpisodicMemory, namespace: str, number: int) -> dict[str, Any]:
    """Return what is known of a template, as JSON can hold it.

    Raises:
        NotFoundError: if the namespace has no such template.
    """
    template = memory.get(number, namespace=namespace)
    notes = memory.notes(number, namespace=namespace)
    credited = memory.credit_of(number, namespace=namespace)
    status, reason = _status(template, notes)
    return {
        "id": template.id,
        "content": plain(template.content or ""),
        "kind": template.kind,
        "source": template.source,
        "status": status,
        "reason": reason,
        "flags": list(suspicions(template.content or "")),
        "created": template.created,
        "age_s": round(max(0.0, time.time() - template.created), 1),
        "expires": template.expires,
        "utility": template.utility,
        "utility_sd": template.utility_error,
        "uses": template.uses,
        "provenance": [
            {
                "run_id": note.run_id,
                "source": note.source,
                "noted": note.created,
                "went_well": note.went_well,
                "counts": note.counts,
                "flags": list(note.flags),
            }
            for note in notes[-_LATEST:]
        ],
        "outcomes": [
            {
                "recall_id": each.receipt_id,
                "run_id": each.run_id,
                "episode_id": each.episode_id,
                "advantage": each.advantage,
                "credit": each.credit,
                "weight": each.weight,
                "created": each.created,
            }
            for each in credited[-_LATEST:]
        ],
        "utility_curve": [each.utility for each in credited if each.credit is not None][-_LATEST:],
    }


def _status(template: Template, notes: Sequence[Note]) -> tuple[str, str | None]:
    """Return active, pending or quarantined, and why it is not active."""
    if template.held == ROLLED_BACK:
        return "quarantined", "it was rolled back; write it anew to have it used"
    if template.held is not None:
        return "quarantined", "its text was changed from outside; forget it"
    if template.status == "active":
        return "active", None
    return standing(notes)
