"""How a frozen model reads a fact that is to be written."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class FactText(NamedTuple):
    """What the model reads of a fact.

    Attributes:
        tokens: of the whole.
        since: the token before the second time: states are kept from there on.
    """

    tokens: tuple[int, ...]
    since: int

    @property
    def written(self) -> tuple[int, ...]:
        """The tokens of which states are kept: the one before, and those of the fact."""
        return self.tokens[self.since :]


def fact_text(tokenizer: PreTrainedTokenizerBase, text: str) -> FactText:
    """Return the tokens by which the model reads a fact: twice.

    A model that looks back alone knows at a token only what came before; the second time it has seen the whole (echo
    embeddings, arXiv 2402.15449). The fact stands behind a space, as a value does that is to be said.

    Args:
        tokenizer: of the model.
        text: the fact.
    """
    begin = tokenizer.eos_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id
    said = tuple(tokenizer(f" {text}", add_special_tokens=False)["input_ids"])
    tokens = (() if begin is None else (begin,)) + said + said
    return FactText(tokens, len(tokens) - len(said) - 1)
