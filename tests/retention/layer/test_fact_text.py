"""What the model reads of a fact."""

from __future__ import annotations

import pytest

from retention import fact_text


class Letters:
    """A tokenizer of letters: a text's tokens are their numbers."""

    def __init__(self, begin: int | None, end: int | None) -> None:
        self.bos_token_id, self.eos_token_id = begin, end

    def __call__(self, text: str, *, add_special_tokens: bool) -> dict[str, list[int]]:
        assert not add_special_tokens
        return {"input_ids": [ord(letter) for letter in text]}


@pytest.mark.parametrize(("begin", "end", "before"), [(1, 2, [1]), (None, 2, [2]), (None, None, [])])
def test_a_fact_is_read_twice_behind_what_begins_a_text(begin, end, before):
    said = [ord(letter) for letter in " Abc"]
    text = fact_text(Letters(begin, end), "Abc")
    assert list(text.tokens) == [*before, *said, *said]
    assert list(text.written) == [ord("c"), *said]
