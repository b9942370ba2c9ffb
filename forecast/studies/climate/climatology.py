"""Climatology of a city: daily values, exceedances of each country's standards, daily classes, comparison of cities.

Limits are not defined here: they are the breakpoints of the indices and bands in ``forecast/indices/breakpoints.toml``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
import xarray as xr

from hazecast.forecast.day_index import day_index
from hazecast.forecast.indices import band_steps, categories, china_standards, ozone_ppm
from hazecast.forecast.indices import day_classes as band_classes
from hazecast.forecast.products import daily_mean, local_hours, mda8
from hazecast.forecast.studies.ozone.effects import to_ppb
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City, Registry

# Valid hours required for a daily maximum, the same as for a daily mean.
_MIN_HOURS = 20
_CLASS_COLUMNS = ("standard", "value", "id", "name_zh", "name_ja", "name_en", "colour")


@dataclass(frozen=True)
class Limit:
    """Daily limit of a standard; a day above it is an exceedance.

    Attributes
    ----------
    standard : str
    item : str
        ``pm25`` and ``pm10`` (daily mean), ``o3_8h`` (highest 8-hour mean), ``ox_1h`` (highest hour).
    limit : float
    units : str
        ug m-3, or ppm for ``ox_1h``.
    rounded : bool
        Whether the value is rounded to an integer before it is compared with the limit, as China does.
    source : str
        Standard, or table of ``forecast/indices/breakpoints.toml``, that the limit comes from.
    """

    standard: str
    item: str
    limit: float
    units: str
    rounded: bool
    source: str


@lru_cache
def limits() -> tuple[Limit, ...]:
    """Return the daily limits of China (GB 3095-2012, classes 1 and 2; 2026, class 2), Japan and the WHO (2021).

    China's are the breakpoints of AQI 50 and 100, which are the limits of GB 3095's classes 1 and 2 for these three
    items; ``cn_2026_class2`` applies until the end of 2030. Class 1 of GB 3095-2026 could not be verified and is
    omitted.
    """
    old, new = (next(s for s in china_standards() if s.id == name) for name in ("HJ633-2012", "HJ633-2026"))
    china = [
        Limit(name, item, standard.tables["daily"][item][standard.index.index(index)], "ug m-3", True, standard.source)
        for name, standard, index in (
            ("cn_2012_class1", old, 50.0),
            ("cn_2012_class2", old, 100.0),
            ("cn_2026_class2", new, 100.0),
        )
        for item in ("pm25", "pm10", "o3_8h")
    ]
    bands = [
        ("jp", "pm25", "japan_pm25_day", "above_standard", "ug m-3"),
        ("jp", "ox_1h", "japan_ox_hour", "above_standard", "ppm"),
        ("who_2021", "pm25", "who_pm25_day", "it4", "ug m-3"),
        ("who_2021", "pm10", "who_pm10_day", "it4", "ug m-3"),
        ("who_2021", "o3_8h", "who_o3_8h", "it2", "ug m-3"),
    ]
    return (
        *china,
        *(
            Limit(
                name, item, next(float(s["above"]) for s in band_steps(table) if s["id"] == first), units, False, table
            )
            for name, item, table, first, units in bands
        ),
    )


STANDARDS = ("cn_2012_class1", "cn_2012_class2", "cn_2026_class2", "jp", "who_2021")


def daily_values(observations: xr.Dataset, registry: Registry, city: str) -> pd.DataFrame:
    """Return the daily values of a city that air quality standards refer to.

    Parameters
    ----------
    observations : xarray.Dataset
        Contract "observations" on ``city``, with hourly ``pm25``; ``pm10`` and ``o3`` where observed.
    registry : Registry
        Gives the city's time zone and country.
    city : str
        City id.

    Returns
    -------
    pandas.DataFrame (day)
        Consecutive local days with ``pm25``, ``pm10`` (mean of at least 20 valid hours), ``o3_8h``, ``o3_1h``, ``pm25_1h``
        (highest 8-hour mean and highest hours), ug m-3, and ``ox_1h``, ppm; NaN where a day has too few valid hours.

    Raises
    ------
    InputError
        If the city is not in the observations or has no PM2.5.
    """
    cities = [str(name) for name in observations["city"].values]
    if city not in cities:
        raise InputError("city", city, f"one of {cities}, which were observed")
    here = observations.sel(city=[city])
    if "pm25" not in here or not bool(here["pm25"].notnull().any()):
        raise InputError(f"{city}: pm25", "no observed value", "hourly PM2.5")
    found = {
        name: _column(daily_mean(here, registry, name, minimum_hours=_MIN_HOURS), name)
        for name in ("pm25", "pm10")
        if name in here
    }
    dates, _ = local_hours(here, registry)
    for name in ("pm25", "o3"):
        if name in here:
            hourly = pd.Series(here[name].values[:, 0].astype(float)).groupby(dates[:, 0])
            found[f"{name}_1h"] = hourly.max().where(hourly.count() >= _MIN_HOURS)
    if "o3" in here:
        found["o3_8h"] = _column(mda8(here, registry), "o3")
    table = pd.DataFrame({name: found.get(name, np.nan) for name in ("pm25", "pm10", "o3_8h", "o3_1h", "pm25_1h")})
    table["ox_1h"] = np.nan
    table = table.asfreq("D").rename_axis("day")
    # China reported gases at a different reference state until 2018: see `to_ppb`.
    if registry.city(city).country == "CN":
        table["ox_1h"] = (to_ppb(table["o3_1h"], "o3") / 1000.0).round(9)
    else:
        table["ox_1h"] = ozone_ppm(table["o3_1h"])
    return table


def days_in_year(table: pd.DataFrame, year: int) -> pd.DataFrame:
    """Return the days of a calendar year.

    Parameters
    ----------
    table : pandas.DataFrame (day)
        From `daily_values`.
    year : int
        Calendar year, local time.

    Returns
    -------
    pandas.DataFrame (day)
        The rows of that year.

    Raises
    ------
    InputError
        If none of them has PM2.5; the message lists the years that have.
    """
    years = pd.DatetimeIndex(table.index).year
    if not table.loc[years == year, "pm25"].notna().any():
        known = sorted({int(y) for y in years[table["pm25"].notna()]})
        raise InputError("year", year, f"one with days of PM2.5: {known or 'there is none'}")
    return table[years == year]


def exceedance_days(days: pd.DataFrame) -> pd.DataFrame:
    """Count the days above each daily limit of `limits`.

    Parameters
    ----------
    days : pandas.DataFrame (day)
        From `daily_values`.

    Returns
    -------
    pandas.DataFrame (standard, item)
        ``limit``, ``units``, ``valid_days`` and ``days_above``; item ``any`` counts the days on which at least one
        item exceeds its limit, out of the days on which at least one is known. Only observed days are counted.
    """
    rows = []
    for standard in STANDARDS:
        own = [one for one in limits() if one.standard == standard]
        values = days[[one.item for one in own]]
        compared = pd.DataFrame(
            {one.item: values[one.item].round() if one.rounded else values[one.item] for one in own}
        )
        above = pd.DataFrame({one.item: compared[one.item] > one.limit for one in own})
        for one in own:
            count = int(values[one.item].notna().sum())
            rows.append((standard, one.item, one.limit, one.units, count, int(above[one.item].sum())))
        known = int(values.notna().any(axis=1).sum())
        rows.append((standard, "any", np.nan, "", known, int(above.any(axis=1).sum())))
    columns = ["standard", "item", "limit", "units", "valid_days", "days_above"]
    return pd.DataFrame(rows, columns=columns).set_index(["standard", "item"])


def day_classes(days: pd.DataFrame, city: City) -> pd.DataFrame:
    """Return the class of each day in the index of the city's own country.

    Only PM2.5 and ozone are rated, as in forecasts (`hazecast.forecast.daily.day_index`): a day with much coarse dust
    may have a higher AQI than this.

    Parameters
    ----------
    days : pandas.DataFrame (day)
        From `daily_values`.
    city : City
        Its country selects the index.

    Returns
    -------
    pandas.DataFrame (day)
        ``standard``, ``value`` (index), ``id``, ``name_zh``, ``name_ja``, ``name_en``, ``colour`` and ``primary``
        (pollutants that determine the class); missing values where neither pollutant is known.
    """
    rows = []
    for day, values in zip(days.index, days[["pm25", "o3_8h", "o3_1h", "pm25_1h"]].to_numpy(float), strict=True):
        found = day_index(city, np.datetime64(day), *map(float, values))
        rows.append({} if found is None else asdict(found) | {"primary": " ".join(found.primary)})
    return pd.DataFrame(rows, index=days.index, columns=[*_CLASS_COLUMNS, "primary"])


def count_class_days(classes: pd.DataFrame) -> pd.DataFrame:
    """Count the days of each class that occurs.

    Returns one row a class (id), the lowest first: ``name_zh``, ``name_ja``, ``name_en``, ``colour``, ``days``.
    """
    order = [one.id for index in ("china", "us") for one in categories(index)]
    order += [one.id for standard in ("japan", "korea", "europe", "who") for one in band_classes(standard)]
    known = classes.dropna(subset=["id"])
    found = known.groupby("id")[["name_zh", "name_ja", "name_en", "colour"]].first()
    return found.assign(days=known["id"].value_counts()).sort_index(key=lambda ids: ids.map(order.index))


def monthly_statistics(days: pd.DataFrame) -> pd.DataFrame:
    """Return monthly statistics of daily values: ``days`` with PM2.5, mean ``pm25`` and mean ``o3_8h``, ug m-3."""
    groups = days.groupby(pd.DatetimeIndex(days.index).month)
    table = groups[["pm25", "o3_8h"]].mean()
    table.insert(0, "days", groups["pm25"].count())
    return table.rename_axis("month")


def compare_cities(
    cities: Mapping[str, pd.DataFrame],
    year: int,
    episodes: Mapping[str, pd.DataFrame],
    registry: Registry,
) -> pd.DataFrame:
    """Compare the year's statistics of several cities, one row a city.

    Parameters
    ----------
    cities : mapping of str to pandas.DataFrame
        By city id, from `daily_values`; a city without PM2.5 in the year gets a row of missing values.
    year : int
        Calendar year, local time.
    episodes : mapping of str to pandas.DataFrame
        By city id, the year's, from `hazecast.forecast.studies.climate.episodes.find_episodes`.
    registry : Registry
        Gives each city's region.

    Returns
    -------
    pandas.DataFrame (city)
        ``region``, ``pm25_days`` (valid days), ``pm25_mean`` (ug m-3, of those days), days with PM2.5
        ``above_`` each standard, ``episodes`` and their ``episode_hours``.
    """
    rows = {}
    for city, table in cities.items():
        days = table[pd.DatetimeIndex(table.index).year == year] if len(table) else table
        row: dict[str, object] = {"region": registry.city(city).region, "pm25_days": 0}
        if len(days) and days["pm25"].notna().any():
            above = exceedance_days(days)["days_above"]
            row |= {"pm25_days": int(days["pm25"].notna().sum()), "pm25_mean": float(days["pm25"].mean())}
            row |= {f"above_{standard}": int(above[standard, "pm25"]) for standard in STANDARDS}
            row |= {"episodes": len(episodes[city]), "episode_hours": int(episodes[city]["hours_above"].sum())}
        rows[city] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("city")


def annual_mean_is_valid(days: pd.Series) -> bool:
    """Return whether daily means suffice for an annual mean.

    GB 3095-2012, clause 6.4 (from memory): 324 days of the year, and 27 of each month (25 of February).

    Parameters
    ----------
    days : pandas.Series (day)
        Of one year; NaN where a day is not valid.

    Returns
    -------
    bool

    Examples
    --------
    >>> days = pd.Series(50.0, pd.date_range("2014-01-01", "2014-12-31"))
    >>> annual_mean_is_valid(days), annual_mean_is_valid(days[5:])
    (True, False)
    """
    known = days.dropna()
    months = known.groupby(pd.DatetimeIndex(known.index).month).size()
    enough = all(months.get(month, 0) >= (25 if month == 2 else 27) for month in range(1, 13))
    return len(known) >= 324 and enough


def city_with_partners(city: str, registry: Registry) -> Sequence[str]:
    """Return a city and the cities of its region's cooperation partners.

    Parameters
    ----------
    city : str
        City id.
    registry : Registry
        Gives regions and their partners.

    Returns
    -------
    sequence of str
        City ids, `city` first.
    """
    region = registry.regions.get(registry.city(city).region)
    if region is None:
        return [city]
    others = [name for partner in region.partners for name in registry.regions[partner].cities]
    return [city, *(name for name in others if name != city)]


def _column(daily: xr.Dataset, name: str) -> pd.Series:
    return pd.Series(daily[name].values[:, 0], index=pd.DatetimeIndex(daily["date"].values))
