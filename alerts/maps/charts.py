"""A city's forecast chart: the median with its ranges after the observed past, in the city's own time."""

from __future__ import annotations

import io
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import matplotlib.dates as mdates
import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from hazecast.alerts.maps.canvas import checked_size
from hazecast.alerts.maps.options import FONT_FILE
from hazecast.alerts.maps.sheet import Provenance
from hazecast.alerts.messages.texts import Catalog, catalog
from hazecast.forecast.products import valid_times
from hazecast.grids.contract import FORECAST_POLLUTANTS
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City
from hazecast.grids.times import to_datetime

# Blue and black: every reader can distinguish them, and neither looks like a warning's colour.
_FAN, _SEEN = "#1f6fb4", "#111111"


@dataclass(frozen=True)
class _Shape:
    """How large a chart is, where its axes lie in it, and how large its letters are."""

    inches: tuple[float, float]
    axes: tuple[float, float, float, float]
    letters: float


_SHAPES = {
    "desktop": _Shape((12.0, 6.0), (0.075, 0.17, 0.905, 0.70), 13.0),
    "phone": _Shape((7.2, 7.2), (0.13, 0.20, 0.845, 0.66), 15.0),
    "print": _Shape((10.0, 4.6), (0.095, 0.26, 0.885, 0.51), 16.0),
}


def draw_fan(
    forecast: xr.Dataset,
    observations: xr.Dataset | None,
    city: City,
    provenance: Provenance,
    *,
    pollutant: str = "pm25",
    lang: str = "zh",
    size: str = "desktop",
) -> bytes:
    """Draw the forecast of a city as a fan: the median, the middle 50 and 80 %, and what was observed before.

    Parameters
    ----------
    forecast : xarray.Dataset
        Contract "forecast".
    observations : xarray.Dataset or None
        Contract "observations"; hours up to the init time are drawn, gaps stay gaps.
    city : City
    provenance : Provenance
    pollutant : {"pm25", "o3"}
    lang : {"zh", "ja", "en"}
    size : {"desktop", "phone", "print"}
        1200 x 600, 720 x 720 or, with letters for the width of a printed page, 1000 x 460 pixels.

    Returns
    -------
    bytes
        PNG.

    Raises
    ------
    InputError
        If the city is not in the forecast, or pollutant, language or size is not known.
    """
    words = catalog(lang)
    shape = _SHAPES["print" if size == "print" else checked_size(size)]
    if pollutant not in FORECAST_POLLUTANTS:
        raise InputError("pollutant", pollutant, f"one of {list(FORECAST_POLLUTANTS)}")
    if city.id not in forecast["city"].values:
        raise InputError("city", city.id, f"one of the forecast's: {', '.join(map(str, forecast['city'].values))}")
    figure = Figure(figsize=shape.inches, dpi=100, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes(shape.axes)
    letters = shape.letters
    _draw_series(axes, forecast, observations, city, pollutant, words)
    zone = words.zone(city.time_zone, to_datetime(valid_times(forecast)[0]))
    _dress(axes, zone, words, letters)
    title = words.say("map.fan", city=getattr(city, f"name_{lang}"), pollutant=words.say(f"pollutant.{pollutant}"))
    if provenance.simulated:
        title = f"[{words.say('map.simulated')}] {title}"
    figure.text(0.5, 0.93, title, ha="center", fontproperties=_font(letters * 1.6))
    # A printed chart has room above the axes, where the legend covers nothing.
    place = (
        {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 4} if size == "print" else {"loc": "upper left"}
    )
    legend = axes.legend(**place, prop=_font(letters), framealpha=0.9)
    legend.set_zorder(10)
    lines = [f"{words.say('map.weather')}: {words.weather(provenance.source)}"]
    if provenance.issued is not None:
        issued = provenance.issued.astimezone(ZoneInfo(city.time_zone))
        lines.insert(0, f"{words.say('map.issued')}: {issued:%Y-%m-%d %H:%M} ({zone})")
    figure.text(
        0.02,
        0.015,
        ("\n" if size == "phone" else "   ").join(lines),
        fontproperties=_font(letters * 0.8),
        color="#444444",
    )
    buffer = io.BytesIO()
    canvas.print_png(buffer)  # type: ignore[no-untyped-call]
    return buffer.getvalue()


def _draw_series(
    axes: Axes, forecast: xr.Dataset, observations: xr.Dataset | None, city: City, pollutant: str, words: Catalog
) -> None:
    times = _local(valid_times(forecast), city)
    quantiles = forecast[pollutant].sel(city=city.id).transpose("quantile", "lead_time").values
    axes.fill_between(times, quantiles[0], quantiles[4], color=_FAN, alpha=0.22, lw=0, label=words.say("map.most"))
    axes.fill_between(times, quantiles[1], quantiles[3], color=_FAN, alpha=0.40, lw=0, label=words.say("map.half"))
    axes.plot(times, quantiles[2], color=_FAN, lw=2.2, label=words.say("map.median"))
    if observations is not None and pollutant in observations and city.id in observations["city"].values:
        seen = observations[pollutant].sel(city=city.id, time=slice(None, forecast["init_time"].values))
        if seen.notnull().any():
            times = _local(seen["time"].values, city)
            axes.plot(times, seen.values, color=_SEEN, lw=1.8, label=words.say("map.observed"))
    init = _local(np.array([forecast["init_time"].values]), city)[0]
    axes.axvline(init, color="#777777", lw=1.0, ls="--")
    axes.set_ylim(bottom=0.0)


def _dress(axes: Axes, zone: str, words: Catalog, letters: float) -> None:
    axes.xaxis.set_major_locator(mdates.HourLocator(byhour=(0,)))  # type: ignore[no-untyped-call]
    axes.xaxis.set_minor_locator(mdates.HourLocator(byhour=(6, 12, 18)))  # type: ignore[no-untyped-call]
    day = {"zh": "%-m月%-d日", "ja": "%-m月%-d日", "en": "%-d %b"}[words.language]
    axes.xaxis.set_major_formatter(mdates.DateFormatter(day))  # type: ignore[no-untyped-call]
    axes.grid(axis="both", color="#dddddd", lw=0.8)
    axes.margins(x=0.01)
    axes.set_xlabel(zone, fontproperties=_font(letters))
    axes.set_ylabel(words.say("map.unit"), fontproperties=_font(letters))
    for label in [*axes.get_xticklabels(), *axes.get_yticklabels()]:
        label.set_fontproperties(_font(letters))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _local(times: npt.NDArray[np.datetime64], city: City) -> npt.NDArray[np.datetime64]:
    """Return UTC times as the city's clock shows them, without a zone."""
    utc = pd.DatetimeIndex(times.astype("datetime64[ns]")).tz_localize("UTC")
    return np.asarray(utc.tz_convert(ZoneInfo(city.time_zone)).tz_localize(None).to_numpy())


def _font(size: float) -> FontProperties:
    return FontProperties(fname=FONT_FILE, size=size)
