from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass

import torch

from evals.peers.state_bytes import bytes_of


@dataclass
class Held:
    first: torch.Tensor
    second: object


def test_every_tensor_of_a_nest_counts_once():
    Pair = namedtuple("Pair", "left right")
    wide, narrow = torch.zeros(3, 4), torch.zeros(5, dtype=torch.int8)
    assert bytes_of(wide) == 48
    assert bytes_of(Pair(wide, {"a": narrow, "b": [wide, None, 3]})) == 53
    assert bytes_of(Held(first=wide, second=(narrow, torch.zeros(2)))) == 61
    assert bytes_of(None) == 0
