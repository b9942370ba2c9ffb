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
import re
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args
from zoneinfo import ZoneInfo

import numpy as np
import xarray as xr
from sqlalchemy import ColumnElement, func, select

from hazecast.alerts.bulletin.content import Bulletin, HazeOutlook, Reason, Unchecked, charted, make_bulletin, today
from hazecast.alerts.bulletin.data import as_csv, as_dataset
from hazecast.alerts.bulletin.forms import BulletinText
from hazecast.alerts.bulletin.render import as_html, as_pdf, as_text
from hazecast.alerts.bulletin.wording import MAP, chart_name, make_view
from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.messages.texts import LANGUAGES
from hazecast.alerts.rules.book import RuleBook
from hazecast.forecast.daily import DayCheck, day_check
from hazecast.grids.contract import LEAD_HOURS
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City, Registry
from hazecast.services.core.rules import rule_book
from hazecast.services.core.settings import Settings
from hazecast.services.core.shapes import shapes_state
from hazecast.services.store.reads import degraded_reasons
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import ForecastRun, Observation
from hazecast.services.work.explain import explain
from hazecast.services.work.public_haze import needs_approval
from hazecast.services.work.stored_forecast import Look, load_forecast

Format = Literal["html", "pdf", "csv", "nc", "txt"]
FORMATS: tuple[Format, ...] = get_args(Format)
MEDIA_TYPES: dict[Format, str] = {
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
    "csv": "text/csv; charset=utf-8; header=present",
    "nc": "application/x-netcdf",
    "txt": "text/plain; charset=utf-8",
}
_KEPT = 48
# A bulletin of more is read by nobody, and takes minutes to typeset.
MOST_CITIES = 500
_DAY = np.timedelta64(1, "D")
# How the reasons of a degraded run begin, as `hazecast.services.work.inputs.shortcomings` and the cycle write them.
_REASONS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?P<city>\w+): newest PM2\.5 is (?P<hours>\d+) h old$"), "late"),
    (re.compile(r"PM2\.5 is a model's analysis, not measured, in (?P<n>\d+) cities"), "modelled"),
    (re.compile(r"weather ends at \S+, before the last lead time$"), "weather_short"),
    (re.compile(r"weather: no cycle issued by|weather: no value in any"), "weather_missing"),
    (re.compile(r"weather lacks|weather: left out|weather: .+ (without a value in|lie outside) "), "weather_gaps"),
    (re.compile(r"observations: (?P<n>\d+) hours are stamped in the future"), "future"),
    (re.compile(r"the model in service can't be loaded"), "model"),
    (re.compile(r"observations end (?P<hours>\d+) h before now"), "old"),
    (re.compile(r"no PM2\.5 in the last 72 h in (?P<n>\d+) of (?P<all>\d+) cities"), "silent"),
    (re.compile(r"observations: (?P<n>\d+) hours in which a network fails"), "distrusted"),
    (re.compile(r"observations: (?P<n>\d+) hours repeat the day before"), "repeating"),
    (re.compile(r"observations: (left out, |at least \d+ more cells or rows are left out)"), "left_out"),
    (re.compile(r"observations: "), "assumed"),
    (re.compile(r"weather: none is known, before or after"), "no_air"),
    (re.compile(r"no trained model can be loaded"), "no_model"),
)


@dataclass(frozen=True)
class Document:
    """A bulletin in one form: a file's name, its media type and its bytes."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class Found:
    """What a bulletin is made of; `key` is the same for the same content, as `Edition.key`."""

    key: str
    run: ForecastRun
    warnings: tuple[HazeWarning, ...]
    cities: tuple[City, ...]
    language: str


def document_name(run: ForecastRun, language: str, form: Format) -> str:
    """Return the name under which a bulletin is saved.

    Parameters
    ----------
    run : ForecastRun
    language : {"zh", "ja", "en"}
    form : str

    Returns
    -------
    str
    """
    label = "simulated-" if run.simulated else ""
    return f"hazecast-bulletin-{label}{run.init_time:%Y%m%dT%H%MZ}-{language}.{form}"


class Edition:
    """One bulletin in one language; each form is rendered when first requested, then cached.

    Attributes
    ----------
    key : str
        The same for the same content, and another when anything in it changes.
    bulletin : Bulletin
    language : {"zh", "ja", "en"}
    """

    def __init__(
        self,
        key: str,
        bulletin: Bulletin,
        language: str,
        run: ForecastRun,
        store: Store,
        registry: Registry,
        settings: Settings,
        warnings: Sequence[HazeWarning],
    ) -> None:
        self.key, self.bulletin, self.language, self._settings = key, bulletin, language, settings
        self._run, self._store, self._registry, self._warnings = run, store, registry, warnings
        self._documents: dict[Format, Document] = {}
        self._working = threading.RLock()

    @property
    def title(self) -> str:
        """The subject of a mail: state, title, date and places."""
        marks = "".join(f"[{banner.short}] " for banner in self.view.banners)
        return f"{marks}{self.view.title}, {self.view.subtitle}"

    @property
    def text(self) -> str:
        """All of it as plain text."""
        return as_text(self.view)

    @cached_property
    def pictures(self) -> dict[str, bytes]:
        """The map and the charts, PNG by name; what can't be drawn for want of values is left out."""
        from hazecast.services.work.maps import draw_stored_haze, fan_of_run

        found: dict[str, bytes] = {}
        if self.bulletin.haze is not None:
            path, book, look = self._run.netcdf_path, rule_book(self._settings), Look(self.language, "desktop")
            found[MAP] = draw_stored_haze(self._settings, path, self._registry, book, self._warnings, look)
        chart = Look(self.language, "print")
        for city, pollutants in charted(self.bulletin):
            for item in pollutants:
                found[chart_name(city.id, item)] = fan_of_run(
                    self._store, self._run, self._registry, city.id, item, chart
                )
        return found

    @cached_property
    def view(self) -> BulletinText:
        """The words of it."""
        with self._working:
            return make_view(self.bulletin, self.language, self.pictures)

    def document(self, form: Format) -> Document:
        """Return the bulletin in one form."""
        with self._working:
            if form not in self._documents:
                name = document_name(self._run, self.language, form)
                self._documents[form] = Document(name, MEDIA_TYPES[form], self._content(form))
            return self._documents[form]

    def mail(self) -> tuple[bytes, dict[str, bytes]]:
        """Return the HTML for a mail and the PNGs that it names, by Content-ID (``cid:`` without brackets).

        Many mail readers don't show pictures that a page holds itself.
        """
        parts = {f"{name}.{self.key[:16]}@hazecast": picture for name, picture in self.pictures.items()}
        names = dict(zip(self.pictures, parts, strict=True))
        return as_html(self.view, self.pictures, lambda name: f"cid:{names[name]}"), parts

    def _content(self, form: Format) -> bytes:
        if form == "html":
            return as_html(self.view, self.pictures)
        if form == "pdf":
            return as_pdf(self.view, self.pictures, self.bulletin.init_time)
        if form == "csv":
            return as_csv(self.bulletin, self.language)
        if form == "txt":
            return self.text.encode("utf-8")
        return _netcdf(as_dataset(self.bulletin, load_forecast(self._run.netcdf_path)))


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
            made = Edition(
                found.key, bulletin, language, found.run, self._store, self._registry, self._settings, found.warnings
            )
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
            held = set(map(str, load_forecast(run.netcdf_path)["city"].values))
            chosen = [city for city in self._registry.cities.values() if city.id in held]
        if len(chosen) > MOST_CITIES:
            raise InputError("bulletin: cities", len(chosen), f"at most {MOST_CITIES}: name cities or a region")
        warnings = self._store.warnings_in_force(now, run.simulated)
        return Found(self._key(run, warnings, chosen, language, now), run, tuple(warnings), tuple(chosen), language)

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
        from hazecast.services.work.maps import stored_areas

        forecast = load_forecast(run.netcdf_path)
        observations = self._observations(run.simulated, now)
        checks, unchecked = self._checks(run, cities, observations, now)
        try:
            areas = stored_areas(self._settings, run.netcdf_path, self._book, warnings)
            haze = HazeOutlook(provinces_touched(areas), areas.window, self._book.haze_signal, areas.warned)
        except InputError:
            haze = None
        return make_bulletin(
            forecast,
            observations,
            self._registry,
            self._book,
            cities,
            now,
            warnings=[(w, explain(self._store, w)) for w in warnings if w.city in {c.id for c in cities}],
            checks=checks,
            unchecked=unchecked,
            haze=haze,
            stale=self._stale(run, now),
            reasons=[as_reason(text) for text in degraded_reasons(self._store, run)],
        )

    def _observations(self, simulated: bool, now: datetime) -> xr.Dataset | None:
        """Return what was observed from the day before yesterday on, as far as it is stored."""
        try:
            return self._store.observed(now - timedelta(days=3), now, simulated)
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


def as_reason(text: str) -> Reason:
    """Return a reason of a degraded run by its key; one that is not known carries its English words."""
    for pattern, key in _REASONS:
        found = pattern.match(text)
        if found is not None:
            return Reason(key, tuple(found.groupdict().items()))
    return Reason("other", (("text", text),))


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


def _netcdf(dataset: xr.Dataset) -> bytes:
    encoding: dict[str, dict[str, object]] = {
        str(name): {"zlib": True, "complevel": 4}
        for name, array in dataset.data_vars.items()
        if array.dtype.kind in "fiu"
    }
    encoding["lead_time"] = {"units": "hours", "dtype": "int32"}
    encoding["init_time"] = {"units": "hours since 1970-01-01 00:00:00", "dtype": "int64"}
    if "date" in dataset.coords:
        encoding["date"] = {"units": "days since 1970-01-01", "dtype": "int32"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bulletin.nc"
        dataset.to_netcdf(path, engine="netcdf4", encoding=encoding)
        return path.read_bytes()
