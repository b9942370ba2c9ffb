"""Ingesting: the newest weather, composition and observations, whatever fails upstream."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hazecast.grids.errors import InputError
from hazecast.grids.extras import requires
from hazecast.grids.places.cities import City
from hazecast.services.core.clock import Clock, utc_now
from hazecast.services.core.places import city_registry
from hazecast.services.core.settings import Settings
from hazecast.services.sources.http import Patience
from hazecast.services.sources.registry import create_composition_source, create_weather_source
from hazecast.services.sources.weather.interface import WeatherSource, wanted_at
from hazecast.services.store.composition_cycles import CompositionStore
from hazecast.services.store.locks import file_locked
from hazecast.services.store.weather_archive import prune_weather_archive
from hazecast.services.store.weather_cycles import WeatherStore
from hazecast.services.work.ingest.monitors import MonitorReport
from hazecast.services.work.ingest.monitors import ingest_live as ingest_monitors
from hazecast.services.work.ingest.variables import weather_wanted
from hazecast.services.work.ingest.weather import WeatherReport, ingest_newest, remove_old

if TYPE_CHECKING:
    from hazecast.services.core.cluster import Progress
    from hazecast.services.work.ingest.archive import BuildReport

WEATHER_LOCK_FILE, OBSERVATIONS_LOCK_FILE = "ingest.lock", "ingest-observations.lock"
COMPOSITION_LOCK_FILE = "ingest-composition.lock"


class IngestBusyError(RuntimeError):
    """Another process is ingesting."""


@dataclass(frozen=True)
class IngestReport:
    """What an ingest did, and its faults."""

    at: datetime
    weather: WeatherReport
    observations: MonitorReport

    @property
    def reasons(self) -> tuple[str, ...]:
        """All faults, in words; empty if there are none."""
        return self.weather.reasons + self.observations.reasons

    @property
    def status(self) -> str:
        """``"done"``, ``"degraded"``, or ``"failed"`` if nothing was received."""
        if self.weather.path is None and self.observations.failed:
            return "failed"
        return "degraded" if self.reasons else "done"


def weather_sources(settings: Settings) -> list[WeatherSource]:
    """Return the sources that the settings name, in their order.

    Raises
    ------
    InputError
        If a source can't be loaded, or the settings lack what it needs.
    """
    return [create_weather_source(name, settings, _patience(settings)) for name in settings.ingest.weather_sources]


def _patience(settings: Settings) -> Patience:
    return Patience(attempts=settings.ingest.http_attempts, read_seconds=settings.ingest.http_timeout_seconds)


def _cities(settings: Settings) -> tuple[City, ...]:
    return tuple(city_registry(settings).cities.values())


def _lock(settings: Settings, lock_file: str) -> AbstractContextManager[None]:
    return file_locked(settings.data_dir / lock_file, IngestBusyError("another process is ingesting"))


def ingest_weather(settings: Settings, now: datetime) -> WeatherReport:
    """Fetch and store the newest cycle, remove old ones, and note what was wrong.

    Parameters
    ----------
    settings : Settings
    now : datetime
        Aware.

    Returns
    -------
    WeatherReport

    Raises
    ------
    IngestBusyError
        If another process is ingesting weather.
    InputError
        If the settings lack what a source needs.
    """
    sources, store = weather_sources(settings), WeatherStore(settings.weather_dir)
    wanted = weather_wanted(settings, _cities(settings))
    try:
        with _lock(settings, WEATHER_LOCK_FILE):
            report = ingest_newest(sources, wanted, store, now)
            remove_old(settings, store, now)
            prune_weather_archive(settings.archive_dir, settings.ingest.archive_days, now)
            store.note(now, report.reasons)
    finally:
        for source in sources:
            source.close()
    return report


def ingest_composition(settings: Settings, clock: Clock = utc_now) -> WeatherReport:
    """Fetch and store the newest run of a chemistry model.

    Forecasts don't depend on it: without one they aren't degraded.

    Parameters
    ----------
    settings : Settings
    clock : callable
        Gives the time, aware.

    Returns
    -------
    WeatherReport

    Raises
    ------
    IngestBusyError
        If another process is ingesting composition.
    InputError
        If the settings lack what a source needs.
    """
    names = settings.ingest.composition_sources
    sources = [create_composition_source(name, settings, _patience(settings)) for name in names]
    store, wanted = CompositionStore(settings.composition_dir), wanted_at(_cities(settings))
    try:
        with _lock(settings, COMPOSITION_LOCK_FILE):
            return ingest_newest(sources, wanted, store, clock(), "composition", clock)
    finally:
        for source in sources:
            source.close()


def ingest_observations(settings: Settings, now: datetime) -> MonitorReport:
    """Fetch and store the newest observations of all sources that the settings name.

    Parameters
    ----------
    settings : Settings
    now : datetime
        Aware.

    Returns
    -------
    MonitorReport

    Raises
    ------
    IngestBusyError
        If another process is ingesting observations.
    InputError
        If the settings lack what a source needs.
    """
    with _lock(settings, OBSERVATIONS_LOCK_FILE):
        return ingest_monitors(settings, now, patience=_patience(settings))


def ingest_live(settings: Settings, now: datetime | None = None) -> IngestReport:
    """Fetch and store the newest weather and the newest observations.

    What is stored already isn't fetched again. What fails is in the report; the rest is stored.

    Parameters
    ----------
    settings : Settings
    now : datetime, optional
        Aware; by default the current time.

    Returns
    -------
    IngestReport

    Raises
    ------
    IngestBusyError
        If another process is ingesting.
    InputError
        If the settings lack what a source needs.
    """
    now = now or utc_now()
    # Observations first: they are quick, and a forecast needs them more.
    observations = ingest_observations(settings, now)
    return IngestReport(now, ingest_weather(settings, now), observations)


def ingest_archive(
    settings: Settings,
    first: datetime,
    last: datetime,
    files: Path | None,
    *,
    scheduler_address: str | None = None,
    progress: Progress | None = None,
) -> BuildReport:
    """Build the weather archive of a period, or continue a build.

    Parameters
    ----------
    settings : Settings
    first, last : datetime
        Aware, both included.
    files : Path, optional
        Weather files or a folder of them. Without, the months of ERA5 that the period touches are
        fetched from the Climate Data Store first; those already there aren't requested again.
    scheduler_address : str, optional
        Of a Dask scheduler.
    progress : callable, optional
        Called with the number of parts done and in all.

    Returns
    -------
    BuildReport

    Raises
    ------
    FetchError
        If the Climate Data Store can't be reached, or refuses.
    InputError
        If a file or setting can't be used, or the extra "archive" is not installed.
    """
    requires("distributed", "archive")
    from hazecast.services.work.ingest.archive import build_weather_archive

    if files is None:
        files = settings.data_dir / "era5"
        _fetch_era5(settings, first, last, files)
    return build_weather_archive(
        files,
        first,
        last,
        settings.archive_dir,
        box=wanted_at(_cities(settings)).box,
        scheduler_address=scheduler_address,
        progress=progress,
    )


def _fetch_era5(settings: Settings, first: datetime, last: datetime, folder: Path) -> None:
    from hazecast.services.sources.weather.era5 import Era5

    key = settings.publishers.era5_key.get_secret_value()
    if not key:
        raise InputError(
            "HAZECAST_ERA5_KEY", "not set", "an access token of the Climate Data Store, or --weather-files"
        )
    source = Era5(key, settings.publishers.era5_url, _patience(settings))
    try:
        month = (first.year, first.month)
        while month <= (last.year, last.month):
            source.fetch_month(*month, wanted_at(_cities(settings)).box, folder, until=last)
            month = (month[0] + month[1] // 12, month[1] % 12 + 1)
    finally:
        source.close()
