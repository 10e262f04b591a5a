"""The retention layer and the episodic memory.

Importing this package imports neither torch nor SQLite tooling: each name is loaded on first use.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
