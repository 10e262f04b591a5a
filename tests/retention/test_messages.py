from __future__ import annotations

import pytest
from langchain_core.messages import AIMessage, HumanMessage, HumanMessageChunk, SystemMessage

from retention.messages import user_texts


def test_what_the_user_says_in_every_form() -> None:
    said = [
        SystemMessage("Be brief."),
        HumanMessage("one"),
        AIMessage("no"),
        HumanMessageChunk(content="two"),
        HumanMessage([{"type": "text", "text": "three"}, {"type": "image_url", "image_url": {"url": "x"}}, "four"]),
        {"role": "user", "content": "five"},
        {"role": "assistant", "content": "no"},
        {"type": "human", "content": [{"type": "text", "text": "six"}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]},
        ("user", "seven"),
        ("ai", "no"),
    ]
    assert user_texts(said) == ["one", "two", "three\nfour", "five", "six", "seven"]
    assert user_texts([]) == []


@pytest.mark.parametrize("odd", ["user", {"role": "user"}, {"content": "x"}, ("user", 3), 7])
def test_what_is_no_message_is_refused(odd: object) -> None:
    with pytest.raises(TypeError, match="a message has a role and a content, got"):
        user_texts([odd])
