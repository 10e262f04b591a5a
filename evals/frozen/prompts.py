"""Facts in the prompt of a language model: the notes that it is to answer from.

Of ten forms, in the model's chat format and outside of it, this one served the small model best, on people who are in
no test: facts in a list, three of them answered already, which shows what is wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .told import encoded

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_SHOWN = (
    ("It is 7719 that opens the garage of Pia Lund.", "The garage code of Pia Lund is 7719."),
    (
        "If you want to reach the aunt of Tom Reed, ask for Olga Sand.",
        "The aunt of Tom Reed is Olga Sand.",
    ),
    (
        "The word that gets Ines Wolf through the gate has always been marble.",
        "The gate word of Ines Wolf is marble.",
    ),
)


def noted(tokenizer: PreTrainedTokenizerBase, statements: Sequence[str]) -> tuple[int, ...]:
    """Return the tokens of a prompt that holds facts; a question in the words of ``Told.clozes`` goes on from it."""
    facts = [*(stated for stated, _ in _SHOWN), *statements]
    answered = "".join(f"{answer}\n" for _, answer in _SHOWN)
    listed = "".join(f"- {fact}\n" for fact in facts)
    return encoded(tokenizer, f"Facts:\n{listed}\nQuestion and answer:\n{answered}")
