"""A study's command, made of the study's function: its arguments as arguments and options, and those of its output."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from hazecast.services.cli.studies.options import Output, current_call, fields_of
from hazecast.services.cli.studies.output import emit
from hazecast.services.research.studies.asking import (
    Argument,
    Call,
    Observed,
    Option,
    Study,
    Table,
    Weather,
    arguments_of,
    ask,
    name_of,
    progress,
    title_of,
)
from hazecast.services.research.studies.gridded import WeatherFiles
from hazecast.services.research.studies.observations import Collection


def command_of(study: Study) -> Callable[..., None]:
    """Return the command of a study."""
    arguments = list(arguments_of(study))

    @functools.wraps(study)
    def run(**given: Any) -> None:
        current_call.set(Call(name_of(study), title_of(study), dict(given)))
        output = Output(**{one.name: given.pop(one.name) for one in fields(Output)})
        for one in arguments:
            made = Collection if isinstance(one.told, Observed) else WeatherFiles
            if isinstance(one.told, Observed | Weather) and given[one.name] is not None:
                given[one.name] = made(given[one.name])
        progress.set(_show if sys.stderr.isatty() else None)
        emit(ask(study, given), output)

    parameters = [_parameter(one) for one in arguments] + list(fields_of(Output))
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


def _parameter(one: Argument) -> inspect.Parameter:
    told, kind = one.told, one.kind
    if isinstance(told, Observed):
        kind = Path if one.required else Path | None
        how = typer.Option("--observations", help=f"Folder of a collection. {told.text}")
    elif isinstance(told, Weather):
        kind, how = Path | None, typer.Option("--weather", help=told.text)
    elif isinstance(told, Table) and one.required and not told.by_option:
        how = typer.Argument(help=told.text)
    else:
        bounds: dict[str, Any] = {"min": told.least, "max": told.most} if isinstance(told, Option) else {}
        how = typer.Option(f"--{one.shown.replace('_', '-')}", help=told.text, **bounds)
    annotation = Annotated[kind, how]  # type: ignore[valid-type]
    return inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default, annotation=annotation)


def _show(text: str) -> None:
    print(f"\r{text:<60}", end="", file=sys.stderr, flush=True)
