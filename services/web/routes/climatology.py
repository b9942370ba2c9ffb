"""``/v1/cities/{city}/climatology``: a city's year from the stored observations."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import pandas as pd
from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import BaseModel, Field

from hazecast.forecast.studies.climate.climatology import (
    count_class_days,
    daily_values,
    day_classes,
    days_in_year,
    exceedance_days,
    monthly_statistics,
)
from hazecast.forecast.studies.climate.episodes import (
    GAP_HOURS,
    LEAST_HOURS,
    episodes_beginning_in,
    find_episodes,
    heavy_pollution,
)
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City, Registry
from hazecast.grids.times import in_utc
from hazecast.services.store.reads import newest_observed
from hazecast.services.store.store import Store
from hazecast.services.web.answers import cache_answer
from hazecast.services.web.dependencies import Given
from hazecast.services.web.routes.common import INVALID, NOT_FOUND, UNCHANGED, known_city, shows_simulated

# Before and after the year, for the other part of an episode that reaches across its ends.
_AROUND = timedelta(days=31)


class ExceedanceOut(BaseModel):
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

    day: date
    pm25: float | None = Field(description="ug m-3, of 20 valid hours or more")
    value: int | None = Field(description="China's AQI; none in Japan")
    id: str | None = Field(description="the class")


class EpisodeOut(BaseModel):
    """PM2.5 above 150 ug m-3 in twelve hours or more, no more than twelve hours apart."""

    start: datetime = Field(description="beginning of the first hour")
    end: datetime
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
    units: str = "ug m-3"
    pm25_days: int
    pm25_mean: float = Field(description="of the days with a valid mean")
    exceedances: list[ExceedanceOut]
    classes: list[ClassOut]
    months: list[MonthOut]
    episode_threshold: float
    episodes: list[EpisodeOut] = Field(description="those that begin in the year")
    calendar: list[CalendarDayOut]


router = APIRouter(tags=["studies"])


@router.get("/cities/{city_id}/climatology", responses=NOT_FOUND | INVALID | UNCHANGED)
def climatology(
    service: Given,
    request: Request,
    city_id: str,
    year: Annotated[
        int | None, Query(ge=1970, le=2200, description="Of the city's own time; by default the newest observed.")
    ] = None,
) -> ClimatologyOut:
    """A city's year: days above each standard, classes, months, episodes and a calendar; 404 without any day.

    Haze days are not here, since weather is not stored with observations: `hazecast study climatology`.
    """
    city, simulated = known_city(service.registry, city_id), shows_simulated(service.store)
    cache_answer(request)
    newest = newest_observed(service.store, simulated, city.id)
    if newest is None:
        raise HTTPException(404, f"no observation of {city.id} is stored")
    zone = ZoneInfo(city.time_zone)
    chosen = (in_utc(newest) - timedelta(hours=1)).astimezone(zone).year if year is None else year
    try:
        return _climatology(service.store, service.registry, city, chosen, simulated)
    except InputError as error:
        raise HTTPException(404, str(error)) from error


def _climatology(store: Store, registry: Registry, city: City, year: int, simulated: bool) -> ClimatologyOut:
    zone = ZoneInfo(city.time_zone)
    first, last = (datetime(y, 1, 1, tzinfo=zone).astimezone(UTC) for y in (year, year + 1))
    observed = store.observed(first - _AROUND, last + _AROUND, simulated, city.id)
    days = days_in_year(daily_values(observed, registry, city.id), year)
    classes = day_classes(days, city)
    hourly = observed["pm25"].sel(city=city.id).to_series().astype(float)
    episodes = episodes_beginning_in(
        find_episodes(hourly, gap_hours=GAP_HOURS, least_hours=LEAST_HOURS), year, city.time_zone
    )
    calendar = days[["pm25"]].join(classes[["value", "id"]]).rename_axis("day").reset_index()
    for name in ("start", "end"):
        episodes = episodes.assign(**{name: pd.to_datetime(episodes[name]).dt.tz_localize("UTC")})
    return ClimatologyOut(
        city=city.id,
        year=year,
        simulated=simulated,
        pm25_days=int(days["pm25"].notna().sum()),
        pm25_mean=round(float(days["pm25"].mean()), 2),
        exceedances=[ExceedanceOut(**row) for row in _rows(exceedance_days(days).reset_index())],
        classes=[ClassOut(**row) for row in _rows(count_class_days(classes).reset_index())],
        months=[MonthOut(**row) for row in _rows(monthly_statistics(days).reset_index())],
        episode_threshold=heavy_pollution(),
        episodes=[EpisodeOut(**{k: row[k] for k in EpisodeOut.model_fields}) for row in _rows(episodes)],
        calendar=[CalendarDayOut(**row) for row in _rows(calendar)],
    )


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table, with None for gaps and numbers as they are published."""
    return [
        {str(name): _plain(value) for name, value in row.items()} for row in table.astype(object).to_dict("records")
    ]


def _plain(value: Any) -> Any:
    if pd.isna(value):
        return None
    return round(value, 2) if isinstance(value, float) else value
