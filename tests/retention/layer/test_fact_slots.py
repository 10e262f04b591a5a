"""The slots of facts: taken, joined, and kept as bytes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from retention import FactSlots, SlotFileError

WIDTHS = {"fact_width": 6, "heads": 2, "dim": 3}


def some_facts(sizes: list[int], seed: int = 0) -> FactSlots:
    """Facts with as many slots each as ``sizes`` says, their numbers rounded to 16 bits."""
    generator = torch.Generator().manual_seed(seed)
    longest = max(sizes, default=0)
    there = torch.arange(longest) < torch.tensor(sizes, dtype=torch.long).reshape(-1, 1)
    draw = {"generator": generator}
    return FactSlots(
        key=torch.randn(len(sizes), 6, **draw),
        slot_key=torch.randn(len(sizes), longest, 2, 3, **draw) * there[..., None, None],
        bias=torch.randn(len(sizes), longest, 2, **draw) * there[..., None],
        token=torch.randint(0, 50, (len(sizes), longest), **draw).masked_fill(~there, -1),
    ).rounded()


def same(one: FactSlots, other: FactSlots) -> bool:
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in ("key", "slot_key", "bias", "token"))


@given(st.lists(st.integers(1, 7), max_size=5), st.integers(0, 99))
def test_what_was_rounded_comes_back_from_bytes_equal(sizes, seed):
    facts = some_facts(sizes, seed)
    rows = facts.to_bytes()
    assert len(rows) == len(facts) == len(sizes)
    assert same(FactSlots.from_bytes(rows, **WIDTHS), facts)


@given(st.lists(st.lists(st.integers(1, 7), min_size=1, max_size=3), min_size=1, max_size=3))
def test_joined_facts_are_those_of_the_parts_in_order(parts):
    made = [some_facts(sizes, seed) for seed, sizes in enumerate(parts)]
    joined = FactSlots.cat(made)
    assert joined.to_bytes() == [row for part in made for row in part.to_bytes()]
    start = 0
    for part in made:
        rows = list(range(start, start + len(part)))
        assert joined.index(rows).to_bytes() == part.to_bytes()
        chosen = torch.zeros(len(joined), dtype=torch.bool)
        chosen[rows] = True
        assert same(joined.index(chosen), joined.index(rows))
        start += len(part)


def test_nothing_can_be_joined_of_nothing():
    with pytest.raises(ValueError, match="no facts to join"):
        FactSlots.cat([])


@pytest.mark.parametrize("harm", [lambda row: row[:-1], lambda row: row + b"\0", lambda row: b"\xff" + row[1:]])
def test_bytes_of_another_length_are_refused(harm):
    row = some_facts([4]).to_bytes()[0]
    with pytest.raises(SlotFileError, match="damaged"):
        FactSlots.from_bytes([harm(row)], **WIDTHS)


def test_numbers_that_are_not_finite_are_neither_kept_nor_read():
    facts = some_facts([3])
    facts.key[0, 0] = 1e6  # too large for 16 bits
    with pytest.raises(ValueError, match="key holds a number that is not finite"):
        facts.to_bytes()
    row = bytearray(some_facts([3]).to_bytes()[0])
    row[4:6] = b"\x00\x7e"  # the NaN of 16 bits
    with pytest.raises(SlotFileError, match="not finite"):
        FactSlots.from_bytes([bytes(row)], **WIDTHS)
