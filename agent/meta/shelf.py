"""The notebooks of lanes that have each their own, on pages of one array, so that all are read together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

import numpy as np

from .notebook import Notebook
from .pages import Pages, blank_pages
from .reader import Reader
from .weights import Array


@final
class Shelf:
    """One place for each lane. A notebook that lies there is used as any other; what it notes is on the shelf."""

    def __init__(self, reader: Reader, lanes: int) -> None:
        """Start with empty places, and room in them when the first notebook comes.

        Args:
            reader: projects keys and values.
            lanes: how many there will be; more may come.
        """
        self._reader, self._rows = reader, 0
        self._at: dict[int, Notebook] = {}
        self._pages = blank_pages(reader.shape, 0, lanes)
        self._places: list[Pages] = [{} for _ in range(lanes)]

    def copy(self, notebook: Notebook, lane: int) -> Notebook:
        """Return a copy of a notebook that lies in a lane's place, and who lay there before must not be used again."""
        self._at.pop(lane, None)
        self._make_room(notebook.rows, lane)
        twin = self._at[lane] = notebook.copied_to(self._places[lane])
        return twin

    def put(self, notebook: Notebook, lane: int) -> None:
        """Move a notebook into a lane's place, unless it lies there; who lay there before must not be used again."""
        if self._at.get(lane) is notebook and notebook.rows == self._rows:
            return
        self._at.pop(lane, None)
        self._make_room(notebook.rows, lane)
        notebook.move_to(self._places[lane])
        self._at[lane] = notebook

    def scores(self, keys: Mapping[int, Array], episode: int, *, attention: bool) -> tuple[Array, Array | None]:
        """Score the actions for several lanes, as :meth:`Notebook.scores` would for each, to rounding.

        Args:
            keys: of the observations, by lane, all of which have their notebooks here.
            episode: the number of the present episode.
            attention: whether it is wanted.

        Returns:
            In the order of ``keys`` the logits, ``[lanes, actions]``, NaN where they are to be had from the notebook
            alone, and if it is wanted the attention that notes drew, ``[lanes, most notes]``.
        """
        places, some = max(keys) + 1, next(iter(keys.values()))
        sizes = [len(self._at[lane]) if lane in self._at else 0 for lane in range(places)]
        leaning = self._bring_up_to_date(list(keys), sizes, episode)
        slots = 1 + max(sizes)
        logits, drawn = self._reader.batch.scores(
            [self._reader.asked(keys.get(lane, some)).row for lane in range(places)],  # some: what comes of it is left
            self._pages["_keys"][:places, :, :, :slots],
            self._pages["_values"][:places, :, :, :slots],
            leaning,
            [1 + size for size in sizes],
            attention=attention,
        )
        asked = list(keys)
        return logits[asked], None if drawn is None else drawn[asked]

    def _bring_up_to_date(self, lanes: list[int], sizes: Sequence[int], episode: int) -> Array:
        """Project for all lanes what was noted since the last time, and return what scores lean by."""
        pages, slots = self._pages, 1 + max(sizes)
        stale = [(lane, row) for lane in lanes for row in self._at[lane].stale(episode)]
        if stale:
            noted = [self._at[lane].noted[row] for lane, row in stale]
            place, note = np.array(stale).T
            slot, age = note + 1, np.maximum(episode - pages["_episode"][place, note], 0)
            both = self._reader.project(noted, pages["_count"][place, note], age, pages["_leans"][place, 1, slot])
            for name, each in zip(("_keys", "_values"), both, strict=True):
                pages[name][place, :, :, slot] = each
        leans = pages["_leans"][: len(sizes), :, :slots]
        np.log1p(pages["_rank"][: len(sizes), : slots - 1], out=leans[:, 0, 1:])
        for lane in lanes:
            self._at[lane].is_up_to_date(episode)
        leaning = self._reader.leaning(leans)
        for lane, size in enumerate(sizes):
            if size + 1 < slots:
                leaning[lane, :, :, size + 1 :] = -np.inf
        return leaning

    def _make_room(self, rows: int, lane: int) -> None:
        """Let there be a place for a lane, and room for so many rows in each; a notebook may have outgrown its own."""
        if rows <= self._rows and lane < len(self._places):
            return
        self._rows = max([rows, self._rows, *(each.rows for each in self._at.values())])
        lanes = max(len(self._places), lane + 1)
        self._pages = blank_pages(self._reader.shape, self._rows, lanes)
        self._places = [{name: each[place] for name, each in self._pages.items()} for place in range(lanes)]
        for place, notebook in self._at.items():
            notebook.move_to(self._places[place])
