"""Cells of a table as numbers: marks of missing values, decimal marks, compass points."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

import numpy as np
import numpy.typing as npt
import pandas as pd

# Marks that bureaus and programs write where there is no value, in lower case.
_MARK_TEXTS = """- -- --- — —— – ― / \\ * ** *** **** × x # ? na n/a #n/a nan null none nil nd n.d. n.a. bdl void invalid missing error
    #value! #div/0! #ref! #num! #null! #name? 无效 無効 無效 缺测 缺測 缺失 缺 欠測 欠測値 测试 维护 維護 维护中 校准 校準 調整中 停运 停電
    故障 离线 保守 点検 未检出 不検出 未測定 无数据 無資料 暂无 无 無"""
_MARKS = frozenset(_MARK_TEXTS.split())
# Nines below zero: -99, -999, -99.99, -9999.0.
_NINES = re.compile(r"-99+(?:\.(?:9+|0+))?")
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
# Thousands apart: 1,040 or 1,040.5; with a decimal comma 1.040,5, but 1.040 may be either.
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?")
_THOUSANDS_COMMA = re.compile(r"[+-]?[1-9]\d{0,2}(?:[.\u00a0\u202f ']\d{3})+,\d+|[+-]?[1-9]\d{0,2}(?:\.\d{3}){2,}")
_TWO_WAYS = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}")
_COMPASS = ("N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW")
_DEGREES = {name: 22.5 * number for number, name in enumerate(_COMPASS)}
# Chinese names a point by east or west first, Japanese by north or south first.
_POINTS = str.maketrans({"东": "E", "東": "E", "西": "W", "南": "S", "北": "N", "风": None, "風": None, "偏": None})
_CALM = frozenset({"C", "CALM", "CV", "VRB", "静", "静穏", "靜穩", "静稳"})


def is_missing(text: str, marks: Collection[str] = ()) -> bool:
    """Return whether a cell means that there is no value.

    Parameters
    ----------
    text : str
        Without blanks around it.
    marks : collection of str
        Beside the usual ones, in lower case.

    Returns
    -------
    bool
    """
    low = text.lower()
    plain = _narrow(low)
    known = any(one in _MARKS or one in marks for one in (low, plain))
    return not low or known or _NINES.fullmatch(plain.replace(",", ".")) is not None


def _narrow(text: str) -> str:
    """Return a text in characters of half width, with the hyphen for a minus sign."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text).replace("\N{MINUS SIGN}", "-")


def numbers(
    cells: npt.NDArray[np.object_], decimal: str, marks: Collection[str] = ()
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return cells as numbers.

    Parameters
    ----------
    cells : object (row,)
        Texts.
    decimal : str
        The decimal mark.
    marks : collection of str
        Marks of a missing value beside the usual ones, in lower case.

    Returns
    -------
    values : float64 (row,)
        NaN where missing or no number.
    missing, wrong : bool (row,)
        Whether a cell is a mark of a missing value; whether it is neither that nor a number.
    """
    # A table holds few different texts: each is looked at once.
    codes, texts = pd.factorize(cells)
    values, missing = np.full(len(texts), np.nan), np.zeros(len(texts), bool)
    number = re.compile(_NUMBER)
    for at, text in enumerate(texts):
        if is_missing(text, marks):
            missing[at] = True
            continue
        plain = _plain(_narrow(text), decimal)
        if number.fullmatch(plain):
            values[at] = float(plain)
    values[~np.isfinite(values)] = np.nan
    # A mark that is a number is that number however it is written: 888, 888.0.
    marked = np.isin(values, [float(mark) for mark in marks if number.fullmatch(mark)])
    values[marked], missing = np.nan, missing | marked
    wrong = np.isnan(values) & ~missing
    return values[codes], missing[codes], wrong[codes]


def _plain(text: str, decimal: str) -> str:
    """Return a number with a decimal point and without marks of thousands; what may be two numbers as it is."""
    if decimal == "," and _THOUSANDS_COMMA.fullmatch(text):
        return re.sub(r"[^\d,+-]", "", text).replace(",", ".")
    if decimal == ",":
        # 1.040 in a table of decimal commas: a thousand and forty, or one and a bit.
        return (
            text.replace(".", "?") if _TWO_WAYS.fullmatch(text) else text.replace(",", ".") if "." not in text else text
        )
    return text.replace(",", "") if _THOUSANDS.fullmatch(text) else text


def directions(cells: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    """Return compass points as degrees in text, and a calm as a missing direction; what is neither stays.

    Examples
    --------
    >>> directions(np.array(["NE", "西北", "北北東", "静风", "120"], dtype=object)).tolist()
    ['45.0', '315.0', '22.5', '', '120']
    """
    return np.array([_direction(text) for text in cells], dtype=object)


def _direction(text: str) -> str:
    plain = text.upper().translate(_POINTS)
    if plain in _CALM:
        return ""
    for name in (plain, plain[::-1]):
        if name in _DEGREES:
            return str(_DEGREES[name])
    # 东北东: between north-east and east.
    return str(_DEGREES[found]) if (found := _between(plain)) else text


def _between(plain: str) -> str | None:
    if len(plain) != 3 or set(plain) - set("NESW"):
        return None
    pair = {plain[0] + plain[1], plain[1] + plain[0]} & set(_DEGREES)
    return plain[2] + pair.pop() if pair and plain[2] + next(iter(pair)) in _DEGREES else None
