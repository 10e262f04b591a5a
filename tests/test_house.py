"""The house rules that a machine can hold: floors, sizes, names, commands, pins."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import click
import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement

from agent.command import holdfast

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PACKAGES = ("agent", "environments", "evals", "retention")
PYTHONS = ("3.10", "3.11", "3.12", "3.13")


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text())


def modules(root: Path) -> list[Path]:
    return sorted(path for name in PACKAGES for path in (root / name).rglob("*.py"))


# -- floors


def lint_imports(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["lint-imports", "--no-cache"], cwd=folder, capture_output=True, text=True, env=environment, check=False
    )


def test_imports_only_run_downward(root: Path, clean_environment: dict[str, str]) -> None:
    done = lint_imports(root, clean_environment)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("planted", "line"),
    [
        ("retention/planted.py", "import agent"),
        ("agent/planted.py", "import evals"),
        ("agent/planted.py", "import environments"),
        ("environments/planted.py", "import retention"),
        ("retention/memory/planted.py", "import torch"),
    ],
)
def test_an_import_that_runs_upward_is_seen(
    planted: str, line: str, root: Path, tmp_path: Path, clean_environment: dict[str, str]
) -> None:
    for name in PACKAGES:
        shutil.copytree(root / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "pyproject.toml", tmp_path)
    (tmp_path / planted).write_text(f"{line}\n")
    done = lint_imports(tmp_path, clean_environment)
    assert done.returncode == 1, done.stdout
    assert "BROKEN" in done.stdout


def imports(module: Path) -> Iterator[str]:
    """Every module that this one names in an absolute import."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module


def test_a_package_is_imported_by_its_face_and_relatively_from_within(root: Path) -> None:
    wrong = [
        f"{module.relative_to(root)}: {name}"
        for module in modules(root)
        for name in imports(module)
        if name.split(".")[0] in PACKAGES and ("." in name or name == module.relative_to(root).parts[0])
    ]
    assert wrong == []


# -- modules


def test_no_module_is_longer_than_300_lines(root: Path) -> None:
    lengths = {str(path.relative_to(root)): len(path.read_text().splitlines()) for path in modules(root)}
    assert {name: length for name, length in lengths.items() if length > 300} == {}


def test_each_module_has_a_name_that_says_what_it_is_for(root: Path) -> None:
    drawers = {"base", "common", "helper", "helpers", "misc", "shared", "types", "util", "utils"}
    assert [str(path.relative_to(root)) for path in modules(root) if path.stem.strip("_") in drawers] == []


def test_each_package_is_typed(root: Path) -> None:
    assert [name for name in PACKAGES if not (root / name / "py.typed").exists()] == []


# -- commands


def walk(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None, (*path, name)
            yield from walk(child, (*path, name))


def test_the_installed_entry_points_are_those_of_the_project_and_all_load(project: dict[str, Any]) -> None:
    wanted = {
        (group, name, value)
        for group, entries in {
            "console_scripts": project["project"]["scripts"],
            **project["project"]["entry-points"],
        }.items()
        for name, value in entries.items()
    }
    installed = distribution("holdfast").entry_points
    assert {(point.group, point.name, point.value) for point in installed} == wanted, "pip install -e . again"
    for point in installed:
        assert callable(point.load()), point


def test_every_command_has_help_with_an_example() -> None:
    found = dict(walk(holdfast, ("holdfast",)))
    assert {("holdfast", "run"), ("holdfast", "memory", "list"), ("holdfast", "eval", "list")} <= set(found)
    for path, command in found.items():
        name = " ".join(path)
        assert command.help, f"`{name}` has no help"
        shown = command.get_help(click.Context(command, info_name=name))
        example = rf"^ +Examples?:\n +(\w+=\S+ )?{name}\b"  # on a line of its own, as it is to be typed
        assert re.search(example, shown, re.MULTILINE), f"`{name}` shows no example"
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"`{name}` does not say what {parameter.opts[0]} does"


# -- pins


def pins(root: Path, python: str) -> dict[str, str]:
    """The version of each distribution that constraints.txt gives one Python."""
    environment = {**default_environment(), "python_version": python}
    lines = [line.split("#")[0].strip() for line in (root / "constraints.txt").read_text().splitlines()]
    wanted = [Requirement(line) for line in lines if line]
    holding = [pin for pin in wanted if pin.marker is None or pin.marker.evaluate(dict(environment))]
    names = [pin.name for pin in holding]
    assert len(names) == len(set(names)), f"two pins of one name for Python {python}"
    assert all(str(pin.specifier).startswith("==") for pin in holding)
    return {pin.name: str(pin.specifier)[2:] for pin in holding}


@pytest.mark.parametrize("python", PYTHONS)
def test_constraints_pin_what_the_project_asks_for_and_nothing_else(
    python: str, root: Path, project: dict[str, Any]
) -> None:
    lists = [project["project"]["dependencies"], *project["project"]["optional-dependencies"].values()]
    asked = [Requirement(text) for texts in lists for text in texts]
    pinned = pins(root, python)
    assert {need.name for need in asked} - {"holdfast"} == set(pinned)
    for need in asked:
        if need.name != "holdfast":
            assert need.specifier.contains(pinned[need.name]), f"{need} against {pinned[need.name]}"
