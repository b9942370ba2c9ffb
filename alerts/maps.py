"""The haze map in the manner of the CMA's: areas by grade, provinces, cities, a title with the window."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

import cartopy.crs as ccrs
import numpy as np
import shapely
import xarray as xr
from cartopy.mpl.geoaxes import GeoAxes
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from alerts.ruleset import RuleSet
from alerts.shapes import Layer, layer
from grids.cities import City
from grids.errors import InputError

BEIJING = ZoneInfo("Asia/Shanghai")
_PLATE = ccrs.PlateCarree()
_PROJECTION = ccrs.LambertConformal(central_longitude=118.0, central_latitude=35.0, standard_parallels=(25.0, 47.0))
_EXTENT = (98.0, 144.0, 19.0, 50.0)
_SEA, _LAND, _NO_INFORMATION, _CLEAR = "#d6e6f2", "#f7f5ef", "#f7f5ef", "#dcead6"
# Named on the map even without a warning, few enough not to overlap.
_ALWAYS_NAMED = {"beijing", "shanghai", "chongqing", "guangzhou", "shenyang", "xian", "wuhan", "tokyo", "fukuoka"}


@dataclass(frozen=True)
class _Words:
    warning: str
    no_warning: str
    window: str
    clear: str
    none: str
    simulated: str
    weather: str
    issued: str
    borders: str
    name: str


_WORDS = {
    "zh": _Words(
        "霾{level}预警", "霾预报", "{a.month}月{a.day}日{a.hour:02d}时 ~ {b.month}月{b.day}日{b.hour:02d}时(北京时间)",
        "无预警级霾", "无资料", "模拟数据", "气象资料", "起报", "边界:Natural Earth,非权威", "name_zh",
    ),
    "ja": _Words(
        "煙霧(ヘイズ){level}警報", "ヘイズ予報", "{a.month}月{a.day}日{a.hour:02d}時 ~ {b.month}月{b.day}日{b.hour:02d}時(北京時間)",
        "警報級のヘイズなし", "資料なし", "模擬データ", "気象資料", "初期時刻", "境界:Natural Earth(公式のものではない)", "name_ja",
    ),
    "en": _Words(
        "{level} haze warning", "Haze forecast", "{a:%d %b %H}:00 to {b:%d %b %H}:00 (Beijing time)",
        "no haze of warning grade", "no information", "SIMULATED DATA", "Weather", "Forecast from",
        "Boundaries: Natural Earth, not authoritative", "name_en",
    ),
}  # fmt: skip


@lru_cache
def _font() -> font_manager.FontProperties:
    """Noto Sans CJK (SIL Open Font Licence), from the package notojp-matplotlib."""
    path = files("notojp_matplotlib") / "fonts" / "NotoSansCJKjp-Regular.otf"
    font_manager.fontManager.addfont(str(path))
    return font_manager.FontProperties(fname=str(path))


@lru_cache
def _projected(name: Layer) -> tuple[shapely.Geometry, ...]:
    return tuple(_PROJECTION.project_geometry(shape, _PLATE) for shape in layer(name))


def draw_haze_map(
    areas: xr.Dataset,
    cities: Sequence[tuple[City, int, float]],
    window: tuple[datetime, datetime],
    ruleset: RuleSet,
    *,
    lang: str = "zh",
    simulated: bool,
    weather_source: str,
    issued: datetime,
) -> bytes:
    """Draw the map of one warning window.

    Parameters
    ----------
    areas : xarray.Dataset
        ``level`` (latitude, longitude): -1 no information, 0 none, else the rank of a level.
    cities : sequence of (City, int, float)
        Each with the rank of its level and its highest PM2.5 in ug m-3.
    window : tuple of datetime
        Aware start and end.
    ruleset : RuleSet
        Names and colours.
    lang : {"zh", "ja", "en"}
    simulated : bool
        Whether to mark the map as simulated across its face.
    weather_source : str
        Printed at the foot.
    issued : datetime
        Aware; the init time.

    Returns
    -------
    bytes
        PNG, 1200 x 1000 pixels.

    Raises
    ------
    InputError
        If the language is not known.
    """
    if lang not in _WORDS:
        raise InputError("language", lang, f"one of {sorted(_WORDS)}")
    words = _WORDS[lang]
    figure = Figure(figsize=(12, 10), dpi=100, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    axes: GeoAxes = figure.add_axes((0.02, 0.075, 0.96, 0.80), projection=_PROJECTION)
    axes.set_extent(_EXTENT, _PLATE)
    axes.set_facecolor(_SEA)
    axes.add_geometries(_projected("land"), _PROJECTION, facecolor=_LAND, edgecolor="none", zorder=1)
    _draw_levels(axes, areas, ruleset)
    axes.add_geometries(
        _projected("province"), _PROJECTION, facecolor="none", edgecolor="#8a8a8a", linewidth=0.5, zorder=4
    )
    axes.add_geometries(
        _projected("country"), _PROJECTION, facecolor="none", edgecolor="#444444", linewidth=0.9, zorder=5
    )
    _draw_cities(axes, cities, ruleset, words)
    _draw_texts(figure, axes, cities, window, ruleset, words, lang, simulated, weather_source, issued)
    buffer = io.BytesIO()
    canvas.print_png(buffer)  # type: ignore[no-untyped-call]
    return buffer.getvalue()


def _draw_levels(axes: GeoAxes, areas: xr.Dataset, ruleset: RuleSet) -> None:
    level = areas["level"].transpose("latitude", "longitude")
    colours = [_CLEAR, *(rule.colour for rule in ruleset.levels)]
    mesh = axes.pcolormesh(
        level["longitude"].values,
        level["latitude"].values,
        np.ma.masked_less(level.values, 0),
        transform=_PLATE,
        cmap=ListedColormap(colours),
        vmin=-0.5,
        vmax=len(colours) - 0.5,
        shading="nearest",
        zorder=2,
    )
    mesh.set_rasterized(True)
    # The sea is painted over again, for haze is shown on land alone.
    ocean = _ocean()
    axes.add_geometries([ocean], _PROJECTION, facecolor=_SEA, edgecolor="#6f93ad", linewidth=0.6, zorder=3)


@lru_cache
def _ocean() -> shapely.Geometry:
    west, south, east, north = shapely.GeometryCollection(list(_projected("land"))).bounds
    return shapely.box(west, south, east, north).difference(shapely.union_all(list(_projected("land"))))


def _draw_cities(axes: GeoAxes, cities: Sequence[tuple[City, int, float]], ruleset: RuleSet, words: _Words) -> None:
    halo = [withStroke(linewidth=2.5, foreground="white")]
    named: list[tuple[float, float]] = []
    for city, rank, _ in sorted(cities, key=lambda entry: (-entry[1], -entry[2])):
        colour = ruleset.level_of(rank).colour if rank else "#ffffff"
        axes.plot(
            city.longitude, city.latitude, "o", transform=_PLATE, markersize=7 if rank else 5,
            markerfacecolor=colour, markeredgecolor="#222222", markeredgewidth=0.9, zorder=7,
        )  # fmt: skip
        crowded = any(abs(city.latitude - y) < 0.8 and abs(city.longitude - x) < 2.6 for x, y in named)
        if (rank or city.id in _ALWAYS_NAMED) and not crowded:
            named.append((city.longitude, city.latitude))
            axes.annotate(
                getattr(city, words.name), (city.longitude, city.latitude), xytext=(6, 3), textcoords="offset points",
                xycoords=_PLATE._as_mpl_transform(axes), fontproperties=_font(), fontsize=12, path_effects=halo,
                zorder=8, annotation_clip=True,
            )  # fmt: skip


def _draw_texts(
    figure: Figure,
    axes: GeoAxes,
    cities: Sequence[tuple[City, int, float]],
    window: tuple[datetime, datetime],
    ruleset: RuleSet,
    words: _Words,
    lang: str,
    simulated: bool,
    weather_source: str,
    issued: datetime,
) -> None:
    font = _font()
    highest = max((rank for _, rank, _ in cities), default=0)
    title = words.no_warning
    if highest:
        title = words.warning.format(level=getattr(ruleset.level_of(highest), f"colour_{lang}"))
    if simulated:
        title = f"[{words.simulated}] {title}"
    start, end = (time.astimezone(BEIJING) for time in window)
    figure.text(0.5, 0.945, title, ha="center", fontproperties=font, fontsize=30)
    figure.text(0.5, 0.897, words.window.format(a=start, b=end), ha="center", fontproperties=font, fontsize=19)
    handles = [
        Patch(facecolor=rule.colour, edgecolor="#555555", label=getattr(rule, f"haze_{lang}"))
        for rule in ruleset.levels
    ]
    handles.append(Patch(facecolor=_CLEAR, edgecolor="#555555", label=words.clear))
    handles.append(Patch(facecolor=_NO_INFORMATION, edgecolor="#555555", label=words.none))
    legend_font = font.copy()
    legend_font.set_size(14)
    legend = axes.legend(handles=handles, loc="lower right", prop=legend_font, framealpha=0.95)
    legend.set_zorder(10)
    figure.text(
        0.02, 0.045, f"{words.issued}: {issued.astimezone(BEIJING):%Y-%m-%d %H:%M} (UTC+8)   {words.weather}: {weather_source}",
        fontproperties=font, fontsize=11,
    )  # fmt: skip
    figure.text(0.02, 0.018, f"Hazecast   {words.borders}", fontproperties=font, fontsize=11, color="#555555")
    if simulated:
        figure.text(
            0.5, 0.47, f"{words.simulated}\nSIMULATED" if lang != "en" else "SIMULATED", ha="center", va="center",
            rotation=25, fontproperties=font, fontsize=72, color="#c00000", alpha=0.28, zorder=20,
        )  # fmt: skip
