"""The stores that a bench of memories holds beside each other, each in a process that answers when it is asked."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from types import TracebackType
from typing import Any, final

from ..environment import environment
from .memory_worker import serve

_THREADS = ("MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS", "TOKIO_WORKER_THREADS")
_PATIENCE = 600.0  # seconds beyond the budget after which a store that does not answer is given up


class StoreFailedError(Exception):
    """A store raised, was killed, or does not answer; the message is one line."""


@final
class Member:
    """A process that holds one store; use it as a context manager."""

    def __init__(self, log: Path, *, threads: int | None = None) -> None:
        """Start the process.

        Args:
            log: what its packages print goes here.
            threads: how many the libraries of a store may use for one call; None for as many as they like.
        """
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, str(log)), daemon=True)
        with environment(**({} if threads is None else dict.fromkeys(_THREADS, str(threads)))):
            self._process.start()
        theirs.close()

    def ask(self, method: str, /, *, patience: float = _PATIENCE, **settings: Any) -> Any:
        """Have a method of the worker called, and return what it returns.

        Args:
            method: its name.
            patience: for how many seconds to wait, beyond a budget among the settings.
            settings: its arguments.

        Raises:
            StoreFailedError: it raised, the process is gone, or there is no answer in time.
        """
        limit = patience + (settings.get("budget") or 0.0)
        try:
            self._connection.send((method, settings))
            if not self._connection.poll(limit):
                raise StoreFailedError(f"gave no answer in {limit:.0f} s")
            answer, error = self._connection.recv()
        except (EOFError, OSError):
            self._process.join(5)
            raise StoreFailedError(f"its process ended with exit code {self._process.exitcode}") from None
        if error is not None:
            raise StoreFailedError(error)
        return answer

    def end(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def __enter__(self) -> Member:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the process."""
        self.end()
