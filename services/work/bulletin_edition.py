"""One bulletin in one language, in each of its forms."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

import xarray as xr

from hazecast.alerts.bulletin.content import Bulletin, charted
from hazecast.alerts.bulletin.data import as_csv, as_dataset
from hazecast.alerts.bulletin.forms import BulletinText, Imprint
from hazecast.alerts.bulletin.render import as_html, as_pdf, as_text
from hazecast.alerts.bulletin.wording import MAP, chart_name, make_view
from hazecast.alerts.engine.warning import HazeWarning
from hazecast.grids.places.cities import City, Registry
from hazecast.services.core.rules import rule_book
from hazecast.services.core.settings import Settings
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import ForecastRun
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
# Cities that a file's name names one by one.
_MOST_NAMED = 3


@dataclass(frozen=True)
class Document:
    """A bulletin in one form: a file's name, its media type and its bytes."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class Found:
    """What a bulletin is made of; `key` is the same for the same content, as `Edition.key`; `places` names it in files."""

    key: str
    run: ForecastRun
    warnings: tuple[HazeWarning, ...]
    cities: tuple[City, ...]
    language: str
    places: str


def document_name(run: ForecastRun, places: str, language: str, form: Format) -> str:
    """Return the name under which a bulletin is saved.

    Parameters
    ----------
    run : ForecastRun
    places : str
        As from `places_label`.
    language : {"zh", "ja", "en"}
    form : str

    Returns
    -------
    str
    """
    parts = [
        "hazecast-bulletin",
        places,
        "simulated" if run.simulated else "",
        f"{run.init_time:%Y%m%dT%H%MZ}",
        language,
    ]
    return f"{'-'.join(part for part in parts if part)}.{form}"


def places_label(cities: Sequence[City], registry: Registry, whole: bool) -> str:
    """Return how a file's name says which places a bulletin is of.

    Parameters
    ----------
    cities : sequence of City
    registry : Registry
        Holds the regions.
    whole : bool
        Whether these are all that are forecast.

    Returns
    -------
    str
        Ids of up to three cities, the id of their region, the first city and how many others; "" for all.
    """
    if whole:
        return ""
    ids = [city.id for city in cities]
    if len(ids) <= _MOST_NAMED:
        return "-".join(ids)
    region = next((r.id for r in registry.regions.values() if set(r.cities) == set(ids)), None)
    return region or f"{ids[0]}-and-{len(ids) - 1}-others"


def imprint_of(settings: Settings) -> Imprint:
    """Return what the bureau prints on its bulletins besides their content."""
    given = settings.bulletin
    return Imprint(given.bulletin_letterhead, given.bulletin_signatory, given.bulletin_numbered_from)


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
        found: Found,
        bulletin: Bulletin,
        store: Store,
        registry: Registry,
        settings: Settings,
    ) -> None:
        self.key, self.bulletin, self.language, self._settings = found.key, bulletin, found.language, settings
        self._run, self._store, self._registry, self._warnings = found.run, store, registry, found.warnings
        self._places = found.places
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
        from hazecast.services.work.haze_maps import draw_stored_haze
        from hazecast.services.work.maps import fan_of_run

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
            return make_view(self.bulletin, self.language, self.pictures, imprint_of(self._settings))

    def document(self, form: Format) -> Document:
        """Return the bulletin in one form."""
        with self._working:
            if form not in self._documents:
                name = document_name(self._run, self._places, self.language, form)
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
