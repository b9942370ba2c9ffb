"""Levels declared on measurement in words: what was measured, and until when they hold at the latest."""

from __future__ import annotations

from babel.numbers import format_decimal

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.messages.texts import Catalog
from hazecast.grids.places.cities import City


def is_declared(warning: HazeWarning) -> bool:
    """Return whether a warning was declared on measurement alone, as its lack of a probability says."""
    first = warning.evidence[0] if warning.evidence else None
    return warning.probability is None and first is not None and first.basis == "observed" and bool(first.values)


def declared_sentences(warning: HazeWarning, level: str, city: City, words: Catalog) -> list[str]:
    """Return that the level was declared, on which measured value, and when it ends.

    Parameters
    ----------
    warning : HazeWarning
        Declared on measurement, see `is_declared`.
    level : str
        Its name.
    city : City
        Gives the name and the time zone.
    words : Catalog

    Returns
    -------
    list of str
    """
    seen = warning.evidence[0]
    name, value = next(iter(seen.values.items()))
    # As it was measured, so that it never contradicts its criterion: 0.120 ppm, 85.1 above 85.
    shown = format_decimal(value, format="0.000" if name == "ox" else "0.0", locale=words.locale)
    return [
        words.say(
            "expect.declared.level",
            level=level,
            area=getattr(city, f"name_{words.language}"),
            moment=words.minute(warning.issued, city.time_zone),
            zone=words.zone(city.time_zone, warning.issued),
            until=words.minute(warning.expires, city.time_zone),
        ),
        words.say(
            f"expect.declared.{'ox' if name == 'ox' else 'pm25'}",
            value=shown,
            moment=words.moment(seen.time, city.time_zone),
        ),
    ]
