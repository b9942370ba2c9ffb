"""Which windows of hourly series a model is trained on and scored on."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from hazecast.grids.contract import HISTORY_HOURS, LEAD_HOURS
from hazecast.models.series import TARGETS, HourlySeries, WindowSet


def window_set(
    series: tuple[HourlySeries, ...],
    start: np.datetime64,
    end: np.datetime64,
    *,
    every: int = 1,
    without: tuple[tuple[np.datetime64, np.datetime64], ...] = (),
) -> WindowSet:
    """Index the windows to train on: history and targets all lie in ``[start, end]``.

    Parameters
    ----------
    series : tuple of HourlySeries
    start, end : datetime64
        UTC; no hour outside them is read, neither as history nor as target.
    every : int
        Hours between init times.
    without : pairs of datetime64
        Periods held out: no window touches them.

    Returns
    -------
    WindowSet
        Only windows with an observed target.
    """
    rows: list[NDArray[np.int64]] = []
    for number, one in enumerate(series):
        now = np.arange(HISTORY_HOURS - 1, len(one.times) - LEAD_HOURS, every)
        first, last = one.times[now - HISTORY_HOURS + 1], one.times[now + LEAD_HOURS]
        keep = (first >= start) & (last <= end)
        for held_from, held_to in without:
            keep &= (last < held_from) | (first > held_to)
        rows += _useful(one, number, now[keep], len(one.times) - 1)
    return WindowSet(series, np.concatenate(rows) if rows else np.empty((0, 3), np.int64))


def scoring_windows(
    series: tuple[HourlySeries, ...], start: np.datetime64, end: np.datetime64, *, every: int = 1
) -> WindowSet:
    """Index the windows to score: init times in ``[start, end)``, targets up to `end`.

    The history reaches back before `start`, as it does in service. The last windows lack their
    longest lead times (NaN) rather than being left out.

    Parameters
    ----------
    series : tuple of HourlySeries
    start, end : datetime64
        UTC; no hour after `end` is read.
    every : int
        Hours between init times, counted from `start`.

    Returns
    -------
    WindowSet
        Only windows with an observed target.
    """
    rows: list[NDArray[np.int64]] = []
    for number, one in enumerate(series):
        now = np.arange(HISTORY_HOURS - 1, len(one.times) - 1)
        time = one.times[now]
        on_step = (time - start) % np.timedelta64(every, "h") == np.timedelta64(0, "h")
        last = int(np.searchsorted(one.times, end, side="right")) - 1
        rows += _useful(one, number, now[(time >= start) & (time < end) & on_step], last)
    return WindowSet(series, np.concatenate(rows) if rows else np.empty((0, 3), np.int64), end)


def only_until(series: HourlySeries, end: np.datetime64) -> HourlySeries:
    """Return a series without its later hours.

    Parameters
    ----------
    series : HourlySeries
    end : datetime64
        UTC; the last hour that is kept.

    Returns
    -------
    HourlySeries
    """
    hours = int(np.searchsorted(series.times, end, side="right"))
    return dataclasses.replace(
        series,
        times=series.times[:hours],
        **{
            name: getattr(series, name)[:, :hours]
            for name in ("observations", "weather", "area_observations", "area_weather")
        },
    )


# A place with fewer windows than this does not make the others give up theirs.
_FEWEST_WINDOWS = 5_000


def balanced(windows: WindowSet, seed: int = 0) -> WindowSet:
    """Thin out the windows of much-observed cities, so that they do not decide what is learned.

    A city with n windows gives a number that grows with the square root of n; the one with fewest gives all of its own.

    Parameters
    ----------
    windows : WindowSet
    seed : int

    Returns
    -------
    WindowSet
        Some of the windows, in the order they had.
    """
    if not len(windows):
        return windows
    area = np.concatenate([s.area + 1_000 * n for n, s in enumerate(windows.series)])
    first = np.cumsum([0, *(len(s.places) for s in windows.series)])
    city = area[first[windows.index[:, 0]] + windows.index[:, 1]]
    cities, counts = np.unique(city, return_counts=True)
    fewest = max(int(counts.min()), _FEWEST_WINDOWS)
    random = np.random.default_rng(seed)
    kept = []
    for number, count in zip(cities, counts, strict=True):
        rows = np.flatnonzero(city == number)
        share = min(count, int(np.sqrt(float(count) * fewest)))
        kept.append(np.sort(random.choice(rows, share, replace=False)))
    return dataclasses.replace(windows, index=windows.index[np.sort(np.concatenate(kept))])


def _useful(series: HourlySeries, number: int, now: NDArray[np.int64], last: int) -> list[NDArray[np.int64]]:
    """Return the index rows, a block a place, of the init times with any target up to `last`."""
    rows = []
    for place in range(len(series.places)):
        observed = np.isfinite(series.observations[place][:, list(TARGETS)]).any(axis=1)
        seen = np.concatenate([[0], np.cumsum(observed)])
        found = now[(seen[np.minimum(now + LEAD_HOURS, last) + 1] - seen[now + 1]) > 0]
        rows.append(np.stack([np.full_like(found, number), np.full_like(found, place), found], axis=1))
    return rows
