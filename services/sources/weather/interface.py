"""The interface of weather sources: the newest cycle, and its data in the data contract."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol, runtime_checkable

import xarray as xr

from hazecast.grids.contract import LEAD_HOURS, WEATHER, within_limits
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City
from hazecast.grids.weather.regular_grid import EAST_ASIA, GLOBE, Box, box_around
from hazecast.services.core.settings import Settings
from hazecast.services.sources.errors import FetchError
from hazecast.services.sources.http import Patience, Traffic
from hazecast.services.sources.weather.values import refuse_impossible

# A cycle is published some hours after its init time and is used until the next one is published, so it
# must reach further than the forecast made from it.
HORIZON_HOURS = LEAD_HOURS + 18
_PERIOD = timedelta(hours=6)


class NoCycleError(FetchError):
    """No complete cycle was found, or the one found turned out incomplete."""


@dataclass(frozen=True)
class Cycle:
    """One run of a weather model.

    Attributes
    ----------
    source : str
        Name of the source in the settings.
    init_time : datetime
        Aware, UTC: the time whose analysis the run starts from.
    late : bool
        Whether a newer one should have been published by now.
    """

    source: str
    init_time: datetime
    late: bool = False

    @property
    def label(self) -> str:
        """The init time as in file names, ``20261124T0600Z``."""
        return f"{self.init_time:%Y%m%dT%H%MZ}"


@dataclass(frozen=True)
class Wanted:
    """The part of a cycle to fetch.

    Attributes
    ----------
    cities : tuple of City
        For sources of point data, and where not `gridded`.
    box : Box
        For sources of gridded data.
    gridded : bool
        Whether the fields over the box are wanted; else their values at the cities, see `wanted_at`.
    hours : int
        Hours after the cycle's init time.
    step_hours : int
        Hours between steps, for sources with a choice of steps.
    variables : tuple of str
        Of `hazecast.grids.contract.WEATHER`; a source doesn't ask for others.
    """

    cities: tuple[City, ...]
    box: Box = EAST_ASIA
    gridded: bool = True
    hours: int = HORIZON_HOURS
    step_hours: int = 3
    variables: tuple[str, ...] = tuple(WEATHER)

    def label(self, *, points: bool) -> str:
        """Return the places that a cycle is fetched for, as is stored with it: of points each, of a grid the box."""
        if not points:
            return "box " + " ".join(f"{edge:g}" for edge in self.box)
        listed = sorted((city.id, city.latitude, city.longitude) for city in self.cities)
        return "points " + hashlib.sha256(repr(listed).encode()).hexdigest()[:16]


def wanted_at(cities: Sequence[City], step_hours: int = 3, variables: Sequence[str] = tuple(WEATHER)) -> Wanted:
    """Return what to fetch for cities anywhere: fields over their surroundings, or values at each where they lie far apart.

    Parameters
    ----------
    cities : sequence of City
    step_hours : int
        Hours between steps.
    variables : sequence of str
        Of the contract.

    Returns
    -------
    Wanted
    """
    box = box_around(cities)
    return Wanted(
        tuple(cities), box or GLOBE, gridded=box is not None, step_hours=step_hours, variables=tuple(variables)
    )


class WeatherSource(Protocol):
    """A publisher of weather forecasts.

    A source from another distribution is found by its entry point; see `hazecast.services.sources.registry`.

    Attributes
    ----------
    name : str
        As in the setting ``weather_sources``.
    attribution : str
        The attribution that its licence requires.
    lacks : frozenset of str
        Variables of the contract that it doesn't publish.
    traffic : Traffic
        Counts of requests so far.
    """

    name: str
    attribution: str
    lacks: frozenset[str]
    traffic: Traffic

    def newest_cycle(self, before: datetime, wanted: Wanted) -> Cycle:
        """Return the newest complete cycle with an init time at or before `before`.

        Parameters
        ----------
        before : datetime
            Aware; no later cycle is considered.
        wanted : Wanted

        Returns
        -------
        Cycle

        Raises
        ------
        NoCycleError
            If the last few cycles are all missing or incomplete.
        FetchError
            If the publisher can't be reached.
        """

    def fetch(self, cycle: Cycle, wanted: Wanted, scratch: Path) -> xr.Dataset:
        """Fetch a cycle.

        Complete parts stay in `scratch` and are not fetched again; the caller clears it.

        Parameters
        ----------
        cycle : Cycle
            As returned by `newest_cycle`.
        wanted : Wanted
        scratch : Path
            Folder for the parts of the download.

        Returns
        -------
        xarray.Dataset
            Contract "weather_grid" or "city_weather", with the attributes set by `with_provenance`.

        Raises
        ------
        NoCycleError
            If the cycle turns out incomplete.
        FetchError, InputError
            If the publisher can't be reached, or its answer isn't what it documents.
        """

    def close(self) -> None:
        """Close the connections."""


@runtime_checkable
class KeepsPast(Protocol):
    """A weather source whose earlier cycles can still be fetched as they were issued."""

    def fetch_past(self, cycle: Cycle, wanted: Wanted, scratch: Path) -> xr.Dataset:
        """Fetch an earlier cycle, as `WeatherSource.fetch` does the newest.

        Parameters
        ----------
        cycle : Cycle
        wanted : Wanted
        scratch : Path
            Folder for the parts of the download.

        Returns
        -------
        xarray.Dataset

        Raises
        ------
        NoCycleError
            If the publisher doesn't keep it, or never had it whole.
        FetchError, InputError
            As `WeatherSource.fetch`.
        """


def not_kept(url: str, cycle: Cycle) -> NoCycleError:
    """Return the error of a publisher that has not, or no longer, an earlier cycle.

    Parameters
    ----------
    url : str
    cycle : Cycle

    Returns
    -------
    NoCycleError
    """
    return NoCycleError(url, f"nothing of {cycle.init_time:%Y-%m-%dT%HZ}", "a cycle that is still kept")


class WeatherSourceFactory(Protocol):
    """Makes a weather source from the settings; what an entry point in ``hazecast.weather_sources`` refers to.

    The `name` of the source is that of its entry point. A source of another distribution reads what else it needs
    from settings of its own.
    """

    def __call__(self, settings: Settings, patience: Patience | None = None) -> WeatherSource:
        """Return a source.

        Parameters
        ----------
        settings : Settings
        patience : Patience, optional
            Time-outs and retries of its `HttpClient`.

        Returns
        -------
        WeatherSource

        Raises
        ------
        InputError
            If the settings lack what the source needs.
        """
        ...


def cycles_before(before: datetime, count: int = 5) -> Iterator[datetime]:
    """Yield the 6-hourly init times at or before a time, newest first.

    Parameters
    ----------
    before : datetime
        Aware.
    count : int
        How many.

    Yields
    ------
    datetime
        Aware, UTC.
    """
    newest = before.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    newest -= timedelta(hours=newest.hour % 6)
    for number in range(count):
        yield newest - number * _PERIOD


def newest_complete(
    source: str, url: str, before: datetime, last: int, delay: timedelta, is_there: Callable[[datetime], bool]
) -> Cycle:
    """Return the newest 6-hourly cycle whose last step exists; files are published in the order of their steps.

    Parameters
    ----------
    source, url : str
        For the cycle and an error.
    before : datetime
        Aware; no later cycle is considered.
    last : int
        The last step to fetch, h.
    delay : timedelta
        How long after its init time a cycle is usually complete.
    is_there : callable
        Returns whether the last step exists of the cycle with the given init time.

    Returns
    -------
    Cycle

    Raises
    ------
    NoCycleError
        If none of the last few is complete.
    """
    tried = []
    for init_time in cycles_before(before):
        if is_there(init_time):
            return Cycle(source, init_time, is_late(init_time, before, delay))
        tried.append(f"{init_time:%Y-%m-%dT%HZ}")
    expected = f"the step {last} h of one of them (HTTP 403 and 404 mean that it isn't there)"
    raise NoCycleError(url, f"no complete cycle of {', '.join(tried)}", expected)


@contextmanager
def requiring_complete_cycle() -> Iterator[None]:
    """Raise `NoCycleError` where a file of a cycle is missing (403, 404).

    Raises
    ------
    NoCycleError
        In place of the FetchError.
    """
    try:
        yield
    except FetchError as error:
        if error.status in (403, 404):
            raise NoCycleError(error.url, error.found, "every step of a complete cycle", status=error.status) from error
        raise


def is_late(init_time: datetime, now: datetime, delay: timedelta, period: timedelta = _PERIOD) -> bool:
    """Return whether a newer cycle should have been published.

    Parameters
    ----------
    init_time : datetime
        Aware; of the newest cycle found.
    now : datetime
        Aware.
    delay : timedelta
        Usual time from the init time of a cycle to its publication.
    period : timedelta
        From a cycle to the next, by default 6 h.

    Returns
    -------
    bool
    """
    return init_time + period + delay <= now


def steps_of(wanted: Wanted) -> list[int]:
    """Return the hours after the init time of the steps to fetch, 0 first."""
    return list(range(0, wanted.hours + 1, wanted.step_hours))


def with_provenance(
    dataset: xr.Dataset, cycle: Cycle, attribution: str, title: str, absent: dict[str, str] | None = None
) -> xr.Dataset:
    """Check the values of a fetched Dataset, and record its origin in its attributes.

    Parameters
    ----------
    dataset : xarray.Dataset
        Contract "weather_grid" or "city_weather".
    cycle : Cycle
    attribution : str
        As required by the licence.
    title : str
        Name of the source, for the attribute ``source``.
    absent : dict of str to str, optional
        Variables that the source should have but lacks, at some or all steps, each with what
        was found.

    Returns
    -------
    xarray.Dataset
        With the attributes ``source``, ``init_time``, ``attribution``, ``late``, ``absent_variables`` and
        ``unexpectedly_absent``.

    Raises
    ------
    InputError
        If a value is outside the range of the contract or contradicts others, or the run isn't that of `cycle`.
    """
    where, issued = f"{cycle.source} {cycle.label}", f"{cycle.init_time:%Y-%m-%dT%H:%M:%SZ}"
    dataset = dataset.assign({n: within_limits(dataset[n], n, where) for n in WEATHER if n in dataset})
    refuse_impossible(dataset, where, each_time=False)
    if dataset.attrs.get("init_time", issued) != issued:
        raise InputError(f"{where}: init_time", dataset.attrs["init_time"], issued)
    return dataset.assign_attrs(
        source=title,
        init_time=issued,
        attribution=attribution,
        late=int(cycle.late),
        absent_variables=" ".join(name for name in WEATHER if name not in dataset),
        unexpectedly_absent="; ".join(f"{name}: {found}" for name, found in (absent or {}).items()),
    )
