"""Finds what a suite names as ``"module:attribute"``."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def load(reference: str) -> Any:
    """Import a module and return one of its attributes.

    Suites name their functions instead of holding them: they stay plain data that can be hashed and handed to another
    process, and listing them imports nothing heavy.

    Args:
        reference: ``"module:attribute"``.

    Raises:
        ValueError: it is not of that form, or the module has no such attribute.
    """
    module, colon, attribute = reference.partition(":")
    if not (module and colon and attribute):
        raise ValueError(f"expected 'module:attribute', got {reference!r}")
    try:
        return getattr(import_module(module), attribute)
    except AttributeError:
        raise ValueError(f"module {module!r} has no attribute {attribute!r}") from None
