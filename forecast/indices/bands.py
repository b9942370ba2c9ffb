"""Bands of standards without a number: Japan's standards and alerts, Korea's grades, Europe's index, the WHO's guideline and targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from hazecast.forecast.indices.breakpoints import checked, tables
from hazecast.grids.errors import InputError

# Whose bands make the classes of a day.
Classes = Literal["japan", "korea", "europe", "who"]


@dataclass(frozen=True)
class DayClass:
    """A class that a standard's bands make of a day: the bands in it, by item; names and colour."""

    id: str
    name_zh: str
    name_ja: str
    name_en: str
    colour: str
    bands: Mapping[str, tuple[str, ...]]


@lru_cache
def day_classes(name: Classes) -> tuple[DayClass, ...]:
    """Return the classes of a day in Japan, in Korea, in Europe or by the WHO, lowest first."""
    return tuple(
        DayClass(**(table | {"bands": {item: tuple(ids) for item, ids in table["bands"].items()}}))
        for table in tables()[f"{name}_day_classes"]
    )


def band_of(table: str, value: float) -> str | None:
    """Return the band of a standard's table that a value belongs to.

    Parameters
    ----------
    table : str
        ``japan_pm25_day``, ``korea_pm25_day`` (ug m-3), ``japan_ox_hour``, ``japan_ox_8h``, ``korea_o3_hour`` (ppm),
        ``europe_pm25_hour`` and those of pm10, no2, o3 and so2, ``who_pm25_day``, ``who_pm10_day``, ``who_o3_8h`` (ug m-3). The WHO's bands are named for the strictest target that is
        met ("guideline", "it4" to "it1"), or ``above_it1``.
    value : float
        In the table's unit; NaN where missing.

    Returns
    -------
    str or None
        The band's id; None where the value is NaN.

    Raises
    ------
    InputError
        If there is no such table, or the value is negative or infinite.

    Examples
    --------
    >>> band_of("who_pm25_day", 15.0), band_of("who_pm25_day", 15.1)
    ('guideline', 'it4')
    """
    steps = band_steps(table)
    number = float(checked(table, value))
    if np.isnan(number):
        return None
    reached = [s for s in steps if number > s["above"] or (s.get("at") and number == s["above"])]
    return str(reached[-1]["id"])


def band_steps(table: str) -> list[dict[str, Any]]:
    """Return the steps of a table that `band_of` reads, lowest first: ``id``, ``above``, ``at``.

    Raises
    ------
    InputError
        If there is no such table.
    """
    bands = tables()["bands"]
    if table not in bands:
        raise InputError("index: table", table, f"one of {sorted(bands)}")
    steps: list[dict[str, Any]] = bands[table]["steps"]
    return steps


def band_above(table: str, band: str) -> float:
    """Return the value above which a band of a standard's table begins.

    Parameters
    ----------
    table : str
        As for `band_of`.
    band : str
        The band's id.

    Returns
    -------
    float
        In the table's unit.

    Raises
    ------
    InputError
        If there is no such table or band.
    """
    found = {str(step["id"]): float(step["above"]) for step in band_steps(table)}
    if band not in found:
        raise InputError(f"index: band of {table}", band, f"one of {list(found)}")
    return found[band]
