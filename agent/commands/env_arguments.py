"""The arguments of an environment, as the command line gives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import gymnasium

_HINT = "--env-arg"


def parsed(texts: Iterable[str]) -> dict[str, Any]:
    """Return the arguments that were given as ``key=value``; a value is a Python or JSON literal, else a string.

    Raises:
        click.BadParameter: there is no ``=``, or no key before it; or a key is given twice.
    """
    arguments: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise click.BadParameter(f"{text!r} is not KEY=VALUE", param_hint=_HINT)
        if name in arguments:
            raise click.BadParameter(f"{name} is given twice", param_hint=_HINT)
        arguments[name] = _value(value)
    return arguments


def check_flags(env: gymnasium.Env[Any, Any], arguments: Mapping[str, Any]) -> None:
    """Check that what the environment has as True or False by default is given as such: any text counts as True.

    Raises:
        click.BadParameter: it is not.
    """
    defaults = _defaults(env)
    for name, value in arguments.items():
        if isinstance(defaults.get(name), bool) and value not in (True, False):
            raise click.BadParameter(f"{name} must be true or false, got {value!r}", param_hint=_HINT)


def _value(text: str) -> Any:
    import ast
    import json

    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, TypeError):  # a set of lists is a TypeError
            continue
    return text


def _defaults(env: gymnasium.Env[Any, Any]) -> dict[str, Any]:
    """Return what the arguments of an environment are by default: of its constructor, and as it was registered."""
    import inspect

    import gymnasium
    from gymnasium.envs.registration import load_env_creator

    if env.spec is None or env.spec.entry_point is None:
        return {}
    made = env.spec.entry_point
    constructor = load_env_creator(made) if isinstance(made, str) else made
    known: dict[str, Any] = {}
    with suppress(ValueError):  # compiled constructors need not say what they take
        known = {name: each.default for name, each in inspect.signature(constructor).parameters.items()}
    registered = gymnasium.registry.get(env.spec.id)
    return known if registered is None else known | registered.kwargs
