"""Live ingestion: what is missing and what may have been revised, from every source in the settings."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime

from hazecast.grids.contract import HISTORY_HOURS
from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import load_station_cities
from hazecast.grids.places.cities import Registry
from hazecast.services.core.places import city_registry
from hazecast.services.core.settings import Settings
from hazecast.services.sources.errors import FetchError
from hazecast.services.sources.http import Patience
from hazecast.services.sources.monitors.interface import HOUR, MonitorSource
from hazecast.services.sources.registry import create_monitor_source
from hazecast.services.store.monitors import save_readings
from hazecast.services.store.station_hours import stored_hours
from hazecast.services.store.store import Store
from hazecast.services.work.ingest.doubts import doubts_of_newest, leave_out_future, settle_repeats

log = logging.getLogger(__name__)

# Share of the new values in error together from which a fetch is not "done": PM2.5 of a network that reports six pollutants.
_DISTRUSTED_SHARE = 0.1


@dataclass(frozen=True)
class SourceOutcome:
    """The outcome of one source.

    Attributes
    ----------
    source : str
    status : str
        "done", "partial" (some of it failed, or nothing was received) or "failed".
    newest : datetime or None
        The newest hour that the fetch gave.
    new, revised, unchanged, reflagged : int
        Values stored, changed by the publisher, already there, and whose flag has changed.
    counts : dict of str to int
        What was found and left out, by kind.
    problems : tuple of str
        What went wrong: the field, the value and what was expected.
    """

    source: str
    status: str
    newest: datetime | None = None
    new: int = 0
    revised: int = 0
    unchanged: int = 0
    reflagged: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """One line for a person; the problems aside."""
        newest = f", up to {self.newest:%Y-%m-%dT%H:%MZ}" if self.newest else ""
        found = "".join(f", {name} {number}" for name, number in sorted(self.counts.items()) if number)
        return (
            f"{self.source}: {self.status}{newest}; values: {self.new} new, {self.revised} revised, "
            f"{self.unchanged} unchanged{found}"
        )


@dataclass(frozen=True)
class MonitorReport:
    """The outcomes of all sources, in the order of the settings."""

    outcomes: tuple[SourceOutcome, ...]

    @property
    def failed(self) -> bool:
        """Whether every source failed."""
        return all(outcome.status == "failed" for outcome in self.outcomes)

    @property
    def reasons(self) -> tuple[str, ...]:
        """All faults, in words; empty if there are none."""
        return tuple(
            f"observations, {outcome.source}: {problem}"
            for outcome in self.outcomes
            for problem in outcome.problems or (("nothing came",) if outcome.status != "done" else ())
        )


def ingest_live(
    settings: Settings, now: datetime, *, registry: Registry | None = None, patience: Patience | None = None
) -> MonitorReport:
    """Fetch and store the newest observations of every source in the settings.

    The hours of the last three days that a source has nothing stored for are requested, and the
    newest ones again, since publishers revise them. A source that fails is reported, and the
    others go on; what it gave before stays.

    Parameters
    ----------
    settings : Settings
    now : datetime
        Aware.
    registry : Registry, optional
        By default the one that Hazecast ships.
    patience : Patience, optional
        Time-outs and retries of all sources.

    Returns
    -------
    MonitorReport

    Raises
    ------
    InputError
        If a source in the settings lacks a key or a folder. Nothing has then been fetched.
    """
    registry = registry or city_registry(settings)
    sources = build_sources(settings, registry, patience)
    store = Store(settings.database_url, files=settings.data_dir)
    try:
        store.migrate()
        return MonitorReport(tuple(_ingest(source, store, settings, registry, now) for source in sources))
    finally:
        for source in sources:
            source.close()
        store.close()


def build_sources(settings: Settings, registry: Registry, patience: Patience | None = None) -> list[MonitorSource]:
    """Return the sources in the settings, in their order.

    Parameters
    ----------
    settings : Settings
    registry : Registry
        The cities to fetch.
    patience : Patience, optional
        Time-outs and retries of all sources.

    Returns
    -------
    list of MonitorSource

    Raises
    ------
    InputError
        If one can't be loaded, or lacks a key or a folder.
    """
    rules = load_station_cities(registry)
    return [
        create_monitor_source(name, settings, registry, rules, patience) for name in settings.ingest.monitor_sources
    ]


def _ingest(
    source: MonitorSource, store: Store, settings: Settings, registry: Registry, now: datetime
) -> SourceOutcome:
    hours = wanted_hours(store, source.name, now, settings.ingest.monitor_reread_hours)
    try:
        batch = source.fetch(hours)
        leave_out_future(batch, source, now)
        settle_repeats(batch)
        saved = save_readings(store, source, batch, registry, now)
    except (FetchError, InputError) as error:
        log.error("%s: %s", source.name, error)
        return SourceOutcome(source.name, "failed", problems=(str(error),))
    if saved.distrusted > _DISTRUSTED_SHARE * (saved.new + saved.revised):
        batch.problems.append(
            f"{saved.distrusted} of {saved.new + saved.revised} new values are not used: "
            "the network fails as a whole, or repeats the day before"
        )
    batch.problems += doubts_of_newest(batch, saved, source, now)
    for problem in batch.problems:
        log.warning("%s: %s", source.name, problem)
    outcome = SourceOutcome(
        source.name,
        "partial" if batch.problems or not batch.readings else "done",
        max((reading.time for reading in batch.readings), default=None),
        saved.new,
        saved.revised,
        saved.unchanged,
        saved.reflagged,
        dict(batch.counts),
        tuple(batch.problems),
    )
    log.info("%s", outcome.summary)
    return outcome


def wanted_hours(store: Store, source: str, now: datetime, reread_hours: int) -> list[datetime]:
    """Return the hours to request from a source: those not stored, and the newest ones for revisions.

    Parameters
    ----------
    store : Store
    source : str
        Name of the source.
    now : datetime
        Aware.
    reread_hours : int
        How many of the newest hours are requested again, at least 1.

    Returns
    -------
    list of datetime
        Ascending; hours that a forecast reads, up to `HISTORY_HOURS` back.
    """
    last = now.replace(minute=0, second=0, microsecond=0)
    hours = [last - n * HOUR for n in reversed(range(HISTORY_HOURS))]
    present = stored_hours(store, source, hours[0], last)
    return [hour for n, hour in enumerate(hours) if hour not in present or n >= len(hours) - max(reread_hours, 1)]
