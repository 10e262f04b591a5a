"""What the commands that open a memory check of their options."""

from __future__ import annotations

import click

_LONGEST = 200  # characters of a namespace, as the memory takes them


def check_memory(path: str | None, namespace: str) -> None:
    """Check that a memory's file and whose it is are named.

    Raises:
        click.UsageError: they are not.
    """
    if path in ("", ":memory:"):
        raise click.UsageError(f"--memory must name a file, got {path!r}")
    if not namespace:
        raise click.UsageError("--namespace must not be empty: it says whose memory it is")
    if len(namespace) > _LONGEST:
        raise click.UsageError(f"--namespace may have {_LONGEST} characters at most, got {len(namespace)}")
