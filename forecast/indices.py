"""Air-quality indices: China's AQI, the United States' AQI with NowCast, Japan's and the WHO's bands.

The numbers are data (``breakpoints.toml``), each with its source. China's index has two standards: every
result says which one it was reckoned by.

Rounding. China: published copies of HJ 633 differ on the concentration, and the text was not available.
Chosen here: the concentration is first rounded to the precision it is published with (1 ug m-3, CO 0.1
mg m-3; half to even, the rule of GB/T 8170), then the sub-index is rounded up to a whole number. United
States: the concentration is truncated, the index rounded half up (EPA-454/B-24-002).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from hazecast.forecast.products import daily_mean, mda8
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import Registry

Report = Literal["daily", "hourly"]
Values = npt.NDArray[np.float64]

# Names of the items of a report; "o3" of a daily report is its daily maximum 8-hour mean.
_MG_ITEMS = {"co": 1000.0}
_EPSILON = 1e-9


@dataclass(frozen=True)
class Category:
    """A class of an index: the highest index in it, names and the standard's colour."""

    upto: int
    id: str
    name_zh: str
    name_ja: str
    name_en: str
    colour: str


@dataclass(frozen=True)
class ChinaStandard:
    """One version of HJ 633: in force from `start` (included) to `end` (excluded), aware UTC or open."""

    id: str
    start: datetime | None
    end: datetime | None
    index: tuple[float, ...]
    tables: Mapping[Report, Mapping[str, tuple[float, ...]]]
    source: str


@dataclass(frozen=True)
class DayClass:
    """A class that Japan's standards and alerts make of a day: the bands in it, by item; names and colour."""

    id: str
    name_zh: str
    name_ja: str
    name_en: str
    colour: str
    bands: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class IndexResult:
    """An index with what it rests on.

    Attributes
    ----------
    value : int or None
        None where no item was known.
    standard : str
    category : Category or None
    parts : dict of str to int
        The sub-index of each item known.
    primary : tuple of str
        The items that reach the index, if it is above 50: all of them where several tie.
    """

    value: int | None
    standard: str
    category: Category | None
    parts: Mapping[str, int]
    primary: tuple[str, ...]


@lru_cache
def _tables() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("breakpoints.toml").read_text(encoding="utf-8"))


@lru_cache
def china_standards() -> tuple[ChinaStandard, ...]:
    """Return the versions of HJ 633, oldest first."""
    return tuple(
        ChinaStandard(
            id=table["id"],
            start=table.get("from"),
            end=table.get("until"),
            index=tuple(map(float, table["index"])),
            tables={
                "daily": {k: tuple(map(float, v)) for k, v in table["daily"].items()},
                "hourly": {k: tuple(map(float, v)) for k, v in table["hourly"].items()},
            },
            source=table["source"],
        )
        for table in _tables()["china"]
    )


def china_standard(when: datetime) -> ChinaStandard:
    """Return the version in force at `when`.

    An hour or a day belongs to the version in force when it begins: 2026-03-01 00:00 Beijing time is the
    first moment of HJ 633-2026.

    Raises
    ------
    InputError
        If `when` has no time zone.
    """
    if when.tzinfo is None:
        raise InputError("index: time", when, "a time with a time zone")
    return next(
        s
        for s in china_standards()
        if (s.start is None or when >= s.start) and (s.end is None or when < s.end)
    )  # fmt: skip


@lru_cache
def categories(index: Literal["china", "us"]) -> tuple[Category, ...]:
    """Return the classes of an index, lowest first."""
    return tuple(Category(**table) for table in _tables()[f"{index}_categories"])


def category_of(index: Literal["china", "us"], value: float) -> Category:
    """Return the class that an index belongs to; above 500 the highest."""
    found = categories(index)
    return next((c for c in found if value <= c.upto), found[-1])


@lru_cache
def japan_day_classes() -> tuple[DayClass, ...]:
    """Return the classes of a day in Japan, lowest first."""
    return tuple(
        DayClass(**(table | {"bands": {item: tuple(ids) for item, ids in table["bands"].items()}}))
        for table in _tables()["japan_day_classes"]
    )


def _checked(item: str, concentration: npt.ArrayLike) -> Values:
    values = np.asarray(concentration, dtype=np.float64)
    if np.any(values < 0.0) or np.any(np.isinf(values)):
        raise InputError(f"index: {item}", f"{np.nanmin(values)} to {np.nanmax(values)}", "finite values of 0 or more")
    return values


def china_sub_index(
    item: str, concentration: npt.ArrayLike, standard: ChinaStandard, report: Report = "daily"
) -> Values:
    """Return the individual index (IAQI) of one item.

    Parameters
    ----------
    item : str
        Of a daily report pm25, pm10, o3_8h, so2, no2, co (24-hour means; ozone the daily maximum of 8-hour
        means); of an hourly report pm25, pm10, o3, so2, no2, co (1-hour means; PM by the table of 24 h).
    concentration : array_like
        ug m-3, carbon monoxide too (the contract's unit; the standard's mg m-3 is reckoned inside).
    standard : ChinaStandard
    report : {"daily", "hourly"}

    Returns
    -------
    numpy.ndarray of float64
        Whole numbers, NaN where the concentration is NaN; 500 above the highest breakpoint. O3 8 h above
        800 ug m-3 stops at 300 and SO2 1 h above 800 at 200: the standard then goes by the other mean.

    Raises
    ------
    InputError
        If the item isn't one of the report's, or a concentration is negative or infinite.
    """
    table = standard.tables[report]
    if item not in table:
        raise InputError(f"{standard.id}, {report} report: item", item, f"one of {sorted(table)}")
    values = _checked(item, concentration)
    rounded = np.round(values / _MG_ITEMS[item], 1) if item in _MG_ITEMS else np.round(values)
    points = table[item]
    raw = np.interp(rounded, points, standard.index[: len(points)])
    # The tolerance keeps 100.00000000000001, an artefact of the division, from becoming 101.
    return np.asarray(np.where(np.isnan(values), np.nan, np.ceil(raw - _EPSILON)), dtype=np.float64)


def china_aqi(concentrations: Mapping[str, float], when: datetime, report: Report = "daily") -> IndexResult:
    """Return China's AQI of one place.

    Parameters
    ----------
    concentrations : mapping of str to float
        By item as in `china_sub_index`, ug m-3; NaN where missing.
    when : datetime
        Aware: the beginning of the day or hour; it chooses the standard.
    report : {"daily", "hourly"}
    """
    standard = china_standard(when)
    parts = {
        item: int(index)
        for item, value in concentrations.items()
        if not np.isnan(index := float(china_sub_index(item, value, standard, report)))
    }
    return _combined("china", standard.id, parts)


def _combined(index: Literal["china", "us"], standard: str, parts: dict[str, int]) -> IndexResult:
    if not parts:
        return IndexResult(None, standard, None, {}, ())
    value = max(parts.values())
    primary = tuple(sorted(k for k, v in parts.items() if v == value)) if value > 50 else ()
    return IndexResult(value, standard, category_of(index, value), parts, primary)


def china_daily_report(dataset: xr.Dataset, registry: Registry) -> xr.Dataset:
    """Return the AQI of each day of each city's own time zone, from a forecast or observations.

    Parameters
    ----------
    dataset : xarray.Dataset
        Contract "forecast" (the median is taken; it holds PM2.5 and ozone only, so its AQI is at least
        this) or "observations".
    registry : Registry

    Returns
    -------
    xarray.Dataset
        ``aqi`` (date, city), NaN where no item has a valid day; ``iaqi`` (item, date, city); ``standard``
        (date), the id of the version in force when the day begins in Beijing.
    """
    means = {
        name: daily_mean(dataset, registry, name)[name]
        for name in ("pm25", "pm10", "so2", "no2", "co")
        if name in dataset.data_vars
    }
    if "o3" in dataset.data_vars:
        means["o3_8h"] = mda8(dataset, registry)["o3"]
    if not means:
        raise InputError("daily report: variables", sorted(map(str, dataset.data_vars)), "a pollutant of the AQI")
    first = next(iter(means.values()))
    begins = pd.DatetimeIndex(first["date"].values).tz_localize("Asia/Shanghai")
    standards = [china_standard(day.to_pydatetime()) for day in begins]
    parts = np.full((len(means), first.sizes["date"], first.sizes["city"]), np.nan)
    for i, (item, array) in enumerate(means.items()):
        for d, standard in enumerate(standards):
            parts[i, d] = china_sub_index(item, array.values[d], standard)
    known = np.isfinite(parts).any(axis=0)
    aqi = np.where(known, np.max(np.where(np.isfinite(parts), parts, -1.0), axis=0), np.nan)
    return xr.Dataset(
        {
            "aqi": (("date", "city"), aqi, {"units": "1", "items": " ".join(means)}),
            "iaqi": (("item", "date", "city"), parts, {"units": "1"}),
            "standard": ("date", [s.id for s in standards]),
        },
        coords={"item": list(means), "date": first["date"].values, "city": first["city"].values},
    )


def ozone_ppm(
    mass: npt.ArrayLike, *, temperature: float = 298.15, pressure: float = 101_325.0
) -> npt.NDArray[np.float64]:
    """Convert ozone from ug m-3 to ppm by volume at a reference state.

    Parameters
    ----------
    mass : array_like
        ug m-3.
    temperature, pressure : float
        Of the reference state, K and Pa; 298.15 K and 1013.25 hPa give 1 ppb = 1.962 ug m-3.
    """
    molar_volume = 8.314462618 * temperature / pressure  # m3 mol-1
    return np.asarray(np.round(np.asarray(mass, dtype=np.float64) * molar_volume / 47.998, 9), dtype=np.float64)


def us_sub_index(item: str, concentration: npt.ArrayLike) -> Values:
    """Return the United States' AQI of one pollutant (EPA-454/B-24-002, equation 1).

    Parameters
    ----------
    item : {"pm25", "pm10", "o3_8h", "o3_1h"}
        24-hour means (or NowCast) of PM, ozone by 8 or 1 hour.
    concentration : array_like
        ug m-3; ozone in ppm. Truncated to the table's decimals.

    Returns
    -------
    numpy.ndarray of float64
        Whole numbers; NaN where the table gives no index (1-hour ozone below 0.125 ppm, 8-hour ozone above
        0.200 ppm) or the concentration is NaN; 500 above the top.
    """
    us = _tables()["us"]
    if item not in us or not isinstance(us[item], dict):
        raise InputError("US AQI: item", item, "pm25, pm10, o3_8h or o3_1h")
    values = _checked(item, concentration)
    scale = 10.0 ** us[item]["decimals"]
    truncated = np.floor(values * scale + 1e-6) / scale
    result = np.full(values.shape, np.nan)
    segments = us[item]["segments"]
    half_step = 0.5 / scale
    for low, high, index_low, index_high in segments:
        inside = (truncated >= low - half_step) & (truncated < high + half_step)
        slope = (index_high - index_low) / (high - low)
        result = np.where(inside, np.floor(index_low + slope * (truncated - low) + 0.5 + _EPSILON), result)
    if segments[-1][3] == 500:
        result = np.where(truncated >= segments[-1][1] + half_step, 500.0, result)
    return np.asarray(result, dtype=np.float64)


def us_aqi(concentrations: Mapping[str, float]) -> IndexResult:
    """Return the United States' AQI of one place: the highest of `us_sub_index` over its items."""
    parts = {
        item: int(index)
        for item, value in concentrations.items()
        if not np.isnan(index := float(us_sub_index(item, value)))
    }
    return _combined("us", str(_tables()["us"]["id"]), parts)


def nowcast_pm(hourly: npt.ArrayLike) -> Values:
    """Return the PM NowCast: the weighted mean of the last 12 hours (US EPA, "PM NowCast").

    The weight factor is the least over the greatest concentration, at least 0.5; hour i ago weighs its
    i-th power. Missing hours are left out of both sums; two of the last three hours must be valid.

    Parameters
    ----------
    hourly : array_like, (..., 12)
        ug m-3, oldest first, the last is the current hour; NaN where missing.

    Returns
    -------
    numpy.ndarray, (...)
        ug m-3, not truncated (`us_sub_index` does); NaN where too few hours are valid.

    Raises
    ------
    InputError
        If the last axis isn't 12 long or a concentration is negative.
    """
    values = _checked("NowCast", hourly)
    if values.ndim == 0 or values.shape[-1] != 12:
        raise InputError("NowCast: hours", values.shape, "12 in the last axis")
    newest_first = values[..., ::-1]
    valid = np.isfinite(newest_first)
    highest = np.max(np.where(valid, newest_first, 0.0), axis=-1)
    lowest = np.min(np.where(valid, newest_first, np.inf), axis=-1)
    ratio = np.where(highest > 0.0, np.minimum(lowest, highest) / np.where(highest > 0.0, highest, 1.0), 1.0)
    weights = np.maximum(ratio, 0.5)[..., None] ** np.arange(12)
    total = np.where(valid, weights * np.where(valid, newest_first, 0.0), 0.0).sum(axis=-1)
    mean = total / np.maximum(np.where(valid, weights, 0.0).sum(axis=-1), 1e-12)
    return np.asarray(np.where(valid[..., :3].sum(axis=-1) >= 2, mean, np.nan), dtype=np.float64)


def band_of(table: str, value: float) -> str | None:
    """Return the band of a standard's table that a value belongs to; None where it is NaN.

    Parameters
    ----------
    table : str
        ``japan_pm25_day`` (ug m-3), ``japan_ox_hour``, ``japan_ox_8h`` (ppm), ``who_pm25_day``,
        ``who_pm10_day``, ``who_o3_8h`` (ug m-3). The WHO's bands are named for the strictest target that is
        met ("guideline", "it4" to "it1"), or ``above_it1``.
    value : float

    Raises
    ------
    InputError
        If there is no such table, or the value is negative or infinite.
    """
    steps = band_steps(table)
    number = float(_checked(table, value))
    if np.isnan(number):
        return None
    reached = [s for s in steps if number > s["above"] or (s.get("at") and number == s["above"])]
    return str(reached[-1]["id"])


def band_steps(table: str) -> list[dict[str, Any]]:
    """Return the steps of a table that `band_of` reads, lowest first: ``id``, ``above``, ``at``."""
    bands = _tables()["bands"]
    if table not in bands:
        raise InputError("index: table", table, f"one of {sorted(bands)}")
    steps: list[dict[str, Any]] = bands[table]["steps"]
    return steps
