"""Drawing a map anew against drawing the same map with cartopy alone, in one run."""

from __future__ import annotations

import io
import time
from datetime import UTC, datetime
from statistics import median

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

from hazecast.alerts.geography.shapes import layer
from hazecast.alerts.maps.canvas import EXTENT, LAND, PLATE, PROJECTION, SEA
from hazecast.alerts.maps.draw import CLEAR, draw_haze_map
from hazecast.alerts.maps.polygons import LevelAreas, level_shapes
from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.places.cities import load_registry

GOAL = 0.3
WINDOW = (datetime(2013, 1, 12, tzinfo=UTC), datetime(2013, 1, 13, tzinfo=UTC))
RULES = RuleBook.shipped().haze_signal
CITIES = [
    (city, 3 if city.id == "beijing" else 2 if city.id in ("tianjin", "baoding") else 0, 100.0)
    for city in load_registry().cities.values()
]


def haze() -> xr.Dataset:
    latitude, longitude = np.arange(15.0, 55.1, 0.25), np.arange(95.0, 150.1, 0.25)
    distance = np.hypot(latitude[:, None] - 38.5, longitude[None, :] - 115.5)
    level = np.select([distance < 1.5, distance < 3.0, distance < 4.5, distance < 8.0], [3, 2, 1, 0], -1).astype(
        np.int8
    )
    return xr.Dataset(
        {"level": (("latitude", "longitude"), level)}, coords={"latitude": latitude, "longitude": longitude}
    )


def with_cartopy_alone(areas: xr.Dataset, ocean: shapely.Geometry) -> bytes:
    """The same map drawn as cartopy's documentation draws one; cartopy keeps its own projected shapes."""
    font = font_manager.FontProperties(fname=font_manager.findfont("DejaVu Sans"))
    figure = Figure(figsize=(12, 10), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes: GeoAxes = figure.add_axes((0.03, 0.06, 0.94, 0.84), projection=PROJECTION)
    axes.set_extent(EXTENT, PLATE)
    axes.set_facecolor(SEA)
    axes.add_geometries(layer("land"), PLATE, facecolor=LAND, edgecolor="none", zorder=1)
    axes.pcolormesh(
        areas["longitude"].values, areas["latitude"].values, np.ma.masked_less(areas["level"].values, 0),
        transform=PLATE, cmap=ListedColormap([CLEAR, *(r.colour for r in RULES.levels)]), vmin=-0.5, vmax=3.5,
        shading="nearest", zorder=2,
    )  # fmt: skip
    axes.add_geometries([ocean], PLATE, facecolor=SEA, edgecolor="#6f93ad", linewidth=0.6, zorder=3)
    axes.add_geometries(layer("province"), PLATE, facecolor="none", edgecolor="#7d7d7d", linewidth=0.5, zorder=4)
    axes.add_geometries(layer("country"), PLATE, facecolor="none", edgecolor="#444444", linewidth=0.9, zorder=5)
    for city, rank, _ in CITIES:
        colour = RULES.level_of(rank).colour if rank else "#ffffff"
        axes.plot(
            city.longitude, city.latitude, "o", transform=PLATE, markerfacecolor=colour, markeredgecolor="#222222"
        )
        if rank or city.id in ("shanghai", "tokyo", "wuhan", "xian", "chongqing", "fukuoka", "shenyang", "guangzhou"):
            axes.text(
                city.longitude, city.latitude, city.name_en, transform=PLATE, fontproperties=font, fontsize=12,
                path_effects=[withStroke(linewidth=2.5, foreground="white")], clip_on=True,
            )  # fmt: skip
    handles = [Patch(facecolor=r.colour, label=r.haze_en) for r in RULES.levels]
    axes.legend(
        handles=[*handles, Patch(facecolor=CLEAR, label="none"), Patch(facecolor=LAND, label="no information")],
        loc="lower right",
    )
    figure.text(0.5, 0.95, "Haze warning: red", ha="center", fontsize=30)
    figure.text(0.5, 0.91, "08:00 on 12 January to 08:00 on 13 January (Beijing time)", ha="center", fontsize=19)
    figure.text(0.03, 0.02, "Forecast from 2013-01-12 08:00 (UTC+8)   Weather: none", fontsize=11)
    buffer = io.BytesIO()
    canvas.print_png(buffer)
    return buffer.getvalue()


def test_a_map_anew_takes_at_most_three_tenths_of_cartopy_alone(benchmark) -> None:
    areas = haze()
    # The sea, cut out once beforehand, in favour of cartopy.
    ocean = shapely.box(60.0, 5.0, 160.0, 65.0).difference(shapely.union_all(list(layer("land"))))

    def ours() -> bytes:
        shown = LevelAreas(*level_shapes(areas, lowest=0), WINDOW, simulated=False, weather_source="none")
        return draw_haze_map(shown, CITIES, RULES, lang="en", issued=WINDOW[0])

    assert len(ours()) > 10_000 and len(with_cartopy_alone(areas, ocean)) > 10_000
    benchmark.pedantic(ours, rounds=15, iterations=1, warmup_rounds=1)
    theirs = []
    for _ in range(7):
        start = time.perf_counter()
        with_cartopy_alone(areas, ocean)
        theirs.append(time.perf_counter() - start)
    ratio = benchmark.stats.stats.median / median(theirs)
    benchmark.extra_info["ratio to cartopy alone"] = round(ratio, 3)
    benchmark.extra_info["cartopy alone, s"] = round(median(theirs), 3)
    assert ratio <= GOAL, f"{ratio:.2f} of a plain cartopy draw"
