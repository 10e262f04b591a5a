"""Phrase material in text files: sections that begin with ``# name``, a phrase a line."""

from __future__ import annotations

from importlib.resources import files


def sections(file: str) -> dict[str, list[str]]:
    """Return the lines of each section of a file of this package, by the section's name.

    Raises:
        ValueError: if a line comes before the first section, or two sections have one name.
    """
    found: dict[str, list[str]] = {}
    name = ""
    for line in (files(__package__) / file).read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            name = line[2:].strip()
            if name in found:
                raise ValueError(f"{file} must name each section once, got {name!r} twice")
            found[name] = []
        elif line.strip():
            if not name:
                raise ValueError(f"{file} must begin with a section, got {line!r}")
            found[name].append(line.strip())
    return found
