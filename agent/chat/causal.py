"""A causal language model with the adapter that lets it read facts, by name and by file."""

from __future__ import annotations

import sys
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


def load_causal(name: str = LOCAL) -> LocalModel:
    """Load a causal language model, frozen and in evaluation mode, without a network.

    Args:
        name: ``local`` for the small model on this machine, else a folder that transformers can load.

    Raises:
        HoldfastError: the folder holds no such model.
        MissingExtraError: the local model is not installed.
        NotFoundError: there is no such folder.
    """
    if name == LOCAL:
        return load_local()
    folder = Path(name)
    if not name or not folder.is_dir():
        raise NotFoundError(f"no model named {name!r}: say local, or a folder with a model that transformers can load")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        with _without_bar():
            model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
            tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (ImportError, KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        told = " ".join(str(error).split())
        raise HoldfastError(f"{folder}: is no causal language model that transformers can load: {told:.200}") from error
    model.requires_grad_(False)
    model.train(False)
    return LocalModel(name=folder.name, model=model, tokenizer=tokenizer)


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


@contextmanager
def _without_bar() -> Iterator[None]:
    """Have transformers draw no bar where nobody sees it move."""
    from transformers import utils

    logging: Any = utils.logging  # some of it has no types
    shown = logging.is_progress_bar_enabled() and not sys.stderr.isatty()
    if shown:
        logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
