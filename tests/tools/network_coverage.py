"""How often the step of a station is dated within three weeks, and how often the interval of its size holds the truth.

``python -m tests.tools.network_coverage 60`` prints the rates of docs/studies/quality.md: six stations over three years of hourly
values, one reduced by 15 % from a random day of the middle year.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

from hazecast.forecast.studies.quality.station_agreement import consistency
from tests.tools.transport_coverage import red

SIZE, DAYS = -15.0, 1095


def network(seed: int) -> tuple[pd.DataFrame, pd.Timestamp]:
    """Return hourly values of six stations whose ratios vary for weeks, and the day of the step at the first."""
    random = np.random.default_rng(seed)
    times = pd.date_range("2013-01-01", periods=24 * DAYS, freq="h")
    common = (
        4 + 0.5 * np.sin(2 * np.pi * times.day_of_year.to_numpy() / 365) + 0.5 * np.repeat(red(random, DAYS, 2), 24)
    )
    own = [0.06 * np.repeat(red(random, DAYS, 10), 24) + 0.1 * random.normal(size=24 * DAYS) for _ in range(6)]
    table = pd.DataFrame({name: np.exp(common + one) for name, one in zip("abcdef", own, strict=True)}, index=times)
    day = times[24 * int(random.integers(365, 730))]
    table.loc[day:, "a"] *= 1 + SIZE / 100
    return table, day


def main(draws: int) -> None:
    """Print the rates."""
    dated, held, found, sizes, false, beside_none = [], [], [], [], 0, 0
    for seed in range(draws):
        table, day = network(seed)
        result = consistency(table)
        step = result.loc["a"]
        false += int(result.loc[list("bcdef"), "shift"].notna().sum())
        found.append(pd.notna(step["shift"]))
        if found[-1]:
            dated.append(abs((step["shift"] - day).days) <= 21)
            held.append(step["shift_low"] <= SIZE <= step["shift_high"])
            sizes.append(step["shift_size"])
        table.loc[day:, "a"] /= 1 + SIZE / 100
        beside_none += int(consistency(table)["shift"].notna().sum())
    print(
        f"found {np.mean(found):.3f}, mean size {np.mean(sizes):.1f} %, dated {np.mean(dated):.3f}, 95 % interval {np.mean(held):.3f}, "
        f"false steps {false} of {5 * draws} beside it, {beside_none} of {6 * draws} where none steps"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
