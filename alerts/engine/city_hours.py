"""The hours of one city, observed and forecast, in every scenario, and the variables that rules test on them.

Observed hours up to the init time come first, the same in all scenarios; the forecast's scenarios follow.
So a running mean or a city's day includes hours that were already measured. All times mark the end of their hour.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC
from functools import cached_property, lru_cache, partial
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from hazecast.alerts.rules.criteria import Threshold
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.forecast.dependence import COUNT, Variable, levels
from hazecast.forecast.indices import china_standard, china_standards, china_sub_index, ozone_ppm, us_sub_index
from hazecast.forecast.products import valid_times
from hazecast.forecast.scenarios import humidity_trajectories, trailing_mean, trajectories
from hazecast.forecast.sight import Sight
from hazecast.grids.contract import FORECAST_POLLUTANTS, POLLUTANTS
from hazecast.grids.places.cities import City
from hazecast.grids.times import to_datetime

Float = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

_HOUR = np.timedelta64(1, "h")
# Past hours that are read: a 24 h mean, and the days before it that a duration may begin with.
PAST_HOURS = 120
# How old the distance of the highest station from the city's mean may be.
_NEAR_HOURS = 3
# GB 3095-2012 asks a day for 20 valid hours and an 8-hour mean for 6, a day for 14 such means (from memory).
DAY_HOURS, _MEAN_HOURS, _DAY_MEANS = 20, 6, 14


@lru_cache(maxsize=64)
def _local_axis(first: int, count: int, zone: str) -> tuple[npt.NDArray[np.datetime64], npt.NDArray[np.int64]]:
    """Return the local day and the hour of it of so many hours from one on, hours since 1970: of all cities of a time zone."""
    stamps = (np.int64(first) + np.arange(count)).astype("datetime64[h]").astype("datetime64[ns]")
    local = pd.DatetimeIndex(stamps).tz_localize(UTC).tz_convert(ZoneInfo(zone)) - pd.Timedelta(hours=1)
    dates, hours = (
        local.tz_localize(None).to_numpy().astype("datetime64[D]"),
        np.asarray(local.hour, dtype=np.int64) + 1,
    )
    dates.flags.writeable = hours.flags.writeable = False
    return dates, hours


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
    pm25, o3, visibility, humidity : float64 (scenario, time)
        ug m-3, ug m-3, m, %; NaN where unknown. Scenarios are in no order.
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
    pm25: Float
    o3: Float
    visibility: Float
    humidity: Float
    stations: Float | None
    ozone_stations: Float | None = None
    seen_in: Callable[[Float], Float] | None = field(default=None, repr=False, compare=False)
    _cache: dict[str, Float] = field(default_factory=dict, repr=False, compare=False)

    def of_second_station(self) -> CityHours | None:
        """Return the hours up to now as if the city's value were that of its second highest station, one scenario.

        None where no hour has two stations.
        """
        if self.stations is None or self.seen_in is None or len(self.stations) < 2:
            return None
        ordered = np.sort(np.where(np.isfinite(self.stations), self.stations, -np.inf), axis=0)
        second = np.where(np.isfinite(ordered[-2]), np.minimum(ordered[-2], self.pm25[0]), np.nan)[None]
        return replace(
            self, pm25=second, o3=self.o3[:1], humidity=self.humidity[:1], visibility=self.seen_in(second), _cache={}
        )

    def standing(self, within: Bool, variable: Literal["pm25", "o3"] = "pm25") -> npt.NDArray[np.int64]:
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
        # A 24 h mean belongs to the standard in force when its first hour begins.
        oldest, newest = (china_standard(to_datetime(t - 24 * _HOUR)) for t in self.times[[0, -1]])
        if oldest is newest:
            return china_sub_index(item, means, oldest)
        result = np.full(means.shape, np.nan)
        standards = [china_standard(to_datetime(t - 24 * _HOUR)) for t in self.times]
        for standard in china_standards():
            own = np.array([s is standard for s in standards])
            if own.any():
                result[:, own] = china_sub_index(item, means[:, own], standard)
        return result

    def local_dates(self) -> npt.NDArray[np.datetime64]:
        """Return the city's day that each hour belongs to, datetime64[D]."""
        return self._local[0]

    def local_hours(self) -> npt.NDArray[np.int64]:
        """Return the hour of the city's day that each stamp ends, 1 to 24."""
        return self._local[1]

    @property
    def _local(self) -> tuple[npt.NDArray[np.datetime64], npt.NDArray[np.int64]]:
        return _local_axis(self.times.astype("datetime64[h]").astype(int).item(0), len(self.times), self.city.time_zone)

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
            result[enough, end] = np.nanmax(day[enough], axis=1)
        return result


@dataclass(frozen=True)
class Inputs:
    """A forecast and what was observed before it, on one axis of hours, prepared once for all cities.

    `past` and `ahead` hold arrays (time, city) and (lead_time, city[, quantile]) by name; `stations` are
    observed PM2.5 and ozone by name, (station, time), and `owner` the city of each station. `humidity_source` is the
    forecast's.
    """

    times: npt.NDArray[np.datetime64]
    observed: tuple[str, ...]
    past: dict[str, Float]
    forecast: tuple[str, ...]
    ahead: dict[str, Float]
    stations: dict[str, Float]
    owner: npt.NDArray[np.str_] | None
    humidity_source: str

    @classmethod
    def of(cls, forecast: xr.Dataset, observations: xr.Dataset | None, stations: xr.Dataset | None) -> Inputs:
        """Put forecast and observations on one hourly axis from `PAST_HOURS` before the init time.

        Observations after the init time are not read.

        Parameters
        ----------
        forecast : xarray.Dataset
            Contract "forecast", with ``relative_humidity`` (lead_time, city), %. A ``visibility`` (lead_time, city), m,
            is taken as certain: that of a forecast made from observations.
        observations : xarray.Dataset or None
            Contract "observations", by city; ``relative_humidity`` and ``visibility`` (time, city), %, m, are used where
            present. The visibility is measured, without the hours of precipitation.
        stations : xarray.Dataset or None
            The same by station, with the coordinate ``city`` on ``station``.

        Returns
        -------
        Inputs
        """
        init = forecast["init_time"].values.astype("datetime64[ns]")
        past = init + (np.arange(PAST_HOURS) - PAST_HOURS + 1) * _HOUR
        ahead = {"relative_humidity": forecast["relative_humidity"].transpose("lead_time", "city")}
        if "visibility" in forecast.data_vars:
            ahead["visibility"] = forecast["visibility"].transpose("lead_time", "city")
        for name in FORECAST_POLLUTANTS:
            if name in forecast.data_vars:
                ahead[name] = forecast[name].transpose("lead_time", "city", "quantile")
        before: dict[str, Float] = {}
        observed: tuple[str, ...] = ()
        if observations is not None:
            names = [n for n in (*FORECAST_POLLUTANTS, "relative_humidity", "visibility") if n in observations]
            on_axis = observations[names].reindex(time=past)
            before = {n: np.asarray(on_axis[n].transpose("time", "city").values, dtype=np.float64) for n in names}
            observed = tuple(map(str, observations["city"].values))
        own: dict[str, Float] = {}
        for name in FORECAST_POLLUTANTS:
            if stations is not None and name in stations:
                measured = stations[name].transpose("station", "time").reindex(time=past).values
                gap = np.full((len(measured), forecast.sizes["lead_time"]), np.nan)
                own[name] = np.concatenate([np.asarray(measured, dtype=np.float64), gap], axis=1)
        owner = stations["city"].values if stations is not None and own else None
        return cls(
            times=np.concatenate([past, valid_times(forecast)]),
            observed=observed,
            past=before,
            forecast=tuple(map(str, forecast["city"].values)),
            ahead={n: np.asarray(a.values, dtype=np.float64) for n, a in ahead.items()},
            stations=own,
            owner=owner,
            humidity_source=str(forecast.attrs.get("humidity_source", "")),
        )

    @cached_property
    def _columns(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.forecast)}

    @cached_property
    def _observed_columns(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.observed)}

    @cached_property
    def _stations_of(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for number, name in enumerate(() if self.owner is None else self.owner):
            found.setdefault(str(name), []).append(number)
        return found

    def hours_of(self, city: City, sight: Sight, zone: Sequence[str] = ()) -> CityHours:
        """Return the hours of one city of the forecast.

        Parameters
        ----------
        city : City
        sight : Sight
            Gives visibility from PM2.5 and humidity where none was measured, and whether both are uncertain.
        zone : sequence of str
            Cities whose stations are judged together with the city's own; by default its own alone.

        Returns
        -------
        CityHours
        """
        column = self._columns[city.id]
        humidity = self.ahead["relative_humidity"][:, column]
        # Where no humidity was observed, the forecast's first hour is used for the hours just before it.
        seen = self._past("relative_humidity", city)
        before = np.broadcast_to(np.where(np.isnan(seen), humidity[0], seen), (COUNT, PAST_HOURS))
        after = humidity_trajectories(humidity, self.humidity_source if sight.spread else "")
        humid = np.concatenate([before, after], axis=1)
        pm25 = self._scenarios("pm25", city, column)
        own: dict[str, Float] = {}
        if self.owner is not None:
            judged = sorted({number for name in (city.id, *zone) for number in self._stations_of.get(name, ())})
            own = {name: values[judged] for name, values in self.stations.items() if judged}
        return CityHours(
            city=city,
            times=self.times,
            now=PAST_HOURS - 1,
            pm25=pm25,
            o3=self._scenarios("o3", city, column),
            visibility=self._visibility(city, column, pm25, humid, sight),
            humidity=humid,
            stations=own.get("pm25"),
            ozone_stations=own.get("o3"),
            seen_in=partial(self._visibility_in, city, column, humid[:1], sight),
        )

    def _visibility_in(self, city: City, column: int, humid: Float, sight: Sight, pm25: Float) -> Float:
        return self._measured_first(city, column, sight.visibility(city.id, pm25, humid, self.times))

    def _visibility(self, city: City, column: int, pm25: Float, humid: Float, sight: Sight) -> Float:
        # What is past is the same in all scenarios; the day before the forecast counts in its first hours.
        past, ahead = slice(0, PAST_HOURS), slice(PAST_HOURS - 24, None)
        before = sight.visibility(city.id, pm25[:1, past], humid[:1, past], self.times[past])
        mass, moist, times = pm25[:, ahead], humid[:, ahead], self.times[ahead]
        if sight.spread:
            own = np.full(mass.shape, 0.5)
            own[:, 24:] = levels("visibility", len(times) - 24)
            after = sight.visibility_at(city.id, mass, moist, times, own)
        else:
            after = sight.visibility(city.id, mass, moist, times)
        result = np.concatenate([np.broadcast_to(before, (COUNT, PAST_HOURS)), after[:, 24:]], axis=1)
        return self._measured_first(city, column, result)

    def _measured_first(self, city: City, column: int, result: Float) -> Float:
        measured = np.concatenate([self._past("visibility", city), np.full(len(self.times) - PAST_HOURS, np.nan)])
        if "visibility" in self.ahead:
            measured[PAST_HOURS:] = self.ahead["visibility"][:, column]
        # What was measured is what happened, whatever the formula says; where PM2.5 is missing too.
        return np.asarray(np.where(np.isnan(measured), result, measured), dtype=np.float64)

    def _past(self, name: str, city: City) -> Float:
        column = self._observed_columns.get(city.id)
        if name in self.past and column is not None:
            return self.past[name][:, column]
        return np.full(PAST_HOURS, np.nan)

    def _scenarios(self, name: Variable, city: City, column: int) -> Float:
        if name in self.ahead:
            after = trajectories(self.ahead[name][:, column], name, highest=POLLUTANTS[name].high)
        else:
            after = np.full((COUNT, len(self.times) - PAST_HOURS), np.nan)
        return np.concatenate([np.broadcast_to(self._past(name, city), (COUNT, PAST_HOURS)), after], axis=1)
