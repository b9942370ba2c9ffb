"""A bulletin as data: a CSV table and a CF Dataset."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator

import numpy as np
import xarray as xr

from hazecast.alerts.bulletin.content import Bulletin, Day
from hazecast.alerts.messages.texts import catalog
from hazecast.forecast.daily import DayCheck
from hazecast.forecast.haze_grades import HAZE_GRADES
from hazecast.grids.places.cities import City
from hazecast.grids.times import format_time, to_datetime

# The columns of the CSV; docs/bulletin.md describes them.
COLUMNS = (
    "kind", "city", "city_name", "country", "date", "pm25_mean_ug_m3", "pm25_mean_low_ug_m3", "pm25_mean_high_ug_m3",
    "pm25_max_ug_m3", "o3_mda8_ug_m3", "o3_mda8_low_ug_m3", "o3_mda8_high_ug_m3", "o3_max_ug_m3", "aqi", "category",
    "category_colour", "index_standard", "visibility_min_m", "haze_grade", "haze_grade_name", "pm25_observed_hours",
    "warnings", "pm25_mean_observed_ug_m3", "o3_mda8_observed_ug_m3", "pm25_mean_error_ug_m3", "pm25_standard_ug_m3",
    "outcome", "init_time_utc", "simulated", "degraded", "stale",
)  # fmt: skip


def as_csv(bulletin: Bulletin, language: str) -> bytes:
    """Return a bulletin as CSV (RFC 4180): a row for each city and day, and one for yesterday's verification.

    UTF-8 with a byte order mark: without it, Excel on a Chinese or Japanese Windows reads the file in the
    system's code page and spoils the names.

    Parameters
    ----------
    bulletin : Bulletin
    language : {"zh", "ja", "en"}
        Of names.

    Returns
    -------
    bytes
        Columns as in `COLUMNS`; a value that is not known is an empty field.

    Raises
    ------
    InputError
        If the language is not known.
    """
    words = catalog(language)
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, COLUMNS, restval="", lineterminator="\r\n")
    writer.writeheader()
    run = {
        "init_time_utc": f"{bulletin.init_time:%Y-%m-%dT%H:%MZ}",
        "simulated": int(bulletin.state.simulated),
        "degraded": int(bulletin.state.degraded),
        "stale": int(bulletin.state.stale),
    }
    for row in _rows(bulletin, words.language):
        writer.writerow(run | row)
    return b"\xef\xbb\xbf" + buffer.getvalue().encode("utf-8")


def _rows(bulletin: Bulletin, language: str) -> Iterator[dict[str, object]]:
    cities = {city.id: city for city in (*bulletin.days, *bulletin.missing)}
    for check in bulletin.checks:
        yield _place(cities[check.city], language) | _check_row(check)
    for city, days in bulletin.days.items():
        for day in days:
            yield _place(city, language) | _day_row(bulletin, city, day, language)
    for city in bulletin.missing:
        yield _place(city, language) | {"kind": "missing"}


def _place(city: City, language: str) -> dict[str, object]:
    return {"city": city.id, "city_name": getattr(city, f"name_{language}"), "country": city.country}


def _day_row(bulletin: Bulletin, city: City, day: Day, language: str) -> dict[str, object]:
    index = day.index
    return {
        "kind": "forecast",
        "date": str(day.date.astype("datetime64[D]")),
        **_three("pm25_mean", day.pm25),
        "pm25_max_ug_m3": _number(day.pm25_max),
        **_three("o3_mda8", day.o3),
        "o3_max_ug_m3": _number(day.o3_max),
        "aqi": "" if index is None or index.value is None else index.value,
        "category": "" if index is None else getattr(index, f"name_{language}"),
        "category_colour": "" if index is None else index.colour,
        "index_standard": "" if index is None else index.standard,
        "visibility_min_m": f"{day.visibility:.0f}" if np.isfinite(day.visibility) else "",
        "haze_grade": "" if day.haze < 0 else day.haze,
        "haze_grade_name": HAZE_GRADES[day.haze][language],
        "pm25_observed_hours": day.observed_hours,
        "warnings": ";".join(f"{n.rules.id}:{n.warning.level}" for n in bulletin.notices_on(city, day.date)),
    }


def _check_row(check: DayCheck) -> dict[str, object]:
    return {
        "kind": "verification",
        "date": str(check.date.astype("datetime64[D]")),
        **_three("pm25_mean", check.pm25),
        **_three("o3_mda8", check.o3),
        "pm25_mean_observed_ug_m3": _number(check.pm25_observed),
        "o3_mda8_observed_ug_m3": _number(check.o3_observed),
        "pm25_mean_error_ug_m3": _number(check.pm25[1] - check.pm25_observed),
        "pm25_standard_ug_m3": _number(check.limit),
        "outcome": check.outcome,
        # That of the forecast which is verified, not of the newest.
        "init_time_utc": f"{to_datetime(check.init_time):%Y-%m-%dT%H:%MZ}",
    }


def _three(name: str, values: tuple[float, float, float]) -> dict[str, str]:
    low, middle, high = map(_number, values)
    return {f"{name}_ug_m3": middle, f"{name}_low_ug_m3": low, f"{name}_high_ug_m3": high}


def _number(value: float) -> str:
    return f"{value:.1f}" if np.isfinite(value) else ""


def as_dataset(bulletin: Bulletin, forecast: xr.Dataset) -> xr.Dataset:
    """Return the cities' part of a forecast with the daily products beside it.

    Parameters
    ----------
    bulletin : Bulletin
    forecast : xarray.Dataset
        The one that it was made of.

    Returns
    -------
    xarray.Dataset
        CF-1.11. The forecast's own variables (lead_time, city[, quantile]); those of
        `hazecast.forecast.daily.daily_outlook` with the prefix ``daily_``, (date, city) and ``daily_pm25_mean`` and
        ``daily_o3_mda8`` (date, city, bound); ``daily_aqi`` (date, city), NaN where a country has none;
        ``latitude``, ``longitude``, names and time zone of each city. Warnings, verification and state are global
        attributes, the first two as JSON.
    """
    cities = list(bulletin.days)
    ids = [city.id for city in cities]
    # An axis and names of their own: the forecast's quantiles are five, and its means hourly.
    daily = bulletin.outlook.rename({str(name): f"daily_{name}" for name in bulletin.outlook.data_vars})
    result = forecast.sel(city=ids).merge(daily.rename(quantile="bound") if ids else daily)
    if ids:
        aqi = np.full((result.sizes["date"], len(ids)), np.nan)
        for c, city in enumerate(cities):
            for day in bulletin.days[city]:
                at = int(np.flatnonzero(result["date"].values == day.date)[0])
                aqi[at, c] = np.nan if day.index is None or day.index.value is None else day.index.value
        result["daily_aqi"] = (("date", "city"), aqi, {"units": "1", "long_name": "air quality index of HJ 633"})
        result["date"].attrs["long_name"] = "calendar day of the city's own time"
        result["bound"].attrs |= {"long_name": "low, middle and high: probability of non-exceedance", "units": "1"}
    place: dict[str, tuple[str, list[object], dict[str, str]]] = {
        "latitude": ("city", [c.latitude for c in cities], {"standard_name": "latitude", "units": "degrees_north"}),
        "longitude": ("city", [c.longitude for c in cities], {"standard_name": "longitude", "units": "degrees_east"}),
        "name_en": ("city", [c.name_en for c in cities], {"long_name": "name of the city"}),
        "name_zh": ("city", [c.name_zh for c in cities], {"long_name": "name of the city"}),
        "name_ja": ("city", [c.name_ja for c in cities], {"long_name": "name of the city"}),
        "time_zone": ("city", [c.time_zone for c in cities], {"long_name": "IANA time zone of the calendar days"}),
    }
    result = result.assign_coords(place)
    for name, label in _LONG_NAMES.items():
        if f"daily_{name}" in result:
            result[f"daily_{name}"].attrs["long_name"] = label
    return result.assign_attrs(_attributes(bulletin))


_LONG_NAMES = {
    "pm25_mean": "daily mean of PM2.5",
    "pm25_max": "highest hourly median of PM2.5 of the day",
    "o3_mda8": "daily maximum 8-hour mean of ozone",
    "o3_max": "highest hourly median of ozone of the day",
    "visibility_min": "lowest visibility of the day's forecast hours",
    "haze_grade": "haze grade by QX/T 113-2010 (5: below 1 km) that lasts six hours, -1 where not known",
    "observed_hours": "hours of PM2.5 of the day that were observed",
}


def _attributes(bulletin: Bulletin) -> dict[str, object]:
    state = bulletin.state
    mark = " from SIMULATED input, EXERCISE" if state.simulated else ""
    return {
        "Conventions": "CF-1.11",
        "title": f"Hazecast daily bulletin{mark}",
        "simulated": int(state.simulated),
        "degraded": int(state.degraded),
        "stale": int(state.stale),
        "as_of": format_time(bulletin.at),
        "cities_without_forecast": " ".join(city.id for city in bulletin.missing),
        "warnings_in_force": json.dumps(
            [n.warning.model_dump(mode="json", exclude={"evidence"}) for n in bulletin.notices], ensure_ascii=False
        ),
        "verification": json.dumps([{"city": check.city} | _check_row(check) for check in bulletin.checks]),
    }
