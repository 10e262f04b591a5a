"""Writing against a simulation of one row with Python lists, its gradients, and its laws."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from retention import AppendWrite, BlendWrite, FirstInFirstOut, LeastRecentlyUsed, LeastUseful, MergeWrite
from retention.layer.read import retention_read, slot_bias
from retention.layer.slots import empty_slots, slot_stamps
from retention.layer.write import mean_cosine, write_slots

WIDTH, HEADS, DIM, CAPACITY, TAU = 4, 2, 3, 5, 0.97
KEY = torch.randn(HEADS, DIM, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
VALUE = torch.randn(HEADS, DIM, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
EVICTIONS = {
    "fifo": (FirstInFirstOut(), lambda slot: slot["id"]),
    "lru": (LeastRecentlyUsed(), lambda slot: -slot["idle"]),
    "useful": (
        LeastUseful(mass=0.6, age=0.05),
        lambda slot: 0.6 * math.log(1 + slot["mass"]) + slot["utility"] - 0.05 * slot["age"],
    ),
}


def project(u):
    keys = torch.einsum("hdw,bsw->bhsd", KEY, u)
    return torch.nn.functional.normalize(keys, dim=-1), torch.einsum("hdw,bsw->bhsd", VALUE, u)


def cosine(u, other):
    """The mean over the heads of the cosines of two keys."""
    total = 0.0
    for head in KEY.tolist():
        a, b = ([sum(w * x for w, x in zip(row, vector, strict=True)) for row in head] for vector in (u, other))
        lengths = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(x * x for x in b))
        total += sum(x * y for x, y in zip(a, b, strict=True)) / lengths
    return total / HEADS


class Row:
    """One namespace by hand: a list of slots, each a dict, and what the last call did."""

    def __init__(self, capacity=CAPACITY):
        self.slots = [None] * capacity
        self.next_id = self.writes = self.evictions = self.duplicates = 0

    def write(self, rule, offers, score):
        """Write a call's candidates, each a dict, one after the other; return the slot of each, None if there is none.

        Each is judged by what was there before the call and by the admitted candidates before it.
        """
        for slot in filter(None, self.slots):
            slot["age"] += 1
            slot["idle"] += 1
        before = [slot and dict(slot) for slot in self.slots]
        near = [self._near(offer, before) for offer in offers]
        beside = [self._beside(i, offers) for i in range(len(offers))]
        joins = [False] * len(offers)
        if isinstance(rule, MergeWrite):
            joins = [near[i][0] > TAU and near[i][0] >= beside[i][0] for i in range(len(offers))]
        kept = {near[i][1] for i in range(len(offers)) if offers[i]["admit"] and joins[i]}
        rooms = [j for j, slot in enumerate(before) if slot is None]
        if not isinstance(rule, BlendWrite):
            held = [j for j, slot in enumerate(before) if slot and not slot["pinned"] and j not in kept]
            rooms += sorted(held, key=lambda j: score(before[j]))
        targets = []
        for i, offer in enumerate(offers):
            targets.append(None)
            if not offer["admit"]:
                continue
            if joins[i]:
                targets[i] = near[i][1]
                self._move(targets[i], offer, rule.erase * offer["gate"], rule.write * offer["gate"])
            elif isinstance(rule, MergeWrite) and beside[i][0] > TAU:
                targets[i] = targets[beside[i][1]]
                if targets[i] is not None:
                    self._move(targets[i], offer, rule.erase * offer["gate"], rule.write * offer["gate"])
            elif rooms:
                targets[i] = rooms.pop(0)
                self._start(targets[i], offer)
            elif isinstance(rule, BlendWrite):
                targets[i] = self._blend(offer, before)
            if targets[i] is not None:
                self._count(self.slots[targets[i]], offer)
                self.duplicates += max(near[i][0], beside[i][0]) > TAU
        return targets

    def _near(self, offer, before):
        every = [(cosine(offer["u"], slot["u"]), j) for j, slot in enumerate(before) if slot]
        return max(every, default=(-1.0, None))

    def _beside(self, i, offers):
        every = [(cosine(offers[i]["u"], offers[j]["u"]), j) for j in range(i) if offers[j]["admit"]]
        return max(every, default=(-1.0, None))

    def _start(self, at, offer):
        self.evictions += self.slots[at] is not None
        self.slots[at] = {"u": offer["u"], "id": self.next_id, "bias": math.log(offer["gate"]), "count": 0}
        self.slots[at] |= {"utility": 0.0, "mass": 0.0, "age": 0, "idle": 0, "pinned": False}
        self.next_id += 1

    def _move(self, at, offer, erase, write):
        slot = self.slots[at]
        slot["u"] = [(1 - erase) * a + write * b for a, b in zip(slot["u"], offer["u"], strict=True)]

    def _blend(self, offer, before):
        soft = [j for j, slot in enumerate(before) if slot and not slot["pinned"]]
        if not soft:
            return None
        dots = [sum(a * b for a, b in zip(offer["u"], before[j]["u"], strict=True)) / math.sqrt(WIDTH) for j in soft]
        exps = [math.exp(dot) for dot in dots]
        for j, weight in zip(soft, exps, strict=True):
            share = offer["gate"] * weight / sum(exps)
            self._move(j, offer, share, share)
        return soft[exps.index(max(exps))]

    def _count(self, slot, offer):
        slot["count"] += 1
        slot["utility"] += (offer["feedback"] - slot["utility"]) / slot["count"]
        slot["age"] = slot["idle"] = 0
        self.writes += 1
        slot["written"] = self.writes


def holds(state, b, row):
    """Hold a row of a state against a row by hand, in every tensor."""
    assert (state.next_id[b], state.writes[b]) == (row.next_id, row.writes)
    for j, slot in enumerate(row.slots):
        assert state.occupied[b, j] == (slot is not None)
        if slot is None:
            empty = state.index(slice(b, b + 1))
            assert not any(getattr(empty, name)[0, j].any() for name in COLUMNS if name != "id")
            assert (state.id[b, j], state.k[b, :, j].any(), state.v[b, :, j].any()) == (-1, False, False)
            continue
        for name, wanted in slot.items():
            assert getattr(state, name)[b, j].tolist() == pytest.approx(wanted, rel=1e-9, abs=1e-12), (b, j, name)
        stamp = slot_stamps(state.u[b, j][None, None], state.id[b, j][None, None])
        assert state.stamp[b, j] == stamp.item() != 0
    k, v = project(state.u[b : b + 1])
    torch.testing.assert_close(state.k[b], k[0] * state.occupied[b][:, None])
    torch.testing.assert_close(state.v[b], v[0] * state.occupied[b][:, None])


COLUMNS = ("u", "bias", "id", "count", "age", "idle", "written", "mass", "utility", "stamp", "pinned")


def nothing(batch=1, capacity=CAPACITY):
    return empty_slots(batch, capacity, width=WIDTH, heads=HEADS, dim=DIM, dtype=torch.float64)


def write(state, u, rule=None, eviction=None, *, admit=None, log_gate=None, feedback=None, tau=TAU):
    """``write_slots`` with the cosines that go with the keys."""
    batch, n, _ = u.shape
    keys = project(u)[0].detach()
    nearest = mean_cosine(keys, state.k.detach()).masked_fill(~state.occupied[:, None], -1.0).max(dim=2)
    return write_slots(
        state,
        u,
        nearest=(nearest.values, nearest.indices),
        among=mean_cosine(keys, keys),
        log_gate=torch.zeros(batch, n, dtype=u.dtype) if log_gate is None else log_gate,
        admit=torch.ones(batch, n, dtype=torch.bool) if admit is None else admit,
        feedback=torch.zeros(batch, n, dtype=u.dtype) if feedback is None else feedback,
        project=project,
        rule=AppendWrite() if rule is None else rule,
        eviction=FirstInFirstOut() if eviction is None else eviction,
        tau=tau,
    )


RULES = [AppendWrite(), MergeWrite(), MergeWrite(erase=0.6, write=0.3), BlendWrite()]


@pytest.mark.parametrize("eviction", EVICTIONS)
@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_writes_match_the_simulation(rule, eviction):
    """Three rows, nine calls of one to five candidates: near copies of slots and of each other, pins, every counter."""
    generator = torch.Generator().manual_seed(3)

    def draw(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    evict, score = EVICTIONS[eviction]
    state, rows = nothing(3), [Row(), Row(), Row()]
    base = draw(3, 12, WIDTH)
    shared = 0
    for call in range(9):
        n = 1 + call % CAPACITY
        drawn = torch.rand(3, CAPACITY, dtype=torch.float64, generator=generator)
        state = state.after_read(drawn * state.occupied, 2)
        pins = torch.where(torch.rand(3, 2, generator=generator) > 0.5, state.id[:, :2], -1)
        state = state.pin(pins, pinned=call % 3 != 2)
        pick = torch.randint(12, (3, n, 1), generator=generator)
        u = base.take_along_dim(pick, dim=1) + 0.05 * draw(3, n, WIDTH)
        gate = torch.rand(3, n, dtype=torch.float64, generator=generator) * 0.9 + 0.1
        admit = torch.rand(3, n, generator=generator) > 0.15
        feedback = draw(3, n)
        for b, row in enumerate(rows):
            share = 2 / (1 + sum(map(bool, row.slots)))
            for j, slot in enumerate(row.slots):
                if slot is not None:
                    slot["mass"] += drawn[b, j].item()
                    slot["idle"] = 0 if drawn[b, j].item() > share else slot["idle"]
                    slot["pinned"] = call % 3 != 2 if slot["id"] in pins[b].tolist() else slot["pinned"]
        before = state
        state, written, duplicate = write(
            state, u, rule, evict, admit=admit, log_gate=gate.log(), feedback=feedback, tau=TAU
        )
        for b, row in enumerate(rows):
            offers = [
                {"u": u[b, i].tolist(), "gate": gate[b, i].item(), "feedback": feedback[b, i].item()}
                | {"admit": bool(admit[b, i])}
                for i in range(n)
            ]
            duplicates, evictions, started = row.duplicates, row.evictions, row.next_id
            targets = row.write(rule, offers, score)
            assert written[b].tolist() == [target is not None for target in targets]
            assert duplicate[b].sum() == row.duplicates - duplicates
            begun = state.next_id[b] - before.next_id[b]
            assert begun == row.next_id - started
            assert begun + before.occupied[b].sum() - state.occupied[b].sum() == row.evictions - evictions
            holds(state, b, row)
            taken = [target for target in targets if target is not None]
            shared += len(taken) - len(set(taken))
    assert all(row.duplicates for row in rows)
    assert any(row.evictions for row in rows) or isinstance(rule, BlendWrite)
    assert shared > 5 or isinstance(rule, AppendWrite)


def test_mean_cosine_matches_the_loop():
    a, b = torch.randn(2, 3, WIDTH, dtype=torch.float64), torch.randn(2, 2, WIDTH, dtype=torch.float64)
    got = mean_cosine(project(a)[0], project(b)[0])
    for row in range(2):
        for i in range(3):
            for j in range(2):
                assert got[row, i, j].item() == pytest.approx(cosine(a[row, i].tolist(), b[row, j].tolist()))


def test_after_ten_times_the_capacity_every_slot_still_holds_its_own():
    """The id of a slot says which candidate it is: vector, key and value must be that one's."""
    u = torch.randn(1, 10 * CAPACITY, WIDTH, dtype=torch.float64)
    state = nothing()
    for part in u.split(CAPACITY - 1, dim=1):
        state, written, _ = write(state, part)
        assert written.all()
    assert sorted(state.id[0].tolist()) == list(range(9 * CAPACITY, 10 * CAPACITY))
    own = u[:, state.id[0]]
    k, v = project(own)
    assert torch.equal(state.u, own)
    torch.testing.assert_close(state.k, k)
    torch.testing.assert_close(state.v, v)


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_what_is_not_admitted_leaves_the_row_bit_equal_but_for_its_ages(rule):
    state, _, _ = write(nothing(2), -torch.rand(2, 3, WIDTH, dtype=torch.float64))
    state = replace(state, u=state.u * -0.0)
    admit = torch.tensor([[True, True], [False, False]])
    after, written, _ = write(state, torch.randn(2, 2, WIDTH, dtype=torch.float64), rule, admit=admit)
    assert torch.equal(written, admit)
    for field in fields(state):
        kept, before = getattr(after, field.name)[1], getattr(state, field.name)[1]
        if field.name in {"age", "idle"}:
            before = before + state.occupied[1]
        if before.is_floating_point():
            kept, before = kept.view(torch.int64), before.view(torch.int64)
        assert torch.equal(kept, before), field.name


def test_slots_that_take_no_candidate_stay_bit_equal():
    """Zeros keep their sign, and stamps stay."""
    state, _, _ = write(nothing(), torch.randn(1, 4, WIDTH, dtype=torch.float64))
    state = replace(state, u=torch.where(state.u < 0, -0.0, state.u))
    after, _, _ = write(state, torch.randn(1, 3, WIDTH, dtype=torch.float64))
    assert (after.id == state.id).sum() == 2
    for name in ("u", "k", "v", "stamp", "bias"):
        dim = 2 if name in "kv" else 1
        kept = getattr(after, name).transpose(1, dim)[:, 2:4]
        assert torch.equal(kept.view(torch.int64), getattr(state, name).transpose(1, dim)[:, 2:4].view(torch.int64))


def held_two():
    """Two slots, and four candidates: one joins the first slot, one follows it, one is new, one follows that."""
    u = torch.tensor([[[1.0, 0.2, 0.0, 0.0], [0.0, 0.0, 1.0, -0.3]]], dtype=torch.float64)
    state, _, _ = write(nothing(1, 4), u, log_gate=torch.tensor([[-0.1, -0.2]], dtype=torch.float64))
    new = torch.tensor([[0.0, 1.0, 0.0, 1.0]], dtype=torch.float64)
    candidates = torch.cat((u[0, :1] + 0.01, u[0, :1] + 0.02, new, new + 0.01))[None]
    return state.detach(), candidates


@pytest.mark.parametrize("rule", [AppendWrite(), MergeWrite(erase=0.6, write=0.3), BlendWrite()], ids=repr)
def test_gradients_of_a_write_and_the_read_after_it_match_finite_differences(rule):
    state, candidates = held_two()
    log_gate = torch.tensor([[-0.5, -0.3, -0.7, -0.2]], dtype=torch.float64, requires_grad=True)
    old = state.u.clone().requires_grad_()
    query = torch.randn(1, HEADS, 2, DIM, dtype=torch.float64)
    null_score = torch.zeros(HEADS, dtype=torch.float64)

    def recall(old, candidates, log_gate):
        k, v = project(old)
        after, written, _ = write(replace(state, u=old, k=k, v=v), candidates, rule, log_gate=log_gate)
        assert written.all()
        bias = slot_bias(after.bias, after.occupied)[:, None]
        answer = retention_read(query, after.k, after.v, null_score=null_score, bias=bias)
        return after.u, after.bias, answer

    assert torch.autograd.gradcheck(recall, (old, candidates.requires_grad_(), log_gate))
    answer = recall(old, candidates, log_gate)[2]
    (reached,) = torch.autograd.grad(answer.sum(), log_gate)
    assert reached.ne(0).all()


def test_the_gate_learns_through_a_joined_update():
    """``du'/dg = write u - erase u_j``, by hand."""
    state, candidates = held_two()
    log_gate = torch.tensor([[-0.5]], dtype=torch.float64, requires_grad=True)
    after, _, duplicate = write(state, candidates[:, :1], MergeWrite(erase=0.6, write=0.3), log_gate=log_gate)
    assert duplicate.all()
    assert after.count.tolist() == [[2, 1, 0, 0]]
    weights = torch.randn(WIDTH, dtype=torch.float64)
    (slope,) = torch.autograd.grad((after.u[0, 0] * weights).sum(), log_gate)
    wanted = math.exp(-0.5) * ((0.3 * candidates[0, 0] - 0.6 * state.u[0, 0]) * weights).sum()
    torch.testing.assert_close(slope, wanted[None, None])
    assert torch.equal(after.bias, state.bias)


def bits(x):
    return x.view(torch.int64)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    sizes=st.lists(st.integers(1, CAPACITY), min_size=1, max_size=5),
    rule=st.sampled_from(RULES),
    eviction=st.sampled_from([evict for evict, _ in EVICTIONS.values()]),
    pins=st.booleans(),
)
def test_laws_of_writing(seed, sizes, rule, eviction, pins):
    """Ids are never used twice, counts add up, empty slots stay zero, a stamp changes with its slot and not else."""
    generator = torch.Generator().manual_seed(seed)
    state = nothing(2)
    seen = [set(), set()]
    gone, put = torch.zeros(2), torch.zeros(2)
    for size in sizes:
        u = torch.randn(2, size, WIDTH, dtype=torch.float64, generator=generator)
        u[:, size // 2 :] += u[:, : size - size // 2] * 20
        if pins:
            state = state.pin(state.id[:, :1])
        before, offered = state, torch.rand(2, size, generator=generator) > 0.3
        state, written, duplicate = write(state, u, rule, eviction, admit=offered)
        assert not (written & ~offered).any()
        assert not (duplicate & ~written).any()
        assert torch.equal(written, offered) or pins
        lost = before.occupied & (state.id != before.id)
        assert not (lost & before.pinned).any()
        gone += (before.count * lost).sum(dim=1)
        put += written.sum(dim=1)
        assert torch.equal(state.count.sum(dim=1), (put - gone).long())
        assert torch.equal(state.next_id - before.next_id, lost.sum(1) + state.occupied.sum(1) - before.occupied.sum(1))
        for b in range(2):
            ids = set(state.id[b][state.occupied[b]].tolist())
            assert len(ids) == int(state.occupied[b].sum())
            assert not (ids - set(before.id[b].tolist())) & seen[b]
            seen[b] |= ids
        assert torch.equal(state.id.ge(0), state.occupied)
        assert torch.equal(state.count.ge(1), state.occupied)
        assert torch.equal(state.stamp.ne(0), state.occupied)
        changed = (state.id != before.id) | (bits(state.u) != bits(before.u)).any(dim=2)
        assert torch.equal(state.stamp != before.stamp, changed)
        empty = ~state.occupied
        for name in COLUMNS:
            assert name == "id" or not getattr(state, name)[empty].any(), name
        assert not state.k.transpose(1, 2)[empty].any()
        assert not state.v.transpose(1, 2)[empty].any()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), rule=st.sampled_from(RULES), others=st.sampled_from([0.0, 1.0, 1e30]))
def test_a_row_does_not_hear_of_the_others(seed, rule, others):
    generator = torch.Generator().manual_seed(seed)
    mine, theirs = nothing(2), nothing(2)
    for _ in range(4):
        u = torch.randn(2, 3, WIDTH, dtype=torch.float64, generator=generator)
        noise = others * torch.randn(1, 3, WIDTH, dtype=torch.float64, generator=generator)
        mine, *_ = write(mine, u, rule)
        theirs, *_ = write(theirs, torch.cat((u[:1], noise)), rule)
    for field in fields(mine):
        assert torch.equal(getattr(mine, field.name)[0], getattr(theirs, field.name)[0]), field.name
