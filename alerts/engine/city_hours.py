"""The hours of one city, observed and forecast, in every scenario, and the variables that rules test on them.

Observed hours up to the init time come first, the same in all scenarios; the forecast's scenarios follow.
So a running mean or a city's day includes hours that were already measured. All times mark the end of their hour.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC
from functools import cached_property, lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from hazecast.alerts.rules.criteria import Threshold
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.forecast.dependence import Variable
from hazecast.forecast.indices import (
    ChinaStandard,
    china_standard,
    china_standards,
    china_sub_index,
    ozone_ppm,
    us_sub_index,
)
from hazecast.forecast.scenarios import trailing_mean
from hazecast.grids.places.cities import City
from hazecast.grids.times import to_datetime

Float = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]
Mass = Literal["pm25", "o3"]

_HOUR = np.timedelta64(1, "h")
# How old the distance of the highest station from the city's mean may be: a choice of this module.
_NEAR_HOURS = 3
# GB 3095-2012 asks a day for 20 valid hours and an 8-hour mean for 6, a day for 14 such means (from memory).
DAY_HOURS, _MEAN_HOURS, _DAY_MEANS = 20, 6, 14


@lru_cache(maxsize=64)
def _local_hours(first: int, count: int, zone: str) -> npt.NDArray[np.int64]:
    """Return the hour of the local day that each of so many stamps from one on, hours since 1970, ends: of all cities of a time zone."""
    stamps = (np.int64(first) + np.arange(count)).astype("datetime64[h]").astype("datetime64[ns]")
    local = pd.DatetimeIndex(stamps).tz_localize(UTC).tz_convert(ZoneInfo(zone)) - pd.Timedelta(hours=1)
    hours = np.asarray(local.hour, dtype=np.int64) + 1
    hours.flags.writeable = False
    return hours


@lru_cache(maxsize=64)
def _standards(first: int, count: int) -> list[tuple[ChinaStandard, Bool]]:
    """Return the standards that the 24 h means of so many hours from one on, hours since 1970, belong to, and which of them.

    A mean belongs to the standard in force when its first hour begins.
    """
    begins = (np.int64(first) - 24 + np.arange(count)).astype("datetime64[h]")
    of_each = [china_standard(to_datetime(time)) for time in begins]
    return [
        (standard, np.array([each is standard for each in of_each]))
        for standard in china_standards()
        if any(each is standard for each in of_each)
    ]


@dataclass(frozen=True)
class CityHours:
    """Hourly values of one city.

    Attributes
    ----------
    city : City
    times : datetime64[ns] (time,)
        UTC; hourly without gaps.
    now : int
        Position of the init time; later ones are forecast.
    later : mapping of str to callable
        Gives the scenarios of "pm25", "o3", "visibility" and "humidity" when a rule set asks for them: few need all.
    bounds : mapping of str to callable
        Gives the highest of all scenarios, float64 (time,), of "pm25" and "o3", which takes less than all of them.
    stations : float64 (station, time) or None
        Observed PM2.5 of the city's stations, ug m-3, on the same times; NaN after `now`.
    ozone_stations : float64 (station, time) or None
        Their observed ozone, ug m-3.
    seen_in : callable or None
        Gives the visibility, m, float64 (1, time), in PM2.5 of float64 (1, time), ug m-3, at the humidity of the first
        scenario; what was measured stays.
    """

    city: City
    times: npt.NDArray[np.datetime64]
    now: int
    later: Mapping[Variable, Callable[[], Float]] = field(repr=False, compare=False)
    bounds: Mapping[Mass, Callable[[], Float]] = field(repr=False, compare=False)
    stations: Float | None
    ozone_stations: Float | None = None
    seen_in: Callable[[Float], Float] | None = field(default=None, repr=False, compare=False)
    _cache: dict[str, Float] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def pm25(self) -> Float:
        """PM2.5, float64 (scenario, time), ug m-3; NaN where unknown. Scenarios are in no order."""
        return self.later["pm25"]()

    @cached_property
    def highest_pm25(self) -> Float:
        """The highest PM2.5 of all scenarios, float64 (1, time), ug m-3; what was observed, and NaN, are the same in all."""
        return self.bounds["pm25"]()[None]

    @cached_property
    def highest_o3(self) -> Float:
        """The highest ozone of all scenarios, float64 (1, time), as `highest_pm25`."""
        return self.bounds["o3"]()[None]

    @cached_property
    def o3(self) -> Float:
        """Ozone, float64 (scenario, time), ug m-3; NaN where unknown."""
        return self.later["o3"]()

    @cached_property
    def visibility(self) -> Float:
        """Visibility, float64 (scenario, time), m; NaN where unknown."""
        return self.later["visibility"]()

    @cached_property
    def humidity(self) -> Float:
        """Relative humidity, float64 (scenario, time), %; NaN where unknown."""
        return self.later["humidity"]()

    def of_second_station(self) -> CityHours | None:
        """Return the hours up to now as if the city's value were that of its second highest station, one scenario.

        None where no hour has two stations.
        """
        seen_in = self.seen_in
        if self.stations is None or seen_in is None or len(self.stations) < 2:
            return None
        ordered = np.sort(np.where(np.isfinite(self.stations), self.stations, -np.inf), axis=0)
        second = np.where(np.isfinite(ordered[-2]), np.minimum(ordered[-2], self.pm25[0]), np.nan)[None]
        later: dict[Variable, Callable[[], Float]] = {
            "pm25": lambda: second,
            "o3": lambda: self.o3[:1],
            "humidity": lambda: self.humidity[:1],
            "visibility": lambda: seen_in(second),
        }
        return replace(self, later=later, bounds={"pm25": lambda: second[0], "o3": lambda: self.o3[0]}, _cache={})

    def standing(self, within: Bool, variable: Mass = "pm25") -> npt.NDArray[np.int64]:
        """Return the place of each scenario among all by its mean concentration in some hours.

        `hazecast.forecast.dependence.LEVELS` of it is the quantile that the scenario stands for in these hours: of all
        scenarios, so many have a lower mean.

        Parameters
        ----------
        within : bool (time,)
        variable : {"pm25", "o3"}

        Returns
        -------
        int64 (scenario,)
            0 the lowest.
        """
        mass = self.pm25 if variable == "pm25" else self.o3
        means = np.nansum(mass[:, within], axis=1)
        return np.argsort(np.argsort(means, kind="stable"), kind="stable")

    def values(self, test: Threshold, rules: RuleSet) -> Float:
        """Return the values of what `test` tests.

        Parameters
        ----------
        test : Threshold
            No mean that a decision goes by: those are of `hazecast.alerts.engine.decisions`.
        rules : RuleSet
            Gives the reference state of ozone.

        Returns
        -------
        numpy.ndarray of float64, (scenario, time)
            In the units of the test; NaN at stamps without a value.
        """
        if test.key not in self._cache:
            self._cache[test.key] = self._compute(test, rules)
        return self._cache[test.key]

    def _compute(self, test: Threshold, rules: RuleSet) -> Float:
        if test.variable == "pm25":
            return self.pm25
        if test.variable == "visibility":
            return self.visibility
        if test.variable == "relative_humidity":
            return self.humidity
        if test.variable == "aqi_24h":
            return self.particle_index(trailing_mean(self.pm25, 24, DAY_HOURS))
        if test.variable == "pm25_day":
            return self._pm25_day()
        if test.variable == "o3_mda8_day":
            return self._o3_day()
        assert rules.reference_state is not None
        state = {"temperature": rules.reference_state.temperature, "pressure": rules.reference_state.pressure}
        if test.variable == "ox":
            # Published to 0.001 ppm: what was stored as mass is the published value again.
            return np.asarray(np.round(ozone_ppm(self._highest_ozone(), **state), 3))
        parts = [us_sub_index("pm25", self._pm25_day()), us_sub_index("o3_8h", ozone_ppm(self._o3_day(), **state))]
        return np.asarray(np.fmax(*parts), dtype=np.float64)

    def _highest_ozone(self) -> Float:
        """Return ozone at the highest station; for hours to come its distance from the city's mean stays as it is."""
        if self.ozone_stations is None:
            return self.o3
        past = self.now + 1
        highest = np.fmax.reduce(self.ozone_stations[:, :past], axis=0)
        above = (highest - self.o3[0, :past])[-_NEAR_HOURS:]
        known = above[np.isfinite(above)]
        result = self.o3 + (known[-1] if known.size else 0.0)
        result[:, :past] = np.where(np.isfinite(highest), highest, self.o3[:, :past])
        return result

    def particle_index(self, means: Float) -> Float:
        """Return China's index of PM2.5, (scenario, time), of means (scenario, time) over 24 h in ug m-3."""
        return self._index("pm25", means)

    def ozone_index(self, means: Float) -> Float:
        """Return China's index of ozone, (scenario, time), of a day's highest 8-hour mean (scenario, time) in ug m-3."""
        return self._index("o3_8h", means)

    def _index(self, item: str, means: Float) -> Float:
        standards = _standards(self._first_hour, len(self.times))
        if len(standards) == 1:
            return china_sub_index(item, means, standards[0][0])
        result = np.full(means.shape, np.nan)
        for standard, own in standards:
            result[:, own] = china_sub_index(item, means[:, own], standard)
        return result

    @property
    def _first_hour(self) -> int:
        """The first stamp, hours since 1970."""
        return int(self.times[0].astype("datetime64[h]").astype(int))

    def local_hours(self) -> npt.NDArray[np.int64]:
        """Return the hour of the city's day that each stamp ends, 1 to 24."""
        return _local_hours(self._first_hour, len(self.times), self.city.time_zone)

    def _at_day_end(self, values: Float) -> Float:
        return np.where(self.local_hours() == 24, values, np.nan)

    def _pm25_day(self) -> Float:
        return self._at_day_end(trailing_mean(self.pm25, 24, DAY_HOURS))

    def _o3_day(self) -> Float:
        eight = trailing_mean(self.o3, 8, _MEAN_HOURS)
        # The means that end from 08:00 to 24:00 lie wholly in the day.
        eight = np.where(self.local_hours() >= 8, eight, np.nan)
        result = np.full(eight.shape, np.nan)
        for end in np.flatnonzero(self.local_hours() == 24):
            day = eight[:, max(end - 16, 0) : end + 1]
            enough = np.isfinite(day).sum(axis=1) >= _DAY_MEANS
            result[enough, end] = np.fmax.reduce(day[enough], axis=1)
        return result
