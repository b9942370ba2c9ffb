"""``/v1/cities/{city}/climatology``: a city's year from the stored observations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import pandas as pd
from fastapi import APIRouter, HTTPException, Query, Request

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
from hazecast.services.store.observations import observed_hours
from hazecast.services.store.reads import newest_observed
from hazecast.services.store.store import Store
from hazecast.services.web.answers import cache_answer
from hazecast.services.web.dependencies import Given
from hazecast.services.web.routes.common import INVALID, NOT_FOUND, UNCHANGED, known_city, shows_simulated
from hazecast.services.web.schemas.studies import (
    CalendarDayOut,
    ClassOut,
    ClimatologyOut,
    EpisodeOut,
    MonthOut,
    StandardDaysOut,
)

# Before and after the year, for the other part of an episode that reaches across its ends.
_AROUND = timedelta(days=31)


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
    observed = observed_hours(store, first - _AROUND, last + _AROUND, simulated, city.id)
    days = days_in_year(daily_values(observed, registry, city.id), year)
    classes = day_classes(days, city)
    hourly = observed["pm25"].sel(city=city.id).to_series().astype(float)
    episodes = episodes_beginning_in(
        find_episodes(hourly, gap_hours=GAP_HOURS, least_hours=LEAST_HOURS), year, city.time_zone
    )
    calendar = days[["pm25"]].join(classes[["value", "id"]]).rename_axis("date").reset_index()
    for name in ("start", "end"):
        episodes = episodes.assign(**{name: pd.to_datetime(episodes[name]).dt.tz_localize("UTC")})
    return ClimatologyOut(
        city=city.id,
        year=year,
        simulated=simulated,
        units=dict.fromkeys(("pm25", "pm25_mean", "o3_8h", "episode_threshold", "peak", "mean"), "ug m-3"),
        pm25_days=int(days["pm25"].notna().sum()),
        pm25_mean=round(float(days["pm25"].mean()), 1),
        exceedances=[StandardDaysOut(**row) for row in _rows(exceedance_days(days).reset_index())],
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
    return round(value, 1) if isinstance(value, float) else value
