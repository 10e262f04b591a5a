"""Writing against a row-by-row simulation with python lists, and its laws."""

from __future__ import annotations

import math
from dataclasses import fields

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from retention import AppendWrite, BlendWrite, FirstInFirstOut, LeastUseful, MergeWrite
from retention.layer.slots import empty_slots
from retention.layer.write import key_cosines, write_slots

WIDTH, HEADS, DIM, CAPACITY = 4, 2, 3, 5
KEY = torch.randn(HEADS, DIM, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
VALUE = torch.randn(HEADS, DIM, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def project(u):
    return torch.einsum("hdw,bsw->bhsd", KEY, u), torch.einsum("hdw,bsw->bhsd", VALUE, u)


def keys_of(u):
    return [[sum(KEY[h, d, w].item() * u[w] for w in range(WIDTH)) for d in range(DIM)] for h in range(HEADS)]


def cosine(u, other):
    total = 0.0
    for a, b in zip(keys_of(u), keys_of(other), strict=True):
        lengths = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(x * x for x in b))
        total += sum(x * y for x, y in zip(a, b, strict=True)) / lengths
    return total / HEADS


class Row:
    """One namespace by hand: a list of slots, each a dict."""

    def __init__(self):
        self.slots = [None] * CAPACITY
        self.next_id = self.evictions = self.duplicates = 0

    def start(self):
        for slot in filter(None, self.slots):
            slot["age"] += 1
            slot["idle"] += 1

    def append(self, u, gate, feedback, score):
        if None in self.slots:
            at = self.slots.index(None)
        else:
            at = min(range(CAPACITY), key=lambda j: score(self.slots[j]))
            self.evictions += 1
        new = {"u": u, "id": self.next_id, "bias": math.log(gate), "utility": feedback}
        self.slots[at] = new | {"count": 1, "age": 0, "idle": 0}
        self.next_id += 1

    def counts(self, slot, feedback):
        slot["count"] += 1
        slot["utility"] += (feedback - slot["utility"]) / slot["count"]
        slot["age"] = slot["idle"] = 0

    def write(self, rule, u, gate, feedback, score, tau):
        held = [slot for slot in self.slots if slot]
        near = max(held, key=lambda slot: cosine(u, slot["u"]), default=None)
        duplicate = near is not None and cosine(u, near["u"]) > tau
        self.duplicates += duplicate
        if isinstance(rule, MergeWrite) and duplicate:
            near["u"] = [(1 - rule.erase * gate) * a + rule.write * gate * b for a, b in zip(near["u"], u, strict=True)]
            self.counts(near, feedback)
        elif isinstance(rule, BlendWrite) and len(held) == CAPACITY:
            exps = [math.exp(sum(a * b for a, b in zip(u, s["u"], strict=True)) / math.sqrt(WIDTH)) for s in self.slots]
            for slot, weight in zip(self.slots, exps, strict=True):
                w = gate * weight / sum(exps)
                slot["u"] = [(1 - w) * a + w * b for a, b in zip(slot["u"], u, strict=True)]
            self.counts(self.slots[exps.index(max(exps))], feedback)
        else:
            self.append(u, gate, feedback, score)


EVICTIONS = {
    "fifo": (FirstInFirstOut(), lambda slot: slot["id"]),
    "useful": (LeastUseful(age=0.05), lambda slot: slot["utility"] - 0.05 * slot["age"]),
}


@pytest.mark.parametrize("eviction", EVICTIONS)
@pytest.mark.parametrize("rule", [AppendWrite(), MergeWrite(erase=0.6, write=0.3), BlendWrite()], ids=repr)
def test_writes_match_the_simulation(rule, eviction):
    """Two rows, four calls of four candidates, some of them near copies, some not admitted; all counters too."""
    generator = torch.Generator().manual_seed(3)
    evict, score = EVICTIONS[eviction]
    tau = 0.97
    state = empty_slots(2, CAPACITY, width=WIDTH, heads=HEADS, dim=DIM, dtype=torch.float64)
    rows = [Row(), Row()]
    base = torch.randn(2, 7, WIDTH, dtype=torch.float64, generator=generator)
    total_evictions, total_duplicates = torch.zeros(2), torch.zeros(2)
    for _ in range(4):
        pick = torch.randint(7, (2, 4), generator=generator)
        u = base.take_along_dim(pick[:, :, None], dim=1)
        u = u + 0.01 * torch.randn(u.shape, dtype=torch.float64, generator=generator)
        gate = torch.rand(2, 4, dtype=torch.float64, generator=generator) * 0.9 + 0.1
        feedback = torch.randn(2, 4, dtype=torch.float64, generator=generator)
        admit = torch.rand(2, 4, generator=generator) > 0.2
        state, evictions, duplicates = write_slots(
            state,
            u,
            log_gate=gate.log(),
            admit=admit,
            feedback=feedback,
            project=project,
            rule=rule,
            eviction=evict,
            tau=tau,
        )
        total_evictions, total_duplicates = total_evictions + evictions, total_duplicates + duplicates
        for b, row in enumerate(rows):
            row.start()
            for i in range(4):
                if admit[b, i]:
                    row.write(rule, u[b, i].tolist(), gate[b, i].item(), feedback[b, i].item(), score, tau)
    assert any(row.duplicates for row in rows)
    assert any(row.evictions for row in rows) or isinstance(rule, BlendWrite)
    for b, row in enumerate(rows):
        assert total_evictions[b] == row.evictions
        assert total_duplicates[b] == row.duplicates
        assert state.next_id[b] == row.next_id
        for j, slot in enumerate(row.slots):
            assert state.occupied[b, j] == (slot is not None)
            if slot is None:
                continue
            for name, wanted in slot.items():
                got = getattr(state, name)[b, j].tolist()
                assert got == pytest.approx(wanted, rel=1e-9, abs=1e-12), (b, j, name)
    k, v = project(state.u)
    mask = state.occupied[:, None, :, None]
    torch.testing.assert_close(state.k, k * mask)
    torch.testing.assert_close(state.v, v * mask)


def test_key_cosines_match_the_loop():
    u = torch.randn(2, 3, WIDTH, dtype=torch.float64)
    state = empty_slots(2, CAPACITY, width=WIDTH, heads=HEADS, dim=DIM, dtype=torch.float64)
    everything = torch.ones(2, 3, dtype=torch.bool)
    state, _, _ = write_slots(
        state,
        u,
        log_gate=torch.zeros(2, 3, dtype=torch.float64),
        admit=everything,
        feedback=torch.zeros(2, 3, dtype=torch.float64),
        project=project,
        rule=AppendWrite(),
        eviction=FirstInFirstOut(),
        tau=0.9,
    )
    asked = torch.randn(2, 2, WIDTH, dtype=torch.float64)
    got = key_cosines(project(asked)[0], state)
    for b in range(2):
        for i in range(2):
            for j in range(3):
                assert got[b, i, j].item() == pytest.approx(cosine(asked[b, i].tolist(), u[b, j].tolist()))
            assert got[b, i, 3:].eq(-1).all()


def write_all(state, u, rule=None, eviction=None, admit=None):
    shape = u.shape[:2]
    return write_slots(
        state,
        u,
        log_gate=torch.zeros(shape, dtype=u.dtype),
        admit=torch.ones(shape, dtype=torch.bool) if admit is None else admit,
        feedback=torch.zeros(shape, dtype=u.dtype),
        project=project,
        rule=AppendWrite() if rule is None else rule,
        eviction=FirstInFirstOut() if eviction is None else eviction,
        tau=0.95,
    )


def test_after_ten_times_the_capacity_every_slot_still_holds_its_own():
    """The id of a slot says which candidate it is: vector, key and value must be that one's."""
    u = torch.randn(1, 10 * CAPACITY, WIDTH, dtype=torch.float64)
    state = empty_slots(1, CAPACITY, width=WIDTH, heads=HEADS, dim=DIM, dtype=torch.float64)
    for part in u.split(7, dim=1):
        state, _, _ = write_all(state, part)
    assert sorted(state.id[0].tolist()) == list(range(9 * CAPACITY, 10 * CAPACITY))
    own = u[:, state.id[0]]
    k, v = project(own)
    assert torch.equal(state.u, own)
    torch.testing.assert_close(state.k, k)
    torch.testing.assert_close(state.v, v)


def test_what_is_not_admitted_leaves_the_row_bit_equal(assert_same_state):
    state = empty_slots(2, CAPACITY, width=WIDTH, heads=HEADS, dim=DIM, dtype=torch.float64)
    state, _, _ = write_all(state, torch.randn(2, 3, WIDTH, dtype=torch.float64))
    admit = torch.tensor([[True, True], [False, False]])
    after, _, _ = write_all(state, torch.randn(2, 2, WIDTH, dtype=torch.float64), admit=admit)
    kept, before = after.index(slice(1, 2)), state.index(slice(1, 2))
    for field in fields(kept):
        if field.name not in {"age", "idle"}:
            assert torch.equal(getattr(kept, field.name), getattr(before, field.name)), field.name
    assert kept.age.tolist() == (before.age + before.occupied).tolist()


@pytest.mark.parametrize("strengths", [{"erase": 1.5}, {"write": -0.1}])
def test_merge_strengths_are_checked(strengths):
    ((name, strength),) = strengths.items()
    with pytest.raises(ValueError, match=rf"{name} must be in \[0, 1\], got {strength}"):
        MergeWrite(**strengths)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    sizes=st.lists(st.integers(0, 4), min_size=1, max_size=5),
    rule=st.sampled_from([AppendWrite(), BlendWrite(), MergeWrite()]),
    eviction=st.sampled_from([FirstInFirstOut(), LeastUseful()]),
)
def test_laws_of_writing(seed, sizes, rule, eviction):
    """Capacity holds, ids are never used twice, counts add up, empty slots stay zero."""
    generator = torch.Generator().manual_seed(seed)
    state = empty_slots(2, CAPACITY, width=WIDTH, heads=HEADS, dim=DIM, dtype=torch.float64)
    lost, seen = torch.zeros(2), [set(), set()]
    for size in sizes:
        u = torch.randn(2, size, WIDTH, dtype=torch.float64, generator=generator)
        before = state
        state, evictions, _ = write_all(state, u, rule, eviction)
        lost += evictions
        for b in range(2):
            ids = set(state.id[b][state.occupied[b]].tolist())
            assert len(ids) == int(state.occupied[b].sum())
            assert not (ids - set(before.id[b].tolist())) & seen[b]
            seen[b] |= ids
        assert torch.equal(state.id.ge(0), state.occupied)
        assert torch.equal(state.count.ge(1), state.occupied)
        empty = ~state.occupied
        assert not state.u[empty].any()
        assert not state.k.transpose(1, 2)[empty].any()
    if isinstance(rule, AppendWrite):
        assert torch.equal(state.occupied.sum(1) + lost, torch.full((2,), float(sum(sizes))))
    if not lost.any():
        assert state.count.sum(1).tolist() == [sum(sizes)] * 2
