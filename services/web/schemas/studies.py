"""What the API answers about studies: a city's year, weekends, the table of VOC, and the studies that can be asked for."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hazecast.services.web.schemas.forecasts import InvalidOut, Units

_JOB: dict[str, Any] = {
    "id": "job_5f0c3a9e1b7d42c68a90e1f2", "study": "sources", "state": "running", "ahead": None,
    "progress": "start 7 of 20", "simulated": False, "created_at": "2026-01-15T09:00:00Z",
    "started_at": "2026-01-15T09:00:01Z", "finished_at": None, "error": None, "errors": [], "results_until": None,
    "results": None,
}  # fmt: skip


class StandardDaysOut(BaseModel):
    """Days above one limit of a standard; item `any`: at least one of the standard's items above its own."""

    standard: str = Field(description="cn_2012_class1, cn_2012_class2, cn_2026_class2, jp or who_2021")
    item: str
    limit: float | None
    units: str
    valid_days: int
    days_above: int


class ClassOut(BaseModel):
    """Days of one class, as the city's own country rates them from PM2.5 and ozone."""

    id: str
    name_zh: str
    name_ja: str
    name_en: str
    colour: str
    days: int


class MonthOut(BaseModel):
    """A month's means of daily values, ug m-3."""

    month: int
    days: int = Field(description="with a valid mean of PM2.5")
    pm25: float | None
    o3_8h: float | None


class CalendarDayOut(BaseModel):
    """A day of the city's own time."""

    date: dt.date
    pm25: float | None = Field(description="ug m-3, of 20 valid hours or more")
    value: int | None = Field(description="China's AQI; none in Japan")
    id: str | None = Field(description="the class")


class EpisodeOut(BaseModel):
    """PM2.5 above 150 ug m-3 in twelve hours or more, no more than twelve hours apart."""

    start: dt.datetime = Field(description="beginning of the first hour")
    end: dt.datetime
    hours_above: int
    hours_missing: int
    peak: float
    mean: float
    cut: bool = Field(description="whether it may have been longer: the data end near it")


class ClimatologyOut(BaseModel):
    """A year of a city. Counts are of observed days alone."""

    city: str
    year: int
    simulated: bool
    units: Units = Field(description="By variable; all concentrations.")
    pm25_days: int
    pm25_mean: float = Field(description="of the days with a valid mean")
    exceedances: list[StandardDaysOut]
    classes: list[ClassOut]
    months: list[MonthOut]
    episode_threshold: float
    episodes: list[EpisodeOut] = Field(description="those that begin in the year")
    calendar: list[CalendarDayOut]


class EstimateOut(BaseModel):
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


class WeekendOut(BaseModel):
    """Weekends against the working days of the same weeks."""

    city: str
    series: Literal["o3", "no2", "ox"]
    units: Units = Field(description="Of the series, and of all that is not relative.")
    first_day: dt.date
    last_day: dt.date
    weeks: int
    weekend: EstimateOut = Field(description="weekend less working days")
    relative: EstimateOut = Field(description="the same over the mean of the working days")
    by_day: dict[str, EstimateOut] = Field(description="each day of the week less the mean of its week")
    placebo_rank: int = Field(description="1 if no other pair of neighbouring days differs more")


class VocSpeciesOut(BaseModel):
    """Reactivity of one compound."""

    name: str
    chinese: str
    cas: str
    formula: str
    group: str
    molar_mass: float = Field(description="g mol-1")
    mir: float | None = Field(description="g O3 a g VOC, Carter 2010; null where that table has none")
    mir_checked: bool | None = Field(description="whether a second table gave the same")
    koh: float | None = Field(description="1e-12 cm3 molecule-1 s-1 with OH at 298 K")
    koh_checked: bool | None
    koh_source: Literal["A03", "MCM", "AOPWIN"] | None = Field(
        description="Atkinson and Arey 2003; Master Chemical Mechanism 3.3.1; structure-activity estimate of AOPWIN 1.92"
    )
    lists: list[str] = Field(description="PAMS, TO-15 or HJ 683")


class StudyOut(BaseModel):
    """A study that can be asked for."""

    name: str
    description: str
    tables: list[str] = Field(description="of the caller's own, as CSV or as lists of rows; some may be optional")
    stored_observations: bool = Field(description="whether it takes the service's observations")


class StudyResultsOut(BaseModel):
    """The addresses of a job's results."""

    result: str = Field(description="summary and tables, as the study itself answers")
    report_html: str
    report_pdf: str
    tables: str = Field(description="tables as CSV and figures as PNG, in one ZIP file")


class StudyFormOut(StudyOut):
    """What a study takes."""

    body: dict[str, Any] = Field(description="JSON Schema of the body of the request")
    example: dict[str, Any] | None = Field(description="a body; null where none is short enough")


class StudyJobOut(BaseModel):
    """A study that was asked for as a job."""

    model_config = ConfigDict(json_schema_extra={"example": _JOB})

    id: str
    study: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    ahead: int | None = Field(description="jobs that run or wait before it; null unless it is queued")
    progress: str | None = Field(description="what a running one is at, where the study tells")
    simulated: bool = Field(description="whether stored observations are those of simulated runs")
    created_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    error: str | None = Field(description="why it failed")
    errors: list[InvalidOut] = Field(description="what of its body was wrong, by field")
    results_until: dt.datetime | None = Field(description="when its results are removed; null where there are none")
    results: StudyResultsOut | None = Field(description="null before it is done, and once they are removed")


class StudyResultOut(BaseModel):
    """What a study found; a number that could not be computed is null."""

    study: str
    summary: dict[str, Any] = Field(description="single values, by name")
    tables: dict[str, list[dict[str, Any]]] = Field(description="rows, by the name of the table")
