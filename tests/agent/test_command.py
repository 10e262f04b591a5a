"""The ``holdfast`` command: what it loads, how it finds commands, and how it ends."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agent import command
from retention import EpisodicMemory

HEAVY = ("torch", "numpy", "gymnasium", "sqlite_utils", "rich", "langchain_core", "sentence_transformers", "matplotlib")

COMMANDS = '''
import errno, sys, time
import click

def make(action):
    @click.command()
    def command():
        """Do something.

        Example:
          holdfast something
        """
        action()
    return command

def fails(error):
    def action():
        raise error
    return action

def not_found():
    from retention import NotFoundError
    raise NotFoundError("no template 7 in lake.db.\\nSee `holdfast memory list lake.db`.")

def unknown_environment():
    import gymnasium
    gymnasium.make("FrozenLkae-v1")

def wait():
    print("ready", flush=True)
    time.sleep(60)

def many_lines():
    for number in range(200_000):
        print(number)

def late_line():
    print(0, flush=True)
    sys.stdin.read()  # until the reader has left
    print(1)

not_found = make(not_found)
unknown_environment = make(unknown_environment)
wait = make(wait)
many_lines = make(many_lines)
late_line = make(late_line)
fault = make(fails(KeyError("beta")))
absent = make(fails(FileNotFoundError(errno.ENOENT, "No such file or directory", "lake.db")))
full = make(fails(OSError(errno.ENOSPC, "No space left on device")))
interrupted = make(fails(KeyboardInterrupt()))
abandoned = make(fails(click.Abort()))
wrong_value = make(fails(click.BadParameter("3 is too many")))
ends_with_three = make(fails(SystemExit(3)))
run = make(lambda: print("not holdfast's run"))
not_a_command = 7
'''

NAMES = [line.split(" = ")[0] for line in COMMANDS.splitlines() if " = " in line and not line.startswith(" ")]

Call = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def planted(tmp_path: Path, clean_environment: dict[str, str]) -> dict[str, str]:
    """The environment of a process that sees another distribution's commands, two of them broken."""
    (tmp_path / "strange_commands.py").write_text(COMMANDS)
    info = tmp_path / "strange-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1.0\n")
    points = [f"{name.replace('_', '-')} = strange_commands:{name}" for name in NAMES]
    points.append("no-such-module = strange_absent:command")
    (info / "entry_points.txt").write_text("\n".join(["[holdfast.commands]", *points]) + "\n")
    return clean_environment | {"PYTHONPATH": str(tmp_path)}


@pytest.fixture
def call(planted: dict[str, str]) -> Call:
    def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "agent", *arguments],
            env=planted | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    return call


# -- what it loads


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["rnu"], ["run", "--help"], ["eval", "list"]])
def test_help_and_listings_load_nothing_heavy(arguments: list[str], clean_environment: dict[str, str]) -> None:
    script = (
        "import sys\n"
        "from agent.command import main\n"
        f"sys.argv = ['holdfast', *{arguments!r}]\n"
        "try:\n    main()\n"
        f"finally:\n    print('heavy:', *[name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=clean_environment)
    assert done.stdout.splitlines()[-1] == "heavy:", done.stdout + done.stderr


def test_version_is_that_of_the_distribution(call: Call) -> None:
    from importlib.metadata import version

    assert call("--version").stdout == f"holdfast {version('holdfast')}\n"


# -- finding commands


def test_help_lists_every_command_and_marks_the_broken_ones(call: Call) -> None:
    done = call("--help")
    assert done.returncode == 0
    listed = {line.split()[0] for line in done.stdout.split("Commands:")[1].splitlines() if line.strip()}
    assert {"bench", "eval", "feedback", "memory", "run", "fault", "no-such-module", "not-a-command"} <= listed
    assert " ".join(done.stdout.split()).count("Cannot be loaded:") == 2


def test_a_broken_command_says_why_when_it_is_called(call: Call) -> None:
    done = call("no-such-module", "--anything", "else")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(
        "holdfast: the command 'no-such-module' of strange cannot be loaded from strange_absent"
    )
    assert "No module named 'strange_absent'" in done.stderr
    assert "wanted a click command, got int" in call("not-a-command").stderr


def test_no_other_distribution_can_take_the_name_of_an_own_command(call: Call) -> None:
    done = call("run", "--help")
    assert "ENV_ID" in done.stdout
    assert "Do something" not in done.stdout


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("rnu", "no command named 'rnu'. Did you mean 'run'?"),
        ("feedbak", "Did you mean 'feedback'?"),
        ("xyzzy", "no command named 'xyzzy'. Known commands: abandoned, absent, bench, "),
    ],
)
def test_an_unknown_command_gets_the_nearest_names(wrong: str, hint: str, call: Call) -> None:
    done = call(wrong)
    assert done.returncode == 2
    assert hint in done.stderr
    assert done.stdout == ""


# -- how it ends


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("not-found", "holdfast: no template 7 in lake.db. See `holdfast memory list lake.db`.\n"),
        ("absent", "holdfast: No such file or directory: lake.db\n"),
        ("full", "holdfast: [Errno 28] No space left on device\n"),
        ("fault", "holdfast: KeyError: 'beta' (`holdfast --debug ...` shows the traceback)\n"),
    ],
)
def test_an_error_is_one_line_and_exit_code_1(name: str, line: str, call: Call) -> None:
    done = call(name)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", line)


def test_an_error_of_gymnasium_is_one_line_too(call: Call) -> None:
    done = call("unknown-environment")
    assert done.returncode == 1
    assert done.stderr.startswith("holdfast: Environment `FrozenLkae` doesn't exist. Did you mean")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("arguments", "environment"), [(["--debug"], {}), ([], {"HOLDFAST_DEBUG": "1"})])
@pytest.mark.parametrize(("name", "error"), [("not-found", "NotFoundError: "), ("absent", "FileNotFoundError: ")])
def test_debug_shows_the_traceback(
    name: str, error: str, arguments: list[str], environment: dict[str, str], call: Call
) -> None:
    done = call(*arguments, name, **environment)
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):\n")
    assert error in done.stderr


def test_wrong_usage_ends_with_2(call: Call) -> None:
    assert call("fault", "--no-such-option").returncode == 2
    assert call("wrong-value").returncode == 2
    assert "3 is too many" in call("wrong-value").stderr


def test_an_exit_code_of_a_command_is_kept(call: Call) -> None:
    assert call("ends-with-three").returncode == 3


@pytest.mark.parametrize("name", ["interrupted", "abandoned"])
def test_an_interrupt_ends_quietly_with_130(name: str, call: Call) -> None:
    done = call("--debug", name)
    assert (done.returncode, done.stdout, done.stderr.strip()) == (130, "", "")


def test_ctrl_c_ends_a_waiting_command_quietly_with_130(planted: dict[str, str]) -> None:
    arguments = [sys.executable, "-m", "agent", "wait"]
    with subprocess.Popen(arguments, env=planted, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=30)
    assert (process.returncode, error.strip()) == (130, "")


@pytest.mark.parametrize("name", ["many-lines", "late-line"])
def test_a_reader_that_leaves_is_no_error(name: str, planted: dict[str, str]) -> None:
    pipe = subprocess.PIPE
    arguments = [sys.executable, "-m", "agent", name]
    with subprocess.Popen(arguments, env=planted, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "0\n"
        process.stdout.close()
        process.stdin.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


@pytest.mark.skipif(
    os.name != "posix", reason="only a POSIX shell can start a process whose standard streams are closed"
)
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("words", ["late-line", "run FrozenLake-v1 --episodes 12 --memory {}"])
def test_a_closed_standard_stream_is_no_error(words: str, closed: str, tmp_path: Path, planted: dict[str, str]) -> None:
    path = tmp_path / "memory.db"
    line = shlex.join([sys.executable, "-m", "agent", *words.format(path).split()])
    done = subprocess.run(
        f"{line} {closed}", shell=True, env=planted, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stderr
    if path.exists():
        with EpisodicMemory.open(path, mode="ro") as memory:
            assert len(memory.episodes(namespace="default")) == 12
            assert memory.verify() == []


# -- the working folder


def test_the_working_folder_is_searched_behind_all_else(tmp_path: Path, clean_environment: dict[str, str]) -> None:
    (tmp_path / "lamp.py").write_text("")
    (tmp_path / "retention.py").write_text("raise SystemExit('a stranger')\n")
    script = (
        "import sys\n"
        "from agent.command import main\n"
        "sys.argv, sys.path = ['holdfast', '--version'], [place for place in sys.path if place]\n"
        "try:\n    main()\n"
        "finally:\n    import lamp, retention\n    print(lamp.__file__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, env=clean_environment, check=False
    )
    assert done.stdout.splitlines()[-1] == str(tmp_path / "lamp.py"), done.stderr


# -- strangers


def test_the_four_packages_lie_side_by_side() -> None:
    assert command.find_stranger() is None


@pytest.mark.parametrize("file", ["retention/__init__.py", "retention.py"])
def test_a_stranger_with_the_name_of_a_package_is_named(
    file: str, tmp_path: Path, clean_environment: dict[str, str]
) -> None:
    stranger = tmp_path / file
    stranger.parent.mkdir(exist_ok=True)
    stranger.write_text("raise SystemExit('the stranger was imported')\n")
    path = os.pathsep.join([str(tmp_path), str(Path(command.__file__).parent.parent)])
    done = subprocess.run(
        [sys.executable, "-m", "agent", "--help"],
        cwd=tmp_path.parent,
        env=clean_environment | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    named = tmp_path / "retention" if "/" in file else stranger
    assert done.stderr.startswith(f"holdfast: the package 'retention' comes from {named}, but holdfast's own is ")
    assert done.stderr.count("\n") == 1


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    assert command.find_stranger() == (
        f"the package 'agent' is missing beside {Path(command.__file__).parent}: install holdfast again"
    )
