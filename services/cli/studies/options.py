"""Options that study commands share, and groups of options as dataclasses."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from hazecast.services.research.studies.asking import Call


@dataclass(frozen=True)
class Output:
    """How a study's result is given out."""

    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for tables (CSV), figures (PNG) and summary.json.")
    ] = None
    report: Annotated[
        Path | None,
        typer.Option("--report", help="HTML or PDF file, by its ending: result, tables, figures, method and limits."),
    ] = None


# The call that is being answered, which a report states.
current_call: ContextVar[Call] = ContextVar("current_call")


def option_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take dataclasses of options, whose fields Typer sees as options of the command itself."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    parameters = list(_flattened(command, hints))

    @functools.wraps(command)
    def run(**given: Any) -> None:
        current_call.set(Call(command.__name__.replace("_", "-"), inspect.getdoc(command) or "", dict(given)))
        for name, group in groups.items():
            given[name] = group(**{one.name: given.pop(one.name) for one in fields(group)})
        command(**given)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


def _flattened(command: Callable[..., None], hints: dict[str, Any]) -> Iterator[inspect.Parameter]:
    for name, parameter in inspect.signature(command).parameters.items():
        if is_dataclass(hints[name]):
            yield from fields_of(hints[name])
        else:
            yield parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[name])


def fields_of(group: Any) -> Iterator[inspect.Parameter]:
    """Yield the fields of a group of options as parameters of a command."""
    types = get_type_hints(group, include_extras=True)
    for one in fields(group):
        default = inspect.Parameter.empty if one.default is MISSING else one.default
        yield inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=types[one.name])
