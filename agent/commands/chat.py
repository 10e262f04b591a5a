"""``holdfast chat``: a conversation with a small frozen language model that remembers what it is told."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from .checks import check_memory

if TYPE_CHECKING:
    from ..chat.chat_output import ChatOutput


@click.command()
@click.option(
    "--memory",
    "path",
    type=click.Path(dir_okay=False),
    envvar="HOLDFAST_MEMORY",
    required=True,
    help="The memory file, made if new: what is told stays there. [env: HOLDFAST_MEMORY]",
)
@click.option("--namespace", default="default", show_default=True, help="Whose memory it is.")
@click.option(
    "--model",
    default="local",
    show_default=True,
    help="local, the folder of a model of transformers, or its name on the hub.",
)
@click.option(
    "--adapter",
    type=click.Path(path_type=Path),
    help="The adapter that reads facts, a file or a folder; by default the one that comes with the package.",
)
@click.option("--temperature", type=click.FloatRange(min=0), default=0.0, show_default=True, help="0: most likely.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of what is drawn above 0.")
@click.option("--max-tokens", type=click.IntRange(min=1), default=128, show_default=True, help="Of an answer, at most.")
@click.option(
    "--turns", type=click.IntRange(min=0), help="Turns before a question that the model is told; 0 by default."
)
@click.option("--go-on", is_flag=True, help="Let the model speak on after what it reads, and of what you state.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a turn.")
def chat(
    path: str,
    namespace: str,
    model: str,
    adapter: Path | None,
    temperature: float,
    seed: int,
    max_tokens: int,
    turns: int | None,
    go_on: bool,
    as_json: bool,
) -> None:
    """Talk with a language model that remembers.

    What you state is kept in the memory file, and not answered; what you ask is answered from it, in this session or
    any later one. The model's own weights stay as they are. /help shows the commands. Lines may also be piped in.

    \b
    Example:
      holdfast chat --model local --memory chat.db
      echo "What is the locker code of Ann?" | holdfast chat --memory chat.db --json
    """
    check_memory(path, namespace)
    if not math.isfinite(temperature):
        raise click.UsageError(f"--temperature must be finite and not below 0, got {temperature}")
    from retention import EpisodicMemory

    with EpisodicMemory.open(path) as memory:  # first: a file that cannot be used is told before the model is loaded
        from retention import FactMemory

        from ..chat.asking import TURNS
        from ..chat.causal import attach_adapter, load_causal
        from ..chat.chat_output import JsonOutput, LineOutput
        from ..chat.chat_session import ChatSession
        from ..chat.fact_chat import FactChat

        begun = time.perf_counter()
        local = load_causal(model)
        handle = attach_adapter(local, adapter)
        facts = FactMemory(handle, memory, namespace=namespace)
        count = len(facts.ids)
        click.echo(
            f"{local.name} loaded in {time.perf_counter() - begun:.1f} s; {path} has {count} fact{'s'[: count != 1]} "
            f"for {namespace}; /help shows the commands",
            err=True,
        )
        talk = FactChat(
            local,
            facts,
            max_tokens=max_tokens,
            temperature=temperature,
            seed=seed,
            turns=TURNS if turns is None else turns,
            go_on=go_on,
        )
        output: ChatOutput = JsonOutput() if as_json else LineOutput()
        if isinstance(sys.stdin, TextIOWrapper):
            sys.stdin.reconfigure(errors="replace")
        lines = _typed() if sys.stdin.isatty() else _piped(sys.stdin)
        try:
            ChatSession(talk, output).run(lines)
        finally:
            handle.detach()


def _typed() -> Iterator[str]:
    """Give the lines that are typed on a terminal; Ctrl-D and Ctrl-C at the prompt end them."""
    with suppress(ImportError):  # as on Windows
        import readline  # noqa: F401 - input() has its editing and its history
    while True:
        try:
            yield input("> ")
        except (EOFError, KeyboardInterrupt):
            click.echo()
            return


def _piped(lines: TextIO) -> Iterator[str]:
    """Give the lines of a file as they come; Ctrl-C while one is waited for ends them."""
    try:
        while line := lines.readline():
            yield line
    except KeyboardInterrupt:
        return
