"""``python -m agent`` is the ``holdfast`` command."""

from .command import main

main()
