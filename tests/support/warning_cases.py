"""Forecasts, observations and assessments made for the tests of warnings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
import xarray as xr

from hazecast.alerts.engine.assessment import Assessment, Outlook
from hazecast.alerts.engine.warning import Evidence
from hazecast.alerts.engine.window import signal_window
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.grids.contract import LEAD_HOURS, QUANTILES
from hazecast.grids.times import to_datetime64

HOUR = np.timedelta64(1, "h")
PAST = 120


def stamp(time: datetime) -> np.datetime64:
    return to_datetime64(time)


def series(blocks: Mapping[tuple[int, int], float], background: float = 0.0) -> np.ndarray:
    """Hourly values from -PAST + 1 to LEAD_HOURS h about the init time; (first, last) name hours, both included."""
    values = np.full(PAST + LEAD_HOURS, background)
    for (first, last), value in blocks.items():
        values[first + PAST - 1 : last + PAST] = value
    return values


def case(
    init: datetime, city: str, pm25: np.ndarray, o3: np.ndarray | None = None, factors: Sequence[float] | None = None
) -> tuple[xr.Dataset, xr.Dataset]:
    """A forecast of one city and the observations before it; certain unless `factors` spread the quantiles."""
    spread = np.ones(len(QUANTILES)) if factors is None else np.array(factors)
    given = {"pm25": pm25} | ({} if o3 is None else {"o3": o3})
    forecast = xr.Dataset(
        {
            name: (("lead_time", "city", "quantile"), values[PAST:, None, None] * spread)
            for name, values in given.items()
        },
        coords={
            "lead_time": (np.arange(LEAD_HOURS) + 1) * np.timedelta64(3600 * 10**9, "ns"),
            "city": [city],
            "quantile": list(QUANTILES),
            "init_time": stamp(init),
        },
        attrs={"simulated": 0, "weather_source": "test", "degraded": 0},
    )
    forecast["relative_humidity"] = (("lead_time", "city"), np.full((LEAD_HOURS, 1), 50.0))
    observations = xr.Dataset(
        {name: (("time", "city"), values[:PAST, None]) for name, values in given.items()},
        coords={"time": stamp(init) + (np.arange(PAST) - PAST + 1) * HOUR, "city": [city]},
    )
    return forecast, observations


def station_data(init: datetime, city: str, hours: Mapping[int, Sequence[float]]) -> xr.Dataset:
    """Observed PM2.5 of stations: for each hour after or before the init time, a value for each station."""
    number = len(next(iter(hours.values())))
    values = np.zeros((PAST, number))
    for hour, row in hours.items():
        values[hour + PAST - 1] = row
    return xr.Dataset(
        {"pm25": (("time", "station"), values)},
        coords={
            "time": stamp(init) + (np.arange(PAST) - PAST + 1) * HOUR,
            "station": [f"s{i}" for i in range(number)],
            "city": ("station", [city] * number),
        },
    )


def assessed(
    rules: RuleSet,
    city: str,
    init: datetime,
    probabilities: Sequence[float],
    *,
    observed: int = 0,
    lift_ready: bool = True,
    simulated: bool = False,
) -> Assessment:
    """An assessment with the given probability of each level."""
    start, end = signal_window(init, rules)
    outlooks = []
    for level, probability in zip(rules.levels, probabilities, strict=True):
        hour = Evidence(
            time=start + timedelta(hours=1), pm25=600, relative_humidity=50, visibility=900, level=level.rank,
            basis="forecast", condition=1, quantile=0.5,
        )  # fmt: skip
        by_observation = level.rank <= observed
        outlooks.append(
            Outlook(
                rank=level.rank, level=level.id, share=probability, probability=probability, keep_probability=probability,
                observed=by_observation, raised=by_observation or probability >= level.raise_probability,
                onset=start, evidence=(hour,) if probability or by_observation else (),
            )
        )  # fmt: skip
    return Assessment(
        rules.id, city, city, city, city, start, end, tuple(outlooks), lift_ready, init, simulated, "test"
    )  # fmt: skip
