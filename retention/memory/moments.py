"""Moments: a time as people write it, at a terminal."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def as_moment(text: str, now: float) -> float:
    """Return the time that a text names, in seconds since 1970.

    Args:
        text: ISO 8601, in local time where it names no zone, as ``2026-11-28T09:30`` or ``2026-11-28``; or an age, as
            ``90s``, ``30m``, ``2h``, ``3d`` or ``1w``.
        now: the time that an age is counted from, likewise.

    Raises:
        ValueError: if it is neither, or has not come yet.
    """
    try:
        if (age := _AGE.fullmatch(text.strip())) is not None:
            return now - timedelta(**{_UNITS[age[2]]: float(age[1])}).total_seconds()
        # Pythons before 3.11 do not know the Z that others end a time in UTC with.
        moment = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text.strip())).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{text!r} is no time; write one as 2026-11-28T09:30, or an age as 30m, 2h or 3d") from None
    if moment > now:
        raise ValueError(f"{text!r} has not come yet; name a time in the past")
    return moment
