"""The times of a table as a whole: a wrong year among them, and steps that are no hours."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from hazecast.grids.errors import InputError
from hazecast.grids.observations.tables.findings import Fault, Findings
from hazecast.grids.observations.tables.sheets import Sheet

# A row this far from the middle of its table has a wrong year: no table is as long.
_FARTHEST = timedelta(days=20 * 366)
# So many times whole days, or several hours, apart are no hours of which others are missing.
_MANY = 4
_DAY_BACK, _DAY_ON = np.timedelta64(-23, "h"), np.timedelta64(25, "h")


def check_times(
    sheet: Sheet,
    times: npt.NDArray[np.datetime64],
    lines: npt.NDArray[np.int64],
    owners: npt.NDArray[np.object_],
    findings: Findings,
) -> None:
    """Leave out rows with a wrong year, refuse a table of days, and say where no two hours follow each other.

    Parameters
    ----------
    sheet : Sheet
    times : datetime64 (row,)
        UTC ends; that of a row which is left out becomes NaT.
    lines : int (row,)
    owners : object (row,)
        Codes of stations.
    findings : Findings

    Raises
    ------
    InputError
        If the table has one hour a day.
    """
    _leave_out_far(sheet, times, lines, findings)
    _doubt_midnight(sheet, times, lines, owners, findings)
    given = np.unique(times[~np.isnat(times)])
    if len(given) < _MANY:
        return
    if not ((given - given[0]) % np.timedelta64(1, "D")).any():
        # Such as means of days that are stamped at midnight.
        raise InputError(str(sheet.path), f"{len(given)} times, whole days apart", "hourly values")
    apart = np.diff(given).min()
    if apart > np.timedelta64(1, "h"):
        # They may be means of the hours between.
        hours = f"{apart / np.timedelta64(1, 'h'):g}"
        findings.doubts.append(
            f"{sheet.path.name}: times at least {hours} h apart: each value is taken as that of one hour"
        )


def _doubt_midnight(
    sheet: Sheet,
    times: npt.NDArray[np.datetime64],
    lines: npt.NDArray[np.int64],
    owners: npt.NDArray[np.object_],
    findings: Findings,
) -> None:
    """Say that a table in order has hour 0 of a day behind its hour 23: hour 24 is written so."""
    known = np.flatnonzero(~np.isnat(times))
    codes = pd.factorize(owners[known])[0]
    order = known[np.argsort(codes, kind="stable")]
    steps, same = np.diff(times[order]), np.diff(np.sort(codes)) == 0
    back = same & (steps < np.timedelta64(0))
    # The next hour is 1 of the next day, or there is none: a table that begins again goes on with 1 of the same.
    goes_on = np.append(same[1:] & (steps[1:] != _DAY_ON), False)
    if back.any() and (steps[back] == _DAY_BACK).all() and not goes_on[back].any():
        where = f"{sheet.path.name}: line {lines[order[1:][back]].min()}"
        what = "hour 0 behind hour 23 of the same day, as hour 24 may be written"
        findings.doubts.append(f"{where}: {what}; it is taken as that day's first")


def _leave_out_far(
    sheet: Sheet, times: npt.NDArray[np.datetime64], lines: npt.NDArray[np.int64], findings: Findings
) -> None:
    """Leave out rows with a wrong year: one would need an axis of millions of hours."""
    given = np.flatnonzero(~np.isnat(times))
    if not len(given):
        return
    middle = np.sort(times[given])[len(given) // 2]
    for at in given[np.abs(times[given] - middle) > np.timedelta64(_FARTHEST)]:
        fault = Fault(f"{sheet.path}: line {lines[at]}", f"{times[at]} UTC", f"a time within 20 years of {middle}")
        findings.leave_out("rows_without_time", fault)
        times[at] = np.datetime64("NaT")
