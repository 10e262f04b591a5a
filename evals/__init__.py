"""Evaluation suites: what a memory is worth, measured on many tasks and seeds and reported with intervals.

Importing this package imports nothing heavy: each name is loaded on first use.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
