"""The page's forecast chart: the geometry of a fan over time, which a template draws as SVG.

Nothing is styled here: the content security policy allows no inline style, and the dark and light themes differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import xarray as xr

from hazecast.grids.contract import HISTORY_HOURS, LEAD_HOURS
from hazecast.grids.times import to_datetime

WIDTH, HEIGHT = 440, 230
LEFT, RIGHT, TOP, BOTTOM = 36, 8, 12, 24
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ChartLine:
    """A city's hours around an init time.

    Attributes
    ----------
    init_time : datetime
    observed_times : tuple of datetime
        Ends of the observed hours.
    observed : array (observed hour,)
        ug m-3, NaN where unknown.
    quantiles : array (lead time, 5)
        0.1, 0.25, 0.5, 0.75 and 0.9, from the first lead time on; ug m-3, NaN where unknown.
    """

    init_time: datetime
    observed_times: tuple[datetime, ...]
    observed: Values
    quantiles: Values

    @property
    def highest(self) -> float:
        """The highest value that the chart must show; 0 where it has none."""
        values = np.concatenate([self.observed, self.quantiles.ravel()])
        return float(np.nanmax(values)) if np.isfinite(values).any() else 0.0

    @property
    def peak(self) -> tuple[datetime, Values] | None:
        """The hour of the highest median, and its quantiles."""
        median = self.quantiles[:, 2]
        if not np.isfinite(median).any():
            return None
        at = int(np.nanargmax(median))
        return self.init_time + timedelta(hours=at + 1), self.quantiles[at]


@dataclass(frozen=True)
class Chart:
    """Paths and ticks in the units of a view box of `WIDTH` by `HEIGHT`."""

    most: str
    half: str
    median: str
    observed: str
    now: float
    ticks: tuple[tuple[float, float], ...]
    days: tuple[tuple[float, float | None, date], ...]
    hour_width: float


def chart_line(forecast: xr.Dataset, observed: xr.Dataset | None, city: str, pollutant: str) -> ChartLine:
    """Return a city's forecast of a pollutant and what was observed in the three days before, and since.

    Parameters
    ----------
    forecast : xarray.Dataset
        Contract "forecast".
    observed : xarray.Dataset or None
        Contract "observations".
    city : str
        Id of a city of the forecast.
    pollutant : str
        Variable of both.

    Returns
    -------
    ChartLine
    """
    init = to_datetime(forecast["init_time"].values)
    quantiles = forecast[pollutant].sel(city=city).transpose("lead_time", "quantile").values.astype(np.float64)
    if observed is None or pollutant not in observed or city not in observed["city"].values:
        return ChartLine(init, (), np.array([]), quantiles)
    here = observed[pollutant].sel(city=city)
    times = tuple(to_datetime(stamp) for stamp in here["time"].values)
    return ChartLine(init, times, here.values.astype(np.float64), quantiles)


def draw(data: ChartLine, top: float, zone: str) -> Chart:
    """Return the chart of a city's hours.

    Parameters
    ----------
    data : ChartLine
    top : float
        The value that the axis must reach, ug m-3.
    zone : str
        IANA name of the time zone whose days are marked.

    Returns
    -------
    Chart
    """
    step = axis_step(top)
    highest = step * max(2.0, float(np.ceil(top / step)))

    def x(hour: float) -> float:
        return LEFT + (hour + HISTORY_HOURS) / (HISTORY_HOURS + LEAD_HOURS) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return TOP + (1.0 - value / highest) * (HEIGHT - TOP - BOTTOM)

    leads = np.arange(1.0, len(data.quantiles) + 1)
    past = np.array([(t - data.init_time) / timedelta(hours=1) for t in data.observed_times])

    def line(hours: Values, values: Values) -> str:
        points: list[str] = []
        before = None
        for hour, value in zip(hours, values, strict=True):
            if np.isfinite(value):
                # A gap in the hours is a gap in the line.
                pen = "L" if before is not None and hour - before == 1 else "M"
                points.append(f"{pen}{x(hour):.1f} {y(value):.1f}")
                before = hour
        return "".join(points)

    def band(low: int, high: int) -> str:
        known = np.isfinite(data.quantiles[:, [low, high]]).all(axis=1)
        edge = [f"{x(h):.1f} {y(v):.1f}" for h, v in zip(leads[known], data.quantiles[known, high], strict=True)]
        edge += [
            f"{x(h):.1f} {y(v):.1f}" for h, v in zip(leads[known][::-1], data.quantiles[known, low][::-1], strict=True)
        ]
        return "M" + "L".join(edge) + "Z" if edge else ""

    return Chart(
        most=band(0, 4),
        half=band(1, 3),
        median=line(leads, data.quantiles[:, 2]),
        observed=line(past, data.observed),
        now=round(x(0.0), 1),
        ticks=tuple((round(y(v), 1), v) for v in np.arange(0.0, highest + step / 2, step).tolist()),
        days=_days(data.init_time, zone, x),
        hour_width=round((x(1.0) - x(0.0)), 4),
    )


def _days(init_time: datetime, zone: str, x: Callable[[float], float]) -> tuple[tuple[float, float | None, date], ...]:
    """Return where each local day begins, the middle of it if there is room for its name, and its date."""
    first, last = (init_time + timedelta(hours=h) for h in (-HISTORY_HOURS, LEAD_HOURS))
    local = ZoneInfo(zone)
    day = first.astimezone(local).date()
    found: list[tuple[float, float | None, date]] = []
    while True:
        begins = datetime.combine(day, datetime.min.time(), local)
        ends = datetime.combine(day + timedelta(days=1), datetime.min.time(), local)
        if begins >= last:
            return tuple(found)
        left, right = (
            x(float(np.clip((t - init_time) / timedelta(hours=1), -HISTORY_HOURS, LEAD_HOURS))) for t in (begins, ends)
        )
        found.append((round(left, 1), round((left + right) / 2, 1) if right - left > 28.0 else None, day))
        day += timedelta(days=1)


def axis_step(top: float) -> float:
    """Return a step of 1, 2 or 5 times a power of ten that makes three to five ticks."""
    rough = max(top, 10.0) / 4.0
    power = 10.0 ** np.floor(np.log10(rough))
    return float(next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= rough))


def common_top(lines: Sequence[ChartLine]) -> float:
    """Return the highest value of several charts, which then share an axis."""
    return max((one.highest for one in lines), default=0.0)
