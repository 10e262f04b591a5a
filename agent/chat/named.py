"""Chat models by name: the local one, or any that LangChain can make."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from retention import HoldfastError, MissingExtraError, NotFoundError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

LOCAL = "local"


def make_chat_model(name: str = LOCAL, *, seed: int = 0) -> BaseChatModel:
    """Make a chat model by its name.

    Args:
        name: ``local`` for the small model on this machine, which needs no network; else as LangChain's
            ``init_chat_model`` takes it, ``PROVIDER:MODEL``, for example ``openai:gpt-5`` or ``ollama:llama3``.
        seed: of what the local model draws, where it has a temperature.

    Raises:
        HoldfastError: the model cannot be made; the message says why in one line.
        MissingExtraError: what it needs is not installed; the message has the line that installs it.
        NotFoundError: the name is none.
    """
    if name == LOCAL:
        from .local_chat import LocalChat

        return LocalChat(seed=seed)
    if not name or name.startswith(":") or name.endswith(":"):
        raise NotFoundError(f"no chat model named {name!r}: say local, or PROVIDER:MODEL as in openai:gpt-5")
    if find_spec("langchain") is None:
        raise MissingExtraError(f"the chat model {name!r}", install="pip install 'langchain>=1,<2'")
    from langchain.chat_models import init_chat_model

    try:
        return init_chat_model(name)  # as the provider has it: some models refuse a temperature
    except ImportError as error:
        raise MissingExtraError(f"the chat model {name!r}", install=_install_line(error)) from error
    except Exception as error:  # each provider raises errors of its own, as where there is no key
        told = " ".join(str(error).split())
        raise HoldfastError(f"cannot make the chat model {name!r}: {told}") from error


def _install_line(error: ImportError) -> str:
    """Return the line that installs a provider, from what LangChain says of it."""
    told = str(error)
    start = told.find("pip install")
    if start < 0:
        return f"see what is missing: {' '.join(told.split())}"
    return " ".join(told[start:].split("`")[0].split())
