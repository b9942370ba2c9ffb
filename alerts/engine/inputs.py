"""A forecast and what was observed before it, on one axis of hours, of which each city's hours are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial

import numpy as np
import numpy.typing as npt
import xarray as xr

from hazecast.alerts.engine.city_hours import CityHours, Mass
from hazecast.forecast.dependence import COUNT, Variable
from hazecast.forecast.products import valid_times
from hazecast.forecast.scenarios import at_highest_level, humidity_trajectories, trajectories
from hazecast.forecast.sight import DAY_BEFORE, Sight
from hazecast.grids.contract import FORECAST_POLLUTANTS, POLLUTANTS
from hazecast.grids.places.cities import City

Float = npt.NDArray[np.float64]

_HOUR = np.timedelta64(1, "h")
# Past hours that are read: a 24 h mean, and the days before it that a duration may begin with.
PAST_HOURS = 120


@dataclass(frozen=True)
class Inputs:
    """A forecast and what was observed before it, on one axis of hours, prepared once for all cities.

    `past` and `ahead` hold arrays (time, city) and (lead_time, city[, quantile]) by name; `stations` are
    observed PM2.5 and ozone by name, (station, time), and `owner` the city of each station. `humidity_source` is the
    forecast's.
    """

    times: npt.NDArray[np.datetime64]
    past_hours: int
    observed: tuple[str, ...]
    past: dict[str, Float]
    forecast: tuple[str, ...]
    ahead: dict[str, Float]
    stations: dict[str, Float]
    owner: npt.NDArray[np.str_] | None
    humidity_source: str

    @classmethod
    def of(
        cls,
        forecast: xr.Dataset,
        observations: xr.Dataset | None,
        stations: xr.Dataset | None,
        *,
        past_hours: int = PAST_HOURS,
        ahead_hours: int | None = None,
    ) -> Inputs:
        """Put forecast and observations on one hourly axis about the init time.

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
        past_hours : int
            How many hours up to the init time are read.
        ahead_hours : int, optional
            How many after it; by default all of the forecast.

        Returns
        -------
        Inputs
        """
        forecast = forecast.isel(lead_time=slice(ahead_hours))
        init = forecast["init_time"].values.astype("datetime64[ns]")
        past = init + (np.arange(past_hours) - past_hours + 1) * _HOUR
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
            past_hours=past_hours,
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
        pm25 = cache(partial(self._scenarios, "pm25", city, column))
        humid = cache(partial(self._humidity, city, column, sight))
        own: dict[str, Float] = {}
        if self.owner is not None:
            judged = sorted({number for name in (city.id, *zone) for number in self._stations_of.get(name, ())})
            own = {name: values[judged] for name, values in self.stations.items() if judged}
        return CityHours(
            city=city,
            times=self.times,
            now=self.past_hours - 1,
            later={
                "pm25": pm25,
                "o3": partial(self._scenarios, "o3", city, column),
                "visibility": lambda: self._visibility(city, column, pm25(), humid(), sight),
                "humidity": humid,
            },
            bounds={
                "pm25": partial(self._highest, "pm25", city, column),
                "o3": partial(self._highest, "o3", city, column),
            },
            stations=own.get("pm25"),
            ozone_stations=own.get("o3"),
            seen_in=lambda mass: self._measured_first(
                city, column, sight.visibility(city.id, mass, humid()[:1], self.times)
            ),
        )

    def _humidity(self, city: City, column: int, sight: Sight) -> Float:
        humidity = self.ahead["relative_humidity"][:, column]
        # Where no humidity was observed, the forecast's first hour is used for the hours just before it.
        seen = self._past("relative_humidity", city)
        before = np.broadcast_to(np.where(np.isnan(seen), humidity[0], seen), (COUNT, self.past_hours))
        after = humidity_trajectories(humidity, self.humidity_source if sight.spread else "")
        return np.concatenate([before, after], axis=1)

    def _visibility(self, city: City, column: int, pm25: Float, humid: Float, sight: Sight) -> Float:
        # What is past is the same in all scenarios; the day before the forecast counts in its first hours.
        past, ahead = slice(0, self.past_hours), slice(self.past_hours - DAY_BEFORE, None)
        before = sight.visibility(city.id, pm25[:1, past], humid[:1, past], self.times[past])
        after = sight.trajectories(city.id, pm25[:, ahead], humid[:, ahead], self.times[ahead])
        result = np.concatenate([np.broadcast_to(before, (COUNT, self.past_hours)), after], axis=1)
        return self._measured_first(city, column, result)

    def _measured_first(self, city: City, column: int, result: Float) -> Float:
        measured = np.concatenate([self._past("visibility", city), np.full(len(self.times) - self.past_hours, np.nan)])
        if "visibility" in self.ahead:
            measured[self.past_hours :] = self.ahead["visibility"][:, column]
        # What was measured is what happened, whatever the formula says; where PM2.5 is missing too.
        return np.asarray(np.where(np.isnan(measured), result, measured), dtype=np.float64)

    def _past(self, name: str, city: City) -> Float:
        column = self._observed_columns.get(city.id)
        if name in self.past and column is not None:
            return self.past[name][:, column]
        return np.full(self.past_hours, np.nan)

    def _scenarios(self, name: Variable, city: City, column: int) -> Float:
        if name in self.ahead:
            after = trajectories(self.ahead[name][:, column], name, highest=POLLUTANTS[name].high)
        else:
            after = np.full((COUNT, len(self.times) - self.past_hours), np.nan)
        return np.concatenate([np.broadcast_to(self._past(name, city), (COUNT, self.past_hours)), after], axis=1)

    def _highest(self, name: Mass, city: City, column: int) -> Float:
        """Return the highest of all scenarios in each hour, (time,)."""
        if name in self.ahead:
            after = at_highest_level(self.ahead[name][:, column], highest=POLLUTANTS[name].high)
        else:
            after = np.full(len(self.times) - self.past_hours, np.nan)
        return np.concatenate([self._past(name, city), after])
