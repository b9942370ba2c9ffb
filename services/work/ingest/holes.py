"""Holes in the store: hours without observations, cycles of weather that are not there, and which were asked for in vain."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from hazecast.grids.times import format_time
from hazecast.services.core.files import atomic_write
from hazecast.services.sources.monitors.interface import HOUR
from hazecast.services.store.cycles import CycleStore
from hazecast.services.store.station_hours import stations_by_hour
from hazecast.services.store.store import Store

log = logging.getLogger(__name__)

_CYCLE_HOURS = 6
# How far around a period its usual number of stations is told by.
_USUAL = timedelta(days=7)
# What a publisher had nothing for is asked for again after 2 h, then after four times as long, and so on.
_FIRST_WAIT, _LONGER = timedelta(hours=2), 4


def hours_of(first: datetime, last: datetime) -> list[datetime]:
    """Return the whole hours of a period.

    Parameters
    ----------
    first, last : datetime
        Aware; both included.

    Returns
    -------
    list of datetime
        UTC, ascending.
    """
    start = first.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    start += HOUR if start < first else timedelta(0)
    return [start + n * HOUR for n in range(int((last - start) / HOUR) + 1)] if last >= start else []


def missing_hours(store: Store, source: str, first: datetime, last: datetime) -> list[datetime]:
    """Return the hours of which a source has nothing stored, or fewer than half of its usual stations.

    Parameters
    ----------
    store : Store
    source : str
        Name of the source.
    first, last : datetime
        Aware; both included.

    Returns
    -------
    list of datetime
        Ascending.
    """
    # Whoever asks for a part of a period gets what the whole would give.
    there = stations_by_hour(store, source, first - _USUAL, last + _USUAL)
    usual = median(there.values()) if there else 0.0
    return [hour for hour in hours_of(first, last) if hour not in there or 2 * there[hour] < usual]


def missing_cycles(store: CycleStore, first: datetime, last: datetime) -> list[datetime]:
    """Return the init times, every 6 h, of which no source's cycle is stored.

    Parameters
    ----------
    store : CycleStore
    first, last : datetime
        Aware; both included.

    Returns
    -------
    list of datetime
        Ascending.
    """
    there = {init_time for init_time, _, _ in store.cycles(last)}
    return [time for time in hours_of(first, last) if time.hour % _CYCLE_HOURS == 0 and time not in there]


class AskedInVain:
    """The hours and cycles that publishers had nothing for: asked for again ever more rarely.

    Parameters
    ----------
    path : Path
        A JSON file; without it nothing was asked for yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._asked: dict[str, dict[str, tuple[int, str]]] = {}
        if path.exists():
            try:
                read = json.loads(path.read_text(encoding="utf-8"))
                self._asked = {
                    name: {_form(time): (int(n), _form(at)) for time, (n, at) in times.items()}
                    for name, times in read.items()
                }
            except (AttributeError, TypeError, ValueError) as error:
                log.warning("%s: %s; everything is asked for again", path, error)

    def due(self, name: str, times: Sequence[datetime], now: datetime) -> list[datetime]:
        """Return those of `times` that may be asked for.

        Parameters
        ----------
        name : str
            Of a source.
        times : sequence of datetime
            Aware.
        now : datetime
            Aware.

        Returns
        -------
        list of datetime
        """
        known = self._asked.get(name, {})
        return [time for time in times if self._may_be_asked(known.get(format_time(time)), now)]

    @staticmethod
    def _may_be_asked(asked: tuple[int, str] | None, now: datetime) -> bool:
        if asked is None:
            return True
        number, at = asked
        wait = timedelta(seconds=_FIRST_WAIT.total_seconds() * _LONGER ** min(number - 1, 5))
        return now >= datetime.fromisoformat(at) + wait

    def note(self, name: str, times: Sequence[datetime], now: datetime) -> None:
        """Note that `times` were asked for in vain.

        Parameters
        ----------
        name : str
            Of a source.
        times : sequence of datetime
            Aware.
        now : datetime
            Aware.
        """
        known = self._asked.setdefault(name, {})
        for time in times:
            known[format_time(time)] = (known.get(format_time(time), (0, ""))[0] + 1, format_time(now))

    def save(self, first: datetime) -> None:
        """Write the file, without what lies before `first`.

        Raises
        ------
        StoreError
            If it can't be written.
        """
        kept = {
            name: {time: asked for time, asked in times.items() if datetime.fromisoformat(time) >= first}
            for name, times in self._asked.items()
        }
        with atomic_write(self._path) as part:
            part.write_text(json.dumps(kept, indent=1), encoding="utf-8")


def _form(text: str) -> str:
    """Return a time of the file in today's form: earlier versions wrote +00:00 for Z."""
    return format_time(datetime.fromisoformat(text))
