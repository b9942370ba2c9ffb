"""The daily bulletin of stored forecasts: reads the store, composes a bulletin, renders and caches it.

Others call `Bulletins.edition`::

    edition = bulletins.edition(["beijing", "tianjin"], "zh", now)
    edition.title, edition.text                       # subject and text part of a mail
    edition.document("pdf").content                   # and "html", "csv", "nc", "txt"
    html, parts = edition.mail()                      # HTML part, and PNGs by Content-ID
    edition.key                                       # the same for the same content: an idempotency key

Editions are cached: a thousand subscribers of the same cities and language cost one rendering.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import xarray as xr
from sqlalchemy import ColumnElement, func, select

from hazecast.alerts.bulletin.content import Bulletin, HazeOutlook, Unchecked, make_bulletin, today
from hazecast.alerts.engine.warning import LATEST_ISSUE, HazeWarning
from hazecast.alerts.messages.texts import LANGUAGES
from hazecast.alerts.rules.book import RuleBook
from hazecast.forecast.daily import DayCheck, day_check
from hazecast.grids.contract import LEAD_HOURS
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City, Registry
from hazecast.services.core.settings import Settings
from hazecast.services.core.shapes import shapes_state
from hazecast.services.store.observations import observed_hours
from hazecast.services.store.reads import degraded_reasons
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import ForecastRun, Observation
from hazecast.services.work.bulletin_edition import Edition, Found, imprint_of, places_label
from hazecast.services.work.bulletin_reasons import as_reason
from hazecast.services.work.explain import explainer
from hazecast.services.work.known_places import of_known_cities
from hazecast.services.work.public_haze import needs_approval
from hazecast.services.work.stored_forecast import load_forecast

_KEPT = 48
# A bulletin of more is read by nobody, and takes minutes to typeset.
MOST_CITIES = 500
_DAY = np.timedelta64(1, "D")


class Bulletins:
    """The bulletins of a store. Safe to share between threads."""

    def __init__(self, store: Store, settings: Settings, registry: Registry, book: RuleBook) -> None:
        self._store, self._settings, self._registry, self._book = store, settings, registry, book
        self._kept: OrderedDict[str, Edition] = OrderedDict()
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def edition(
        self, cities: Sequence[str], language: str, now: datetime, *, run: ForecastRun | None = None
    ) -> Edition:
        """Return the bulletin of some cities at a moment.

        Parameters
        ----------
        cities : sequence of str
            Ids, in the order wanted; empty for all that are forecast.
        language : {"zh", "ja", "en"}
        now : datetime
            Aware: what "today", "yesterday" and "in force" refer to.
        run : ForecastRun, optional
            The latest issued by then, by default; a real one before any simulated one.

        Returns
        -------
        Edition

        Raises
        ------
        InputError
            If there is no forecast, its file is gone, or a city or the language is unknown.
        """
        found = self.find(cities, language, now, run=run)
        with self._guard:
            lock = self._locks.setdefault(found.key, threading.Lock())
        with lock:
            with self._guard:
                if found.key in self._kept:
                    self._kept.move_to_end(found.key)
                    return self._kept[found.key]
            bulletin = self._compose(found.run, found.warnings, found.cities, now)
            made = Edition(found, bulletin, self._store, self._registry, self._settings)
            with self._guard:
                self._kept[found.key] = made
                while len(self._kept) > _KEPT:
                    self._locks.pop(self._kept.popitem(last=False)[0], None)
            return made

    def find(self, cities: Sequence[str], language: str, now: datetime, *, run: ForecastRun | None = None) -> Found:
        """Return what a bulletin would be made of, without making it: its key tells whether it is the same as another.

        Parameters
        ----------
        cities : sequence of str
            As for `edition`.
        language : {"zh", "ja", "en"}
        now : datetime
            Aware.
        run : ForecastRun, optional

        Returns
        -------
        Found

        Raises
        ------
        InputError
            As `edition`.
        """
        if language not in LANGUAGES:
            raise InputError("language", language, f"one of {sorted(LANGUAGES)}")
        chosen = [self._registry.city(name) for name in dict.fromkeys(cities)]
        run = run or self._newest(now)
        if run is None:
            raise InputError("store", "no forecast", f"one issued by {now:%Y-%m-%dT%H:%MZ}; run hazecast run")
        if not chosen:
            held = set(map(str, load_forecast(run.netcdf_path, ())["city"].values))
            chosen = [city for city in self._registry.cities.values() if city.id in held]
        if len(chosen) > MOST_CITIES:
            raise InputError("bulletin: cities", len(chosen), f"at most {MOST_CITIES}: name cities or a region")
        warnings = of_known_cities(self._store.warnings_in_force(now, run.simulated), self._registry)
        key = self._key(run, warnings, chosen, language, now)
        places = places_label(chosen, self._registry, whole=not cities)
        return Found(key, run, tuple(warnings), tuple(chosen), language, places)

    def _key(
        self,
        run: ForecastRun,
        warnings: Sequence[HazeWarning],
        cities: Sequence[City],
        language: str,
        now: datetime,
    ) -> str:
        """Name everything that a bulletin depends on: late observations and the passing of days too."""
        ids = {city.id for city in cities}
        parts = [
            run.netcdf_path,
            language,
            *(city.id for city in cities),
            # The map shows the haze signal of other cities too; what it may show depends on the approval.
            *sorted(w.model_dump_json() for w in warnings if w.city in ids or w.rule_set == self._book.haze_signal.id),
            str(needs_approval(self._settings, self._book.haze_signal)),
            shapes_state(self._settings),
            str(imprint_of(self._settings)),
            *sorted({str(today(city, now)) for city in cities}),
            str(self._stale(run, now) and int((now - run.init_time) / timedelta(hours=1))),
            str(self._observed_state(run, ids, now)),
        ]
        return hashlib.sha256("\n".join(parts).encode("utf-8")).hexdigest()

    def _observed_state(self, run: ForecastRun, ids: Collection[str], now: datetime) -> tuple[object, ...]:
        query = select(
            func.count(Observation.pm25),
            func.sum(Observation.pm25),
            func.count(Observation.o3),
            func.sum(Observation.o3),
        ).where(
            Observation.city.in_(ids),
            Observation.simulated == run.simulated,
            Observation.time > now - timedelta(days=3),
            Observation.time <= now,
        )
        with self._store.engine.connect() as connection:
            return tuple(connection.execute(query).one())

    def _stale(self, run: ForecastRun, now: datetime) -> bool:
        return now - run.init_time > timedelta(hours=self._settings.answers.stale_after_hours)

    def _compose(
        self, run: ForecastRun, warnings: Sequence[HazeWarning], cities: Sequence[City], now: datetime
    ) -> Bulletin:
        from hazecast.alerts.maps.polygons import provinces_touched
        from hazecast.services.work.haze_maps import stored_areas

        forecast = load_forecast(run.netcdf_path)
        observations = self._observations(run.simulated, now, [city.id for city in cities])
        checks, unchecked = self._checks(run, cities, observations, now)
        try:
            areas = stored_areas(self._settings, run.netcdf_path, self._book, warnings)
            haze = HazeOutlook(provinces_touched(areas), areas.window, self._book.haze_signal, areas.warned)
        except InputError:
            haze = None
        why, wanted = explainer(self._store), {city.id for city in cities}
        return make_bulletin(
            forecast,
            observations,
            self._registry,
            self._book,
            cities,
            now,
            warnings=[(w, why(w)) for w in warnings if w.city in wanted],
            checks=checks,
            unchecked=unchecked,
            haze=haze,
            stale=self._stale(run, now),
            reasons=[as_reason(text) for text in degraded_reasons(self._store, run)],
        )

    def _observations(self, simulated: bool, now: datetime, cities: Sequence[str]) -> xr.Dataset | None:
        """Return what was observed in some cities from the day before yesterday on, as far as it is stored."""
        try:
            return observed_hours(self._store, now - timedelta(days=3), now, simulated, cities)
        except InputError:
            return None

    def _checks(
        self, run: ForecastRun, cities: Sequence[City], observations: xr.Dataset | None, now: datetime
    ) -> tuple[list[DayCheck], Unchecked]:
        """Compare the newest forecast from before yesterday with what was observed."""
        if run.simulated:
            # Each sample generates its own observations.
            return [], "simulated"
        if observations is None:
            return [], "no_observations"
        found = []
        for city in cities:
            date = today(city, now) - _DAY
            begins = datetime.combine(
                date.astype("datetime64[D]").item(), datetime.min.time(), ZoneInfo(city.time_zone)
            )
            # It must reach to the end of the day.
            first = begins + timedelta(days=1) - timedelta(hours=LEAD_HOURS)
            earlier = self._newest(begins, ForecastRun.simulated == run.simulated, ForecastRun.init_time >= first)
            if earlier is None:
                continue
            try:
                forecast = load_forecast(earlier.netcdf_path)
            except InputError:
                continue
            if city.id in forecast["city"].values:
                found.append(day_check(forecast, observations, city, date, self._registry))
        return found, "" if found else "no_forecast"

    def _newest(self, until: datetime, *conditions: ColumnElement[bool]) -> ForecastRun | None:
        query = select(ForecastRun).where(
            ForecastRun.init_time <= until, ForecastRun.withdrawn_at.is_(None), *conditions
        )
        query = query.order_by(ForecastRun.init_time.desc()).limit(1)
        with self._store.sessions() as session:
            found = (session.scalar(query.where(ForecastRun.simulated == kind)) for kind in (False, True))
            return next((run for run in found if run is not None), None)


def issued_at(run: ForecastRun) -> datetime:
    """Return when a run was issued, as of which its bulletin is: when it was stored or, of a run of the past, its init time."""
    late = run.created_at - run.init_time > LATEST_ISSUE
    return run.init_time if late else max(run.created_at, run.init_time)


def region_cities(registry: Registry, region: str) -> list[str]:
    """Return the ids of the cities of a region.

    Parameters
    ----------
    registry : Registry
    region : str
        Id of a region.

    Returns
    -------
    list of str

    Raises
    ------
    InputError
        If there is no such region.
    """
    if region not in registry.regions:
        raise InputError("region", region, f"one of {', '.join(sorted(registry.regions))}")
    return list(registry.regions[region].cities)
