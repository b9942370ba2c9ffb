"""Ingesting cycles of weather or composition: the first source in order of preference that has one is used; why others
failed is reported."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from hazecast.grids.errors import InputError
from hazecast.grids.times import format_time
from hazecast.services.core.clock import Clock, utc_now
from hazecast.services.core.places import city_registry
from hazecast.services.core.settings import Settings
from hazecast.services.sources.errors import ContentError, FetchError
from hazecast.services.sources.http import Traffic
from hazecast.services.sources.weather.interface import Cycle, NoCycleError, Wanted, WeatherSource
from hazecast.services.store.cycles import CycleStore
from hazecast.services.store.weather_cycles import WeatherStore

log = logging.getLogger(__name__)

_CYCLES_TRIED = 3
# No answer, too many requests, or nothing for this user: an older cycle would meet the same.
_NOTHING_ELSE = (None, 401, 403, 429)


@dataclass(frozen=True)
class Attempt:
    """What one source gave: a cycle, stored now or before, or the reason why none."""

    source: str
    cycle: Cycle | None
    outcome: str
    traffic: Traffic


@dataclass(frozen=True)
class WeatherReport:
    """What an ingest of weather, or of composition, did.

    Attributes
    ----------
    path : Path or None
        The stored cycle; None if no source had one.
    attempts : tuple of Attempt
        In the order of preference, up to the first that served.
    reasons : tuple of str
        Faults, in words; empty if there are none.
    """

    path: Path | None
    attempts: tuple[Attempt, ...]
    reasons: tuple[str, ...]


def ingest_newest(
    sources: Sequence[WeatherSource],
    wanted: Wanted,
    store: CycleStore,
    now: datetime,
    kind: str = "weather",
    clock: Clock = utc_now,
) -> WeatherReport:
    """Fetch and store the newest complete cycle of the first source that has one.

    A cycle that is stored already is not fetched again, unless other places are wanted now. Where the newest cycle turns out
    incomplete, or isn't what the source documents, older ones are tried; a source that can't be reached, or has no
    cycle that can be used, is passed over.

    Parameters
    ----------
    sources : sequence of WeatherSource
        In order of preference.
    wanted : Wanted
    store : CycleStore
    now : datetime
        Aware; no cycle issued later is requested.
    kind : str
        What is ingested, in a word, for logs and faults.
    clock : callable
        Gives the time at which a cycle has been received; it is stored with it as ``retrieved_at``.

    Returns
    -------
    WeatherReport
    """
    attempts: list[Attempt] = []
    reasons: list[str] = []
    for source in sources:
        path, cycle, outcome, faults = _from(source, wanted, store, now, clock)
        attempts.append(Attempt(source.name, cycle, outcome, source.traffic))
        reasons.extend(f"{kind}: {source.name}: {fault}" for fault in faults)
        for fault in faults:
            log.warning("%s source %s: %s", kind, source.name, fault)
        if path is not None and cycle is not None:
            log.info("%s source %s: %s, cycle %s", kind, source.name, outcome, cycle.label)
            if cycle.late:
                reasons.append(f"{kind}: {source.name} is late, the newest cycle is of {cycle.init_time:%Y-%m-%dT%HZ}")
            return WeatherReport(path, tuple(attempts), tuple(reasons))
    reasons.append(f"{kind}: none of {', '.join(s.name for s in sources) or 'no sources'} had a new cycle")
    return WeatherReport(None, tuple(attempts), tuple(reasons))


def remove_old(settings: Settings, store: WeatherStore, now: datetime) -> int:
    """Remove cycles that are too old, or keep of them what a training from the store reads; return how many are removed.

    Parameters
    ----------
    settings : Settings
    store : WeatherStore
    now : datetime
        Aware.

    Returns
    -------
    int

    Raises
    ------
    StoreError
        If a file can't be written.
    """
    old = now - timedelta(days=settings.ingest.weather_keep_days)
    if settings.learning.retrain == "off":
        return store.prune(old)
    condensed = store.condense(old, tuple(city_registry(settings).cities.values()))
    if condensed:
        log.info("%d old weather cycles are kept at the cities only, to learn from", condensed)
    return store.prune(min(old, now - timedelta(days=settings.learning.retrain_reach_days)))


def _from(
    source: WeatherSource, wanted: Wanted, store: CycleStore, now: datetime, clock: Clock
) -> tuple[Path | None, Cycle | None, str, list[str]]:
    """Return the stored file and its cycle, the outcome in a word, and what went wrong on the way."""
    before = now
    faults: list[str] = []
    for _ in range(_CYCLES_TRIED):
        try:
            cycle = source.newest_cycle(before, wanted)
        except (FetchError, InputError) as error:
            return None, None, "failed", [*faults, str(error)]
        late = Cycle(cycle.source, cycle.init_time, cycle.late or bool(faults))
        if store.holds(cycle, wanted):
            return store.path(cycle), late, "already stored", faults
        try:
            fetched = source.fetch(late, wanted, store.scratch(cycle))
            noted = {"retrieved_at": format_time(clock()), "places": wanted.label(points="city" in fetched.dims)}
            path = store.save(source.name, fetched.assign_attrs(noted))
        except (FetchError, InputError) as error:
            faults.append(str(error))
            if isinstance(error, InputError):
                # What is in the scratch folder made it fail, and would do so again.
                store.clear_scratch(cycle)
            elif not isinstance(error, ContentError | NoCycleError) and error.status in _NOTHING_ELSE:
                return None, None, "failed", faults
            before = cycle.init_time - timedelta(hours=1)
            continue
        store.clear_scratch(cycle)
        return path, late, "fetched", faults
    return None, None, "failed", faults
