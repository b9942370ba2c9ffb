"""What every monitoring source offers: station readings of hours, in one form and with one time stamp."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, Protocol, TypeVar

from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import NetworkStation
from hazecast.grids.quality import Reporting
from hazecast.grids.units import to_ug_m3
from hazecast.services.sources.http import FetchError

HOUR = timedelta(hours=1)
_GIVE_UP_AFTER = 2
_T = TypeVar("_T")
SourceKind = Literal["measurement", "model_analysis"]
# How networks write "no value" in a text field.
_MISSING_TEXTS = frozenset({"", "-", "—", "–", "--", "NA", "N/A", "NULL", "NONE", "NAN", "***", "欠測"})


class Reading(NamedTuple):
    """One value of one station and hour, as published.

    Attributes
    ----------
    station : str
        `NetworkStation.id`.
    time : datetime
        Aware, UTC: the end of the hour that the value is averaged over.
    pollutant : str
        A name of the contract.
    raw : float or None
        The number as published; None where the publisher says that there is none.
    units : str
        Of `raw`.
    """

    station: str
    time: datetime
    pollutant: str
    raw: float | None
    units: str

    def ug_m3(self, sentinels: tuple[float, ...]) -> float:
        """Return the value in ug m-3, NaN where missing; a mark for "no value" keeps its number."""
        if self.raw is None:
            return float("nan")
        return self.raw if self.raw in sentinels else self.raw * to_ug_m3(self.pollutant, self.units)


@dataclass
class Batch:
    """What one fetch of a source gave.

    Attributes
    ----------
    stations : dict of str to NetworkStation
        By `NetworkStation.id`; only such as belong to a city.
    readings : list of Reading
    counts : Counter of str
        What was found and left out, by kind.
    problems : list of str
        What went wrong while the rest went on: each names the field, the value and what was
        expected.
    """

    stations: dict[str, NetworkStation] = field(default_factory=dict)
    readings: list[Reading] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def add(self, station: NetworkStation, time: datetime, values: Iterable[tuple[str, float | None, str]]) -> None:
        """Add the readings (pollutant, raw, units) of a station and hour."""
        self.stations[station.id] = station
        self.readings += [Reading(station.id, time, name, raw, units) for name, raw, units in values]

    def join(self, other: Batch) -> None:
        """Take in what another fetch gave."""
        self.stations.update(other.stations)
        self.readings += other.readings
        self.counts.update(other.counts)
        self.problems += other.problems


class MonitorSource(Protocol):
    """A publisher of station readings.

    Attributes
    ----------
    name : str
        As in the settings and the store.
    kind : {"measurement", "model_analysis"}
    reporting : Reporting
        What quality control must know of it.
    """

    name: str
    kind: SourceKind
    reporting: Reporting

    def fetch(self, hours: Sequence[datetime]) -> Batch:
        """Return what the publisher has of the hours that end at the times of `hours`.

        What can't be had of single hours or stations is told in `Batch.problems`. A source that
        answers by period may give hours in between too.

        Parameters
        ----------
        hours : sequence of datetime
            Aware, whole hours, ascending, at least one; none in the future.

        Raises
        ------
        FetchError
            If the publisher can't be reached or refuses.
        InputError
            If what came isn't in its format: the field, its value and what was expected.
        """
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


def number(text: object, where: str) -> float | None:
    """Return a published value as a number, None for any way of writing "no value".

    Raises
    ------
    InputError
        If it is anything else.
    """
    if text is None or (isinstance(text, str) and text.strip().upper() in _MISSING_TEXTS):
        return None
    try:
        value = float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise InputError(where, text, "a number, or a mark for no value") from error
    if isinstance(text, bool) or math.isinf(value):
        raise InputError(where, text, "a finite number, or a mark for no value")
    return None if math.isnan(value) else value


def csv_rows(text: str, where: str) -> list[list[str]]:
    """Return the lines of a CSV text, each split into its fields.

    Raises
    ------
    InputError
        If it isn't CSV.
    """
    try:
        return list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise InputError(where, error, "CSV") from error


def each(items: Sequence[_T], action: Callable[[_T], None], batch: Batch, kind: str, *, tolerated: float = 1.0) -> None:
    """Do `action` for each item; one that fails is told in `batch.problems`, and the next goes on.

    Where the publisher can't be reached twice in a row, or refuses the key, the rest isn't tried.

    Parameters
    ----------
    items : sequence
    action : callable
    batch : Batch
        Counts failures as ``<kind>_failed``.
    kind : str
        What the items are, in the plural.
    tolerated : float
        Share of failures, of all items, from which it counts as a failure of the whole.

    Raises
    ------
    FetchError, InputError
        The first one, if the share is reached.
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
