"""The errors a caller can act on.

    HoldfastError
    ├── MemoryFileError        the file of an episodic memory cannot be used
    │   ├── ForeignFileError   it is not a holdfast memory, or it is damaged
    │   ├── NewerFileError     a newer holdfast wrote it
    │   ├── MemoryLockedError  another process holds it, also after waiting
    │   ├── MemoryWriteError   it cannot be written (read-only, full disk)
    │   └── EncoderMismatchError  its texts have vectors of another encoder
    ├── NotFoundError          no such episode, template, namespace or suite
    ├── SlotFileError          the file of a slot state or of a layer does not fit
    ├── UnsupportedModelError  a language model that no adapter can be attached to
    ├── UnsupportedSpaceError  a gymnasium space that the policy cannot serve
    ├── EnvironmentFaultError  an environment is unknown, raised, or sent a value that is not finite
    └── MissingExtraError      an optional dependency is not installed

Each message is one line: what was found, what was wanted, what to do next. Wrong arguments raise
``ValueError`` or ``TypeError`` instead.
"""

from __future__ import annotations


class HoldfastError(Exception):
    """The root of every error that a caller of holdfast can act on."""


class MemoryFileError(HoldfastError):
    """The file of an episodic memory cannot be used."""


class ForeignFileError(MemoryFileError):
    """The file is not a holdfast memory, or it is damaged."""


class NewerFileError(MemoryFileError):
    """The file was written by a newer holdfast than this one."""


class MemoryLockedError(MemoryFileError):
    """Another process holds the file, also after waiting."""


class MemoryWriteError(MemoryFileError):
    """The file cannot be written: it is read-only, or the disk is full."""


class EncoderMismatchError(MemoryFileError):
    """The texts of a file have vectors of another encoder than the one at hand."""


class NotFoundError(HoldfastError):
    """There is no such episode, template, namespace or suite."""


class SlotFileError(HoldfastError):
    """The file of a slot state or of a layer is foreign, newer, damaged or of other widths."""


class UnsupportedModelError(HoldfastError):
    """A language model that no adapter can be attached to."""


class UnsupportedSpaceError(HoldfastError):
    """A gymnasium space that the policy cannot serve yet."""


class EnvironmentFaultError(HoldfastError):
    """An environment is unknown, raised, or sent a value that is not finite."""


class MissingExtraError(HoldfastError):
    """An optional dependency is not installed."""

    def __init__(self, need: str, extra: str = "", *, install: str | None = None) -> None:
        """Say what is missing and the command that installs it.

        Args:
            need: what the caller asked for, e.g. ``"--plot"``.
            extra: the name of the extra that brings it, e.g. ``"plot"``.
            install: the command, where no extra brings it.
        """
        install = install or f"pip install 'holdfast[{extra}]'"
        super().__init__(f"{need} needs an optional part that is not installed: {install}")
