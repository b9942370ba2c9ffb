"""What every weather source offers: its newest cycle, and that cycle in the data contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import xarray as xr

from hazecast.grids.contract import LEAD_HOURS, WEATHER, within_limits
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City
from hazecast.grids.weather.regular_grid import EAST_ASIA, Box
from hazecast.services.sources.http import FetchError, Traffic

# A cycle is published some hours after its init time and serves until the next one is out, so it
# must reach further than the forecast made from it.
HORIZON_HOURS = LEAD_HOURS + 18
_PERIOD = timedelta(hours=6)


class NoCycleError(FetchError):
    """No complete cycle could be found, or one that was taken for complete isn't."""


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
    """What is wanted of a cycle.

    Attributes
    ----------
    cities : tuple of City
        For sources that answer by point.
    box : Box
        For sources that answer by grid.
    hours : int
        Hours after the cycle's init time.
    step_hours : int
        Hours between steps where the source leaves a choice.
    """

    cities: tuple[City, ...]
    box: Box = EAST_ASIA
    hours: int = HORIZON_HOURS
    step_hours: int = 3


class WeatherSource(Protocol):
    """A publisher of weather forecasts.

    Attributes
    ----------
    name : str
        As in the setting ``weather_sources``.
    attribution : str
        What its licence asks to be shown.
    lacks : frozenset of str
        Variables of the contract that it is known not to publish.
    traffic : Traffic
        What it has fetched so far.
    """

    name: str
    attribution: str
    lacks: frozenset[str]
    traffic: Traffic

    def newest_cycle(self, before: datetime, wanted: Wanted) -> Cycle:
        """Return the newest complete cycle with an init time at or before `before`.

        Raises
        ------
        NoCycleError
            If the last few are all missing or incomplete.
        FetchError
            If the publisher can't be reached.
        """

    def fetch(self, cycle: Cycle, wanted: Wanted, scratch: Path) -> xr.Dataset:
        """Return a cycle in the contract, "weather_grid" or "city_weather".

        Parts that have come are kept in `scratch` and not fetched again; the caller clears it.

        Raises
        ------
        NoCycleError
            If the cycle turns out incomplete.
        FetchError, InputError
            If the publisher can't be reached, or what came isn't what it documents.
        """

    def close(self) -> None:
        """Close the connections."""


def cycles_before(before: datetime, count: int = 5) -> Iterator[datetime]:
    """Yield the 6-hourly init times at or before a time, newest first."""
    newest = before.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    newest -= timedelta(hours=newest.hour % 6)
    for number in range(count):
        yield newest - number * _PERIOD


def newest_complete(
    source: str, url: str, before: datetime, last: int, delay: timedelta, is_there: Callable[[datetime], bool]
) -> Cycle:
    """Return the newest 6-hourly cycle whose last step is there; files come in the order of their steps.

    Parameters
    ----------
    source, url : str
        For the cycle and an error.
    before : datetime
        Aware; no later cycle is looked for.
    last : int
        The last step that is wanted, h.
    delay : timedelta
        How long after its init time a cycle is usually whole.
    is_there : callable
        Says whether the last step of the cycle of an init time is.

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
    raise NoCycleError(url, f"no complete cycle of {', '.join(tried)}", f"the step {last} h of one of them")


@contextmanager
def whole_cycle() -> Iterator[None]:
    """Turn "no such file" within into a `NoCycleError`: the cycle was taken for complete and isn't."""
    try:
        yield
    except FetchError as error:
        if error.status in (403, 404):
            raise NoCycleError(error.url, error.found, "every step of a complete cycle", status=error.status) from error
        raise


def is_late(init_time: datetime, now: datetime, delay: timedelta) -> bool:
    """Return whether a newer 6-hourly cycle should be out, when each is `delay` after its init time."""
    return init_time + _PERIOD + delay <= now


def steps_of(wanted: Wanted) -> list[int]:
    """Return the hours after the init time of the steps that are wanted, 0 first."""
    return list(range(0, wanted.hours + 1, wanted.step_hours))


def labelled(
    dataset: xr.Dataset, cycle: Cycle, attribution: str, title: str, absent: dict[str, str] | None = None
) -> xr.Dataset:
    """Return a fetched Dataset with its origin in its attributes, once its values are plausible.

    Parameters
    ----------
    dataset : xarray.Dataset
    cycle : Cycle
    attribution : str
    title : str
        The source in words, for the attribute ``source``.
    absent : dict of str to str, optional
        Variables that the source should hold and doesn't, or not at all steps, each with what
        was found.

    Raises
    ------
    InputError
        If a value is outside the range of the contract, or the run isn't that of `cycle`.
    """
    where, issued = f"{cycle.source} {cycle.label}", f"{cycle.init_time:%Y-%m-%dT%H:%M:%SZ}"
    dataset = dataset.assign({n: within_limits(dataset[n], n, where) for n in WEATHER if n in dataset})
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
