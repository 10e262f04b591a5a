from __future__ import annotations

import time
from contextlib import contextmanager

from evals.frozen.speed import speeds


def test_what_is_around_it_is_told_apart_from_the_model_alone_and_turns_are_taken(tiny):
    order = []

    def busy(module, given):
        until = time.process_time() + 0.004
        while time.process_time() < until:
            pass

    @contextmanager
    def around():
        order.append("around")
        hook = tiny.model.register_forward_pre_hook(busy)
        try:
            yield
        finally:
            hook.remove()

    pairs = speeds(tiny.model, [3, 4, 5], around, tokens=4, rounds=3)
    assert len(pairs) == 3 and len(order) == 4
    assert all(reading < 250 for _, reading in pairs)  # a token takes 4 ms at least
    assert all(alone > reading for alone, reading in pairs)
