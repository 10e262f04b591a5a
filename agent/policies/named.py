"""Policies by name, as the command line and the suites call them."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches

from retention import NotFoundError

from ..chat.named import LOCAL, make_chat_model
from ..gradient.config import GradientConfig
from ..meta.checkpoint import shipped
from ..recall.config import RecallConfig
from .chat import ChatConfig, ChatPolicy
from .gradient import GradientPolicy
from .pretrained import PretrainedPolicy
from .protocol import Policy
from .retention import RetentionPolicy

DEFAULT = "recall"
CHAT = "chat"
_PRETRAINED, _GRADIENT = "retention:", "ppo"


def make_policy(
    name: str = DEFAULT,
    *,
    discount: float | None = None,
    capacity: int | None = None,
    enabled: bool = True,
    model: str | None = None,
) -> Policy:
    """Make a policy by its name.

    Args:
        name: ``recall`` acts on its memory from the first step and learns by sweeps, without any gradient.
            ``retention:NAME`` was meta-trained on a family of tasks and is frozen: NAME is one of those that come with
            the package, or the path of a folder that ``holdfast train`` made. ``ppo`` learns by gradient, with the
            memory in the loop, and does continuous actions. ``chat`` asks a chat model, in words.
        discount: what the next decision's future is worth now, in (0, 1), for ``recall``, ``ppo`` and ``chat``; None
            for their own.
        capacity: the most slots of one task; None for the policy's own.
        enabled: False takes the memory away from acting, to see what it is worth.
        model: for ``chat``: ``local``, or a name that LangChain's ``init_chat_model`` takes; None for ``local``.

    Raises:
        HoldfastError: the chat model cannot be made.
        MissingExtraError: the chat model needs something that is not installed.
        NotFoundError: there is no such policy; the message gives the nearest names.
        SlotFileError: its files are foreign, newer or damaged.
        ValueError: a setting is out of its range, or not one of the policy's.
    """
    if model is not None and name != CHAT:
        raise ValueError(f"the policy {name!r} asks no model: model={model!r} is for the policy 'chat'")
    if name.startswith(_PRETRAINED):
        if discount is not None:
            raise ValueError(f"the policy {name!r} has no discount: what the future is worth was decided in training")
        return PretrainedPolicy(name.removeprefix(_PRETRAINED), capacity=capacity, enabled=enabled)
    if name == CHAT:
        if capacity is not None:
            raise ValueError("the policy 'chat' has no capacity: EpisodicMemory.trim makes a memory smaller")
        chat = ChatConfig() if discount is None else ChatConfig(discount=discount)
        return ChatPolicy(make_chat_model(model or LOCAL), config=chat, enabled=enabled)
    if name == _GRADIENT:
        settings = GradientConfig()
        if discount is not None:
            settings = replace(settings, discount=discount)
        if capacity is not None:
            settings = replace(settings, slots=capacity)
        return GradientPolicy(settings if enabled else replace(settings, slots=0))
    if name != DEFAULT:
        known = [DEFAULT, _GRADIENT, CHAT, *(f"{_PRETRAINED}{each}" for each in shipped())]
        near = " or ".join(get_close_matches(name, known))
        hint = f"Did you mean {near}?" if near else f"Known: {', '.join(known)}, and {_PRETRAINED}FOLDER."
        raise NotFoundError(f"no policy named {name!r}. {hint}")
    config = RecallConfig(enabled=enabled)
    if discount is not None:
        config = replace(config, discount=discount)
    if capacity is not None:
        config = replace(config, capacity=capacity)
    return RetentionPolicy(config)
