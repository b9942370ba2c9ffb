"""The words and numbers of a report: names with their units as a reader writes them, as many digits as mean something."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

# Digits of the largest number of a column, and of a number by itself; of half the width of an interval (GUM 7.2.6); of every number.
_DIGITS, _INTERVAL_DIGITS, _LEAST_DIGITS = 4, 2, 2
# From so many decimals on, and from such numbers on, powers of ten.
_SMALL = 6
_LONG = 1e7


@lru_cache
def names() -> dict[str, dict[str, str]]:
    """Return what names of the code are called in a report: whole ``names``, ``parts`` of them, and ``units`` at their end."""
    package = "hazecast.services.research.studies"
    return tomllib.loads((files(package) / "report_names.toml").read_text(encoding="utf-8"))


def words(name: object) -> str:
    """Return a name of the code as a reader writes it, its unit after a comma."""
    known, text = names(), str(name)
    if text in known["names"]:
        return known["names"][text]
    unit = next((ending for ending in known["units"] if text.endswith(ending)), "")
    text = text.removesuffix(unit)
    parts = (known["parts"].get(part, part) for part in re.split(r"[_ ]", text))
    return " ".join(parts) + (f", {known['units'][unit]}" if unit else "")


def said(value: Any, labels: Mapping[str, str] | None = None) -> str:
    """Return a value as text: an estimate with its interval, a list by its members, missing as a dash.

    Parameters
    ----------
    value : object
    labels : mapping of str to str, optional
        What a study's own names are called.

    Returns
    -------
    str
    """
    labels = labels or {}
    if isinstance(value, dict):
        if set(value) == {"value", "low", "high"}:
            return _estimate(value)
        return "; ".join(f"{labels.get(name, words(name))}: {said(one, labels)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(said(one, labels) for one in value) or "none"
    if isinstance(value, Path):
        return value.name  # a report is given away; where files lie here is nobody's business
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, float):
        return "without end" if math.isinf(value) else _short(value)
    text = str(value)
    return names()["names"].get(text) or labels.get(text, text)


def column(values: pd.Series, labels: Mapping[str, str]) -> tuple[str, ...]:
    """Return the cells of a column: numbers with the decimals that its largest needs, times without what is the same in all.

    Parameters
    ----------
    values : pandas.Series
    labels : mapping of str to str
        What a study's own names are called.

    Returns
    -------
    tuple of str
    """
    if isinstance(values.dtype, np.dtype) and values.dtype.kind == "f":
        finite = values[np.isfinite(values)].abs()
        whole = bool((finite == finite.round()).all())
        # Of a whole number among others the decimals of one that is not.
        decimals = 0 if whole else _decimals(math.nextafter(float(finite.max()), 0.0))
        return tuple(_number(one, decimals) if math.isfinite(one) else said(float(one)) for one in values)
    if isinstance(values.dtype, np.dtype) and values.dtype.kind == "M":
        form = "%Y-%m-%d" if bool((values.dropna() == values.dropna().dt.normalize()).all()) else "%Y-%m-%d %H:%M"
        return tuple("-" if pd.isna(one) else one.strftime(form) for one in values)
    return tuple(said(one.item() if hasattr(one, "item") else one, labels) for one in values)


def is_text(values: pd.Series) -> bool:
    """Return whether a column holds words, which are read from the left."""
    return not pd.api.types.is_numeric_dtype(values)


def _estimate(value: Mapping[str, Any]) -> str:
    """Return an estimate and its interval with the decimals that two digits of half its width need."""
    numbers: Sequence[Any] = [value[name] for name in ("value", "low", "high")]
    if any(one is None or not math.isfinite(one) for one in numbers):
        return f"{said(numbers[0])} ({said(numbers[1])} to {said(numbers[2])})"
    half = (numbers[2] - numbers[1]) / 2
    if half <= 0:
        return f"{said(numbers[0])} ({said(numbers[1])} to {said(numbers[2])})"
    decimals = _decimals(half, _INTERVAL_DIGITS)
    found, low, high = (_number(float(one), decimals) for one in numbers)
    return f"{found} ({low} to {high})"


def _decimals(value: float, digits: int = _DIGITS) -> int:
    """Return how many decimals a number has that is written with some digits."""
    if value == 0 or not math.isfinite(value) or (digits == _DIGITS and value == round(value)):
        return 0
    return max(0, digits - 1 - math.floor(math.log10(abs(value))))


def _short(value: float) -> str:
    """Return a number by itself, without zeros at its end."""
    text = _number(value, _decimals(value))
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def _number(value: float, decimals: int) -> str:
    """Return a number with some decimals, with more where it is small; one that is too small or too large as a power of ten."""
    if value == 0:
        return "0"
    own = _decimals(value, _LEAST_DIGITS)
    if not math.isfinite(value) or abs(value) >= _LONG or max(own, decimals) > _SMALL:
        return f"{value:.{_DIGITS}g}"
    if own > decimals:
        # A limit of 0.06 beside one of 160: not 0.060, which nobody wrote.
        return f"{value:,.{own}f}".rstrip("0").rstrip(".")
    return f"{value:,.{decimals}f}"
