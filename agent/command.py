"""The ``holdfast`` command.

It knows no sub-command by name: whoever brings one registers it under the entry-point group ``holdfast.commands``, and
the group looks there each time it is called. So each floor of the house owns its commands, other distributions can add
theirs, and nothing imports upward.

Exit codes: 0 done; 1 an error, said in one line on stderr; 2 wrong usage; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, final

import click

_PACKAGES = ("agent", "environments", "evals", "retention")


@final
class CommandGroup(click.Group):
    """A click group whose commands are the entry points of ``holdfast.commands``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all registered commands, sorted."""
        return sorted(_registered())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command; a registered one that is broken comes back as a stand-in that says why."""
        entry_point = _registered().get(cmd_name)
        return None if entry_point is None else _load(entry_point)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments name.

        Raises:
            click.UsageError: there is no such command; the message gives the nearest names.
        """
        known = self.list_commands(ctx)
        if args[0] not in known and not ctx.resilient_parsing:
            near = " or ".join(repr(name) for name in get_close_matches(args[0], known))
            hint = f"Did you mean {near}?" if near else f"Known commands: {', '.join(known) or 'none'}."
            ctx.fail(f"no command named {args[0]!r}. {hint}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, and turn what it raises into one line and an exit code."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # a reader that has gone, as in `| head`, shows here and not at the interpreter's end
        except (KeyboardInterrupt, click.Abort):
            click.echo(err=True)  # ends the line on which the terminal shows ^C
            ctx.exit(130)
        except (click.ClickException, click.exceptions.Exit, BrokenPipeError):
            raise  # click ends these itself
        except Exception as error:
            if ctx.params["debug"]:
                raise
            raise _Failure(_describe(error)) from error
        return result


@final
class _Failure(click.ClickException):
    """An error that ends the command: one line on stderr and exit code 1."""

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"holdfast: {self.format_message()}", file=file, err=file is None)


def _registered() -> dict[str, EntryPoint]:
    """Return the registered commands by name. Where two have one name, holdfast's own is taken."""
    found: dict[str, EntryPoint] = {}
    for entry_point in entry_points(group="holdfast.commands"):
        ours = entry_point.dist is not None and entry_point.dist.name == "holdfast"
        if ours or entry_point.name not in found:
            found[entry_point.name] = entry_point
    return found


def _load(entry_point: EntryPoint) -> click.Command:
    """Import a command; where that fails, return a stand-in, so that one broken command leaves the others usable."""
    try:
        command = entry_point.load()
        if isinstance(command, click.Command):
            return command
        raise TypeError(f"wanted a click command, got {type(command).__name__}")
    except Exception as error:
        return _stand_in(entry_point, error)


def _stand_in(entry_point: EntryPoint, error: Exception) -> click.Command:
    """Return a command that is listed as broken and raises why when it is called."""
    reason = f"{type(error).__name__}: {error}"

    def fail() -> None:
        from retention import HoldfastError

        owner = entry_point.dist.name if entry_point.dist else "an unknown distribution"
        raise HoldfastError(
            f"the command {entry_point.name!r} of {owner} cannot be loaded from {entry_point.value} ({reason}): "
            f"update or uninstall {owner}"
        ) from error

    return click.Command(
        entry_point.name,
        callback=fail,
        short_help=f"Cannot be loaded: {reason}",
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )


def _describe(error: Exception) -> str:
    """Say in one line what went wrong.

    What a caller can act on speaks for itself; anything else is a fault, so its type and the way to its traceback are
    told too.
    """
    from retention import HoldfastError

    message = " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.strerror}: {error.filename}"
    gymnasium_error = getattr(sys.modules.get("gymnasium.error"), "Error", ())  # never imported: never raised
    if isinstance(error, (HoldfastError, OSError, gymnasium_error)) and message:
        return message
    return f"{type(error).__name__}: {message} (`holdfast --debug ...` shows the traceback)"


def find_stranger() -> str | None:
    """Look whether the four packages of holdfast lie side by side.

    Their names are common ones: another distribution, or a folder on ``PYTHONPATH``, can stand in front of ours.

    Returns:
        ``None`` where all is well, else one line that names the stranger and what to do.
    """
    home = Path(__file__).resolve().parent.parent
    for name in _PACKAGES:
        spec = find_spec(name)
        if spec is None:
            return f"the package {name!r} is missing beside {home / 'agent'}: install holdfast again"
        place = Path(next(iter(spec.submodule_search_locations or [spec.origin or ""]))).resolve()
        if place != home / name:
            return (
                f"the package {name!r} comes from {place}, but holdfast's own is {home / name}: "
                "install holdfast in a virtual environment of its own, without PYTHONPATH"
            )
    return None


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, envvar="HOLDFAST_DEBUG", help="Show the traceback of an error.")
@click.version_option(package_name="holdfast", prog_name="holdfast", message="%(prog)s %(version)s")
def holdfast(debug: bool) -> None:
    """Agents that keep what worked: run them, look into their memory, rate what they did, evaluate them.

    \b
    Example:
      holdfast run FrozenLake-v1 --episodes 40 --memory lake.db
      holdfast memory list lake.db
    """


def _open_closed_streams() -> None:
    """Put the null device where the caller closed a standard stream, as in ``2>&-``: writing there is no error."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - open until the process ends


def main() -> None:
    """Run the ``holdfast`` command with the arguments of this process, and exit."""
    _open_closed_streams()
    if stranger := find_stranger():
        click.echo(f"holdfast: {stranger}", err=True)
        sys.exit(1)
    sys.path.append("")  # a module in the working folder can be named, as in module:EnvId; it stands behind all others
    holdfast(prog_name="holdfast")
