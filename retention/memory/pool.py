"""Of many templates those that a question may find: what an index and rare words propose, and what is beside it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .shelf import Shelf
from .vector_rows import unit
from .word_index import best_places

WHOLE = 32_768
"""Up to how many templates each is looked at."""

_PROPOSED = 128  # by the vectors, and by the words
_REACH = 2  # how many before and after each are looked at as well


def pool(
    shelf: Shelf, text: str | None, vector: NDArray[np.float32] | None, chosen: NDArray[np.bool_], everywhere: bool
) -> NDArray[np.int64]:
    """Return the places of a shelf that are to be ranked, ascending.

    Args:
        shelf: the templates.
        text: what is looked for by its words.
        vector: what is looked for by its vector, of shape (d,).
        chosen: which places count, bool of shape (n,).
        everywhere: whether all of them are to be ranked, however many.
    """
    if everywhere or np.count_nonzero(chosen) <= WHOLE:
        return np.flatnonzero(chosen)
    found = [np.zeros(0, np.int64)]
    if text is not None:
        found.append(best_places(shelf.words.find(text, chosen), len(shelf), _PROPOSED))
    if vector is not None and len(vector) in shelf.vectors:
        query = unit(vector)
        if text is not None:
            query, _, _ = shelf.background(len(query)).direction(query)
        found.append(shelf.nearest(query, _PROPOSED, chosen))
    places = np.unique(np.concatenate(found))
    if text is not None:
        places = shelf.with_those_beside(places, _REACH)
    return places[chosen[places]]
