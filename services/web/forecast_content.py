"""A run's values as the API writes them: hours for JSON, rows for tables, features for GeoJSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hazecast.grids.contract import FORECAST_POLLUTANTS, LEAD_HOURS
from hazecast.grids.places.cities import City, Registry
from hazecast.grids.times import format_time
from hazecast.services.store.reads import QUANTILE_COLUMNS, VALUE_COLUMNS, values_of
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import ForecastRun
from hazecast.services.web.negotiate import point
from hazecast.services.web.routes.common import coordinates
from hazecast.services.web.schemas.forecasts import ForecastOut
from hazecast.services.web.selection import Selection

_FIRST_COLUMNS = ("city", "init_time", "simulated", "lead_time", "time", "local_time")


def columns_of(shown: Selection) -> tuple[str, ...]:
    """Return the columns of a table of the variables shown."""
    return (*_FIRST_COLUMNS, *_value_columns(shown))


def _value_columns(shown: Selection) -> tuple[str, ...]:
    return tuple(name for name in VALUE_COLUMNS if name.startswith(shown.variables))


def run_head(run: ForecastRun) -> dict[str, Any]:
    """Return which run it is, and its input."""
    return {
        "init_time": format_time(run.init_time),
        "simulated": run.simulated,
        "degraded": run.degraded,
        "model_id": run.model_id,
        "weather_source": run.weather_source,
        "humidity_source": run.humidity_source,
        "observations_until": format_time(run.observations_until),
    }


def hours(run: ForecastRun, rows: Iterable[Sequence[Any]], zone: ZoneInfo, shown: Selection) -> list[dict[str, Any]]:
    """Return the hours of a place.

    Parameters
    ----------
    run : ForecastRun
    rows : iterable of sequence
        City, lead time and `VALUE_COLUMNS`.
    zone : zoneinfo.ZoneInfo
        Of `local_time`.
    shown : Selection

    Returns
    -------
    list of dict
        Each an `HourOut`.
    """
    found = []
    for _, lead, *values in rows:
        time = run.init_time + timedelta(hours=lead)
        hour: dict[str, Any] = {
            "lead_time": lead,
            "time": format_time(time),
            "local_time": time.astimezone(zone).isoformat(),
        }
        parts = iter(values)
        for name in FORECAST_POLLUTANTS:
            hour[name] = {part: _rounded(next(parts)) for part in QUANTILE_COLUMNS}
        hour["relative_humidity"] = _rounded(next(parts))
        for name in {*FORECAST_POLLUTANTS, "relative_humidity"} - set(shown.variables):
            del hour[name]
        found.append(hour)
    return found


def city_content(run: ForecastRun, city: City, rows: Iterable[Sequence[Any]], shown: Selection) -> dict[str, Any]:
    """Return a city's part of a run.

    Parameters
    ----------
    run : ForecastRun
    city : City
    rows : iterable of sequence
    shown : Selection

    Returns
    -------
    dict
    """
    zone = shown.zone(city.time_zone)
    return run_head(run) | {"city": city.id, "units": shown.units, "hours": hours(run, rows, zone, shown)}


def forecast_of_city(store: Store, run: ForecastRun, city: City) -> ForecastOut | None:
    """Return a city's part of a run as the API answers it.

    Parameters
    ----------
    store : Store
    run : ForecastRun
    city : City

    Returns
    -------
    ForecastOut or None
        None if the run has no values of the city.
    """
    rows = values_of(store, run, [city.id], 1, LEAD_HOURS)
    return ForecastOut.model_validate(city_content(run, city, rows, Selection())) if rows else None


def table(
    run: ForecastRun, rows: Iterable[Sequence[Any]], registry: Registry, shown: Selection
) -> list[dict[str, Any]]:
    """Return a row of a table for each city and hour.

    Parameters
    ----------
    run : ForecastRun
    rows : iterable of sequence
    registry : Registry
    shown : Selection

    Returns
    -------
    list of dict
        By `columns_of`.
    """
    fixed = {"init_time": format_time(run.init_time), "simulated": run.simulated}
    found = []
    for city, lead, *values in rows:
        time = run.init_time + timedelta(hours=lead)
        local = time.astimezone(shown.zone(registry.city(city).time_zone))
        stamps = {"city": city, "lead_time": lead, "time": format_time(time), "local_time": local.isoformat()}
        found.append(fixed | stamps | dict(zip(VALUE_COLUMNS, map(_rounded, values), strict=True)))
    return found


def feature(run: ForecastRun, city: City, rows: Sequence[Sequence[Any]], shown: Selection) -> dict[str, Any]:
    """Return a city's part of a run as a GeoJSON point, with a list of each variable.

    Parameters
    ----------
    run : ForecastRun
    city : City
    rows : sequence of sequence
    shown : Selection

    Returns
    -------
    dict
    """
    columns = list(zip(*rows, strict=True))
    properties: dict[str, Any] = city.model_dump(include={"name_zh", "name_ja", "name_en", "country", "region"})
    times = [run.init_time + timedelta(hours=lead) for lead in columns[1]]
    properties["lead_time"] = list(columns[1])
    properties["time"] = [format_time(time) for time in times]
    if shown.timezone is not None:
        properties["local_time"] = [time.astimezone(shown.zone("UTC")).isoformat() for time in times]
    kept = _value_columns(shown)
    for name, column in zip(VALUE_COLUMNS, columns[2:], strict=True):
        if name in kept:
            properties[name] = [_rounded(value) for value in column]
    place = coordinates(city)
    return point(place["longitude"], place["latitude"], city.id, properties)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
