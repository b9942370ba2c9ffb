"""How often the interval of a trend holds the one imposed on series that the weather drives.

``python -m tests.tools.trend_coverage 60`` prints the rates of docs/studies/did_it_work.md, for the designs `observed` and `linear`, and for noise.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

from hazecast.forecast.studies.measures.changes import Trend, trend, weekly
from hazecast.forecast.studies.measures.designs import linear_adjusted
from tests.tools.transport_coverage import red

SLOPE, DAYS = -0.10, 1096


def weather_driven(seed: int, drift: float, days: int = DAYS) -> pd.DataFrame:
    """Return days of wind, temperature and humidity, and of a concentration that they, the season and a trend of 10 % a year make."""
    random = np.random.default_rng(seed)
    index = pd.date_range("2013-03-01", periods=days, freq="D", name="day")
    angle = 2 * np.pi * index.day_of_year.to_numpy() / 365.25
    u, v = 2 * red(random, days, 1.5), 2 * red(random, days, 1.5)
    # Weather that drifts over a year looks like a trend.
    damp = red(random, days, 3.0) + drift * red(random, days, 300.0)
    warm = 13 - 14 * np.cos(angle) + 3 * red(random, days, 4.0)
    log = 4.2 + 0.3 * np.cos(angle) - 0.2 * np.hypot(u, v) + 0.05 * u + 0.25 * damp - 0.01 * (warm - 13)
    log = log + 0.45 * red(random, days, 2.0) + np.log1p(SLOPE) * np.arange(days) / 365.25
    table = pd.DataFrame({"u10": u, "v10": v, "t2m": warm, "d2m": damp, "speed": np.hypot(u, v)}, index=index)
    calendar = {"trend": np.arange(days, dtype=float), "day_of_year": index.day_of_year, "weekday": index.day_of_week}
    return table.assign(concentration=np.exp(log), **calendar)


def slope_only(weeks: int, memory: float, seed: int) -> pd.Series:
    """Return the logarithms of weeks of noise alone, without their annual cycle; neighbours correlate by `memory`."""
    random = np.random.default_rng(seed)
    noise = 0.3 * (red(random, weeks, -1 / np.log(memory)) if memory else random.normal(size=weeks))
    days = pd.date_range("2013-01-07", periods=7 * weeks, freq="D")
    return weekly(pd.Series(np.exp(np.repeat(noise, 7)), days))


def shown(name: str, found: list[Trend], truth: float) -> None:
    """Print the mean, the error and the rate at which the interval holds the truth."""
    held = np.mean([one.low <= truth <= one.high for one in found])
    error = np.sqrt(np.mean([(one.per_year - truth) ** 2 for one in found]))
    mean = np.mean([one.per_year for one in found])
    print(f"{name}: mean {mean:.4f}, rmse {error:.4f}, 90 % interval {held:.3f}", flush=True)


def by_weather(draws: int, drift: float) -> dict[str, list[Trend]]:
    """Return the trends of `observed`, by its noise alone and as the study gives it, and of `linear`."""
    found: dict[str, list[Trend]] = {"observed, by noise alone": [], "observed": [], "linear": []}
    for seed in range(draws):
        table = weather_driven(seed, drift)
        raw, removed = (weekly(one) for one in (table["concentration"], linear_adjusted(table)))
        both = trend(raw), trend(removed)
        apart = np.log1p(both[0].per_year) - np.log1p(both[1].per_year)
        for name, one in zip(found, (both[0], trend(raw, apart=apart), both[1]), strict=True):
            found[name].append(one)
    return found


def main(draws: int) -> None:
    """Print a row for each drift of the weather and design, and for noise alone."""
    for drift in (0.0, 0.4):
        for name, found in by_weather(draws, drift).items():
            shown(f"drift {drift}, {name}", found, SLOPE)
    for weeks in (104, 157, 313):
        for memory in (0.0, 0.4, 0.7):
            shown(
                f"noise, {weeks} weeks, {memory}",
                [trend(slope_only(weeks, memory, seed)) for seed in range(draws)],
                0.0,
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
