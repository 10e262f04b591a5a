"""Counts the episodes of an environment whose world changes with them."""

from __future__ import annotations


class EpisodeCount:
    """The number of the present episode; one counts as played once a step of it was taken.

    So a ``reset`` that is repeated before the first step moves nothing on, and an episode that is broken off, by the
    caller or by a time limit around the environment, counts like any other.
    """

    def __init__(self, first: int) -> None:
        """Start with episode ``first``."""
        self.number = first
        self._stepped = False

    def start(self) -> None:
        """Note a reset: the next episode begins, if the present one was played."""
        self.number += self._stepped
        self._stepped = False

    def step(self) -> None:
        """Note a step."""
        self._stepped = True
