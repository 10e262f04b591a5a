"""One safetensors file with a JSON header: written in one piece or not at all, and checked when it is read."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from errno import ENOENT
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..errors import SlotFileError

SCHEMA = 2
"""The version of the files that are written here; this one and those before it can be read."""


def write_sealed(path: Path, kind: str, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write tensors with a header; the file is there complete, or as it was before.

    Args:
        path: the file; an existing one is replaced.
        kind: what it holds, asked for again when it is read.
        tensors: by name.
        about: more of the header, as JSON takes it.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: a tensor holds a value that is not finite.
    """
    if not path.parent.is_dir():  # else the error would name a file that nobody asked for
        raise FileNotFoundError(ENOENT, "the folder does not exist; create it first", str(path.parent))
    plain = {name: t.detach().cpu().clone(memory_format=torch.contiguous_format) for name, t in tensors.items()}
    broken = _not_finite(plain)
    if broken is not None:
        raise ValueError(f"{broken} holds a value that is not finite: nothing was written to {path}")
    header = {"schema": SCHEMA, "kind": kind, "fingerprint": _fingerprint(plain), **about}
    content = save(plain, {"holdfast": json.dumps(header, sort_keys=True)})
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def read_sealed(path: Path, kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read a file that ``write_sealed`` wrote, onto the CPU.

    Returns:
        The header and the tensors.

    Raises:
        SlotFileError: the file is missing, foreign, newer, of another kind, or damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            described = (file.metadata() or {}).get("holdfast")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except FileNotFoundError:
        raise SlotFileError(f"{path} does not exist: check the path, or save to it first") from None
    except (SafetensorError, OSError) as error:
        raise SlotFileError(f"{path} is not a safetensors file, or it is cut short: {error}") from None
    if described is None:
        raise SlotFileError(f"{path} is a safetensors file, but not one of holdfast")
    try:
        header: dict[str, Any] = json.loads(described)
        schema, found, fingerprint = int(header["schema"]), header["kind"], header["fingerprint"]
    except (KeyError, TypeError, ValueError) as error:
        raise SlotFileError(f"{path} is damaged: its header cannot be read ({error!r})") from None
    if schema > SCHEMA:
        raise SlotFileError(f"{path} has schema {schema}, this holdfast reads up to {SCHEMA}: upgrade holdfast")
    if found != kind:
        raise SlotFileError(f"{path} holds {found}, not {kind}")
    broken = _not_finite(tensors)
    if broken is not None:
        raise SlotFileError(f"{path} is damaged: {broken} holds a value that is not finite")
    if _fingerprint(tensors) != fingerprint:
        raise SlotFileError(f"{path} is damaged: its tensors are not those that were saved")
    return header, tensors


def match(path: Path, tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Hold tensors against others of the wanted names, shapes and dtypes.

    Raises:
        SlotFileError: they differ.
    """
    if tensors.keys() != wanted.keys():
        odd = ", ".join(sorted(tensors.keys() ^ wanted.keys()))
        raise SlotFileError(f"{path} is damaged: missing or unknown tensors {odd}")
    for name, tensor in wanted.items():
        got = tensors[name]
        if got.shape != tensor.shape or got.dtype != tensor.dtype:
            found, need = (f"{tuple(t.shape)} of {t.dtype}" for t in (got, tensor))
            raise SlotFileError(f"{path} is damaged: {name} is {found}, not {need}")


def _not_finite(tensors: Mapping[str, Tensor]) -> str | None:
    return next((name for name, t in tensors.items() if t.is_floating_point() and not t.isfinite().all()), None)


def _fingerprint(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
