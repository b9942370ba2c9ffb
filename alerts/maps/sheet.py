"""A map's sheet: its face with coasts and cities, title, legend and foot, for a desk and for a phone."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from PIL import Image, ImageDraw

from hazecast.alerts.geography.shapes import current
from hazecast.alerts.maps.canvas import (
    INK,
    LAYOUTS,
    Layout,
    fitted,
    insets,
    overlay,
    text_width,
    to_pixels,
    write,
)
from hazecast.alerts.maps.options import Size
from hazecast.alerts.messages.texts import BEIJING, Catalog
from hazecast.grids.places.cities import City


@dataclass(frozen=True)
class Provenance:
    """The foot of a map: its source, its time, and whether it is based on simulated data.

    `source` names the weather of a forecast, or the observations of a map of what was observed (`issued` None).
    """

    source: str
    issued: datetime | None
    simulated: bool


@dataclass(frozen=True)
class CityMark:
    """A city on a map: its colour, its priority among the names, whether it is named, and a note behind its name."""

    city: City
    colour: str
    weight: float
    named: bool
    note: str = ""


def as_png(image: Image.Image) -> bytes:
    """Return a picture as PNG with a palette of its own: a third of the size without visible loss."""
    buffer = io.BytesIO()
    image.quantize(128, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
        buffer, "PNG", compress_level=3
    )
    return buffer.getvalue()


def compose_sheet(
    face: Image.Image,
    title: str,
    subtitle: str,
    legend: Sequence[tuple[str, str]],
    marks: Sequence[CityMark],
    words: Catalog,
    provenance: Provenance,
    size: Size,
    *,
    legend_title: str = "",
) -> Image.Image:
    """Put a map's face, its overlay, cities and words together.

    Parameters
    ----------
    face : Image
        The map's frame with its colours, RGB; changed in place.
    title, subtitle : str
    legend : sequence of (str, str)
        Colours with their labels, from top to bottom.
    marks : sequence of CityMark
    words : Catalog
    provenance : Provenance
        Printed at the foot; a simulated map is marked across its face.
    size : {"desktop", "phone"}
    legend_title : str

    Returns
    -------
    Image
    """
    layout = LAYOUTS[size]
    face.paste(overlay(size), (0, 0), overlay(size))
    _draw_cities(face, marks, words, layout, size)
    for picture, place in insets(size):
        face.paste(picture, place)
    sheet = Image.new("RGB", (layout.width, layout.height), "white")
    sheet.paste(face, (layout.left, layout.top))
    draw = ImageDraw.Draw(sheet)
    right, bottom = layout.left + layout.map_width, layout.top + layout.map_height
    draw.rectangle((layout.left, layout.top, right - 1, bottom - 1), outline=INK)
    if provenance.simulated:
        title = f"[{words.say('map.simulated')}] {title}"
    middle, room = layout.width / 2, layout.width - 30.0
    for text, height, at in ((title, layout.title, 0.34), (subtitle, layout.subtitle, 0.77)):
        letters = fitted(text, height, room)
        write(draw, (middle, layout.top * at), text, letters, language=words.language, anchor="mm")
    if size == "desktop":
        _legend_inside(draw, legend, legend_title, words, layout, right, bottom)
        foot = bottom + 8.0
    else:
        foot = _legend_below(draw, legend, legend_title, words, layout, bottom + 10.0)
    end = _draw_foot(draw, provenance, words, layout, foot)
    if provenance.simulated:
        _draw_simulated(sheet, words, layout)
    return sheet.crop((0, 0, sheet.width, min(sheet.height, round(end + 12)))) if size == "phone" else sheet


def _draw_cities(face: Image.Image, marks: Sequence[CityMark], words: Catalog, layout: Layout, size: Size) -> None:
    draw = ImageDraw.Draw(face)
    x, y = to_pixels([m.city.longitude for m in marks], [m.city.latitude for m in marks], size)
    radius = layout.label * 0.32
    order = sorted(range(len(marks)), key=lambda i: (-marks[i].weight, marks[i].city.id))
    # Dots are drawn first, and no name may cover one.
    taken = [(x[i] - radius, y[i] - radius, x[i] + radius, y[i] + radius) for i in order]
    for i in order[::-1]:
        draw.ellipse(
            (x[i] - radius, y[i] - radius, x[i] + radius, y[i] + radius), fill=marks[i].colour, outline=INK, width=2
        )
    for i in order:
        if not marks[i].named:
            continue
        text = f"{getattr(marks[i].city, f'name_{words.language}')}{marks[i].note}"
        width, half = text_width(text, layout.label), layout.label * 0.6
        gap = radius + 3.0
        places = [
            (x[i] + gap, y[i]),
            (x[i] - gap - width, y[i]),
            (x[i] - width / 2, y[i] - half - gap),
            (x[i] - width / 2, y[i] + half + gap),
        ]
        for left, middle in places:
            box = (left - 1, middle - half, left + width + 1, middle + half)
            inside = box[0] >= 0 and box[1] >= 0 and box[2] < face.width and box[3] < face.height
            own = taken.index((x[i] - radius, y[i] - radius, x[i] + radius, y[i] + radius))
            if inside and not any(_overlap(box, other) for n, other in enumerate(taken) if n != own):
                taken.append(box)
                write(draw, (left, middle), text, layout.label, language=words.language, anchor="lm", halo=2)
                break


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _legend_inside(
    draw: ImageDraw.ImageDraw,
    legend: Sequence[tuple[str, str]],
    title: str,
    words: Catalog,
    layout: Layout,
    right: float,
    bottom: float,
) -> None:
    line = layout.legend * 1.45
    width = 58 + max(text_width(text, layout.legend) for text in [title, *(label for _, label in legend)])
    height = line * (len(legend) + bool(title)) + 16
    left, top = right - width - 14, bottom - height - 14
    draw.rectangle((left, top, left + width, top + height), fill="#ffffff", outline="#999999")
    y = top + 8 + line / 2
    if title:
        write(draw, (left + 12, y), title, layout.legend, language=words.language, anchor="lm")
        y += line
    for colour, label in legend:
        draw.rectangle((left + 12, y - line * 0.3, left + 40, y + line * 0.3), fill=colour, outline="#555555")
        write(draw, (left + 50, y), label, layout.legend, language=words.language, anchor="lm")
        y += line


def _legend_below(
    draw: ImageDraw.ImageDraw,
    legend: Sequence[tuple[str, str]],
    title: str,
    words: Catalog,
    layout: Layout,
    top: float,
) -> float:
    """Draw the legend in columns under the map; return where it ends."""
    line = layout.legend * 1.5
    widest = 46 + max(text_width(label, layout.legend) for _, label in legend) + 18
    columns = max(1, int((layout.width - 20) // widest))
    if title:
        write(draw, (12, top + line / 2), title, layout.legend, language=words.language, anchor="lm")
        top += line
    for number, (colour, label) in enumerate(legend):
        x = 12 + (number % columns) * (layout.width - 20) / columns
        y = top + (number // columns) * line + line / 2
        draw.rectangle((x, y - line * 0.3, x + 32, y + line * 0.3), fill=colour, outline="#555555")
        write(draw, (x + 42, y), label, layout.legend, language=words.language, anchor="lm")
    return top + line * -(-len(legend) // columns) + 8


def _draw_foot(draw: ImageDraw.ImageDraw, provenance: Provenance, words: Catalog, layout: Layout, top: float) -> float:
    if provenance.issued is None:
        first = [f"{words.say('map.observations')}: {provenance.source}"]
    else:
        issued = provenance.issued.astimezone(ZoneInfo(BEIJING))
        first = [f"{words.say('map.issued')}: {issued:%Y-%m-%d %H:%M} ({words.zone(BEIJING, issued)})"]
        first.append(f"{words.say('map.weather')}: {words.weather(provenance.source)}")
    lines = ["   ".join(first)] if layout.width > 1000 else first
    lines.append(f"Hazecast   {_boundaries(words)}")
    left = max(layout.left, 12)
    for number, text in enumerate(lines):
        letters = fitted(text, layout.foot, layout.width - 2.0 * left)
        place = (left, top + number * layout.foot * 1.4)
        write(draw, place, text, letters, language=words.language, fill="#444444")
    return top + len(lines) * layout.foot * 1.4


def _boundaries(words: Catalog) -> str:
    """Return whose base map this is: its review number where it has one."""
    shapes = current()
    if shapes.review_number:
        return words.say("map.review_number", number=shapes.review_number)
    return words.say("map.own_borders" if shapes.own_map else "map.borders")


def _draw_simulated(sheet: Image.Image, words: Catalog, layout: Layout) -> None:
    """Mark the map as simulated across its face."""
    text = "SIMULATED" if words.language == "en" else f"{words.say('map.simulated')} SIMULATED"
    letters = fitted(text, 96, layout.map_width * 0.8)
    stamp = Image.new("L", (layout.map_width, round(letters * 1.6)))
    write(
        ImageDraw.Draw(stamp),
        (stamp.width / 2, stamp.height / 2),
        text,
        letters,
        language=words.language,
        anchor="mm",
        fill="#ffffff",
    )
    turned = stamp.rotate(25, expand=True, resample=Image.Resampling.BILINEAR).point(lambda v: v * 0.35)
    corner = (
        layout.left + (layout.map_width - turned.width) // 2,
        layout.top + (layout.map_height - turned.height) // 2,
    )
    sheet.paste("#c00000", corner, turned)
