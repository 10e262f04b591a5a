from __future__ import annotations

from contextlib import contextmanager

import pytest
import torch

from evals.frozen import asking
from evals.frozen.asking import Asked, exact, exact_after, likelihood


def greedy(model, prompt: tuple[int, ...], count: int) -> tuple[int, ...]:
    """The most likely continuation, token by token."""
    tokens = list(prompt)
    for _ in range(count):
        with torch.no_grad():
            tokens.append(int(model(torch.tensor([tokens])).logits[0, -1].argmax()))
    return tuple(tokens[len(prompt) :])


def prompts(seed: int) -> list[tuple[int, ...]]:
    draw = torch.Generator().manual_seed(seed)
    return [tuple(torch.randint(2, 250, (n,), generator=draw).tolist()) for n in (3, 9, 1, 6)]


def test_an_answer_is_right_where_the_model_would_say_it_and_wrong_with_any_other_token(tiny):
    right = [Asked(prompt, greedy(tiny.model, prompt, n + 1)) for n, prompt in enumerate(prompts(0))]
    assert exact(tiny.model, right) == [True] * 4
    for place in range(4):
        answer = right[3].answer
        wrong = Asked(right[3].prompt, (*answer[:place], (answer[place] + 1) % 250, *answer[place + 1 :]))
        assert exact(tiny.model, [right[0], wrong, right[1]], batch=2) == [True, False, True]


def test_each_batch_is_asked_in_a_context_of_its_own(tiny):
    seen = []

    @contextmanager
    def around(places):
        seen.append(list(places))
        yield

    asked = [Asked(prompt, (5,)) for prompt in prompts(0)]
    exact(tiny.model, asked, around=around, batch=3)
    assert seen == [[0, 1, 2], [3]]


@pytest.mark.parametrize("chunk", [2, 512])
def test_a_context_that_is_read_once_stands_before_every_question_and_no_question_before_another(
    tiny, monkeypatch, chunk
):
    monkeypatch.setattr(asking, "_CHUNK", chunk)
    context = prompts(7)[1]
    right = [Asked(prompt, greedy(tiny.model, context + prompt, 3)) for prompt in prompts(1)]
    assert exact_after(tiny.model, context, right) == [True] * 4
    assert exact(tiny.model, [Asked(context + prompt, answer) for prompt, answer in right]) == [True] * 4
    elsewhere = [Asked(prompt, greedy(tiny.model, prompt, 3)) for prompt in prompts(1)]
    assert exact_after(tiny.model, context, elsewhere) != [True] * 4


def test_the_likelihood_of_texts_is_a_mean_over_their_tokens(tiny):
    rows = [row for row in prompts(2) if len(row) > 1]
    total = sum(
        float(tiny.model(torch.tensor([row]), labels=torch.tensor([row])).loss) * (len(row) - 1) for row in rows
    )
    assert likelihood(tiny.model, rows) == pytest.approx(total / sum(len(row) - 1 for row in rows), rel=1e-5)
