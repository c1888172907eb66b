"""The options of a command as a frozen dataclass, which Typer reads.

A field is declared by `option` or `argument`: its type is the dataclass's, and its name, unless
another is given, the option's. A field of `panel` holds a dataclass whose options belong together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, fields
from functools import partial, wraps
from inspect import Parameter, Signature
from typing import Any, TypeVar, get_type_hints

import typer

Value = TypeVar("Value")
Options = TypeVar("Options")
REQUIRED: Any = ...
TITLE, TYPER_INFO = "title", "typer_info"  # in a field's metadata


def option(help: str, default: Value = REQUIRED, *names: str, **settings: Any) -> Value:
    """A field that is an option. ``settings`` are those of ``typer.Option``, as in ``min=1``.

    A switch has no ``--no-`` form unless ``names`` give it one.
    """
    return _field(default, partial(typer.Option, default, *names, help=help, **settings))


def argument(help: str, default: Value = REQUIRED) -> Value:
    """What is given by its place, without a name."""
    return _field(default, partial(typer.Argument, default, help=help))


def panel(title: str) -> Any:
    """The field of a dataclass whose options `--help` shows in a box under the ``title``."""
    return field(metadata={TITLE: title})


def takes(options: type[Options]) -> Callable[[Callable[[Options], None]], Callable[..., None]]:
    """Makes of a function that takes ``options`` the command that Typer can read and call."""

    def command_of(run: Callable[[Options], None]) -> Callable[..., None]:
        @wraps(run)
        def command(**given: Any) -> None:
            run(_filled(options, given))

        command.__signature__ = Signature(list(_parameters(options)))  # type: ignore[attr-defined]
        return command

    return command_of


def _field(default: Value, typer_info: Callable[..., Any]) -> Value:
    usual: dict[str, Any] = {} if default is REQUIRED else {"default": default}
    made: Value = field(metadata={TYPER_INFO: typer_info}, **usual)
    return made


def _parameters(options: type[Any], title: str | None = None) -> Iterator[Parameter]:
    kinds = get_type_hints(options)
    for each in fields(options):
        kind = kinds[each.name]
        if TITLE in each.metadata:
            yield from _parameters(kind, each.metadata[TITLE])
            continue
        info = each.metadata[TYPER_INFO](rich_help_panel=title)
        if kind is bool and not info.param_decls:
            info.param_decls = (f"--{each.name.replace('_', '-')}",)
        yield Parameter(each.name, Parameter.KEYWORD_ONLY, default=info, annotation=kind)


def _filled(options: type[Any], given: Mapping[str, Any]) -> Any:
    """The dataclass, and those inside it, from the flat values that Typer has read."""
    kinds, values = get_type_hints(options), dict(given)
    for each in fields(options):
        if TITLE in each.metadata:
            values[each.name] = _filled(kinds[each.name], given)
    return options(**{each.name: values[each.name] for each in fields(options)})
