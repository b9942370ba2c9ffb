"""Options that study commands share, and groups of options as dataclasses."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import MISSING, dataclass, fields
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


def fields_of(group: Any) -> Iterator[inspect.Parameter]:
    """Yield the fields of a group of options as parameters of a command."""
    types = get_type_hints(group, include_extras=True)
    for one in fields(group):
        default = inspect.Parameter.empty if one.default is MISSING else one.default
        yield inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=types[one.name])
