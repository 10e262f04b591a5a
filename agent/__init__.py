"""Agents: the loop, the policies, learning from episodes, and the command line.

Importing this package imports none of them: each name is loaded on first use.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
