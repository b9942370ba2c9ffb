"""``hazecast study climatology`` and ``study episodes``: climatology of a city."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from hazecast.services.research.studies.asking import Observed, Option, study
from hazecast.services.research.studies.observations import Observations
from hazecast.services.research.studies.result import Result

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from hazecast.grids.observations.collections import MonitorData
    from hazecast.grids.places.cities import Registry

# No episode lasts that long: all hours of a longer record are above a threshold in another unit.
_MONTH_H = 720
CityId = Annotated[str, Option("City of the collection.")]
Threshold = Annotated[float | None, Option("ug m-3; default: China's heavy pollution, 150.")]
GapHours = Annotated[int, Option("Hours below (or missing) that an episode survives.")]
LeastHours = Annotated[int, Option("Hours above that make an episode.")]


@study
def climatology(
    observations: Annotated[Observations, Observed("Of the city, and of those to compare it with.")],
    city: CityId,
    year: Annotated[int, Option("Calendar year, of the city's own time.")],
    partners: Annotated[bool, Option("Compare with the city's partners.")] = False,
    beside: Annotated[list[str] | None, Option("Another city to compare with; may be repeated.")] = None,
    official_haze_days: Annotated[
        int | None,
        Option("The year's official count, where it is not known here; haze days are shown beside it only.", least=0),
    ] = None,
) -> Result:
    """A city's year: calendar, days above standards, months, trend; comparison with other cities."""
    from hazecast.forecast.studies.climate import climatology as study
    from hazecast.forecast.studies.climate import plots

    registry = observations.registry
    chosen = list(dict.fromkeys([*(study.city_with_partners(city, registry) if partners else [city]), *(beside or ())]))
    for one in chosen:
        registry.city(one)
    data = observations.cities(chosen)
    # First the city itself: without it there is no study, and the error names the cities that were observed.
    days = study.daily_values(data.observations, registry, city)
    of_year = study.days_in_year(days, year)
    classes = study.day_classes(of_year, registry.city(city))
    observed = [one for one in chosen if _has_pm25(data.observations, one)]
    result = Result(
        {
            "city": city,
            "year": year,
            "pm25_days": int(of_year["pm25"].notna().sum()),
            "pm25_mean_ug_m3": float(of_year["pm25"].mean()),
            "pm25_mean_is_valid_for_the_year": study.annual_mean_is_valid(of_year["pm25"]),
            **_haze_days(data, registry, city, year, official_haze_days),
            "cities_without_data": [one for one in chosen if one not in observed],
        },
        {
            "exceedances": study.exceedance_days(of_year),
            "classes": study.count_class_days(classes)[["name_en", "days"]],
            "months": study.monthly_statistics(of_year),
            "cities": _compared(data, registry, observed, year).T,
        },
        {"calendar": plots.calendar(classes, f"{registry.city(city).name_en} {year}")},
    )
    result.printed = tuple(result.tables)
    result.tables["days"] = days.join(study.day_classes(days, registry.city(city)))
    _add_trend(days["pm25"], result)
    return result


def _compared(data: MonitorData, registry: Registry, cities: list[str], year: int) -> pd.DataFrame:
    from hazecast.forecast.studies.climate.climatology import compare_cities, daily_values

    tables = {city: daily_values(data.observations, registry, city) for city in cities}
    episodes = {city: _episodes_of_year(data.observations, city, registry, year) for city in cities}
    return compare_cities(tables, year, episodes, registry)


@study
def episodes(
    observations: Annotated[Observations, Observed("Of the city, and of those to compare it with.")],
    city: CityId,
    pollutant: Annotated[str, Option("pm25, or another with --threshold.")] = "pm25",
    threshold: Threshold = None,
    gap: GapHours = 12,
    least: LeastHours = 12,
) -> Result:
    """Catalogue of episodes: start, end, peak, mean and hours above a threshold."""
    from hazecast.forecast.studies.climate import plots
    from hazecast.forecast.studies.climate.episodes import find_episodes, heavy_pollution
    from hazecast.grids.errors import InputError

    registry = observations.registry
    registry.city(city)
    data = observations.cities([city])
    hourly = _hourly(data.observations, city, pollutant)
    if threshold is None and pollutant != "pm25":
        raise InputError("--threshold", None, f"a number, ug m-3, for {pollutant}")
    limit = heavy_pollution() if threshold is None else threshold
    known = hourly.dropna()
    if len(known) >= _MONTH_H and (known > limit).all():
        raise InputError("--threshold", limit, f"ug m-3; each of {len(known)} hours is above it")
    found = find_episodes(hourly, threshold=limit, gap_hours=gap, least_hours=least)
    summary = {
        "city": city,
        "pollutant": pollutant,
        "threshold_ug_m3": limit,
        "hours_observed": int(hourly.notna().sum()),
        "hours_missing": int(hourly.isna().sum()),
        "hours_above": int((hourly > limit).sum()),
        "hours_above_in_episodes": int(found["hours_above"].sum()),
        "episodes": len(found),
        "times": "UTC; start is the beginning of the first hour, the others the end of an hour",
    }
    figure = plots.episodes(hourly, found, limit, f"{pollutant}, µg m$^{{-3}}$")
    return Result(summary, {"episodes": found}, {"episodes": figure}, printed=("episodes",))


def _has_pm25(observations: xr.Dataset, city: str) -> bool:
    here = city in observations["city"].values and "pm25" in observations
    return here and bool(observations["pm25"].sel(city=city).notnull().any())


def _hourly(observations: xr.Dataset, city: str, pollutant: str) -> pd.Series:
    from hazecast.grids.errors import InputError

    cities = [str(name) for name in observations["city"].values]
    if city not in cities:
        raise InputError("city", city, f"one of {cities}, which were observed")
    if pollutant not in observations or not bool(observations[pollutant].sel(city=city).notnull().any()):
        known = [str(name) for name in observations if bool(observations[name].sel(city=city).notnull().any())]
        raise InputError("pollutant", pollutant, f"one of {known}, which were observed in {city}")
    return observations[pollutant].sel(city=city).to_series().astype(float)


def _episodes_of_year(observations: xr.Dataset, city: str, registry: Registry, year: int) -> pd.DataFrame:
    from hazecast.forecast.studies.climate.episodes import episodes_beginning_in, find_episodes

    hourly = _hourly(observations, city, "pm25")
    return episodes_beginning_in(find_episodes(hourly), year, registry.city(city).time_zone)


def _haze_days(data: MonitorData, registry: Registry, city: str, year: int, given: int | None) -> dict[str, Any]:
    """Return the year's haze days beside definition and official count, or why they are not known; nothing without a count."""
    from hazecast.forecast.haze_days import DEFINITION, haze_days
    from hazecast.forecast.studies.climate.official_haze_days import OfficialHazeDays, official_haze_days
    from hazecast.grids.errors import InputError

    known = official_haze_days(city, year)
    official = known if given is None else OfficialHazeDays(given, "as given", "--official-haze-days")
    if official is None:
        return {}
    if data.weather is None:
        return {"haze_days": "not known: the collection has no weather"}
    try:
        found = haze_days(data.observations.sel(city=[city]), data.weather, registry, year).sel(city=city)
    except InputError as error:
        return {"haze_days": f"not known: {error}"}
    return {
        "haze_days": f"{int(found['haze_days'])} of {int(found['observed_days'])} observed days; official: {official.days}",
        "haze_days_definition": DEFINITION,
        "official_haze_days_definition": f"{official.definition}; {official.source}",
    }


def _add_trend(pm25: pd.Series, result: Result) -> None:
    """Add the trend over all years, or why there is none, to the result."""
    from hazecast.forecast.studies.climate import plots
    from hazecast.forecast.studies.climate.seasonal_trend import seasonal_trend
    from hazecast.grids.errors import InputError

    try:
        found = seasonal_trend(pm25)
    except InputError as error:
        result.summary["trend"] = (
            f"none: {error.where.removeprefix('trend: ')} {error.found}, expected {error.expected}"
        )
        return
    result.figures["trend"] = plots.trend(pm25, found, "PM2.5, µg m$^{-3}$")
    result.summary |= {
        "trend_months": f"{found.first} to {found.last}",
        "trend_ug_m3_a_year": list(asdict(found.slope).values()),
        "trend_percent_a_year": list(asdict(found.relative).values()),
    }
