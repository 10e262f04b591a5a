from __future__ import annotations

import pytest

from agent.chat.asking import Turn, asked
from agent.chat.local_chat import LocalChat
from retention import HoldfastError


@pytest.fixture
def chat(talker) -> LocalChat:
    return LocalChat(local=talker)


def test_the_question_begins_where_the_tokens_say(chat, talker):
    turns = [Turn("one", "two"), Turn("three", "four")]
    for said in ("Who is Ann?", ".", "...?"):
        prompt = asked(chat, turns, said, room=10)
        before, after = prompt.tokens[: prompt.since], prompt.tokens[prompt.since :]
        assert talker.tokenizer.decode(before).endswith("four<|im_end|>\n<|im_start|>user\n")
        assert talker.tokenizer.decode(after) == f"{said}<|im_end|>\n<|im_start|>assistant\n"


def test_turns_are_left_out_for_room(chat, talker):
    turns = [Turn("a" * 300, "b" * 300), Turn("c" * 100, "d" * 100)]
    whole = len(asked(chat, turns, "next", room=1).tokens)
    assert whole > 800
    told = talker.tokenizer.decode(asked(chat, turns, "next", room=1024 - whole + 1).tokens)
    assert "aaa" not in told and "ccc" in told
    bare = asked(chat, turns, "next", room=1000)
    assert "ccc" not in talker.tokenizer.decode(bare.tokens)
    assert asked(chat, [Turn("a" * 3000, "b")], "next", room=10) == bare
    with pytest.raises(HoldfastError, match="reads fewer than 1024"):
        asked(chat, turns, "x" * 2000, room=1)
