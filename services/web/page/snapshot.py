"""The current state that the page shows: the newest run, its age, the warnings in force and what was observed."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt
import xarray as xr

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.engine.window import signal_window
from hazecast.alerts.rules.book import RuleBook
from hazecast.alerts.rules.severity import Severity, severity
from hazecast.forecast.daily import daily_outlook
from hazecast.forecast.days import joined_hours
from hazecast.forecast.layers import LAYERS, hourly_layers
from hazecast.forecast.products import valid_times
from hazecast.grids.contract import HISTORY_HOURS
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City, Registry
from hazecast.grids.times import to_datetime, to_datetime64
from hazecast.services.core.clock import Clock, utc_now
from hazecast.services.core.settings import Settings
from hazecast.services.store.observations import observed_hours
from hazecast.services.store.reads import degraded_reasons, public_version
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import ForecastRun
from hazecast.services.work.bulletin import issued_at
from hazecast.services.work.known_places import of_known_cities
from hazecast.services.work.stored_forecast import load_cities, stored_part

log = logging.getLogger(__name__)

Values = npt.NDArray[np.float64]

# How old a snapshot may be: a page requested again within this time costs no query.
_FRESH_SECONDS = 1.0
# Older than this, an observed value is not called "now".
CURRENT_HOURS = 3
OBSERVED_HOURS = 24
# What a phone can draw, and load.
MOST_CITIES = 400
# The variables of the forecast that the page shows.
_SHOWN = ("pm25", "o3", "relative_humidity", "u10", "v10")


_RANKS: dict[Severity, int] = {"Minor": 1, "Moderate": 1, "Severe": 2, "Extreme": 3}


def severity_rank(warning: HazeWarning, book: RuleBook) -> int:
    """Return the severity of a warning as a number, comparable between rule sets: its marks on the map.

    Parameters
    ----------
    warning : HazeWarning
    book : RuleBook
        With the warning's rule set.

    Returns
    -------
    int
        1 (minor or moderate), 2 (severe) or 3 (extreme).
    """
    return _RANKS[severity(book.rule_set(warning.rule_set), warning.level)]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The state of the service at one moment, shared by many readers: not to be changed.

    Attributes
    ----------
    now : datetime
    run : ForecastRun or None
        The newest, a real one before any simulated one.
    stale : bool
        Older than the service's limit.
    reasons : tuple of str
        What a degraded run lacked, as its cycle reported it.
    warnings : tuple of HazeWarning
        In force now, the most severe first.
    forecast : xarray.Dataset or None
        Of all cities or, where there are more than `MOST_CITIES`, of those with warnings and then the highest PM2.5. None too
        where the run's file is gone.
    observed : xarray.Dataset or None
        Of the same cities: contract "observations", from three days before the init time until now.
    registry : Registry
    book : RuleBook
    left_out : int
        How many cities of the forecast are not among these.
    elsewhere : callable or None
        Reads the forecast and the observations of other cities, given their ids.
    chosen : bool
        Whether the reader chose the run: it is then shown as it was when it was issued, which `now` is.
    """

    now: datetime
    run: ForecastRun | None
    stale: bool
    reasons: tuple[str, ...]
    warnings: tuple[HazeWarning, ...]
    forecast: xr.Dataset | None
    observed: xr.Dataset | None
    registry: Registry
    book: RuleBook
    left_out: int = 0
    elsewhere: Callable[[Sequence[str]], tuple[xr.Dataset | None, xr.Dataset | None]] | None = None
    chosen: bool = False

    def around(self, *cities: City | None) -> Snapshot:
        """Return the snapshot with some cities: itself, unless it leaves one of them out."""
        ids = [city.id for city in cities if city is not None]
        if not self.left_out or self.elsewhere is None or set(ids) <= set(self.cities):
            return self
        forecast, observed = self.elsewhere(ids)
        return replace(self, forecast=forecast, observed=observed)

    @cached_property
    def cities(self) -> list[str]:
        """Ids of the cities whose forecast it holds."""
        return [] if self.forecast is None else [str(c) for c in self.forecast["city"].values]

    @cached_property
    def times(self) -> list[datetime]:
        """The hours of the forecast, aware."""
        return [] if self.forecast is None else [to_datetime(t) for t in valid_times(self.forecast)]

    @cached_property
    def layers(self) -> dict[str, Values]:
        """Values of the map's layers, (hour, city); empty without a forecast."""
        if self.forecast is None:
            return {}
        found = hourly_layers(self.forecast)
        return {name: found[name].values for name in LAYERS}

    @cached_property
    def joined(self) -> xr.Dataset | None:
        """The 24 hours observed before the init time, then the median of the forecast; None without a forecast."""
        return None if self.forecast is None else joined_hours(self.forecast, self.observed, 0.5)

    def hours_until(self, city: str, end: datetime, *, observed: bool) -> tuple[Values, Values]:
        """Return a city's PM2.5 and ozone of the 24 hours that end with one.

        Parameters
        ----------
        city : str
        end : datetime
            Aware: the end of the last hour.
        observed : bool
            As observed alone, else the forecast after what was observed.

        Returns
        -------
        (float64 (24,), float64 (24,))
            ug m-3, NaN where unknown.
        """
        found = self._observed_hours if observed else self._joined_hours
        return found.until(city, end)

    @cached_property
    def _observed_hours(self) -> _Hours:
        return _Hours(self.observed)

    @cached_property
    def _joined_hours(self) -> _Hours:
        return _Hours(self.joined)

    @cached_property
    def outlook(self) -> xr.Dataset | None:
        """The days ahead, as `hazecast.forecast.daily.daily_outlook` gives them."""
        return None if self.forecast is None else daily_outlook(self.forecast, self.observed, self.registry)

    @property
    def window(self) -> tuple[datetime, datetime] | None:
        """The window that the areas of haze on the map are for."""
        return None if self.run is None else signal_window(self.run.init_time, self.book.haze_signal)

    def newest_observed(self, city: str) -> tuple[datetime, dict[str, float]] | None:
        """Return a city's last hour with a value within a day, and its PM2.5 and ozone (NaN where unknown)."""
        return self._newest.get(city)

    @cached_property
    def _newest(self) -> dict[str, tuple[datetime, dict[str, float]]]:
        if self.observed is None:
            return {}
        names = [name for name in ("pm25", "o3") if name in self.observed]
        values = {name: self.observed[name].transpose("time", "city").values for name in names}
        known = np.isfinite(np.stack(list(values.values()))).any(axis=0)
        times = self.observed["time"].values
        found = {}
        for n, city in enumerate(map(str, self.observed["city"].values)):
            hours = np.flatnonzero(known[:, n])
            if hours.size == 0:
                continue
            at = to_datetime(times[hours[-1]])
            if self.now - at <= timedelta(hours=OBSERVED_HOURS):
                here = {name: float(values[name][hours[-1], n]) for name in names}
                found[city] = (at, {"pm25": float("nan"), "o3": float("nan")} | here)
        return found


class _Hours:
    """PM2.5 and ozone by hour and city as plain arrays: a page reads those of every city."""

    def __init__(self, dataset: xr.Dataset | None) -> None:
        self._columns: dict[str, int] = {}
        if dataset is None:
            return
        shape = (dataset.sizes["time"], dataset.sizes["city"])
        self._columns = {str(city): n for n, city in enumerate(dataset["city"].values)}
        self._rows = {int(t): n for n, t in enumerate(dataset["time"].values.astype("datetime64[h]").astype(int))}
        self._values = [
            dataset[name].transpose("time", "city").values.astype(np.float64)
            if name in dataset
            else np.full(shape, np.nan)
            for name in ("pm25", "o3")
        ]

    def until(self, city: str, end: datetime) -> tuple[Values, Values]:
        """Return the 24 hours that end with one."""
        pm25, o3 = np.full(24, np.nan), np.full(24, np.nan)
        column = self._columns.get(city)
        if column is not None:
            last = int(to_datetime64(end).astype("datetime64[h]").astype(int))
            for n in range(24):
                row = self._rows.get(last - 23 + n)
                if row is not None:
                    pm25[n], o3[n] = self._values[0][row, column], self._values[1][row, column]
        return pm25, o3


class Snapshots:
    """Gives the newest snapshot; what depends on a run alone is computed once for it.

    Parameters
    ----------
    store : Store
    registry : Registry
    settings : Settings
    book : RuleBook
    clock : callable
        Gives the current time, aware.
    """

    def __init__(
        self, store: Store, registry: Registry, settings: Settings, book: RuleBook, clock: Clock = utc_now
    ) -> None:
        self._store, self._registry, self._settings, self._clock = store, registry, settings, clock
        self._book = book
        self._lock = threading.Lock()
        self._taken = float("-inf")
        self._last: Snapshot | None = None
        self._key: Hashable = None
        self._state: Hashable = None
        self._chosen_lock = threading.Lock()
        self._chosen: tuple[Hashable, Snapshot] | None = None

    def current(self) -> Snapshot:
        """Return the state as of now, or of at most a second ago."""
        with self._lock:
            if self._last is None or time.monotonic() - self._taken > _FRESH_SECONDS:
                self._last, self._taken = self._take(), time.monotonic()
            return self._last

    def of(self, run: ForecastRun) -> Snapshot:
        """Return the state as a run gave it when it was issued; that of the last run asked for is kept."""
        key = (run.id, public_version(self._store))
        with self._chosen_lock:
            if self._chosen is None or self._chosen[0] != key:
                at = issued_at(run)
                self._chosen = key, self._snapshot(run, at, self._warnings(run, at), chosen=True)
            return self._chosen[1]

    def _take(self) -> Snapshot:
        now = self._clock()
        # Warnings end on the minute, everything else changes with what is stored.
        key = (public_version(self._store), now.replace(second=0, microsecond=0))
        if self._last is not None and key == self._key:
            return self._last
        self._key = key
        run = self._store.latest_run()
        warnings = self._warnings(run, now)
        stale = run is not None and now - run.init_time > timedelta(hours=self._settings.answers.stale_after_hours)
        # What is computed from a snapshot is cached with it: the same state is the same snapshot. Observations come hourly.
        state = (key[0], now.replace(minute=0, second=0, microsecond=0), warnings, stale)
        if self._last is not None and state == self._state:
            return self._last
        self._state = state
        return self._snapshot(run, now, warnings, stale=stale)

    def _warnings(self, run: ForecastRun | None, now: datetime) -> tuple[HazeWarning, ...]:
        in_force = self._store.warnings_in_force(now, bool(run and run.simulated))
        return tuple(sorted(of_known_cities(in_force, self._registry), key=partial(_severity_order, book=self._book)))

    def _snapshot(
        self,
        run: ForecastRun | None,
        now: datetime,
        warnings: tuple[HazeWarning, ...],
        *,
        stale: bool = False,
        chosen: bool = False,
    ) -> Snapshot:
        forecast, left_out = _forecast(run, {warning.city for warning in warnings})
        held = None if not left_out or forecast is None else [str(city) for city in forecast["city"].values]
        return Snapshot(
            now=now,
            run=run,
            stale=stale,
            reasons=() if run is None else degraded_reasons(self._store, run),
            warnings=warnings,
            forecast=forecast,
            observed=None if run is None else self._observed(run, now, held),
            registry=self._registry,
            book=self._book,
            left_out=left_out,
            elsewhere=None if run is None else partial(self._elsewhere, run, now),
            chosen=chosen,
        )

    def _elsewhere(
        self, run: ForecastRun, now: datetime, cities: Sequence[str]
    ) -> tuple[xr.Dataset | None, xr.Dataset | None]:
        """Read the forecast and the observations of a few cities, from their rows."""
        forecast = stored_part(self._store, run, cities)
        return forecast if forecast.sizes["city"] else None, self._observed(run, now, cities)

    def _observed(self, run: ForecastRun, now: datetime, cities: Sequence[str] | None) -> xr.Dataset | None:
        first = run.init_time - timedelta(hours=HISTORY_HOURS - 1)
        try:
            return observed_hours(self._store, first, max(now, run.init_time), run.simulated, cities)
        except InputError:
            return None


def _forecast(run: ForecastRun | None, warned: Collection[str]) -> tuple[xr.Dataset | None, int]:
    """Return the forecast of the cities that the page shows, and how many it leaves out."""
    if run is None:
        return None, 0
    try:
        forecast, cities = load_cities(run.netcdf_path, _SHOWN, partial(_chosen, warned), MOST_CITIES)
    except InputError as error:
        log.error("the page has no forecast to show: %s", error)
        return None, 0
    return forecast, len(cities) - forecast.sizes["city"]


def _chosen(warned: Collection[str], cities: Sequence[str], pm25: npt.NDArray[np.float32]) -> list[int]:
    """Return the positions of the cities that matter: those with warnings, then the highest PM2.5."""
    highest = np.nan_to_num(pm25, nan=-1.0).max(axis=0)
    order = sorted(range(len(cities)), key=lambda n: (cities[n] not in warned, -highest[n]))
    return sorted(order[:MOST_CITIES])


def _severity_order(warning: HazeWarning, book: RuleBook) -> tuple[int, str, str]:
    return -severity_rank(warning, book), warning.rule_set, warning.city
