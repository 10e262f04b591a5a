"""A causal language model with the adapter that lets it read facts, by name and by file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retention import HoldfastError, NotFoundError

from .named import LOCAL
from .smollm import LocalModel, load_local

if TYPE_CHECKING:
    from retention import Handle

SHIPPED = Path(__file__).parent.parent / "adapter" / "smollm2-135m.adapter"
"""The adapter of the local model that comes with the package."""

TRAINED = "adapter.safetensors"
"""The name of the adapter's file in a folder that training left."""

_TRAIN = "train one with: holdfast train adapter"


def load_causal(name: str = LOCAL, *, device: str = "cpu") -> LocalModel:
    """Load a causal language model and its tokenizer.

    Args:
        name: ``local`` for the small model on this machine; else the folder of a model of transformers, or its name on
            the hub, which is looked for there unless it lies in the cache.
        device: where the model is to run, as torch names it.

    Returns:
        The model, frozen and in evaluation mode, in the precision that it was saved in; the local one in the quickest.

    Raises:
        HoldfastError: it is no causal language model, it has no tokenizer, or there is no such device.
        MissingExtraError: the local model is not installed; the message has the line that installs it.
        NotFoundError: there is no such model.
    """
    found = load_local() if name == LOCAL else _from_transformers(name)
    try:
        move: Any = found.model.to
        move(device)
    except (AssertionError, RuntimeError) as error:
        raise HoldfastError(f"cannot move the model to the device {device!r}: {_line(error)}") from None
    return found


def attach_adapter(local: LocalModel, path: Path | None = None, *, shipped: Path = SHIPPED) -> Handle:
    """Attach a trained adapter to a model.

    Args:
        local: the model and its tokenizer.
        path: the adapter's file, or the folder that ``holdfast train adapter`` left; None for the one that comes with
            the package.
        shipped: where that one is.

    Raises:
        HoldfastError: there is no adapter, or it was trained on another model.
        SlotFileError: the file is no adapter, or damaged.
        UnsupportedModelError: the model cannot be served.
    """
    from retention import attach, load_adapter

    if path is None and not shipped.exists():
        raise HoldfastError(f"no adapter comes with this installation: name one with --adapter, or {_TRAIN}")
    file = shipped if path is None else path / TRAINED if path.is_dir() else path
    adapter = load_adapter(file)
    if adapter.base is None:
        raise HoldfastError(f"{file}: the adapter was never trained on a model: {_TRAIN}")
    return attach(local.model, adapter, tokenizer=local.tokenizer)


def _from_transformers(name: str) -> LocalModel:
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    if Path(name).exists() and not (Path(name) / "config.json").is_file():
        raise NotFoundError(
            f"{name} is no folder of a model: it has no config.json; say local, a folder, or a hub name"
        )
    try:
        config = AutoConfig.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise NotFoundError(
            f"no model {name!r}: neither local, nor a folder, nor one on the hub or in its cache ({_line(error)})"
        ) from None
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise HoldfastError(
            f"{name} has no tokenizer that can be loaded: save one beside it ({_line(error)})"
        ) from None
    try:
        with _no_bar():
            model: Any = AutoModelForCausalLM.from_pretrained(name, config=config, dtype="auto")
    except ValueError as error:
        if "configuration class" not in str(error):
            raise HoldfastError(f"the weights of {name} cannot be loaded: {_line(error)}") from None
        raise HoldfastError(
            f"{name} is a model of the kind {config.model_type}, which is no causal language model: give one that "
            "generates text"
        ) from None
    except (OSError, ImportError) as error:
        raise HoldfastError(f"the weights of {name} cannot be loaded: {_line(error)}") from None
    return LocalModel(name=Path(name).name, model=model.eval().requires_grad_(False), tokenizer=tokenizer)


@contextmanager
def _no_bar() -> Iterator[None]:
    """Have transformers show no progress of its own."""
    from transformers.utils import logging as their_logging

    logging: Any = their_logging  # it has no types
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _line(error: BaseException) -> str:
    """Return the first sentence of an error: transformers writes several lines."""
    return " ".join(str(error).split(".\n")[0].split())[:200]
