"""A city's days as a table: a row a day, with what the JSON nests in columns of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

DayVariable = Literal[
    "pm25_mean", "pm25_max", "o3_max", "o3_mda8", "index", "us_aqi", "exceedance", "visibility_min", "haze_grade"
]
DAY_VARIABLES: tuple[DayVariable, ...] = get_args(DayVariable)
_RANGE, _INDEX = ("q10", "q50", "q90"), ("standard", "value", "id", "name_en", "primary")
_PARTS: dict[str, tuple[str, ...]] = {
    "pm25_mean": _RANGE, "o3_mda8": _RANGE, "index": _INDEX, "us_aqi": _INDEX,
    "exceedance": ("pm25", "pm25_limit", "o3", "o3_limit"),
}  # fmt: skip
_FIRST = ("city", "init_time", "simulated", "time_zone")


def day_table(content: dict[str, Any], variables: Sequence[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the rows and columns of a city's days.

    Parameters
    ----------
    content : dict
        A `DailyOut` as JSON.
    variables : sequence of str
        Those that it holds, of `DAY_VARIABLES`.

    Returns
    -------
    rows : list of dict
        A day each; a part of a variable is named ``variable_part``, such as ``pm25_mean_q50``.
    columns : list of str

    Examples
    --------
    >>> day = {"date": "2013-01-12", "observed_hours": 6, "pm25_mean": {"q10": 1.0, "q50": 2.0, "q90": 3.0}}
    >>> head = {"city": "beijing", "init_time": "2013-01-11T22:00:00Z", "simulated": False, "time_zone": "Asia/Shanghai"}
    >>> rows, columns = day_table(head | {"days": [day]}, ["pm25_mean"])
    >>> columns[-3:], rows[0]["pm25_mean_q50"]
    (['pm25_mean_q10', 'pm25_mean_q50', 'pm25_mean_q90'], 2.0)
    """
    columns = [*_FIRST, "date", "observed_hours"]
    for name in variables:
        columns += [f"{name}_{part}" for part in _PARTS[name]] if name in _PARTS else [name]
    fixed = {name: content[name] for name in _FIRST}
    return [fixed | _flat(day) for day in content["days"]], columns


def _flat(day: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, value in day.items():
        if name not in _PARTS:
            row[name] = value
        elif value is not None:
            row |= {f"{name}_{part}": _text(value[part]) for part in _PARTS[name]}
    return row


def _text(value: Any) -> Any:
    return " ".join(value) if isinstance(value, list) else value
