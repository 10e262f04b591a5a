"""Silence around other people's packages."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Drop warnings: what a peer warns of is not our caller's to mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
