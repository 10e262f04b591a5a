"""The Memorizing Transformer as a recaller: keys and values of earlier segments, found again by nearest neighbours.

Package: memorizing-transformers-pytorch. What it stores is outside the graph, in memory-mapped files and one faiss
index per row, and it is written in place: a state that was told something is changed, not copied.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from importlib import import_module
from typing import Any, final

import torch
from torch import Tensor, nn

from .contender import Contender, LayerSizes, run_back
from .peer_package import PeerPackage
from .recaller import Recaller, RecallerConfig

PACKAGE = PeerPackage(
    module="memorizing_transformers_pytorch",
    requirement="memorizing-transformers-pytorch==0.4.1",
    install="faiss-cpu einops einops-exts joblib filelock && pip install --no-deps "
    "memorizing-transformers-pytorch==0.4.1",
)


@final
class MemorizingMemory(nn.Module):
    """The peer's whole model, of two layers, the second of which remembers; its state changes in place."""

    def __init__(self, config: RecallerConfig) -> None:
        super().__init__()
        self.answers = config.answers
        package = PACKAGE.load()
        self.model = package.MemorizingTransformer(
            num_tokens=config.tokens,
            dim=config.width,
            depth=2,
            dim_head=config.width // config.heads,
            heads=config.heads,
            memorizing_layers=2,
            max_knn_memories=config.told,
            num_retrieved_memories=min(32, config.told),
            knn_memories_directory=folder_of(self),
        )

    def empty(self, batch: int) -> Any:
        """Make empty indices and files, one for each row."""
        return self.model.create_knn_memories(batch_size=batch)

    def tell(self, facts: Tensor, state: Any) -> Any:
        """Read a segment and add its keys and values; the state that came is the one that is returned."""
        self.model(facts, knn_memories=state)
        return state

    def ask(self, queries: Tensor, state: Any) -> Tensor:
        """Answer with what is stored."""
        logits: Tensor = self.model(queries, knn_memories=state, add_knn_memory=False)
        return logits[..., -self.answers :]

    def state_bytes(self, state: Any) -> int:
        """Count the room for keys and values of one row; its index holds the keys once more."""
        return sum(each.db.nbytes // each.num_indices for each in state)


def folder_of(owner: nn.Module) -> str:
    """Make a folder for files, and remove it when its owner is gone."""
    folder = tempfile.mkdtemp()
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)
    return folder


def make_recaller(config: RecallerConfig) -> Recaller:
    """Build the peer's own model of the same width and depth."""
    return MemorizingMemory(config)


def contender(sizes: LayerSizes, *, slots: int = 1024) -> Contender:
    """Build the peer's attention layer with ``slots`` keys and values per row; it forgets all when they are full."""
    package = PACKAGE.load()
    import_module("faiss").omp_set_num_threads(1)
    dim = sizes.width // sizes.heads
    layer = sizes.place(
        package.memorizing_transformers_pytorch.KNNAttention(dim=sizes.width, heads=sizes.heads, dim_head=dim)
    )
    folder = folder_of(layer)

    def memory(name: str, rows: int, room: int) -> Any:
        return package.knn_memory.KNNMemory(
            dim, room, num_indices=rows, memmap_filename=f"{folder}/{name}", multiprocessing=False
        )

    x, row = sizes.hidden(sizes.batch, sizes.time), sizes.hidden(1, sizes.steps)
    many, one = memory("many", sizes.batch, slots), memory("one", 1, slots)
    kept = memory("kept", sizes.batch, slots)
    with torch.no_grad():
        for _ in range(slots // sizes.time):
            layer(sizes.hidden(sizes.batch, sizes.time), knn_memory=kept)

    @torch.inference_mode()
    def forward() -> None:
        layer(x, knn_memory=many)

    @torch.inference_mode()
    def read() -> None:
        layer(x, knn_memory=kept, add_knn_memory=False)

    @torch.inference_mode()
    def step() -> None:
        for place in range(sizes.steps):
            layer(row[:, place : place + 1], knn_memory=one)

    return Contender(
        forward=forward,
        read=read,
        train=lambda: run_back(layer, [layer(x, knn_memory=many)[0]]),
        step=step,
        step_written=step,
        state_bytes=kept.db.nbytes // sizes.batch,
        note=f"at most {slots} keys and values a row, then it forgets all; nothing runs back through a write",
    )
