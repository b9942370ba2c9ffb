"""Work that rests on C libraries, as functions that a process which serves calls in subprocesses.

Drawing, geometry, typesetting and NetCDF are imported by the functions alone: whoever names one loads none of them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import xarray as xr

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.maps.options import Format as PictureFormat
from hazecast.grids.places.cities import City, Registry
from hazecast.grids.times import to_datetime
from hazecast.services.core.errors import StoreError
from hazecast.services.core.places import city_registry
from hazecast.services.core.rules import rule_book
from hazecast.services.core.settings import Settings
from hazecast.services.store.run_files import save_product
from hazecast.services.store.store import Store
from hazecast.services.work.bulletin import Bulletins
from hazecast.services.work.bulletin_edition import Edition, Format
from hazecast.services.work.stored_forecast import Look, ValueKind, load_forecast

log = logging.getLogger(__name__)

# Subprocesses serve the stores of one service; tests have more of them.
_MOST_STORES = 4
_stores: dict[str, tuple[tuple[Settings, Registry], Store, Bulletins]] = {}


def make_product(path: str, name: str, function: Callable[..., bytes], *arguments: object) -> bytes:
    """Make a product of a run, and store it beside the run's file; where it can't be stored, that is logged.

    Parameters
    ----------
    path : str
        NetCDF file of the run.
    name : str
        Of the product.
    function : callable
        Makes it.
    *arguments : object

    Returns
    -------
    bytes
    """
    content = function(*arguments)
    try:
        save_product(Path(path), name, content)
    except StoreError as error:
        log.error("a product of a run can't be stored: %s", error)
    return content


def store_push(settings: Settings, account_id: str, key: str | None, body: bytes, now: datetime) -> bytes:
    """Store what an account sent; see `hazecast.services.work.push.push`.

    Parameters
    ----------
    settings : Settings
        Name the store and the cities.
    account_id : str
    key : str or None
        Idempotency-Key.
    body : bytes
    now : datetime
        Aware.

    Returns
    -------
    bytes
        JSON of an `hazecast.services.work.push_fields.Answer`.
    """
    from hazecast.services.work.push import push

    return push(settings, account_id, key, body, now)


def haze_map(settings: Settings, path: str, in_force: Sequence[HazeWarning], look: Look) -> bytes:
    """Draw the haze map of a stored forecast.

    Parameters
    ----------
    settings : Settings
        Name the rule sets.
    path : str
        NetCDF file of the forecast.
    in_force : sequence of HazeWarning
    look : Look

    Returns
    -------
    bytes
        PNG.

    Raises
    ------
    InputError
        If the forecast's file is gone, or no area can be drawn.
    """
    from hazecast.services.core.shapes import use_shapes
    from hazecast.services.work.haze_maps import draw_stored_haze

    use_shapes(settings)
    return draw_stored_haze(settings, path, city_registry(settings), rule_book(settings), in_force, look)


def haze_polygons(settings: Settings, path: str, in_force: Sequence[HazeWarning]) -> bytes:
    """Return the areas of haze of a stored forecast's next window as GeoJSON.

    Parameters
    ----------
    settings : Settings
        Name the rule sets, and those whose warnings a person must approve.
    path : str
        NetCDF file of the forecast.
    in_force : sequence of HazeWarning
        Shown instead of the forecast's areas where a person must approve.

    Returns
    -------
    bytes
        A feature collection, with the bulletin in all languages.

    Raises
    ------
    InputError
        If the forecast's file is gone, or has no areas.
    """
    from hazecast.services.core.shapes import use_shapes
    from hazecast.services.work.haze_maps import areas_json, stored_areas

    use_shapes(settings)
    book = rule_book(settings)
    init_time = to_datetime(load_forecast(path)["init_time"].values)
    return areas_json(stored_areas(settings, path, book, in_force), book.haze_signal, init_time)


def hour_map(settings: Settings, path: str, kind: ValueKind, hour: int, look: Look) -> bytes:
    """Draw one hour of a stored forecast; see `hazecast.services.work.maps.draw_hour`.

    Parameters
    ----------
    settings : Settings
        Name the file of shapes.
    path : str
        NetCDF file of the forecast.
    kind : {"pm25", "o3", "aqi"}
    hour : int
        Hours after the init time, from 1.
    look : Look

    Returns
    -------
    bytes
        PNG.

    Raises
    ------
    InputError
        If the forecast's file is gone, or has no such map.
    """
    from hazecast.alerts.maps.sheet import as_png
    from hazecast.services.core.shapes import use_shapes
    from hazecast.services.work.maps import draw_hour

    use_shapes(settings)
    return as_png(draw_hour(load_forecast(path), city_registry(settings), kind, hour, look))


def day_map(settings: Settings, path: str, kind: ValueKind, first: int, look: Look, form: PictureFormat) -> bytes:
    """Draw 24 hours of a stored forecast as an animation.

    Parameters
    ----------
    settings : Settings
        Name the file of shapes.
    path : str
        NetCDF file of the forecast.
    kind : {"pm25", "o3", "aqi"}
    first : int
        First hour after the init time.
    look : Look
    form : {"gif", "png", "webp"}

    Returns
    -------
    bytes

    Raises
    ------
    InputError
        If the forecast's file is gone, or has no such map.
    """
    from hazecast.services.core.shapes import use_shapes
    from hazecast.services.work.maps import draw_day

    use_shapes(settings)
    return draw_day(load_forecast(path), city_registry(settings), kind, first, look, form)


def fan_chart(path: str, city: City, pollutant: str, look: Look, observed: xr.Dataset | None) -> bytes:
    """Draw a city's part of a stored forecast as a chart.

    Parameters
    ----------
    path : str
        NetCDF file of the forecast.
    city : City
    pollutant : str
    look : Look
    observed : xarray.Dataset or None
        As `hazecast.services.work.stored_forecast.observed_before` gives it.

    Returns
    -------
    bytes
        PNG.

    Raises
    ------
    InputError
        If the forecast's file is gone, or it has nothing to draw.
    """
    from hazecast.services.work.maps import draw_fan_chart

    return draw_fan_chart(load_forecast(path), observed, city, pollutant, look)


def bulletin_document(
    settings: Settings,
    cities: Sequence[str],
    language: str,
    now: datetime,
    form: Format,
    run: tuple[datetime, bool] | None = None,
) -> bytes:
    """Render the daily bulletin in one form.

    Parameters
    ----------
    settings : Settings
        Name the store.
    cities : sequence of str
        Ids, in the order wanted; empty for all that are forecast.
    language : {"zh", "ja", "en"}
    now : datetime
        Aware: what "today", "yesterday" and "in force" refer to.
    form : str
        One of `hazecast.services.work.bulletin.FORMATS`.
    run : (datetime, bool) or None
        As for `edition_of`.

    Returns
    -------
    bytes

    Raises
    ------
    InputError
        If there is no forecast, its file is gone, or the form needs an extra that is missing.
    """
    return edition_of(settings, cities, language, now, run).document(form).content


def bulletin_name(key: str, form: Format) -> str:
    """Return the name of the product that is a bulletin.

    Parameters
    ----------
    key : str
        Of its edition.
    form : str

    Returns
    -------
    str
    """
    return f"bulletin-{key[:32]}.{form}"


def edition_of(
    settings: Settings, cities: Sequence[str], language: str, now: datetime, run: tuple[datetime, bool] | None = None
) -> Edition:
    """Return a bulletin; the store is opened once, and editions are kept, for as long as the process lives.

    Parameters
    ----------
    settings : Settings
        Name the store.
    cities : sequence of str
        Ids, in the order wanted; empty for all that are forecast.
    language : {"zh", "ja", "en"}
    now : datetime
        Aware.
    run : (datetime, bool) or None
        Init time of the run and whether it is simulated; by default the latest issued by `now`.

    Returns
    -------
    Edition

    Raises
    ------
    InputError
        If there is no forecast, or its file is gone.
    """
    from hazecast.services.core.shapes import use_shapes

    use_shapes(settings)
    url, made_of = settings.database_url, (settings, city_registry(settings))
    if url not in _stores or _stores[url][0] != made_of:
        if url in _stores or len(_stores) >= _MOST_STORES:
            _stores.pop(url if url in _stores else next(iter(_stores)))[1].close()
        store = Store(url, files=settings.data_dir)
        _stores[url] = (made_of, store, Bulletins(store, *made_of, rule_book(settings)))
    _, store, bulletins = _stores[url]
    return bulletins.edition(cities, language, now, run=None if run is None else store.run_at(*run))
