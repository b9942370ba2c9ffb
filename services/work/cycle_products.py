"""What is made of a new forecast ahead of its readers: haze maps, areas of haze, and the bulletin of every region."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from hazecast.alerts.maps.options import Size
from hazecast.alerts.messages.texts import LANGUAGES
from hazecast.grids.places.cities import Country
from hazecast.services.core.places import city_registry
from hazecast.services.core.rules import rule_book
from hazecast.services.core.settings import Settings
from hazecast.services.core.shapes import use_shapes
from hazecast.services.store.run_files import drop_products, save_product
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import ForecastRun
from hazecast.services.work.bulletin import MOST_CITIES, Bulletins, region_cities
from hazecast.services.work.bulletin_edition import Edition, Format
from hazecast.services.work.native_work import bulletin_name, haze_map, haze_polygons
from hazecast.services.work.public_haze import areas_name, haze_name, shown_warnings
from hazecast.services.work.stored_forecast import Look

log = logging.getLogger(__name__)

SIZES: tuple[Size, ...] = ("desktop", "phone")
# What readers of a region ask for: its own language, and English.
_LANGUAGES: dict[Country, tuple[str, ...]] = {"CN": ("zh", "en"), "JP": ("ja", "en")}
_OTHERWISE = ("en",)
# Of more regions bulletins are made when somebody asks: to typeset one takes about a second.
_MOST_REGIONS = 100
_FORMS: tuple[Format, ...] = ("html", "pdf")
# Made for the newest run; of earlier ones the values and the NetCDF file are enough.
_OF_NEWEST = ("haze-", "bulletin-", "areas")


def make_products(settings: Settings, now: datetime) -> list[str]:
    """Make and store the products of the newest run, beside its file; they are made on demand where this failed.

    Draws and typesets: to be called in a process that does nothing else.

    Parameters
    ----------
    settings : Settings
    now : datetime
        Aware: what "today" means in a bulletin.

    Returns
    -------
    list of str
        What could not be made, in words.
    """
    use_shapes(settings)
    store = Store(settings.database_url, lambda: now, settings.data_dir)
    faults: list[str] = []
    try:
        run = store.latest_run()
        if run is not None:
            drop_products(Path(run.netcdf_path), _OF_NEWEST)
            _make_maps(settings, store, run, faults)
            _make_bulletins(settings, store, run, now, faults)
    finally:
        store.close()
    return faults


def _make_maps(settings: Settings, store: Store, run: ForecastRun, faults: list[str]) -> None:
    path, in_force = run.netcdf_path, shown_warnings(store, run, rule_book(settings))
    for look in (Look(language, size) for language in LANGUAGES for size in SIZES):
        _make(run, haze_name(settings, in_force, look), faults, haze_map, settings, path, in_force, look)
    _make(run, areas_name(settings, in_force), faults, haze_polygons, settings, path, in_force)


def _make_bulletins(settings: Settings, store: Store, run: ForecastRun, now: datetime, faults: list[str]) -> None:
    registry = city_registry(settings)
    bulletins = Bulletins(store, settings, registry, rule_book(settings))
    whole = len(registry.cities) <= MOST_CITIES
    wanted: list[tuple[list[str], str]] = [([], language) for language in LANGUAGES if whole]
    if len(registry.regions) <= _MOST_REGIONS:
        wanted += [
            (region_cities(registry, name), language)
            for name, region in registry.regions.items()
            for language in _LANGUAGES.get(region.country, _OTHERWISE)
        ]
    for cities, language in wanted:
        try:
            edition = bulletins.edition(cities, language, now, run=run)
        except Exception as error:
            _note(faults, "a bulletin", error)
            continue
        for form in _FORMS:
            _make(run, bulletin_name(edition.key, form), faults, _content, edition, form)


def _content(edition: Edition, form: Format) -> bytes:
    return edition.document(form).content


def _make(run: ForecastRun, name: str, faults: list[str], function: Callable[..., bytes], *arguments: object) -> None:
    try:
        save_product(Path(run.netcdf_path), name, function(*arguments))
    except Exception as error:
        _note(faults, name, error)


def _note(faults: list[str], what: str, error: Exception) -> None:
    log.warning("%s was not made: %s: %s", what, type(error).__name__, error)
    faults.append(f"{what}: {error}")
