"""The last 30 days of a city: the mean PM2.5 that was observed each day, beside what the day before had forecast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import numpy.typing as npt

from hazecast.forecast.days import day_begins
from hazecast.forecast.products import daily_mean
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City, Registry
from hazecast.grids.times import to_datetime
from hazecast.services.store.observations import observed_hours
from hazecast.services.store.past_forecasts import pm25_of_runs, runs_between
from hazecast.services.store.store import Store
from hazecast.services.web.page.chart import axis_step

DAYS = 30
# Of a day's hours, as for its observed mean (`hazecast.forecast.products.daily_mean`).
_HOURS = 20
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 720, 190, 36, 8, 24


@dataclass(frozen=True)
class PastDay:
    """A day of a city, ug m-3: the mean that was observed, None where too few hours were, and what had been forecast.

    `forecast` is the mean of the 0.1 quantile, the median and the 0.9 quantile of the newest run before the day began, as in
    `hazecast.forecast.daily`; None where none is stored.
    """

    date: date
    observed: float | None
    forecast: tuple[float, float, float] | None


@dataclass(frozen=True)
class Bar:
    """A day in the units of a view box of `WIDTH` by `HEIGHT`."""

    day: PastDay
    x: float
    width: float
    top: float | None
    height: float
    low: float | None
    median: float | None
    high: float | None


@dataclass(frozen=True)
class History:
    """The days drawn, and how often what came lay within the range that had been forecast."""

    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, float], ...]
    compared: int
    within: int
    error: float | None


def history(store: Store, registry: Registry, city: City, now: datetime, simulated: bool) -> History | None:
    """Return the last 30 whole days of a city.

    Parameters
    ----------
    store : Store
    registry : Registry
    city : City
    now : datetime
        Aware.
    simulated : bool
        Which runs and observations.

    Returns
    -------
    History or None
        None where nothing was observed.
    """
    days = _past_days(store, registry, city, now, simulated)
    return _drawn(days) if any(day.observed is not None for day in days) else None


def _past_days(store: Store, registry: Registry, city: City, now: datetime, simulated: bool) -> tuple[PastDay, ...]:
    today = np.datetime64(now.astimezone(day_begins(city, np.datetime64("2000-01-01")).tzinfo).date(), "D")
    dates = [today - n for n in range(DAYS, 0, -1)]
    begins = [day_begins(city, stamp) for stamp in (*dates, today)]
    observed = _observed(store, registry, city, begins[0], begins[-1], simulated)
    forecast = _forecast(store, city, begins, simulated)
    return tuple(
        PastDay(to_datetime(stamp.astype("datetime64[ns]")).date(), observed.get(stamp), forecast[n])
        for n, stamp in enumerate(dates)
    )


def _observed(
    store: Store, registry: Registry, city: City, first: datetime, last: datetime, simulated: bool
) -> dict[np.datetime64, float]:
    try:
        # An hour is named by its end.
        hours = observed_hours(store, first + timedelta(hours=1), last, simulated, city.id)
    except InputError:
        return {}
    means = daily_mean(hours[["pm25"]], registry)["pm25"].sel(city=city.id)
    pairs = zip(means["date"].values.astype("datetime64[D]"), means.values, strict=True)
    return {stamp: float(value) for stamp, value in pairs if np.isfinite(value)}


def _forecast(
    store: Store, city: City, begins: Sequence[datetime], simulated: bool
) -> list[tuple[float, float, float] | None]:
    """Return what the newest run before each day's beginning, at most a day old then, said of it."""
    runs = runs_between(store, begins[0] - timedelta(days=1), begins[-1], simulated)
    chosen = [
        next(((run, at) for run, at in reversed(runs) if begin - timedelta(days=1) < at <= begin), None)
        for begin in begins[:-1]
    ]
    values = pm25_of_runs(store, sorted({one[0] for one in chosen if one is not None}), city.id)
    found: list[tuple[float, float, float] | None] = []
    for one, begin, end in zip(chosen, begins, begins[1:], strict=False):
        if one is None or one[0] not in values:
            found.append(None)
            continue
        first = round((begin - one[1]) / timedelta(hours=1))
        found.append(_means(values[one[0]][first : first + round((end - begin) / timedelta(hours=1))]))
    return found


def _means(hours: npt.NDArray[np.float64]) -> tuple[float, float, float] | None:
    known = hours[np.isfinite(hours).all(axis=1)]
    if len(known) < _HOURS:
        return None
    low, median, high = (float(value) for value in known.mean(axis=0))
    return low, median, high


def _drawn(days: Sequence[PastDay]) -> History:
    highest = max([day.observed or 0.0 for day in days] + [day.forecast[2] for day in days if day.forecast])
    step = axis_step(highest)
    top = step * max(2.0, float(np.ceil(highest / step)))
    room = (WIDTH - LEFT) / len(days)

    def y(value: float) -> float:
        return round(TOP + (1.0 - value / top) * (HEIGHT - TOP - BOTTOM), 1)

    bars = []
    for n, day in enumerate(days):
        low, median, high = (y(v) for v in day.forecast) if day.forecast else (None, None, None)
        head = None if day.observed is None else y(day.observed)
        bars.append(
            Bar(
                day=day,
                x=round(LEFT + n * room, 1),
                width=round(room, 1),
                top=head,
                height=0.0 if head is None else round(y(0.0) - head, 1),
                low=low,
                median=median,
                high=high,
            )
        )
    pairs = [(day.observed, day.forecast) for day in days if day.observed is not None and day.forecast is not None]
    errors = [abs(seen - said[1]) for seen, said in pairs]
    return History(
        bars=tuple(bars),
        ticks=tuple((y(value), value) for value in np.arange(0.0, top + step / 2, step).tolist()),
        compared=len(pairs),
        within=sum(said[0] <= seen <= said[2] for seen, said in pairs),
        error=float(np.mean(errors)) if errors else None,
    )
