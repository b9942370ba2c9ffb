"""Maps: haze in the manner of the CMA's, PM2.5, ozone and AQI by hour, a day in motion, haze days of a year."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import numpy as np
import xarray as xr
from PIL import Image

from hazecast.alerts.maps.areas import UNCERTAIN
from hazecast.alerts.maps.canvas import LAND, at_pixels, background, checked_size, paint_shapes
from hazecast.alerts.maps.options import Format
from hazecast.alerts.maps.polygons import LevelAreas
from hazecast.alerts.maps.scales import SCALES
from hazecast.alerts.maps.sheet import CityMark, Provenance, as_png, compose_sheet
from hazecast.alerts.messages.texts import BEIJING, catalog
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City

CLEAR = "#cfe6c8"
# Named on the map even without a warning, few enough not to overlap.
_ALWAYS_NAMED = {"beijing", "shanghai", "chongqing", "guangzhou", "shenyang", "xian", "wuhan", "tokyo", "fukuoka"}


def draw_haze_map(
    areas: LevelAreas,
    cities: Sequence[tuple[City, int, float]],
    ruleset: RuleSet,
    *,
    lang: str = "zh",
    issued: datetime,
    size: str = "desktop",
) -> bytes:
    """Draw the map of one warning window.

    Parameters
    ----------
    areas : LevelAreas
    cities : sequence of (City, int, float)
        Each with the rank of its level and its highest PM2.5 in ug m-3.
    ruleset : RuleSet
        Names and colours.
    lang : {"zh", "ja", "en"}
    issued : datetime
        Aware; the init time.
    size : {"desktop", "phone"}
        1200 x 1000, or 720 x 960 pixels with larger letters and the legend below the map.

    Returns
    -------
    bytes
        PNG.

    Raises
    ------
    InputError
        If the language or size is not known.
    """
    words = catalog(lang)
    sheet_size = checked_size(size)
    colours = {0: CLEAR} | {rule.rank: rule.colour for rule in ruleset.levels}
    face = background(sheet_size).copy()
    painted = [(shape, colours[rank]) for rank, shape in zip(areas.ranks, areas.shapes, strict=True)]
    paint_shapes(face, painted, sheet_size)
    highest = max((rank for _, rank, _ in cities), default=0)
    title = words.say("map.warned" if areas.warned else "map.no_warning")
    if highest:
        title = words.say("map.warning", level=getattr(ruleset.level_of(highest), f"colour_{lang}"))
    legend = [(rule.colour, str(getattr(rule, f"haze_{lang}"))) for rule in ruleset.levels]
    if areas.warned:
        legend.append((LAND, words.say("map.unwarned")))
    else:
        legend += [(CLEAR, words.say("map.clear")), (LAND, words.say("map.none"))]
    marks = [
        CityMark(city, colours[rank] if rank else "#ffffff", 1e4 * rank + mass, bool(rank) or city.id in _ALWAYS_NAMED)
        for city, rank, mass in cities
    ]
    zone = words.zone(BEIJING, areas.window[0])
    start, end = (words.moment(t, BEIJING) for t in areas.window)
    subtitle = words.say("map.span", start=start, end=end, zone=zone)
    provenance = Provenance(areas.weather_source, issued, areas.simulated)
    return as_png(compose_sheet(face, title, subtitle, legend, marks, words, provenance, sheet_size))


def draw_value_map(
    field: xr.DataArray,
    relative_std: xr.DataArray,
    values: Sequence[tuple[City, float]],
    kind: Literal["pm25", "o3", "aqi"],
    subtitle: str,
    provenance: Provenance,
    *,
    lang: str = "zh",
    size: str = "desktop",
) -> Image.Image:
    """Draw values on a map: no colour where the field is not known, figures at the cities.

    Parameters
    ----------
    field, relative_std : xarray.DataArray
        (latitude, longitude) on one even grid, latitude rising; cells above a relative spread of 0.8 stay blank.
    values : sequence of (City, float)
        Printed behind the names; NaN is left out.
    kind : {"pm25", "o3", "aqi"}
        Which scale and title.
    subtitle : str
        Usually the hour.
    provenance : Provenance
    lang, size : str
        As for `draw_haze_map`.

    Returns
    -------
    Image

    Raises
    ------
    InputError
        If the language, size or kind is not known.
    """
    words = catalog(lang)
    sheet_size = checked_size(size)
    if kind not in SCALES:
        raise InputError("map kind", kind, f"one of {sorted(SCALES)}")
    scale = SCALES[kind]
    lats, lons = field["latitude"].values, field["longitude"].values
    spread = at_pixels(relative_std.transpose("latitude", "longitude").values, lats, lons, sheet_size)
    shown = at_pixels(field.transpose("latitude", "longitude").values, lats, lons, sheet_size)
    known = (spread <= UNCERTAIN) & np.isfinite(shown)
    palette = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in scale.colours], dtype=np.uint8)
    face = np.asarray(background(sheet_size)).copy()
    face[known] = palette[scale.classes(shown[known])]
    legend = [*reversed(list(zip(scale.colours, scale.labels(), strict=True))), (LAND, words.say("map.none"))]
    marks = [
        CityMark(
            city, scale.colour(value), value + 1e4 * (city.id in _ALWAYS_NAMED), True, f" {words.number(round(value))}"
        )
        for city, value in values
        if np.isfinite(value)
    ]
    unit = "" if kind == "aqi" else words.say("map.unit")
    heading = words.say(f"map.{kind}")
    return compose_sheet(
        Image.fromarray(face), heading, subtitle, legend, marks, words, provenance, sheet_size, legend_title=unit
    )


def animate(frames: Sequence[Image.Image], form: Format = "webp", *, milliseconds: int = 400) -> bytes:
    """Return pictures as one animation that repeats for ever.

    Parameters
    ----------
    frames : sequence of Image
        Of one size.
    form : {"gif", "png", "webp"}
        Animated GIF, PNG (APNG) or WebP.
    milliseconds : int
        How long each frame is shown; the last one three times as long.

    Returns
    -------
    bytes

    Raises
    ------
    InputError
        If there is no frame or the form is not known.
    """
    if not frames or form not in ("gif", "png", "webp"):
        raise InputError("animation", f"{len(frames)} frames, {form}", "at least one frame, as gif, png or webp")
    durations = [milliseconds] * (len(frames) - 1) + [3 * milliseconds]
    buffer = io.BytesIO()
    options: dict[str, object] = {"save_all": True, "duration": durations, "loop": 0}
    if form == "webp":
        options |= {"quality": 70, "method": 2}
        pictures = list(frames)
    else:
        pictures = [f.quantize(64, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE) for f in frames]
    pictures[0].save(buffer, form.upper(), append_images=pictures[1:], **options)
    return buffer.getvalue()
