"""``/v1/studies``: the studies that need the stored observations alone, and the table of VOC."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Annotated, Literal

import pandas as pd
from fastapi import APIRouter, HTTPException, Query

from hazecast.forecast.studies.estimate import Estimate
from hazecast.forecast.studies.ozone.days import daily_series
from hazecast.forecast.studies.ozone.effects import WeekdayEffect, weekday_effect
from hazecast.forecast.studies.ozone.voc import species_table
from hazecast.grids.errors import InputError
from hazecast.grids.times import in_utc
from hazecast.services.store.observations import observed_hours
from hazecast.services.web.dependencies import Given, Service
from hazecast.services.web.routes.common import INVALID, NOT_FOUND, UNCHANGED, known_city, latest_run
from hazecast.services.web.schemas.items import ItemsOut
from hazecast.services.web.schemas.studies import EstimateOut, VocSpeciesOut, WeekendOut

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# Days before the period, since the first day's 8 h means reach back.
_BEFORE = timedelta(days=1)


router = APIRouter(prefix="/studies", tags=["studies"])


@router.get("/voc-species", responses=UNCHANGED)
def voc_species() -> ItemsOut[VocSpeciesOut]:
    """Maximum incremental reactivity and OH rate constant of the VOC that Hazecast knows."""
    species = [
        VocSpeciesOut(
            name=str(name),
            mir=None if pd.isna(row["mir"]) else float(row["mir"]),
            mir_checked=None if pd.isna(row["mir"]) else row["mir_checked"] == "yes",
            koh=None if pd.isna(row["koh"]) else float(row["koh"]),
            koh_checked=None if pd.isna(row["koh"]) else row["koh_checked"] == "yes",
            koh_source=None if pd.isna(row["koh_source"]) else row["koh_source"],
            lists=[] if pd.isna(row["lists"]) else row["lists"].split(";"),
            **{key: row[key] for key in ("chinese", "cas", "formula", "group", "molar_mass")},
        )
        for name, row in species_table().iterrows()
    ]
    return ItemsOut(items=species)


@router.get("/ozone/{city_id}/weekend", responses=NOT_FOUND | INVALID | UNCHANGED)
def weekend(
    service: Given,
    city_id: str,
    series: Annotated[Literal["o3", "no2", "ox"], Query(description="ox is O3 + NO2.")] = "o3",
    days: Annotated[int, Query(ge=77, le=1096, description="Days up to the newest run's init time.")] = 366,
) -> WeekendOut:
    """Weekend effect in a city's stored observations; 404 where they hold fewer than ten weeks of it."""
    city = known_city(service.registry, city_id)
    run = latest_run(service.store)
    until = in_utc(run.init_time)
    try:
        return _weekend_effect(service, city.id, series, days, until, run.simulated)
    except InputError as error:
        raise HTTPException(404, str(error)) from error


# Years of hours take about a second: once for each new run is enough.
@lru_cache(maxsize=128)
def _weekend_effect(
    service: Service, city: str, series: Literal["o3", "no2", "ox"], days: int, until: datetime, simulated: bool
) -> WeekendOut:
    observed = observed_hours(service.store, until - timedelta(days=days) - _BEFORE, until, simulated, city)
    daily = daily_series(observed, None, service.registry, city).iloc[-days:]
    if series not in daily:
        raise InputError(f"{city}: {series}", "no observed value", "hourly NO2")
    return _out(city, series, daily, weekday_effect(daily[series]))


def _out(city: str, series: Literal["o3", "no2", "ox"], daily: pd.DataFrame, effect: WeekdayEffect) -> WeekendOut:
    days = pd.DatetimeIndex(daily.index)
    return WeekendOut(
        city=city,
        series=series,
        units={series: "ppb" if series == "ox" else "ug m-3"},
        first_day=days[0].date(),
        last_day=days[-1].date(),
        weeks=effect.weeks,
        weekend=_estimate(effect.weekend, 1),
        relative=_estimate(effect.relative, 3),
        by_day={_DAYS[day]: _estimate(one, 1) for day, one in effect.by_day.items()},
        placebo_rank=effect.placebo_rank,
    )


def _estimate(one: Estimate, decimals: int) -> EstimateOut:
    return EstimateOut(**{name: round(value, decimals) for name, value in asdict(one).items()})
