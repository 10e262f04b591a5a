"""Where a finished adapter came from: ``recipe.json`` beside ``adapter.safetensors``."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .training import AdapterTraining
from .trial import Scores

_FORMAT = 1


def recipe_of(training: AdapterTraining, scores: Scores) -> dict[str, Any]:
    """Return where a finished adapter came from, as JSON values.

    Args:
        training: the training.
        scores: what was measured of the adapter as it is saved.
    """
    handle, corpus = training.reader.handle, training.reader.corpus
    weights = sum(parameter.numel() for parameter in handle.model.parameters())
    return {
        "format": _FORMAT,
        "plan": asdict(training.plan),
        "base": handle.base,
        "adapter": handle.adapter.fingerprint,
        "config": asdict(handle.adapter.config),
        "trainable": handle.adapter.trainable,
        "trainable_share": handle.adapter.trainable / weights,
        "facts": len(corpus.facts),
        "texts": len(corpus.rows),
        "cache_cpu_seconds": round(training.prepared.seconds, 1),
        "cpu_seconds": training.marks[-1].cpu_seconds,
        "scores": {"facts": len(corpus.tests), **scores},
        "curve": [asdict(mark) for mark in training.marks],
    }


def save_recipe(recipe: Mapping[str, Any], path: Path) -> None:
    """Write a recipe; the file is replaced in one step.

    Raises:
        OSError: it cannot be written.
        ValueError: a number is not finite.
    """
    whole = json.dumps(recipe, indent=1, allow_nan=False)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(whole + "\n")
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
