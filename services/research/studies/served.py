"""A study as the API serves it: its body as a model, its answer as JSON; made in a subprocess."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, create_model, model_validator

from hazecast.grids.errors import InputError, MissingExtraError
from hazecast.grids.times import format_time
from hazecast.services.core.clock import utc_now
from hazecast.services.core.settings import Settings
from hazecast.services.research.studies.asking import (
    Call,
    Local,
    Observed,
    Option,
    Study,
    Table,
    Weather,
    arguments_of,
    ask,
    title_of,
)
from hazecast.services.research.studies.gridded import StoredWeather
from hazecast.services.research.studies.registry import study_named
from hazecast.services.research.studies.result import Result, plain, records

_LONGEST = timedelta(days=3_660)
_MOST_CITIES = 200
Form = Literal["json", "html", "pdf"]
_FORM = ConfigDict(extra="forbid", allow_inf_nan=False)
Cell = str | Annotated[float, Field(strict=True)] | None
Rows = Annotated[list[dict[str, Cell]], Field(min_length=1)]
_TABLE = " In a request: its text, or a list of objects, one a row."


class Period(BaseModel):
    """Stored observations: hours that end within a period."""

    model_config = _FORM

    start: Annotated[AwareDatetime, Field(alias="from", description="End of the first hour.")]
    end: Annotated[AwareDatetime, Field(alias="to", description="End of the last hour.")]
    cities: Annotated[
        list[str], Field(max_length=_MOST_CITIES, description="Whose stations are meant, where stations are compared.")
    ] = []

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.start < self.end <= self.start + _LONGEST:
            raise ValueError(f"expected `from` before `to`, and at most {_LONGEST.days} days")
        return self


class FieldsRefusedError(ValueError):
    """A body of which fields are wrong.

    Parameters
    ----------
    errors : sequence of (str, str)
        Field and reason.
    """

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        super().__init__(errors)
        self.errors = errors


@lru_cache
def body_of(study: Study) -> type[BaseModel]:
    """Return the model of what a study takes: its options, its tables, and the period of stored observations."""
    fields: dict[str, Any] = {}
    for one in arguments_of(study):
        told = one.told
        if isinstance(told, Local | Weather):
            continue
        kind, text = one.kind, told.text
        bounds: dict[str, Any] = {}
        if isinstance(told, Table):
            kind, text = (str | Rows if one.required else str | Rows | None), told.text + _TABLE
        elif isinstance(told, Observed):
            kind = Period if one.required else Period | None
        elif isinstance(told, Option):
            bounds = {"ge": told.least, "le": told.most}
        default: Any = ... if one.required else one.default
        alias = one.shown if one.shown != one.name else None
        fields[one.name] = (kind, Field(default=default, description=text, alias=alias, **bounds))
    name = "".join(word.title() for word in study.__name__.split("_"))
    return create_model(f"{name}In", __config__=_FORM, __doc__=title_of(study), **fields)


@dataclass(frozen=True)
class Answered:
    """What a study was asked and found.

    Attributes
    ----------
    name : str
    study : callable
    result : Result
    asked : dict of str to Any
        For its report, by the names of its arguments: a table by its length, a period by its ends.
    """

    name: str
    study: Study
    result: Result
    asked: dict[str, Any]


def checked_body(name: str, body: bytes) -> BaseModel:
    """Return the body of a study as its model.

    Parameters
    ----------
    name : str
        Of the study.
    body : bytes
        JSON.

    Returns
    -------
    pydantic.BaseModel

    Raises
    ------
    FieldsRefusedError
        If the body isn't one of the study.
    UnknownError
        If there is no such study.
    """
    try:
        return body_of(study_named(name)).model_validate_json(body)
    except ValidationError as error:
        raise FieldsRefusedError([_refused(one) for one in error.errors()[:20]]) from error


def digest_of_checked(name: str, body: bytes) -> bytes:
    """Check the body of a study, and return a digest of both.

    Parameters
    ----------
    name : str
    body : bytes

    Returns
    -------
    bytes
        SHA-256 in hexadecimal.
    """
    checked_body(name, body)
    return hashlib.sha256(name.encode() + b"\n" + body).hexdigest().encode()


def answer(settings: Settings, name: str, body: bytes, simulated: bool) -> Answered:
    """Answer a study.

    Parameters
    ----------
    settings : Settings
        Name the store and the cities.
    name : str
        Of the study.
    body : bytes
        JSON of its model.
    simulated : bool
        Whether stored observations are those of simulated runs.

    Returns
    -------
    Answered

    Raises
    ------
    FieldsRefusedError
        If the body isn't one of the study.
    InputError
        If what it holds can't be used, or there is no such study.
    """
    study, asked = study_named(name), checked_body(name, body)
    with TemporaryDirectory() as folder:
        try:
            result = ask(study, _arguments(study, asked, settings, simulated, Path(folder)))
        except MissingExtraError:
            raise
        except InputError as error:
            raise type(error)(
                _shown(error.where, folder), _shown(str(error.found), folder), _shown(error.expected, folder)
            ) from error
    return Answered(name, study, result, _told(study, asked, simulated))


def as_content(answered: Answered) -> bytes:
    """Return an answer as JSON: study, summary, and tables as lists of rows."""
    content = {
        "study": answered.name,
        "summary": plain(answered.result.summary),
        "tables": {one: records(table) for one, table in answered.result.tables.items()},
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False).encode()


def run_study(settings: Settings, name: str, body: bytes, simulated: bool, form: Form = "json") -> bytes:
    """Answer a study in one form; arguments and errors are those of `answer`.

    Parameters
    ----------
    settings : Settings
    name : str
    body : bytes
    simulated : bool
    form : {"json", "html", "pdf"}
        JSON, or its report.

    Returns
    -------
    bytes
    """
    answered = answer(settings, name, body, simulated)
    if form == "json":
        return as_content(answered)
    return report_of(answered, form, utc_now())


def report_of(answered: Answered, form: Form, made: datetime) -> bytes:
    """Return the report of an answer.

    Parameters
    ----------
    answered : Answered
    form : {"html", "pdf"}
    made : datetime
        The date that it carries, aware.

    Returns
    -------
    bytes

    Raises
    ------
    MissingExtraError
        If it is PDF, and the extra ``pdf`` is not installed.
    """
    from hazecast.services.research.studies.report import as_html, as_pdf, pictures_of, sheet_of

    sheet = sheet_of(Call(answered.name, title_of(answered.study), answered.asked), answered.result)
    pictures = pictures_of(answered.result)
    return as_pdf(sheet, pictures, made) if form == "pdf" else as_html(sheet, pictures).encode()


def _told(study: Study, asked: BaseModel, simulated: bool) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for one in arguments_of(study):
        if isinstance(one.told, Local):
            continue
        if isinstance(one.told, Weather):
            told[one.shown] = "stored archive"
            continue
        value = getattr(asked, one.name)
        if isinstance(one.told, Table) and value is not None:
            rows = len(value) if isinstance(value, list) else max(0, len(value.splitlines()) - 1)
            value = f"own table of {rows} rows"
        elif isinstance(value, Period):
            kind = "simulated" if simulated else "stored"
            value = f"{kind}, {format_time(value.start)} to {format_time(value.end)}" + "".join(
                f", {city}" for city in value.cities
            )
        told[one.shown] = value
    return told


def _arguments(study: Study, asked: BaseModel, settings: Settings, simulated: bool, folder: Path) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for one in arguments_of(study):
        if isinstance(one.told, Local):
            continue
        if isinstance(one.told, Weather):
            given[one.name] = StoredWeather(settings)
            continue
        value = getattr(asked, one.name)
        if isinstance(one.told, Table) and value is not None:
            value = _written(value, folder / one.name)
        elif isinstance(value, Period):
            from hazecast.services.research.studies.stored import StoredObservations

            value = StoredObservations(
                settings, value.start.astimezone(UTC), value.end.astimezone(UTC), simulated, tuple(value.cities)
            )
        given[one.name] = value
    return given


def _written(table: str | list[dict[str, Cell]], path: Path) -> Path:
    if isinstance(table, str):
        path.write_text(table, encoding="utf-8")
        return path
    names = list(dict.fromkeys(name for row in table for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="")
    writer.writeheader()
    writer.writerows(table)
    path.write_text(text.getvalue(), encoding="utf-8")
    return path


def _shown(text: str, folder: str) -> str:
    """Return an error's words as the body has it: fields for the files, and for the options of the command line."""
    return re.sub(r"--([a-z][a-z0-9-]*)", lambda found: found[1].replace("-", "_"), text.replace(f"{folder}/", ""))


def _refused(error: Any) -> tuple[str, str]:
    # Which kind of table was tried is no part of the field's name.
    path = [str(part) for part in error["loc"] if not str(part).startswith(("str", "list[", "constrained"))]
    return ".".join(path) or "body", error["msg"]
