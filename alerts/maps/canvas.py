"""The sheet that maps are drawn on: coasts, borders and provinces drawn once by cartopy, then reused.

Projecting and drawing the shapes takes most of a map's time and never changes. They are kept as two pictures,
one below and one above what a map shows; a new map fills in its colours and words between and over them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cartopy.crs as ccrs
import notojp_matplotlib  # noqa: F401  Makes its font matplotlib's default.
import numpy as np
import numpy.typing as npt
import shapely
from cartopy.mpl.geoaxes import GeoAxes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont, features
from PIL.Image import Resampling
from scipy import ndimage

from hazecast.alerts.geography.shapes import Inset, Layer, Shapes, current, layer
from hazecast.alerts.maps.options import FONT_FILE, Size
from hazecast.grids.errors import InputError

Box = tuple[float, float, float, float]
PLATE = ccrs.PlateCarree()
PROJECTION = ccrs.LambertConformal(central_longitude=118.0, central_latitude=35.0, standard_parallels=(25.0, 47.0))
# Of insets: about 118 E, so that none of East Asia is cut.
MERCATOR = ccrs.Mercator(central_longitude=118.0)
EXTENT = (98.0, 144.0, 19.0, 50.0)
SEA, LAND, INK = "#d6e6f2", "#e9e7e1", "#222222"
# Twice as fine as the picture, so that edges come out smooth.
_FINE = 2
# Pixels between an inset and the frame.
_GAP = 8


@dataclass(frozen=True)
class Layout:
    """Sizes of a map in pixels: the whole, the map's frame in it, and the height of its letters."""

    width: int
    height: int
    left: int
    top: int
    map_width: int
    title: int
    subtitle: int
    label: int
    legend: int
    foot: int

    @property
    def map_height(self) -> int:
        """Height of the frame, in pixels: the projection keeps its shape."""
        west, east, south, north = bounds()
        return round(self.map_width * (north - south) / (east - west))


LAYOUTS: dict[Size, Layout] = {
    "desktop": Layout(1200, 1000, 40, 104, 1120, title=42, subtitle=27, label=18, legend=21, foot=16),
    # Shown at half its size on a phone: letters of 24 pixels are read as 12.
    "phone": Layout(720, 960, 0, 124, 720, title=44, subtitle=28, label=24, legend=25, foot=19),
}


@lru_cache
def bounds() -> Box:
    """Return west, east, south and north of the map in metres of the projection."""
    west, east, south, north = EXTENT
    edge = shapely.segmentize(shapely.box(west, south, east, north), 0.5)
    left, bottom, right, top = PROJECTION.project_geometry(edge, PLATE).bounds
    return left, right, bottom, top


@lru_cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Return the font of all maps at a height in pixels."""
    return ImageFont.truetype(FONT_FILE, size)


@lru_cache(maxsize=8)
def _projected(shapes: Shapes, name: Layer, projection: ccrs.Projection = PROJECTION) -> tuple[shapely.Geometry, ...]:
    return tuple(projection.project_geometry(shape, PLATE) for shape in layer(name, shapes))


@lru_cache(maxsize=4)
def _ocean(shapes: Shapes) -> shapely.Geometry:
    land = shapely.union_all(list(_projected(shapes, "land")))
    left, right, bottom, top = bounds()
    # A bureau's land may be less than the map.
    west, south, east, north = shapely.total_bounds([land, shapely.box(left, bottom, right, top).buffer(1e5)]).tolist()
    ocean: shapely.Geometry = shapely.difference(shapely.box(west, south, east, north), land)
    return ocean


def background(size: Size) -> Image.Image:
    """Return sea and land, RGB, the size of the map's frame. Not to be drawn on: copy it."""
    return _background(size, current())


@lru_cache(maxsize=4)
def _background(size: Size, shapes: Shapes) -> Image.Image:
    axes, canvas = _axes(LAYOUTS[size])
    axes.set_facecolor(SEA)
    axes.add_geometries(_projected(shapes, "land"), PROJECTION, facecolor=LAND, edgecolor="none")
    return _picture(canvas).convert("RGB")


def overlay(size: Size) -> Image.Image:
    """Return what lies over the colours, RGBA: the sea again, for colours stop at the coast, provinces, borders."""
    return _overlay(size, current())


@lru_cache(maxsize=4)
def _overlay(size: Size, shapes: Shapes) -> Image.Image:
    axes, canvas = _axes(LAYOUTS[size])
    axes.patch.set_alpha(0.0)
    axes.add_geometries([_ocean(shapes)], PROJECTION, facecolor=SEA, edgecolor="#6f93ad", linewidth=0.6)
    _add_lines(axes, shapes, PROJECTION)
    return _picture(canvas)


def _add_lines(axes: GeoAxes, shapes: Shapes, projection: ccrs.Projection) -> None:
    provinces, borders = _projected(shapes, "province", projection), _projected(shapes, "country", projection)
    axes.add_geometries(provinces, projection, facecolor="none", edgecolor="#7d7d7d", linewidth=0.5)
    axes.add_geometries(borders, projection, facecolor="none", edgecolor="#444444", linewidth=0.9)


def insets(size: Size) -> tuple[tuple[Image.Image, tuple[int, int]], ...]:
    """Return the insets of a bureau's base map, RGB, each with its upper left corner in the map's frame, in pixels."""
    return _insets(size, current())


@lru_cache(maxsize=4)
def _insets(size: Size, shapes: Shapes) -> tuple[tuple[Image.Image, tuple[int, int]], ...]:
    layout, found = LAYOUTS[size], []
    for inset in shapes.insets:
        picture = _inset(inset, shapes, layout)
        x = layout.map_width - picture.width - _GAP if inset.position.endswith("right") else _GAP
        y = layout.map_height - picture.height - _GAP if inset.position.startswith("lower") else _GAP
        found.append((picture, (x, y)))
    return tuple(found)


def _inset(inset: Inset, shapes: Shapes, layout: Layout) -> Image.Image:
    """Draw a part of the base map in Mercator's projection, no wider than a sixth and no higher than a third."""
    west, south, east, north = inset.bounds
    (left, right), (bottom, top) = MERCATOR.transform_points(PLATE, np.array([west, east]), np.array([south, north])).T[
        :2
    ]
    scale = min(layout.map_width / 6 / (right - left), layout.map_height / 3 / (top - bottom))
    width, height = (max(round(scale * side), 2) for side in (right - left, top - bottom))
    figure = Figure(figsize=(width / 100, height / 100), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes: GeoAxes = figure.add_axes((0.0, 0.0, 1.0, 1.0), projection=MERCATOR)
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    axes.set_aspect("auto")
    axes.set_facecolor(SEA)
    axes.add_geometries(
        _projected(shapes, "land", MERCATOR), MERCATOR, facecolor=LAND, edgecolor="#6f93ad", linewidth=0.6
    )
    _add_lines(axes, shapes, MERCATOR)
    picture = _picture(canvas).convert("RGB")
    ImageDraw.Draw(picture).rectangle((0, 0, picture.width - 1, picture.height - 1), outline=INK)
    return picture


def _axes(layout: Layout) -> tuple[GeoAxes, FigureCanvasAgg]:
    figure = Figure(figsize=(layout.map_width / 100, layout.map_height / 100), dpi=100)
    figure.patch.set_alpha(0.0)
    canvas = FigureCanvasAgg(figure)
    axes: GeoAxes = figure.add_axes((0.0, 0.0, 1.0, 1.0), projection=PROJECTION)
    west, east, south, north = bounds()
    axes.set_xlim(west, east)
    axes.set_ylim(south, north)
    axes.set_aspect("auto")
    return axes, canvas


def _picture(canvas: FigureCanvasAgg) -> Image.Image:
    canvas.draw()  # type: ignore[no-untyped-call]
    return Image.fromarray(np.asarray(canvas.buffer_rgba()).copy())  # type: ignore[no-untyped-call]


def to_pixels(
    longitude: npt.ArrayLike, latitude: npt.ArrayLike, size: Size
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return where places lie in the map's frame.

    Parameters
    ----------
    longitude, latitude : array_like, (place,)
        Degrees.
    size : {"desktop", "phone"}

    Returns
    -------
    x, y : numpy.ndarray of float64, (place,)
        Pixels right of the frame's left edge and below its top edge.
    """
    layout = LAYOUTS[size]
    west, east, south, north = bounds()
    points = PROJECTION.transform_points(PLATE, np.atleast_1d(longitude), np.atleast_1d(latitude))
    x = (points[:, 0] - west) / (east - west) * layout.map_width
    y = (north - points[:, 1]) / (north - south) * layout.map_height
    return x, y


@lru_cache(maxsize=4)
def _places_of_pixels(size: Size) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return latitude and longitude of each pixel's middle, (height, width)."""
    layout = LAYOUTS[size]
    west, east, south, north = bounds()
    x = west + (np.arange(layout.map_width) + 0.5) / layout.map_width * (east - west)
    y = north - (np.arange(layout.map_height) + 0.5) / layout.map_height * (north - south)
    points = PLATE.transform_points(PROJECTION, *np.meshgrid(x, y))
    return points[..., 1].astype(np.float32), points[..., 0].astype(np.float32)


@lru_cache(maxsize=8)
def _grid_places(size: Size, south: float, west: float, step: float) -> npt.NDArray[np.float32]:
    """Return row and column, with fractions, of each pixel in an even grid, (2, height, width)."""
    lat, lon = _places_of_pixels(size)
    return np.stack([(lat - south) / step, (lon - west) / step]).astype(np.float32)


def at_pixels(
    values: npt.NDArray[np.floating], lats: npt.NDArray[np.floating], lons: npt.NDArray[np.floating], size: Size
) -> npt.NDArray[np.float32]:
    """Interpolate a field on an even grid to each pixel of the map's frame.

    Parameters
    ----------
    values : numpy.ndarray, (latitude, longitude)
    lats, lons : numpy.ndarray
        Degrees, rising.
    size : {"desktop", "phone"}

    Returns
    -------
    numpy.ndarray of float32, (height, width)
        Bilinear; NaN outside the grid.
    """
    places = _grid_places(size, float(lats[0]), float(lons[0]), float(lats[1] - lats[0]))
    found = ndimage.map_coordinates(values.astype(np.float32), places, order=1, mode="constant", cval=np.nan)
    return np.asarray(found)


def paint_shapes(sheet: Image.Image, shapes: Sequence[tuple[shapely.Geometry, str]], size: Size) -> None:
    """Fill shapes with colours on a map's frame; later ones lie over earlier ones.

    Parameters
    ----------
    sheet : Image
        The frame; changed in place.
    shapes : sequence of (shapely.Geometry, str)
        In degrees, each with its colour.
    size : {"desktop", "phone"}
    """
    for shape, colour in shapes:
        for part in shapely.get_parts(shapely.segmentize(shape, 0.5)):
            degrees = [shapely.get_coordinates(ring).T for ring in (part.exterior, *part.interiors)]
            rings = [np.stack(to_pixels(lon, lat, size)) for lon, lat in degrees]
            corner = np.floor(rings[0].min(axis=1)).clip(0)
            far = np.ceil(rings[0].max(axis=1)).clip(None, sheet.size)
            width, height = (int(n) for n in far - corner)
            if width <= 0 or height <= 0:
                continue
            mask = Image.new("L", (width * _FINE, height * _FINE))
            draw = ImageDraw.Draw(mask)
            for number, ring in enumerate(rings):
                draw.polygon(((ring.T - corner) * _FINE).ravel().tolist(), fill=0 if number else 255)
            sheet.paste(colour, (int(corner[0]), int(corner[1])), mask.resize((width, height), Resampling.BOX))


def write(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    size: int,
    *,
    language: str,
    anchor: str = "la",
    fill: str = INK,
    halo: int = 0,
) -> None:
    """Write a line with the letter forms of its language.

    Parameters
    ----------
    draw : ImageDraw
    place : tuple of float
        x and y of the anchor, pixels.
    text : str
    size : int
        Height of the letters, pixels.
    language : {"zh", "ja", "en"}
    anchor : str
        As Pillow names it.
    fill : str
        Colour.
    halo : int
        Width of a white outline, pixels.
    """
    # Han characters differ between Chinese and Japanese; the font holds both where Raqm can choose.
    tag = {"zh": "zh-Hans", "ja": "ja", "en": "en"}[language] if _RAQM else None
    draw.text(
        place, text, fill=fill, font=font(size), anchor=anchor, language=tag, stroke_width=halo, stroke_fill="white"
    )


_RAQM = bool(features.check("raqm"))


def text_width(text: str, size: int) -> float:
    """Return the width of a line in pixels.

    Parameters
    ----------
    text : str
    size : int
        Height of the letters, pixels.

    Returns
    -------
    float
    """
    return font(size).getlength(text)


def fitted(text: str, size: int, width: float) -> int:
    """Return `size`, or the smaller one at which a line is no wider than `width`.

    Parameters
    ----------
    text : str
    size : int
        Height of the letters, pixels.
    width : float
        Pixels.

    Returns
    -------
    int
    """
    return min(size, int(size * width / max(text_width(text, size), 1.0)))


def checked_size(size: str) -> Size:
    """Return `size` if there is a layout of that name.

    Raises
    ------
    InputError
        If there is none.
    """
    for known in LAYOUTS:
        if known == size:
            return known
    raise InputError("map size", size, f"one of {sorted(LAYOUTS)}")
