"""How often the interval of a trend holds the one imposed on series that the weather drives.

``python -m tests.tools.trend_coverage 60`` prints the rates of docs/studies/did_it_work.md, for the designs `observed` and `linear`.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

from hazecast.forecast.studies.measures.changes import trend, weekly
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


def main(draws: int) -> None:
    """Print a row for each drift of the weather and design."""
    designs = {"observed": lambda table: table["concentration"], "linear": linear_adjusted}
    for drift in (0.0, 0.4):
        for name, design in designs.items():
            found = [trend(weekly(design(weather_driven(seed, drift))), resamples=150) for seed in range(draws)]
            held = np.mean([one.low <= SLOPE <= one.high for one in found])
            error = np.sqrt(np.mean([(one.per_year - SLOPE) ** 2 for one in found]))
            mean = np.mean([one.per_year for one in found])
            print(f"drift {drift}, {name}: mean {mean:.4f}, rmse {error:.4f}, 90 % interval {held:.3f}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
