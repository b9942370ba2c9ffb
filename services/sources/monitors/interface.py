"""The interface of monitoring sources: hourly station readings in one form and with one time convention."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, Protocol, TypeVar, runtime_checkable

from hazecast.grids.contract import MEASURED_AIR, MEASURED_WEATHER, WEATHER, Variable, variables_of
from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import NetworkStation, StationCities
from hazecast.grids.places.cities import Registry
from hazecast.grids.quality import GOOD, Reporting
from hazecast.grids.units import to_ug_m3
from hazecast.services.core.settings import Settings
from hazecast.services.sources.errors import FetchError
from hazecast.services.sources.http import Patience

HOUR = timedelta(hours=1)
_GIVE_UP_AFTER = 2
_T = TypeVar("_T")
# A weather station measures no pollutant: a city that has one alone isn't observed.
SourceKind = Literal["measurement", "model_analysis", "weather_station"]
# Codes for "no value" in text fields of the networks.
_MISSING_TEXTS = frozenset({"", "-", "—", "–", "--", "NA", "N/A", "NULL", "NONE", "NAN", "***", "欠測"})


# What stations may measure beside pollutants, with its units and limits: weather, and by a short name what observations hold.
_NAMES = {"relative_humidity": "rh", "visibility": "vis"}
MEASURED: dict[str, Variable] = {name: WEATHER[name] for name in MEASURED_WEATHER} | {
    _NAMES[name]: variables_of("observations")[name] for name in MEASURED_AIR
}


def measured_name(name: str) -> str:
    """Return the short name under which readings hold a quantity of the contract."""
    return _NAMES.get(name, name)


class Reading(NamedTuple):
    """One value of one station and hour, as published.

    Attributes
    ----------
    station : str
        `NetworkStation.id`.
    time : datetime
        Aware, UTC: the end of the hour that the value is averaged over.
    pollutant : str
        A name of the contract, or of `MEASURED`: weather, humidity and visibility measured beside pollutants.
    raw : float or None
        The number as published; None where the publisher reports none. What is `MEASURED` is in the contract's units.
    units : str
        Of `raw`.
    flag : int
        What its publisher says of a quantity of `MEASURED`, a flag of `hazecast.grids.quality`; pollutants are screened.
    """

    station: str
    time: datetime
    pollutant: str
    raw: float | None
    units: str
    flag: int = GOOD

    def ug_m3(self, sentinels: tuple[float, ...]) -> float:
        """Return the value in ug m-3, NaN where missing; a sentinel is returned unconverted."""
        if self.raw is None:
            return float("nan")
        return self.raw if self.raw in sentinels else self.raw * to_ug_m3(self.pollutant, self.units)


@dataclass
class Batch:
    """The result of one fetch from a source.

    Attributes
    ----------
    stations : dict of str to NetworkStation
        By `NetworkStation.id`; only stations that belong to a city.
    readings : list of Reading
    counts : Counter of str
        What was found and left out, by kind.
    problems : list of str
        Errors that did not stop the fetch: each names the field, the value and what was
        expected.
    """

    stations: dict[str, NetworkStation] = field(default_factory=dict)
    readings: list[Reading] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def add(self, station: NetworkStation, time: datetime, values: Iterable[tuple[str, float | None, str]]) -> None:
        """Add the readings of a station and hour.

        Parameters
        ----------
        station : NetworkStation
        time : datetime
            Aware, UTC: the end of the hour.
        values : iterable of (str, float or None, str)
            Pollutant, raw value and its units.
        """
        self.stations[station.id] = station
        self.readings += [Reading(station.id, time, name, raw, units) for name, raw, units in values]

    def join(self, other: Batch) -> None:
        """Add the result of another fetch."""
        self.stations.update(other.stations)
        self.readings += other.readings
        self.counts.update(other.counts)
        self.problems += other.problems


class MonitorSource(Protocol):
    """A publisher of station readings.

    A source from another distribution is found by its entry point; see `hazecast.services.sources.registry`.

    Attributes
    ----------
    name : str
        As in the settings and the store.
    kind : {"measurement", "model_analysis", "weather_station"}
    reporting : Reporting
        How it reports missing values and zero, for quality control.
    """

    name: str
    kind: SourceKind
    reporting: Reporting

    def fetch(self, hours: Sequence[datetime]) -> Batch:
        """Return the publisher's readings for the hours that end at the times of `hours`.

        Failures of single hours or stations are reported in `Batch.problems`. A source that
        answers by period may also return hours in between.

        Parameters
        ----------
        hours : sequence of datetime
            Aware, whole hours, ascending, at least one; none in the future.

        Raises
        ------
        FetchError
            If the publisher can't be reached or refuses.
        InputError
            If the answer isn't in its format: names the field, its value and what was expected.
        """
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


@dataclass(frozen=True)
class History:
    """How far back a publisher answers.

    Attributes
    ----------
    reach : timedelta or None
        None where no end is documented.
    span : timedelta
        The longest period to ask for in one fetch.
    """

    reach: timedelta | None
    span: timedelta


@runtime_checkable
class HasHistory(Protocol):
    """A monitoring source whose past hours can be filled in; one without `history` gives its newest hours alone."""

    history: History


class MonitorSourceFactory(Protocol):
    """Makes a monitoring source from the settings; what an entry point in ``hazecast.monitor_sources`` refers to.

    The `name` of the source is that of its entry point. A source of another distribution reads what else it needs
    from settings of its own.
    """

    def __call__(
        self, settings: Settings, registry: Registry, rules: StationCities, patience: Patience | None = None
    ) -> MonitorSource:
        """Return a source.

        Parameters
        ----------
        settings : Settings
        registry : Registry
            The cities to fetch.
        rules : StationCities
            Assigns stations to cities.
        patience : Patience, optional
            Time-outs and retries of its `HttpClient`.

        Returns
        -------
        MonitorSource

        Raises
        ------
        InputError
            If the settings lack what the source needs.
        """
        ...


def number(text: object, where: str) -> float | None:
    """Parse a published value.

    Parameters
    ----------
    text : object
        A number or text.
    where : str
        The field, for errors.

    Returns
    -------
    float or None
        None for any code for "no value".

    Raises
    ------
    InputError
        If it is anything else.
    """
    if text is None or (isinstance(text, str) and text.strip().upper() in _MISSING_TEXTS):
        return None
    try:
        # Python would read 1_0 as ten.
        value = float("nothing" if isinstance(text, str) and "_" in text else text)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(where, text, "a number, or a mark for no value") from error
    if isinstance(text, bool) or math.isinf(value):
        raise InputError(where, text, "a finite number, or a mark for no value")
    return None if math.isnan(value) else value


def csv_rows(text: str, where: str) -> list[list[str]]:
    """Split a CSV text into rows of fields.

    Parameters
    ----------
    text : str
    where : str
        Its address, for errors.

    Returns
    -------
    list of list of str

    Raises
    ------
    InputError
        If it isn't CSV.
    """
    try:
        return list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise InputError(where, error, "CSV") from error


def try_each(
    items: Sequence[_T], action: Callable[[_T], None], batch: Batch, kind: str, *, tolerated: float = 1.0
) -> None:
    """Call `action` for each item; failures are reported in `batch.problems` and don't stop the others.

    If the publisher can't be reached twice in a row, or refuses the key, the remaining items aren't tried.

    Parameters
    ----------
    items : sequence
    action : callable
        Called with one item.
    batch : Batch
        Counts failures as ``<kind>_failed``.
    kind : str
        What the items are, in the plural.
    tolerated : float
        Fraction of items that may fail; from this fraction on the first error is raised.

    Raises
    ------
    FetchError, InputError
        The first one, if that fraction is reached.
    """
    errors: list[FetchError | InputError] = []
    in_a_row = 0
    for position, item in enumerate(items):
        try:
            action(item)
            in_a_row = 0
        except (FetchError, InputError) as error:
            errors.append(error)
            in_a_row = in_a_row + 1 if isinstance(error, FetchError) else 0
            refused = isinstance(error, FetchError) and error.status in (401, 403)
            if in_a_row >= _GIVE_UP_AFTER or refused:
                errors += [error] * (len(items) - position - 1)
                break
    if errors and len(errors) >= tolerated * len(items):
        raise errors[0]
    if errors:
        batch.counts[f"{kind}_failed"] += len(errors)
        batch.problems.append(f"{len(errors)} of {len(items)} {kind}: {errors[0]}")
