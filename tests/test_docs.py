"""What the documents show works: code runs, commands end well, options and links exist."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from agent.command import holdfast
from agent.commands.train_adapter import adapter

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
ALL_PAGES = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INSTALLING = re.compile(r"(python3 -m venv|pip install|\. \.venv/|pytest( -n auto)?$)")


class Block(NamedTuple):
    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The name in a first line ``# name.py``: such a block is a file that the page's commands need."""
        match = re.match(r"# (\w+\.py)\n", self.text)
        return match[1] if match and self.language == "python" else None

    @property
    def commands(self) -> list[str]:
        """The command lines of a console block, without the steps that install or that run these tests."""
        if self.language != "console":
            return []
        lines = re.findall(r"^\$ (.*)$", self.text.replace("\\\n", ""), re.MULTILINE)
        steps = [[step for step in line.split(" && ") if not INSTALLING.match(step)] for line in lines]
        return [" && ".join(kept) for kept in steps if kept]


def blocks(page: Path) -> list[Block]:
    return [Block(language, text) for language, text in FENCE.findall(page.read_text())]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def run(arguments: list[str], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        arguments, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{shlex.join(arguments)}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize(
    ("page", "number"),
    [(page, number) for page in PAGES for number, block in enumerate(blocks(page)) if block.language == "python"],
    ids=lambda value: relative(value) if isinstance(value, Path) else str(value),
)
def test_python_blocks_run(page: Path, number: int, tmp_path: Path, clean_environment: dict[str, str]) -> None:
    script = tmp_path / "block.py"
    script.write_text(blocks(page)[number].text)
    run([sys.executable, "-W", "error", str(script)], tmp_path, clean_environment)


@pytest.mark.parametrize("page", [page for page in PAGES if any(b.commands for b in blocks(page))], ids=relative)
def test_commands_run_in_order(page: Path, tmp_path: Path, clean_environment: dict[str, str]) -> None:
    for block in blocks(page):
        if block.file:
            (tmp_path / block.file).write_text(block.text)
    for block in blocks(page):
        for command in block.commands:
            run(["bash", "-euo", "pipefail", "-c", command], tmp_path, clean_environment)


def test_examples_run(tmp_path: Path, clean_environment: dict[str, str]) -> None:
    for example in sorted((ROOT / "docs").rglob("*.py")):
        run([sys.executable, "-W", "error", str(example)], tmp_path, clean_environment)


def test_the_readme_has_the_two_commands_that_ci_runs() -> None:
    text = (ROOT / "README.md").read_text()
    marked = dict(re.findall(r"^<!-- ci: (\w+) -->\n```console\n\$ (.*)$", text, re.MULTILINE))
    assert set(marked) == {"first", "tests"}
    assert "holdfast run" in marked["first"]
    assert marked["tests"].endswith("&& pytest -n auto")
    for command in marked.values():
        assert "pip install -c constraints.txt -e " in command


def mentions(page: Path) -> list[str]:
    """Every ``holdfast ...`` that a page shows, in a fence or between backticks."""
    text = page.read_text()
    shown = [line for block in blocks(page) for line in block.text.splitlines()]
    inline = re.findall(r"`([^`\n]+)`", FENCE.sub("", text))
    found = [
        match[1] for line in [*shown, *inline] for match in re.finditer(r"(?:^|\$ |&& )(holdfast .*?)(?= &&|$)", line)
    ]
    return [mention for mention in found if "..." not in mention.split()[1:2]]


@pytest.mark.parametrize("page", ALL_PAGES, ids=relative)
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    for mention in mentions(page):
        command: click.Command = holdfast
        words = shlex.split(mention)[1:]
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            name = words.pop(0)
            child = command.get_command(click.Context(command), name)
            assert child is not None, f"{relative(page)}: `{mention}`: no command {name!r}"
            command = child
        if command.name == "train" and words[:1] == ["adapter"]:  # which hands over to a command of its own
            command = adapter
        known = {"--help", "-h"}.union(*((*option.opts, *option.secondary_opts) for option in command.params))
        unknown = [word for word in words if word.startswith("--") and word.split("=")[0] not in known]
        assert unknown == [], f"{relative(page)}: `{mention}`"


@pytest.mark.parametrize("page", ALL_PAGES, ids=relative)
def test_local_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []
