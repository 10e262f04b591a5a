from __future__ import annotations

import pytest

from evals.peers.recaller import RecallerConfig


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"width": 0}, "width must be 1 or more, got 0"),
        ({"told": 0}, "told must be 1 or more, got 0"),
        ({"answers": 129}, "129 answers are more than the 128 tokens"),
        ({"heads": 3}, "a width of 64 does not split into 3 heads"),
    ],
)
def test_wrong_sizes_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        RecallerConfig(**wrong)
