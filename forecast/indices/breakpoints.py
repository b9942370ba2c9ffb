"""The tables of breakpoints, what an index answers with, and its categories.

The numbers are data (``breakpoints.toml``), each with its source.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from hazecast.grids.errors import InputError

Values = npt.NDArray[np.float64]
# Absorbs the rounding errors of a division: 100.00000000000001 must not become 101.
EPSILON = 1e-9


@dataclass(frozen=True)
class Category:
    """A category of an index: the highest index in it, its names and the standard's colour."""

    upto: int
    id: str
    name_zh: str
    name_ja: str
    name_en: str
    colour: str


@dataclass(frozen=True)
class IndexResult:
    """An index with what it is based on.

    Attributes
    ----------
    value : int or None
        None where no item was known.
    standard : str
    category : Category or None
    parts : dict of str to int
        The sub-index of each item known.
    primary : tuple of str
        The items that reach the index, if it is above 50: all of them where several tie.
    """

    value: int | None
    standard: str
    category: Category | None
    parts: Mapping[str, int]
    primary: tuple[str, ...]


@lru_cache
def tables() -> dict[str, Any]:
    """Return ``breakpoints.toml`` as read."""
    return tomllib.loads(Path(__file__).with_name("breakpoints.toml").read_text(encoding="utf-8"))


@lru_cache
def categories(index: Literal["china", "us"]) -> tuple[Category, ...]:
    """Return the categories of an index, lowest first."""
    return tuple(Category(**table) for table in tables()[f"{index}_categories"])


def category_of(index: Literal["china", "us"], value: float) -> Category:
    """Return the category that an index belongs to.

    Parameters
    ----------
    index : {"china", "us"}
    value : float
        The index, 1.

    Returns
    -------
    Category
        Above 500 the highest.

    Examples
    --------
    >>> category_of("us", 101).name_en
    'Unhealthy for Sensitive Groups'
    """
    found = categories(index)
    return next((c for c in found if value <= c.upto), found[-1])


def combine(index: Literal["china", "us"], standard: str, sub_indices: Mapping[str, float]) -> IndexResult:
    """Combine the sub-indices of one place: the index is the highest of them.

    Parameters
    ----------
    index : {"china", "us"}
    standard : str
        The standard's id.
    sub_indices : mapping of str to float
        By item; NaN where unknown.

    Returns
    -------
    IndexResult
    """
    parts = {item: int(value) for item, value in sub_indices.items() if not np.isnan(value)}
    if not parts:
        return IndexResult(None, standard, None, {}, ())
    value = max(parts.values())
    primary = tuple(sorted(k for k, v in parts.items() if v == value)) if value > 50 else ()
    return IndexResult(value, standard, category_of(index, value), parts, primary)


def checked(item: str, concentration: npt.ArrayLike) -> Values:
    """Return concentrations as float64.

    Parameters
    ----------
    item : str
        What they are of, for the error.
    concentration : array_like
        Any unit; NaN where missing.

    Returns
    -------
    numpy.ndarray of float64

    Raises
    ------
    InputError
        If one is negative or infinite.
    """
    values = np.asarray(concentration, dtype=np.float64)
    if np.any(values < 0.0) or np.any(np.isinf(values)):
        raise InputError(f"index: {item}", f"{np.nanmin(values)} to {np.nanmax(values)}", "finite values of 0 or more")
    return values
