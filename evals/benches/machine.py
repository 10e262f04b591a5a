"""What a figure was measured on and with."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


def machine_facts(distributions: Iterable[str] = ()) -> dict[str, Any]:
    """Return the versions of Python, SQLite and the distributions that are installed, and what the machine is.

    ``load`` is the mean number of processes that wanted to run in the last minute, before the bench itself: above 0 the
    machine was busy. What a system does not tell is None.

    Args:
        distributions: names of packages as ``pip`` knows them.
    """
    versions = {}
    for name in distributions:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return {
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "system": platform.platform(),
        "processor": _told("/proc/cpuinfo", "model name") or platform.processor() or None,
        "cores": os.cpu_count(),
        "memory": _told("/proc/meminfo", "MemTotal"),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "versions": versions,
    }


def _told(file: str, name: str) -> str | None:
    """Return the value of the first line ``name: value`` of a file that the system keeps."""
    if not Path(file).exists():
        return None
    lines = (line.partition(":") for line in Path(file).read_text().splitlines())
    return next((value.strip() for key, _, value in lines if key.strip() == name), None)
