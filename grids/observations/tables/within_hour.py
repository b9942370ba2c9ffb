"""Hourly means of values that a table gives by steps of minutes, where its mapping says that they are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from hazecast.grids.observations.tables.findings import Fault, Findings

# Chosen: an hour counts with 45 minutes of it.
_SHARE = 0.75
# Chosen: far above rounding, far below any mean of directions in whole degrees.
_LEAST_LENGTH = 1e-9
_STEP = ["station", "quantity", "unit", "time"]
_HOUR = ["station", "quantity", "unit", "hour"]


def hours_of(tables: Sequence[tuple[pd.DataFrame, int | None]], findings: Findings) -> pd.DataFrame:
    """Return the hours of tables; an hour whose steps are in two of them is made of both.

    Parameters
    ----------
    tables : sequence of (pandas.DataFrame, int or None)
        As of `hazecast.grids.observations.tables.reading.read_steps`, with the minutes of a step, None for hours; at least one.
    findings : Findings
        Values are counted; hours with too few steps are left out and named here.

    Returns
    -------
    pandas.DataFrame
        The same columns, by the ends of hours.
    """
    by_length: dict[int | None, list[pd.DataFrame]] = {}
    for values, minutes in tables:
        by_length.setdefault(minutes, []).append(values)
    parts = []
    for minutes, own in by_length.items():
        values = pd.concat(own, ignore_index=True)
        parts.append(values if minutes is None or values.empty else hourly_means(values, minutes, findings))
    hours = pd.concat(parts, ignore_index=True)
    findings.counts["values_taken"] += int(hours["value"].notna().sum())
    return hours


def hourly_means(values: pd.DataFrame, minutes: int, findings: Findings) -> pd.DataFrame:
    """Return hours of values of steps: means, of directions those of unit vectors, of precipitation sums.

    Parameters
    ----------
    values : pandas.DataFrame
        As of `hazecast.grids.observations.tables.reading.read_steps`, by the ends of steps.
    minutes : int
        Length of a step, which divides an hour.
    findings : Findings
        Hours with too few steps and steps with several values are left out and named here.

    Returns
    -------
    pandas.DataFrame
        By the ends of hours. A value is missing where less than 75 % of its hour's steps have one; a sum needs all. An hour
        without rows for all of its steps that has too few is left out.
    """
    steps, columns = 60 // minutes, list(values.columns)
    values = _each_step_once(values, findings)
    # A calm has no direction, whatever is written.
    places = pd.MultiIndex.from_frame(values[["station", "time"]])
    calm = places.isin(places[(values["quantity"] == "wind_speed") & (values["value"] == 0.0)])
    angle = np.radians(values["value"].where((values["quantity"] == "wind_direction") & ~calm))
    values = values.assign(
        hour=values["time"].dt.ceil("h"),
        east=np.sin(angle),
        north=np.cos(angle),
    )
    hours = values.groupby(_HOUR, sort=False, as_index=False).agg(
        value=("value", "mean"),
        east=("east", "mean"),
        north=("north", "mean"),
        number=("value", "count"),
        given=("time", "nunique"),
        file=("file", "first"),
        line=("line", "first"),
    )
    sums, directions = hours["quantity"] == "precipitation", hours["quantity"] == "wind_direction"
    turned = np.degrees(np.arctan2(hours["east"], hours["north"])) % 360.0
    # Opposite directions have no mean: what rounding leaves of one is none.
    turned = np.where(np.hypot(hours["east"], hours["north"]) > _LEAST_LENGTH, turned, np.nan)
    hours["value"] = hours["value"].mask(sums, hours["value"] * steps).mask(directions, turned)
    needed = np.where(sums, steps, math.ceil(_SHARE * steps))
    short = hours["number"] < needed
    hours.loc[short, "value"] = np.nan
    for at in np.flatnonzero(short & (hours["number"] > 0)):
        row = hours.iloc[int(at)]
        where = f"{row['file']}: line {row['line']}, {row['quantity']} of {row['station']}"
        found, expected = f"{row['number']} of {steps} steps of the hour", f"{needed[at]} or more"
        time = pd.Timestamp(str(row["hour"])).to_pydatetime()
        findings.leave_out("hours_incomplete", Fault(where, found, expected, time))
    # An hour that is in the table in part says nothing, and replaces nothing that an earlier table had.
    hours = hours[~short | (hours["given"] == steps)]
    return hours.rename(columns={"hour": "time"})[columns].reset_index(drop=True)


def _each_step_once(values: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    """Return each step once; of several values that differ none."""
    given = values.dropna(subset="value").drop_duplicates([*_STEP, "value"])
    findings.counts["values_repeated"] += int(values["value"].notna().sum()) - len(given)
    different = given.duplicated(_STEP, keep=False)
    for (station, quantity, _, time), own in given[different].groupby(_STEP):
        where = " and ".join(f"{file}: line {line}" for file, line in zip(own["file"], own["line"], strict=True))
        found = ", ".join(f"{value:g}" for value in own["value"])
        stamp = pd.Timestamp(str(time))
        fault = Fault(where, f"{found} as {quantity} of {station} at {stamp} UTC", "one value", stamp.to_pydatetime())
        findings.leave_out("values_that_differ", fault)
    missing = values[values["value"].isna()]
    return pd.concat([given[~different], missing], ignore_index=True)
