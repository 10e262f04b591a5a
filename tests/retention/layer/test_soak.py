"""A long life: many random operations against dictionaries, and many writes that mean harm.

The sizes here are small. ``HOLDFAST_SOAK=1000`` in the environment makes it a thousand steps of a thousand rows for
each rule, more than a million operations, and more than a million writes that mean harm.
"""

from __future__ import annotations

import os
import random
from dataclasses import fields

import pytest
import torch

from retention import AppendWrite, BlendWrite, FirstInFirstOut, MergeWrite, RetentionConfig, RetentionLayer

SIZE = int(os.environ.get("HOLDFAST_SOAK", "120"))
SYMBOLS, CAPACITY, MAGNITUDE = 12, 6, 1000


def exact_layer(rule):
    """Its keys are the one-hot first half of a vector: every cosine is 0 or 1, and every gate is 1.

    The second half has a number where the first has its one, and a read by the first half answers the number.
    """
    config = RetentionConfig(
        width=2 * SYMBOLS,
        heads=1,
        capacity=CAPACITY,
        rule=rule,
        eviction=FirstInFirstOut(),
        tau=0.9,
        threshold=0.0,
        temperature=40.0,
    )
    layer = RetentionLayer(config).double().eval()
    first = torch.arange(2 * SYMBOLS) < SYMBOLS
    with torch.no_grad():
        layer.form.key.weight.copy_(torch.diag(first.double()))
        layer.form.value.weight.copy_(torch.diag((~first).double()))
        layer.form.match_keys()
        layer.form.query_gate.weight[layer.config.reads :].zero_()
        layer.form.null_score.fill_(15.0)
        layer.form.write_gate.weight.zero_()
        layer.form.write_gate.bias.fill_(100.0)
    return layer


class Namespace:
    """A namespace by hand: a dictionary from id to what the slot holds."""

    def __init__(self):
        self.slots = {}
        self.next_id = 0

    def write(self, offers, *, merging):
        """Write a call's symbols and numbers, all judged by what was there before and by those before them."""
        held = {slot["symbol"]: name for name, slot in self.slots.items()} if merging else {}
        kept = {held[symbol] for symbol, _ in offers if symbol in held}
        free = CAPACITY - len(self.slots)
        going = sorted(name for name, slot in self.slots.items() if not slot["pinned"] and name not in kept)
        refused = set()
        for symbol, number in offers:
            if merging and symbol in held:
                slot = self.slots[held[symbol]]
                slot |= {"number": number, "count": slot["count"] + 1}
            elif symbol in refused or not (free or going):
                refused.add(symbol)
            else:
                if not free:
                    del self.slots[going.pop(0)]
                free = max(0, free - 1)
                held[symbol] = self.next_id
                self.slots[self.next_id] = {"symbol": symbol, "number": number, "count": 1, "pinned": False}
                self.next_id += 1

    def pin(self, names, pinned):
        for name in self.slots.keys() & set(names):
            self.slots[name]["pinned"] = pinned

    def evict(self):
        free = [name for name, slot in self.slots.items() if not slot["pinned"]]
        if free:
            del self.slots[min(free)]

    def merge(self, into, name):
        a, b = self.slots[into], self.slots.pop(name)
        total = a["count"] + b["count"]
        a["number"] = (a["number"] * a["count"] + b["number"] * b["count"]) / total
        a |= {"count": total, "pinned": a["pinned"] or b["pinned"]}


def vectors(symbols, numbers):
    hot = torch.nn.functional.one_hot(symbols, SYMBOLS).double()
    return torch.cat((hot, hot * numbers[..., None]), dim=-1)


def wrong_slots(state, namespaces):
    """How many slots are not as the dictionaries have them."""
    symbols, numbers = state.u[..., :SYMBOLS].argmax(dim=2), state.u[..., SYMBOLS:].sum(dim=2)
    columns = [column.tolist() for column in (state.id, symbols, numbers, state.count, state.pinned)]
    wrong = 0
    for *rows, namespace in zip(*columns, namespaces, strict=True):
        told = {name: rest for name, *rest in zip(*rows, strict=True) if name >= 0}
        wrong += len(told.keys() ^ namespace.slots.keys())
        for name in told.keys() & namespace.slots.keys():
            symbol, number, count, pinned = told[name]
            slot = namespace.slots[name]
            right = (symbol, count, pinned) == (slot["symbol"], slot["count"], slot["pinned"])
            wrong += not (right and abs(number - slot["number"]) <= 1e-9 * MAGNITUDE)
    return wrong


def assert_sound(layer, state, namespaces, *, merging):
    assert wrong_slots(state, namespaces) == 0
    assert state.next_id.tolist() == [namespace.next_id for namespace in namespaces]
    k, v = layer.form.project(state.u)
    torch.testing.assert_close(state.k, k)
    torch.testing.assert_close(state.v, v)
    empty = ~state.occupied
    for field in fields(state):
        tensor = getattr(state, field.name)
        if tensor.dim() > 1 and field.name != "id":
            tensor = tensor.transpose(1, 2) if field.name in "kv" else tensor
            assert not tensor[empty].any(), field.name
    if merging:
        every = torch.arange(SYMBOLS).expand(state.batch, SYMBOLS)
        answers, _ = layer.read(vectors(every, torch.zeros(SYMBOLS)), state)
        wanted = torch.zeros(state.batch, SYMBOLS, dtype=torch.float64)
        for b, namespace in enumerate(namespaces):
            for slot in namespace.slots.values():
                wanted[b, slot["symbol"]] = slot["number"]
        assert torch.equal(answers[..., SYMBOLS:].sum(dim=2).round(), wanted)


def assert_untouched(state, before, rows, *, older):
    """Rows that took no part are bit-equal, but for their ages after a write."""
    for field in fields(state):
        now, then = getattr(state, field.name)[rows], getattr(before, field.name)[rows]
        if older and field.name in {"age", "idle"}:
            then = then + before.occupied[rows]
        assert torch.equal(now, then), field.name


@pytest.mark.parametrize("rule", [MergeWrite(), AppendWrite()], ids=repr)
@torch.no_grad()
def test_random_operations_leave_what_dictionaries_hold(rule):
    """Each step does one operation on two rows in three."""
    merging = isinstance(rule, MergeWrite)
    layer, namespaces = exact_layer(rule), [Namespace() for _ in range(SIZE)]
    state = layer.init_state(SIZE)
    chance, generator = random.Random(0), torch.Generator().manual_seed(0)
    done = 0
    for step in range(SIZE):
        before = state
        kind = chance.choice(["write", "write", "write", "write", "forget", "pin", "evict", "merge"])
        part = torch.rand(SIZE, generator=generator) < 0.67
        slots = torch.rand(SIZE, CAPACITY, generator=generator).argsort(dim=1)[:, :2]
        names = state.id.gather(1, slots).masked_fill(~part[:, None], -1)
        if kind == "write":
            n = chance.randint(1, 3)
            symbols = torch.randint(SYMBOLS if merging else 3, (SIZE, n), generator=generator)
            numbers = torch.randint(1, MAGNITUDE, (SIZE, n), generator=generator)
            mask = part[:, None] & (torch.rand(SIZE, n, generator=generator) < 0.8)
            state, _ = layer.write(state, vectors(symbols, numbers), mask=mask)
            offers = zip(symbols.tolist(), numbers.tolist(), mask.tolist(), strict=True)
            for namespace, offer in zip(namespaces, offers, strict=True):
                real = [(symbol, number) for symbol, number, there in zip(*offer, strict=True) if there]
                namespace.write(real, merging=merging)
        elif kind == "forget":
            state, found = state.forget(names)
            for namespace, gone, there in zip(namespaces, names.tolist(), found.tolist(), strict=True):
                for name, was in zip(gone, there, strict=True):
                    assert (namespace.slots.pop(name, None) is not None) == was
        elif kind == "pin":
            pinned = chance.random() < 0.4
            state = state.pin(names, pinned)
            for namespace, chosen in zip(namespaces, names.tolist(), strict=True):
                namespace.pin(chosen, pinned)
        elif kind == "evict":
            part |= True
            state = layer.evict(state, 1)
            for namespace in namespaces:
                namespace.evict()
        else:
            part &= merge_like(namespaces, names)
            names = names.masked_fill(~part[:, None], -1)
            state = layer.merge(state, names[:, :1], names[:, 1:])
        done += int(part.sum())
        assert_untouched(state, before, ~part, older=kind == "write")
        if step % 10 == 9 or step == SIZE - 1:
            assert_sound(layer, state, namespaces, merging=merging)
    assert done > 0.5 * SIZE**2


def merge_like(namespaces, names):
    """Merge by hand where both names are slots of one symbol; say where that was so."""
    merged = []
    for namespace, (into, name) in zip(namespaces, names.tolist(), strict=True):
        pair = [namespace.slots.get(into), namespace.slots.get(name)]
        merged.append(None not in pair and pair[0]["symbol"] == pair[1]["symbol"])
        if merged[-1]:
            namespace.merge(into, name)
    return torch.tensor(merged)


def harmful(rows, n, width, step, generator):
    """One kind of vector per row, and which of them are finite."""
    plain = torch.randn(rows, n, width, generator=generator)
    sign = torch.tensor([1.0, -1.0])[(torch.arange(width) + step) % 2]
    kinds = [
        plain,
        torch.ones(rows, n, width),
        1e30 * plain,
        1e30 * sign.expand(rows, n, width),
        1e-30 * plain,
        1e-42 * plain,
        plain * 10.0 ** torch.randint(-38, 36, (rows, n, width), generator=generator),
        torch.zeros(rows, n, width),
        1e35 * sign.expand(rows, n, width),
        plain.masked_fill(torch.rand(rows, n, width, generator=generator) < 0.1, torch.nan),
        plain.masked_fill(torch.rand(rows, n, width, generator=generator) < 0.1, torch.inf),
    ]
    x = torch.stack(kinds)[torch.arange(rows) % len(kinds), torch.arange(rows)]
    return x, x.isfinite().all(dim=2)


@pytest.mark.parametrize(
    "changes",
    [{}, {"rule": BlendWrite()}, {"rule": AppendWrite(), "threshold": 0.0}, {"paper": True, "rule": MergeWrite()}],
    ids=repr,
)
@torch.no_grad()
def test_writes_that_mean_harm_leave_everything_finite(changes):
    layer = RetentionLayer(RetentionConfig(width=8, heads=2, capacity=8, **changes)).eval()
    rows, n, generator = max(22, SIZE // 4), 4, torch.Generator().manual_seed(0)
    state = layer.init_state(rows)
    for step in range(SIZE // 3):
        x, finite = harmful(rows, n, 8, step, generator)
        state, info = layer.write(state, x, torch.randn(rows, n, generator=generator))
        assert info.refused[~finite].all()
        for field in fields(state):
            tensor = getattr(state, field.name)
            assert not tensor.is_floating_point() or tensor.isfinite().all(), (step, field.name)
        assert info.accept_rate.isfinite().all()
        y, seen = layer.read(torch.randn(rows, 3, 8, generator=generator), state)
        assert y.isfinite().all()
        for number in (seen.null_mass, seen.entropy, seen.max_cosine, seen.slot_mass):
            assert number.isfinite().all()
        assert layer.read(torch.zeros(rows, 3, 8), state)[0].isfinite().all()


@pytest.mark.parametrize("rule", [MergeWrite(), BlendWrite(), AppendWrite()], ids=repr)
@torch.no_grad()
def test_what_overflows_is_refused(rule):
    layer = RetentionLayer(RetentionConfig(width=8, heads=2, capacity=2, rule=rule))
    largest = torch.full((2, 2, 8), torch.finfo(torch.float32).max)
    largest[1] = torch.randn(2, 8)
    state = layer.init_state(2)
    for _ in range(3):
        state, info = layer.write(state, largest)
        assert info.refused.tolist() == [[True, True], [False, False]]
    assert state.occupied.tolist() == [[False, False], [True, True]]
    assert all(getattr(state, f.name).isfinite().all() for f in fields(state))
