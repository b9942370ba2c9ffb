"""China's AQI by HJ 633: two standards, and every result says which one it was computed by.

Rounding: published copies of HJ 633 differ on the concentration, and the text was not available. Chosen
here: the concentration is first rounded to the precision it is published with (1 ug m-3, CO 0.1 mg m-3;
half to even, the rule of GB/T 8170), then the sub-index is rounded up to a whole number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from hazecast.forecast.indices.breakpoints import EPSILON, IndexResult, Values, checked, combine, tables
from hazecast.forecast.products import daily_mean, mda8
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import Registry

# "o3" of a daily report is its daily maximum 8-hour mean.
Report = Literal["daily", "hourly"]

# Items whose table is in mg m-3, and how many ug m-3 that is.
_MG_ITEMS = {"co": 1000.0}


@dataclass(frozen=True)
class ChinaStandard:
    """One version of HJ 633: in force from `start` (included) to `end` (excluded), aware UTC or open."""

    id: str
    start: datetime | None
    end: datetime | None
    index: tuple[float, ...]
    tables: Mapping[Report, Mapping[str, tuple[float, ...]]]
    source: str

    def daily_limit(self, item: str) -> float:
        """Return the limit of class 2 of GB 3095 for an item's daily value, in its table's unit: the breakpoint of index 100."""
        return self.tables["daily"][item][self.index.index(100.0)]


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
        for table in tables()["china"]
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
        ug m-3, carbon monoxide too (the contract's unit; converted here to the standard's mg m-3).
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
    values = checked(item, concentration)
    points = table[item]
    if item in _MG_ITEMS:
        return _rounded_up(np.round(values / _MG_ITEMS[item], 1), points, standard.index)
    # Of whole concentrations there are few: of the hours of many places each is looked up.
    known = ~np.isnan(values)
    whole = np.minimum(np.round(values), points[-1])
    found = _of_whole(points, standard.index)[np.where(known, whole, 0.0).astype(np.intp)]
    return np.asarray(np.where(known, found, np.nan), dtype=np.float64)


def _rounded_up(rounded: Values, points: tuple[float, ...], index: tuple[float, ...]) -> Values:
    return np.asarray(np.ceil(np.interp(rounded, points, index[: len(points)]) - EPSILON), dtype=np.float64)


@lru_cache
def _of_whole(points: tuple[float, ...], index: tuple[float, ...]) -> Values:
    """Return the sub-index of each whole concentration up to the highest breakpoint."""
    return _rounded_up(np.arange(points[-1] + 1.0), points, index)


def china_aqi(concentrations: Mapping[str, float], when: datetime, report: Report = "daily") -> IndexResult:
    """Return China's AQI of one place.

    Parameters
    ----------
    concentrations : mapping of str to float
        By item as in `china_sub_index`, ug m-3; NaN where missing.
    when : datetime
        Aware: the beginning of the day or hour; it chooses the standard.
    report : {"daily", "hourly"}

    Returns
    -------
    IndexResult

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> before = china_aqi({"pm25": 70.0}, datetime(2026, 1, 1, tzinfo=UTC))
    >>> before.standard, before.value, before.category.id
    ('HJ633-2012', 94, 'moderate')
    >>> china_aqi({"pm25": 70.0}, datetime(2026, 4, 1, tzinfo=UTC)).value
    110
    """
    standard = china_standard(when)
    return combine(
        "china",
        standard.id,
        {k: float(china_sub_index(k, value, standard, report)) for k, value in concentrations.items()},
    )


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

    Raises
    ------
    InputError
        If the Dataset has no pollutant of the AQI.
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
