"""Weather, humidity and visibility that stations measured beside pollutants, as stored: usable values and cities' means."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from sqlalchemy import Row

from hazecast.grids.contract import MEASURED_AIR, MEASURED_WEATHER, check, describe
from hazecast.grids.quality import IMPOSSIBLE, MISSING, OBSCURED
from hazecast.grids.times import to_datetime64
from hazecast.services.sources.monitors.interface import MEASURED, Reading, measured_name


def flagged(reading: Reading) -> tuple[float | None, int]:
    """Return the usable value of a measured quantity, None without one, and its flag: by range, then as published."""
    if reading.raw is None or not math.isfinite(reading.raw):
        return None, MISSING
    variable = MEASURED[reading.pollutant]
    if not variable.low <= reading.raw <= variable.high:
        return None, IMPOSSIBLE
    return None if reading.flag == OBSCURED else reading.raw, reading.flag


@dataclass(frozen=True)
class CityValues:
    """Means over the stations of each city, (time, city) by the contract's name: weather, and what observations hold."""

    times: np.ndarray
    cities: Sequence[str]
    means: Mapping[str, np.ndarray]

    @property
    def air(self) -> dict[str, np.ndarray]:
        """Humidity, and visibility without hours of rain or snow."""
        found = {name: self.means[name] for name in MEASURED_AIR if name in self.means}
        if "visibility" in found and "tp" in self.means:
            found["visibility"] = np.where(self.means["tp"] > 0.0, np.nan, found["visibility"]).astype(np.float32)
        return found

    def weather(self, source: str) -> xr.Dataset | None:
        """Return the weather as of contract "city_weather"; None where none was measured."""
        arrays = {name: (("time", "city"), self.means[name]) for name in MEASURED_WEATHER if name in self.means}
        if not arrays:
            return None
        dataset = xr.Dataset(
            arrays,
            coords={"time": self.times, "city": list(self.cities)},
            attrs={"source": f"weather measured by {source}"},
        )
        return check(describe(dataset, "city_weather"), "city_weather", name="stored weather")


def city_values(
    rows: Iterable[Row[Any]],
    stations: Mapping[str, Row[Any]],
    times: np.ndarray,
    cities: Sequence[str],
    preference: Sequence[str] = (),
) -> CityValues:
    """Average what was measured over the stations of each city, of the first source that has any in the hour.

    Parameters
    ----------
    rows : iterable of Row
        With station_id, time, pollutant and value.
    stations : mapping of str to Row
        By id, with their city and source.
    times : datetime64 (time,)
    cities : sequence of str
    preference : sequence of str
        Names of sources, first choice first; the others are of the last choice together.

    Returns
    -------
    CityValues
    """
    rank = {source: number for number, source in enumerate(preference)}
    table = pd.DataFrame(
        [
            (
                stations[row.station_id].city,
                rank.get(stations[row.station_id].source, len(rank)),
                to_datetime64(row.time),
                row.pollutant,
                row.value,
            )
            for row in rows
            if row.value is not None and stations[row.station_id].city in cities
        ],
        columns=["city", "rank", "time", "name", "value"],
    )
    means = {}
    for name in (*MEASURED_WEATHER, *MEASURED_AIR):
        own = table[table["name"] == measured_name(name)]
        if len(own):
            own = own[own["rank"] == own.groupby(["city", "time"])["rank"].transform("min")]
            by_city = own.pivot_table(index="time", columns="city", values="value", aggfunc="mean")
            placed = by_city.reindex(index=pd.DatetimeIndex(times), columns=list(cities))
            means[name] = placed.to_numpy(np.float32)
    return CityValues(times, cities, means)
