"""How often the intervals of `study wind` (CPF) and `study trajectories` (CWT) hold what many more days would show.

``python -m tests.tools.transport_coverage 200 60`` prints the rates of docs/studies/wind.md: 200 series of 240 days for the first, 60
winds of 120 days for the second.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import xarray as xr
from scipy.signal import lfilter

from hazecast.forecast.studies.wind.cases import arrival_concentrations, arrivals
from hazecast.forecast.studies.wind.receptor import source_regions
from hazecast.forecast.studies.wind.roses import WindSample, conditional_probability, wind_sample

DAYS, SECTOR, PERCENTILE = 240, 5, 75.0
SOURCE = (30.0, 119.5)


def red(random: np.random.Generator, hours: int, memory: float) -> np.ndarray:
    """Return noise of unit variance whose correlation falls to 1/e in `memory` hours."""
    kept = np.exp(-1 / memory)
    steps = random.normal(0, np.sqrt(1 - kept**2), hours)
    steps[0] = random.normal()
    return np.asarray(lfilter([1.0], [1.0, -kept], steps))


def wind_and_pollution(seed: int, days: int = DAYS) -> WindSample:
    """Return hours of wind that turns within a day and pollution of days, with a source in one sector."""
    random = np.random.default_rng(seed)
    hours = 24 * days
    u, v = 1.0 + 2.5 * red(random, hours, 15.0), 2.5 * red(random, hours, 15.0)
    origin = np.degrees(np.arctan2(-u, -v)) % 360.0
    turn = (origin - SECTOR * 22.5 + 180) % 360 - 180
    stagnant = red(random, hours, 60.0)
    value = np.exp(4.0 + 0.6 * stagnant - 0.25 * np.log(np.hypot(u, v) + 0.5)) + 60.0 * np.exp(-0.5 * (turn / 15) ** 2)
    times = pd.date_range("2014-01-01", periods=hours, freq="h")
    return wind_sample(*(xr.DataArray(one, dims="time", coords={"time": times}) for one in (value, u, v)))


def true_probability() -> np.ndarray:
    """Return the share of high hours by sector (16) in 200 times as many days."""
    sample = wind_and_pollution(10**6, 200 * DAYS)
    high = (sample.concentration >= np.percentile(sample.concentration, PERCENTILE))[sample.windy]
    sector = np.round(sample.origin[sample.windy] / 22.5).astype(int) % 16
    return np.bincount(sector, high, 16) / np.bincount(sector, minlength=16)


def held_by_sectors(draws: int) -> tuple[np.ndarray, float]:
    """Return the rate of each sector's interval, and that at which the source's lies above the overall probability."""
    truth = true_probability()
    held, found = [], []
    for seed in range(draws):
        one = conditional_probability(wind_and_pollution(seed), percentile=PERCENTILE)
        held.append(((one["low"] <= truth) & (truth <= one["high"])).values)
        found.append(float(one["low"][SECTOR]) > one.attrs["overall"])
    return np.mean(held, axis=0), float(np.mean(found))


def held_by_cells(draws: int) -> dict[str, tuple[float, int]]:
    """Return rate and number of cells by how many end points they have, over the mean of all cells."""
    fields, points = [], []
    for seed in range(draws):
        paths, _, day = arrivals(seed=seed)
        found = source_regions(paths, arrival_concentrations(paths, SOURCE, seed=seed), cell_degrees=0.5, day=day)
        fields.append(found[["cwt", "cwt_low", "cwt_high"]] / found["weight"])
        points.append(found["points"])
    values, counts = (xr.concat(parts, "draw", join="outer") for parts in (fields, points))
    truth = (values["cwt"] * counts).sum("draw") / counts.sum("draw")
    given = values["cwt_low"].notnull()
    held = ((values["cwt_low"] <= truth) & (truth <= values["cwt_high"])).where(given)
    share = counts / counts.mean(("latitude", "longitude"))
    groups = {"above 3": share > 3, "1.5 to 3": (share > 1.5) & (share <= 3), "1 to 1.5": (share > 1) & (share <= 1.5)}
    groups["below 1"] = share <= 1
    return {name: (float(held.where(here).mean()), int((here & given).sum())) for name, here in groups.items()}


def main(draws: int, winds: int) -> None:
    """Print the rates."""
    rates, found = held_by_sectors(draws)
    print(f"CPF: {rates.mean():.3f} of all sectors, each {rates.round(3)}; source found in {found:.3f}")
    for name, (rate, number) in held_by_cells(winds).items():
        print(f"CWT, end points {name} times the mean: {rate:.3f} of {number} cells")


if __name__ == "__main__":
    main(*(int(number) for number in sys.argv[1:3]) if len(sys.argv) > 2 else (200, 60))
