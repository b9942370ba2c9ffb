"""Filling holes from the publishers: hours of one source of observations, cycles of weather from the first that keeps them.

Each fetch is stored by itself: a run that is stopped goes on where it was, and one that is repeated changes nothing.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import Registry
from hazecast.grids.times import format_time
from hazecast.services.core.clock import Clock
from hazecast.services.sources.errors import FetchError
from hazecast.services.sources.monitors.interface import HasHistory, MonitorSource
from hazecast.services.sources.weather.interface import Cycle, KeepsPast, NoCycleError, Wanted, WeatherSource
from hazecast.services.store.monitors import save_readings
from hazecast.services.store.store import Store
from hazecast.services.store.weather_cycles import WeatherStore
from hazecast.services.work.ingest.doubts import leave_out_future, settle_repeats
from hazecast.services.work.ingest.holes import missing_hours

log = logging.getLogger(__name__)

# Called with the hours or cycles asked for so far and in all.
Progress = Callable[[int, int], None]
_SCRATCH = "backfill"
# No answer, a refused key, too many requests: what is asked for next would meet the same.
_NOTHING_ELSE = (None, 401, 403, 429)
_FAILURES_IN_A_ROW = 2


@dataclass
class Filled:
    """What became of the holes of one source, or of the weather.

    Attributes
    ----------
    source : str
        "weather" where several sources of weather were asked.
    kind : {"observations", "weather"}
    missing, filled : int
        Hours or cycles that were not there, and that are now.
    asked : list of datetime
        What the publisher answered for, with values or without.
    unanswered : int
        Requests that it did not answer.
    new, revised, unchanged : int
        Values, of observations.
    counts : Counter of str
        What was found and left out, by kind.
    problems : list of str
        What went wrong.
    notes : list of str
        What publishers don't have; no fault.
    """

    source: str
    kind: Literal["observations", "weather"]
    missing: int
    filled: int = 0
    asked: list[datetime] = field(default_factory=list)
    unanswered: int = 0
    new: int = 0
    revised: int = 0
    unchanged: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Hours or cycles that are still missing."""
        return self.missing - self.filled

    @property
    def status(self) -> str:
        """``"done"``, ``"partial"``, or ``"failed"`` where no request was answered."""
        if self.unanswered and not self.asked:
            return "failed"
        return "partial" if self.problems or self.left else "done"

    @property
    def summary(self) -> str:
        """One line for a person; problems and notes aside."""
        what = "hours" if self.kind == "observations" else "cycles"
        line = f"{self.kind} {self.source}: {self.status}, {self.filled} of {self.missing} missing {what} filled"
        if self.kind == "observations":
            line += f"; values: {self.new} new, {self.revised} revised, {self.unchanged} unchanged"
        return line + "".join(f", {name} {number}" for name, number in sorted(self.counts.items()) if number)

    def trouble(self, text: str) -> None:
        """Note a problem once, and log it."""
        if text not in self.problems:
            self.problems.append(text)
            log.warning("%s: %s", self.source, text)


def fill_hours(
    source: MonitorSource,
    store: Store,
    registry: Registry,
    hours: Sequence[datetime],
    clock: Clock,
    progress: Progress | None = None,
) -> Filled:
    """Fetch hours of observations and store them, the newest first.

    Parameters
    ----------
    source : MonitorSource
        With a history.
    store : Store
        Migrated.
    registry : Registry
    hours : sequence of datetime
        Aware, ascending.
    clock : callable
        Gives the time, aware.
    progress : callable, optional

    Returns
    -------
    Filled

    Raises
    ------
    InputError
        If the source has no history.
    """
    if not isinstance(source, HasHistory):
        raise InputError("backfill: source", source.name, "a source that gives earlier hours")
    if not hours:
        return Filled(source.name, "observations", 0)
    whole, before = hours, _still_missing(store, source.name, hours)
    report = Filled(source.name, "observations", len(before))
    hours = _within_reach(source, hours, clock(), report)
    failures = done = 0
    for part in reversed(list(_parts(hours, source.history.span))):
        now = clock()
        try:
            batch = source.fetch(part)
            leave_out_future(batch, source, now)
            settle_repeats(batch)
            saved = save_readings(store, source, batch, registry, now)
        except (FetchError, InputError) as error:
            report.trouble(f"{part[0]:%Y-%m-%dT%HZ} to {part[-1]:%Y-%m-%dT%HZ}: {error}")
            failures, report.unanswered = failures + 1, report.unanswered + 1
            if failures == _FAILURES_IN_A_ROW or (isinstance(error, FetchError) and error.status in _NOTHING_ELSE):
                if rest := len(hours) - done - len(part):
                    report.trouble(f"{rest} earlier hours were not asked for")
                break
        else:
            failures = 0
            report.asked += part
            report.new, report.revised = report.new + saved.new, report.revised + saved.revised
            report.unchanged += saved.unchanged
            report.counts.update(batch.counts)
            for problem in batch.problems:
                report.trouble(problem)
        done += len(part)
        if progress is not None:
            progress(done, len(hours))
    report.filled = len(before) - len(before & _still_missing(store, source.name, whole))
    log.info("%s", report.summary)
    return report


def _within_reach(source: HasHistory, hours: Sequence[datetime], now: datetime, report: Filled) -> Sequence[datetime]:
    reach = source.history.reach
    kept = [hour for hour in hours if reach is None or hour >= now - reach]
    if len(kept) < len(hours):
        oldest = f"{now - (reach or timedelta(0)):%Y-%m-%dT%H:%MZ}"
        report.trouble(f"{len(hours) - len(kept)} hours lie before {oldest}, which the publisher keeps nothing of")
    return kept


def _still_missing(store: Store, source: str, hours: Sequence[datetime]) -> set[datetime]:
    return set(hours) & set(missing_hours(store, source, hours[0], hours[-1]))


def _parts(hours: Sequence[datetime], span: timedelta) -> Iterator[list[datetime]]:
    """Cut hours into requests of at most `span`, from first to last hour."""
    part: list[datetime] = []
    for hour in hours:
        if part and hour - part[0] >= span:
            yield part
            part = []
        part.append(hour)
    if part:
        yield part


def fill_cycles(
    sources: Sequence[WeatherSource],
    wanted: Wanted,
    store: WeatherStore,
    init_times: Sequence[datetime],
    clock: Clock,
    progress: Progress | None = None,
    *,
    small_before: datetime | None = None,
) -> Filled:
    """Fetch earlier cycles of weather, as they were issued, and store them, the newest first.

    Parameters
    ----------
    sources : sequence of WeatherSource
        In order of preference; those that keep no earlier cycles are passed over.
    wanted : Wanted
    store : WeatherStore
    init_times : sequence of datetime
        Aware, ascending; of cycles that are not there.
    clock : callable
        Gives the time at which a cycle was received.
    progress : callable, optional
    small_before : datetime, optional
        Of cycles before it the values at the cities alone are stored.

    Returns
    -------
    Filled
    """
    keepers = [source for source in sources if isinstance(source, KeepsPast)]
    name = keepers[0].name if len(keepers) == 1 else "weather"
    report = Filled(name, "weather", len(init_times))
    if not keepers:
        names = ", ".join(source.name for source in sources)
        report.notes.append(f"no earlier cycles can be had from {names or 'no sources'}")
    for done, init_time in enumerate(reversed(init_times), start=1):
        if not keepers:
            break
        for source in list(keepers):
            cycle = Cycle(source.name, init_time)
            try:
                small = small_before is not None and init_time < small_before
                _fill_cycle(source, cycle, wanted, store, clock, small)
            except NoCycleError as error:
                report.counts[f"not_kept_by_{source.name}"] += 1
                if report.counts[f"not_kept_by_{source.name}"] == 1:
                    report.notes.append(f"{source.name}: {error}")
                continue
            except (FetchError, InputError) as error:
                report.trouble(f"{source.name}, cycle of {init_time:%Y-%m-%dT%HZ}: {error}")
                report.unanswered += 1
                if isinstance(error, FetchError) and error.status in _NOTHING_ELSE:
                    keepers.remove(source)
                continue
            report.filled += 1
            break
        if keepers:
            report.asked.append(init_time)
        if progress is not None:
            progress(done, len(init_times))
    log.info("%s", report.summary)
    return report


def _fill_cycle(
    source: KeepsPast, cycle: Cycle, wanted: Wanted, store: WeatherStore, clock: Clock, small: bool
) -> None:
    try:
        fetched = source.fetch_past(cycle, wanted, store.scratch(cycle, _SCRATCH))
        fetched = store.small(fetched, wanted.cities) if small else fetched
        store.save(cycle.source, fetched.assign_attrs(retrieved_at=format_time(clock())))
    except (InputError, NoCycleError):
        # What is in the folder made it fail, and would do so again.
        store.clear_scratch(cycle, _SCRATCH)
        raise
    store.clear_scratch(cycle, _SCRATCH)
