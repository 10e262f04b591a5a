from __future__ import annotations

import pytest
import torch

from evals.peers import RECALLERS, make_recaller
from evals.peers.told_facts import ToldFacts
from retention import HoldfastError, NotFoundError

TASK = ToldFacts(keys=12, values=10, facts=3)
FORGETFUL = {"vanilla", "product-keys"}
DETACHED = {"memorizing"}

pytestmark = pytest.mark.filterwarnings("ignore")  # what a peer warns of is not ours to mend


def missing(name: str) -> str:
    """Say what stands in the way of a recaller; nothing where it can be built."""
    try:
        make_recaller(name, TASK.config(width=16))
    except HoldfastError as error:
        return str(error)
    return ""


MISSING = {name: missing(name) for name in sorted(RECALLERS)}


@pytest.fixture(params=[name for name in MISSING if not MISSING[name]])
def named(request):
    torch.manual_seed(0)
    return request.param, make_recaller(request.param, TASK.config(width=16))


def episode(batch: int = 4):
    return TASK.draw(batch, torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", MISSING)
def test_every_recaller_can_be_built(name):
    if MISSING[name]:
        pytest.skip(MISSING[name])


def test_a_query_gets_logits_of_the_answers_alone(named):
    _, recaller = named
    drawn = episode()
    logits = recaller.ask(drawn.asked, recaller.tell(drawn.told, recaller.empty(4)))
    assert logits.shape == (4, 3, 10)
    assert logits.isfinite().all()


def test_what_was_told_changes_the_answers_and_only_what_has_a_memory_is_changed(named):
    name, recaller = named
    recaller.train(False)
    drawn = episode()
    blank = recaller.ask(drawn.asked, recaller.empty(4))
    told = recaller.ask(drawn.asked, recaller.tell(drawn.told, recaller.empty(4)))
    assert torch.equal(blank, told) == (name in FORGETFUL)


def test_rows_do_not_hear_each_other(named):
    name, recaller = named
    recaller.train(False)
    drawn = episode()
    other = drawn.told.clone()
    other[1:] = other[1:].flip(1)
    answers = []
    for facts in (drawn.told, other):
        torch.manual_seed(0)  # a peer may begin with a random state
        answers.append(recaller.ask(drawn.asked, recaller.tell(facts, recaller.empty(4))))
    told, changed = answers
    torch.testing.assert_close(told[0], changed[0], rtol=1e-4, atol=1e-5)
    assert torch.equal(told[1:], changed[1:]) == (name in FORGETFUL)


def test_asking_leaves_the_state_as_it_was(named):
    _, recaller = named
    recaller.train(False)
    drawn = episode()
    state = recaller.tell(drawn.told, recaller.empty(4))
    first = recaller.ask(drawn.asked, state)
    assert torch.equal(first, recaller.ask(drawn.asked, state))


def test_telling_more_does_not_change_an_earlier_state(named):
    name, recaller = named
    if name in DETACHED:
        return  # it writes in place, and says so
    recaller.train(False)
    drawn = episode()
    state = recaller.tell(drawn.told, recaller.empty(4))
    first = recaller.ask(drawn.asked, state)
    more = recaller.tell(drawn.told.flip(1), state)
    assert torch.equal(first, recaller.ask(drawn.asked, state))
    assert torch.equal(first, recaller.ask(drawn.asked, more)) == (name in FORGETFUL)


def test_the_gradient_of_an_answer_reaches_what_was_told_where_the_peer_lets_it(named):
    name, recaller = named
    drawn = episode()
    state = recaller.tell(drawn.told, recaller.empty(4))
    recaller.ask(drawn.asked, state).square().sum().backward()
    (embedding,) = (
        each for each in recaller.modules() if getattr(each, "num_embeddings", 0) == TASK.keys + TASK.values
    )
    told_values = drawn.told[:, 1::2].unique()  # no query holds a value
    reached = bool(embedding.weight.grad[told_values].abs().sum() > 0)
    assert reached == (name not in FORGETFUL | DETACHED)


def test_the_bytes_of_a_row_do_not_depend_on_the_number_of_rows(named):
    name, recaller = named
    sizes = [recaller.state_bytes(recaller.tell(episode(rows).told, recaller.empty(rows))) for rows in (2, 4)]
    assert sizes[0] == sizes[1]
    assert (sizes[0] == 0) == (name in FORGETFUL)


def test_an_unknown_recaller_is_named_with_the_nearest():
    with pytest.raises(
        NotFoundError, match=r"no recaller named 'vanila'. Did you mean 'vanilla'\? Known recallers: dnc"
    ):
        make_recaller("vanila", TASK.config())
