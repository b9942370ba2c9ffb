"""Weather on disk, and what a forecast may see of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import xarray as xr

from hazecast.grids.contract import HISTORY_HOURS, WEATHER, check, describe
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City
from hazecast.grids.times import format_time, to_datetime64
from hazecast.grids.weather.regular_grid import EAST_ASIA
from hazecast.grids.weather.sampling import at_cities
from hazecast.grids.weather.timeline import LONGEST_GAP_HOURS, to_hourly
from hazecast.services.core.files import atomic_write
from hazecast.services.sources.weather.interface import Cycle, Wanted
from hazecast.services.store.cycles import CycleStore

log = logging.getLogger(__name__)

_NOTE = "last-ingest.json"
# Cities that a shortcoming names; the rest are counted.
_NAMED = 100
# A note applies to forecasts at most so long before or after the ingest that wrote it.
_NOTE_HOLDS = timedelta(hours=6)
_HOUR = np.timedelta64(1, "h")
# What humidity follows from.
_MOIST = ("t2m", "d2m")
_FORECAST_OF = ", forecast of "
_LONGEST_STEP = np.timedelta64(LONGEST_GAP_HOURS, "h")
# A cycle isn't old until the next but one is published: 6 h to the next, and the 9 h of the slowest
# publisher.
OLD_AFTER = timedelta(hours=15)


@dataclass(frozen=True)
class KnownWeather:
    """Weather at cities as known at an init time: before it, after it, and what is wrong with it."""

    past: xr.Dataset
    future: xr.Dataset
    source: str
    reasons: tuple[str, ...]


class WeatherStore(CycleStore):
    """The folder of ingested weather."""

    def holds(self, cycle: Cycle, wanted: Wanted) -> bool:
        """Return whether a cycle is there, fetched for the places that are wanted; a new city needs another fetch.

        Parameters
        ----------
        cycle : Cycle
        wanted : Wanted

        Returns
        -------
        bool
        """
        if not self.has(cycle):
            return False
        try:
            with xr.open_dataset(self.path(cycle), engine="netcdf4") as opened:
                points, places = "city" in opened.dims, opened.attrs.get("places")
                known = set(opened["city"].values.astype(str)) if points else set()
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            log.warning("%s: %s; fetched again", self.path(cycle), error)
            return False
        if places is None:
            # Stored before places were noted.
            return wanted.box == EAST_ASIA if not points else known >= {city.id for city in wanted.cities}
        return bool(places == wanted.label(points=points))

    def known(self, at: datetime, cities: Sequence[City], preference: Sequence[str]) -> KnownWeather | None:
        """Return the weather that a forecast made at `at` may see.

        The coming hours are those of the newest cycle, of several equally new ones that of the
        source named first. Each past hour is of the newest cycle that holds it. No cycle issued
        after `at` is opened.

        Parameters
        ----------
        at : datetime
            Init time of the forecast, aware.
        cities : sequence of City
        preference : sequence of str
            Names of sources.

        Returns
        -------
        KnownWeather or None
            None if no such cycle is there.

        Raises
        ------
        InputError
            If a stored file is damaged.
        """
        rank = {name: number for number, name in enumerate(preference)}
        cycles = sorted(self.cycles(at), key=lambda c: (-c[0].timestamp(), rank.get(c[1], len(rank)), c[1]))
        now = to_datetime64(at)
        first = now - (HISTORY_HOURS - 1) * _HOUR
        if not cycles:
            return None
        newest_time, newest_source, newest_path = cycles[0]
        newest = _at_cities(newest_path, cities)
        past = newest.sel(time=slice(first, now))
        for init_time, _, path in cycles[1:]:
            if init_time < at - timedelta(hours=2 * HISTORY_HOURS):
                break
            older = _at_cities(path, cities).sel(time=slice(first, now))
            past = past.combine_first(older)
        past = describe(past.assign_attrs(newest.attrs), "city_weather")
        reasons = dict.fromkeys(
            [f"weather: {text}" for text in _shortcomings(newest, newest_source, newest_time, at)] + self._noted(at)
        )
        return KnownWeather(past, newest, _label(newest), tuple(reasons))

    def grid(self, source: str, window: tuple[datetime, datetime]) -> xr.Dataset | None:
        """Return humidity's part of the grid that weather was taken from, by the hour.

        Parameters
        ----------
        source : str
            As `KnownWeather.source` names it.
        window : tuple of datetime
            Aware start and end of the hours wanted.

        Returns
        -------
        xarray.Dataset or None
            ``t2m`` and ``d2m`` (time, latitude, longitude), K. None if no such cycle is stored as a grid.

        Raises
        ------
        InputError
            If its file is damaged.
        """
        issued = source.rpartition(_FORECAST_OF)[2]
        try:
            at = datetime.fromisoformat(issued)
        except ValueError:
            return None
        if at.tzinfo is None:
            return None
        for init_time, _, path in self.cycles(at):
            if init_time < at:
                break
            found = _opened(path, _MOIST)
            if _label(found) == source and set(_MOIST) <= set(found.data_vars) and "city" not in found.dims:
                start, end = (to_datetime64(t) for t in window)
                times = found["time"].values
                # With the steps on both sides, which hours between are computed from.
                near = (times >= start - _LONGEST_STEP) & (times <= end + _LONGEST_STEP)
                return to_hourly(found.isel(time=np.flatnonzero(near))) if near.any() else None
        return None

    def issued(
        self, first: datetime, last: datetime, cities: Sequence[City], preference: Sequence[str]
    ) -> Iterator[tuple[datetime, xr.Dataset]]:
        """Yield the cycles of a period as they were issued, oldest first; of equally old ones the preferred last.

        Parameters
        ----------
        first, last : datetime
            Init times of the first and the last cycle, aware.
        cities : sequence of City
        preference : sequence of str
            Names of sources, first choice first.

        Yields
        ------
        init_time : datetime
        weather : xarray.Dataset (time, city)
            Contract "city_weather", hourly.

        Raises
        ------
        InputError
            If a stored file is damaged.
        """
        rank = {name: number for number, name in enumerate(preference)}
        cycles = [cycle for cycle in self.cycles(last) if cycle[0] >= first]
        for init_time, _, path in sorted(cycles, key=lambda c: (c[0], -rank.get(c[1], len(rank)), c[1])):
            yield init_time, _at_cities(path, cities)

    def condense(self, before: datetime, cities: Sequence[City]) -> int:
        """Replace the grids of cycles older than `before` by their hourly values at the cities; return how many.

        What remains is some hundred times smaller, and all that a model learns from.

        Parameters
        ----------
        before : datetime
            Aware.
        cities : sequence of City

        Returns
        -------
        int

        Raises
        ------
        StoreError
            If a file can't be written.
        """
        condensed, done = 0, set()
        for init_time, source, path in self.cycles(before):
            if init_time == before or source in done:
                continue
            try:
                opened = _opened(path)
                if "city" in opened.dims:
                    # Newest first: all older ones of this source are small too.
                    done.add(source)
                    continue
                sampled = _sampled(opened, path, cities).assign_attrs(opened.attrs)
            except InputError as error:
                log.warning("not condensed, and of no use to learn from: %s", error)
                continue
            self.save(source, sampled)
            condensed += 1
        return condensed

    def small(self, dataset: xr.Dataset, cities: Sequence[City]) -> xr.Dataset:
        """Return a cycle as `condense` would leave it: hourly, at the cities.

        Parameters
        ----------
        dataset : xarray.Dataset
            Contract "weather_grid" or "city_weather".
        cities : sequence of City

        Returns
        -------
        xarray.Dataset
            Contract "city_weather".
        """
        return _sampled(dataset, self.folder, cities).assign_attrs(dataset.attrs)

    def note(self, at: datetime, reasons: Sequence[str]) -> None:
        """Store what was wrong with the last ingest, for the reports of the cycles that follow.

        Parameters
        ----------
        at : datetime
            When, aware.
        reasons : sequence of str
            Empty if nothing was.
        """
        note = json.dumps({"at": format_time(at), "reasons": list(reasons)}, indent=1)
        with atomic_write(self.folder / _NOTE) as part:
            part.write_text(note, encoding="utf-8")

    def _noted(self, at: datetime) -> list[str]:
        path = self.folder / _NOTE
        if not path.exists():
            return []
        try:
            note = json.loads(path.read_text(encoding="utf-8"))
            holds = abs(datetime.fromisoformat(note["at"]) - at) <= _NOTE_HOLDS
            return [str(reason) for reason in note["reasons"]] if holds else []
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(str(path), error, "the note of the last ingest; remove it and ingest again") from error


def _at_cities(path: Path, cities: Sequence[City]) -> xr.Dataset:
    return _sampled(_opened(path), path, cities)


def _label(cycle: xr.Dataset) -> str:
    return f"{cycle.attrs['source']}{_FORECAST_OF}{cycle.attrs['init_time']}"


def _opened(path: Path, variables: Sequence[str] = ()) -> xr.Dataset:
    """Read a stored cycle, of its variables only those named, if any are."""
    try:
        with xr.open_dataset(path, engine="netcdf4") as opened:
            return opened[[name for name in variables if name in opened]].load() if variables else opened.load()
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise InputError(str(path), error, "a stored cycle; remove the file and ingest again") from error


def _sampled(dataset: xr.Dataset, path: Path, cities: Sequence[City]) -> xr.Dataset:
    if "city" in dataset.dims:
        check(dataset, "city_weather", name=str(path))
        return dataset.reindex(city=[city.id for city in cities])
    grid = check(dataset, "weather_grid", name=str(path))
    return to_hourly(at_cities(grid, cities, some_outside=True))


def _shortcomings(newest: xr.Dataset, source: str, init_time: datetime, at: datetime) -> list[str]:
    found = []
    if newest.attrs.get("late"):
        found.append(f"{source} is late, the newest cycle is of {init_time:%Y-%m-%dT%HZ}")
    elif at - init_time > OLD_AFTER:
        hours = (at - init_time).total_seconds() / 3600
        found.append(f"the newest cycle, {source} of {init_time:%Y-%m-%dT%HZ}, is {hours:.0f} h old")
    if newest.attrs.get("unexpectedly_absent"):
        found.append(f"{source} lacks {newest.attrs['unexpectedly_absent']}")
    known = np.zeros(newest.sizes["city"], bool)
    for name in (name for name in WEATHER if name in newest):
        known |= newest[name].notnull().any("time").values
    unknown = [str(city) for city in newest["city"].values[~known]]
    if unknown:
        more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
        found.append(f"{source} has nothing for {', '.join(unknown[:_NAMED])}{more}")
    return found
