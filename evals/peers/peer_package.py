"""The package of a peer: imported when it is asked for, and if it is missing, named with what installs it."""

from __future__ import annotations

import importlib
import warnings
from dataclasses import dataclass
from typing import Any, final

from retention import HoldfastError, MissingExtraError


@final
@dataclass(frozen=True, kw_only=True)
class PeerPackage:
    """A package that is not ours.

    Attributes:
        module: the name it is imported by.
        requirement: the name and version it was tried with.
        install: the arguments of ``pip install`` that bring it; None where the extra ``bench`` does.
    """

    module: str
    requirement: str
    install: str | None = None

    def load(self) -> Any:
        """Import the package; what it warns of while it is imported is not our caller's to mend.

        Raises:
            HoldfastError: it, or what it imports, is not installed.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return importlib.import_module(self.module)
        except ImportError as error:
            if self.install is None:
                raise MissingExtraError(f"the peer {self.requirement}", "bench") from error
            raise HoldfastError(
                f"the peer {self.requirement} is not installed ({error}): pip install {self.install}"
            ) from error
