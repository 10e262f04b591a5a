import pytest
import torch

from agent.meta.crowd import Crowd, crowded
from agent.meta.families import seeded
from agent.meta.lesson import recency
from agent.meta.network import Notes


def own(batch: int, slots: int, width: int) -> tuple[Notes, torch.Tensor]:
    generator = seeded(1)
    noted_at = torch.stack([torch.randperm(slots, generator=generator) for _ in range(batch)])
    filled = torch.rand(batch, slots, generator=generator) < 0.7
    noted_at = noted_at.masked_fill(~filled, -1)
    notes = Notes(
        parts=(torch.randn(batch, slots, width, generator=generator),),
        action=torch.randint(4, (batch, slots), generator=generator),
        reward=torch.randint(2, (batch, slots), generator=generator).float(),
        count=torch.ones(batch, slots),
        age=torch.randint(5, (batch, slots), generator=generator).float(),
        rank=recency(noted_at),
        filled=filled,
    )
    return notes, noted_at


def test_what_was_there_stays_in_its_order_and_a_crowd_comes_before_after_or_meanwhile() -> None:
    notes, noted_at = own(60, 12, 8)
    more = crowded(notes, noted_at, Crowd(most=20, share=1.0), 4, seeded(3))
    for name in ("action", "reward", "count", "filled"):
        assert torch.equal(getattr(more, name)[:, :12], getattr(notes, name)), name
    assert torch.equal(more.parts[0][:, :12], notes.parts[0])
    seen = set()
    for row in range(60):
        mine, other = more.filled[row].nonzero()[:, 0], more.filled[row, 12:].nonzero()[:, 0] + 12
        mine = mine[mine < 12]
        ranks = more.rank[row, more.filled[row]]
        assert sorted(ranks.tolist()) == list(range(len(ranks)))  # filled slots come first, each in a place of its own
        assert torch.equal(more.rank[row, mine].argsort(), notes.rank[row, mine].argsort())
        aged = more.age[row, mine] - notes.age[row, mine]
        torch.testing.assert_close(aged, aged[:1].expand_as(aged))
        assert aged[0] >= 0
        if len(other):
            first, last = bool(more.rank[row, other].min() == 0), bool(more.rank[row, other].max() == ranks.max())
            seen.add((first, last))
            if first and not last and aged[0] > 0:  # it came after
                assert more.rank[row, other].max() < more.rank[row, mine].min()
                assert (more.age[row, other] <= aged[0] + 1).all()
    assert len(seen) >= 3


def test_a_crowd_holds_for_each_context_one_right_answer_and_wrong_ones_beside_it() -> None:
    notes, noted_at = own(8, 6, 16)
    more = crowded(notes, noted_at, Crowd(most=10, share=1.0), 4, seeded(0))
    codes = more.parts[0][:, 6:].unflatten(1, (-1, 3))
    assert (codes == codes[:, :, :1]).all() and set(codes.unique().tolist()) == {-1.0, 1.0}
    action, reward = more.action[:, 6:].unflatten(1, (-1, 3)), more.reward[:, 6:].unflatten(1, (-1, 3))
    assert (reward.sum(dim=2) == 1.0).all()
    assert (action[:, :, 1:] != action[:, :, :1]).all()
    assert int(action.min()) >= 0 and int(action.max()) < 4


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_share_of_lessons_with_a_crowd_is_as_told(share: float) -> None:
    notes, noted_at = own(2, 5, 4)
    more = crowded(notes, noted_at, Crowd(most=3, share=share), 4, seeded(0))
    assert (more is notes) == (share == 0.0)
