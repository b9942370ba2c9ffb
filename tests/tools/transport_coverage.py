"""How often the intervals of `study wind` (CPF) and `study trajectories` (CWT, PSCF) hold what many more days would show.

``python -m tests.tools.transport_coverage 200 60`` prints the rates of docs/studies/wind.md: 200 series of 240 days for the first, 60
winds of 120 days for the second.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import xarray as xr
from scipy.signal import lfilter

from hazecast.forecast.studies.wind.cases import Arrivals, arrival_concentrations, arrivals
from hazecast.forecast.studies.wind.receptor import source_regions
from hazecast.forecast.studies.wind.roses import WindSample, conditional_probability, wind_sample

DAYS, SECTOR, PERCENTILE = 240, 5, 75.0
SOURCE, CELL, LASTING_H = (30.0, 119.5), 0.5, 60.0


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


def winds(draws: int, setting: str = "source") -> list[tuple[Arrivals, np.ndarray]]:
    """Return arrivals in synthetic winds and their concentrations: of a source, of pollution that lasts for days, of one of them."""
    found = []
    for seed in range(draws):
        one = arrivals(seed=seed)
        lasting = red(np.random.default_rng(1000 + seed), len(one.times), LASTING_H / 3)
        brought = arrival_concentrations(one.paths, SOURCE, seed=seed)
        settings = {"source": brought, "both": brought + 25 * lasting, "no source": 30 * np.exp(0.6 * lasting)}
        found.append((one, settings[setting]))
    return found


def held_by_cells(
    draws: list[tuple[Arrivals, np.ndarray]], statistic: str = "cwt", percentile: float = PERCENTILE
) -> dict[str, tuple[float, int]]:
    """Return rate and number of cells by how many end points they have, over the mean of all cells.

    The truth is the statistic of all winds together: of PSCF, with the percentile of all.
    """
    together = xr.concat([one.paths for one, _ in draws], "parcel", combine_attrs="drop_conflicts")
    all_values = np.concatenate([value for _, value in draws])
    pooled = source_regions(together, all_values, cell_degrees=CELL, percentile=percentile)
    truth = pooled[statistic] / pooled["weight"]
    held: dict[str, list[np.ndarray]] = {"above 3": [], "1.5 to 3": [], "1 to 1.5": [], "below 1": []}
    for one, value in draws:
        found = source_regions(one.paths, value, cell_degrees=CELL, percentile=percentile, day=one.day)
        low, high = (found[f"{statistic}_{end}"] / found["weight"] for end in ("low", "high"))
        there = truth.reindex_like(low, method="nearest", tolerance=CELL / 10)
        inside = ((low <= there + 1e-9) & (there <= high + 1e-9)).values
        share = (found["points"] / found["points"].mean()).values
        group = np.select([share > 3, share > 1.5, share > 1], [0, 1, 2], 3)
        for number, kept in enumerate(held.values()):
            kept.append(inside[(group == number) & low.notnull().values])
    return {name: (float(np.concatenate(parts).mean()), sum(map(len, parts))) for name, parts in held.items()}


def main(draws: int, number: int) -> None:
    """Print the rates."""
    rates, found = held_by_sectors(draws)
    print(f"CPF: {rates.mean():.3f} of all sectors, each {rates.round(3)}; source found in {found:.3f}")
    for setting in ("source", "both", "no source"):
        made = winds(number, setting)
        for statistic, percentile in (("cwt", PERCENTILE), ("pscf", 50.0), ("pscf", PERCENTILE), ("pscf", 90.0)):
            rates_by_points = held_by_cells(made, statistic, percentile).items()
            shown = ", ".join(f"{name} {rate:.3f} of {cells}" for name, (rate, cells) in rates_by_points)
            print(
                f"{setting}, {statistic}, percentile {percentile:g}, cells by end points over the mean: {shown}",
                flush=True,
            )


if __name__ == "__main__":
    main(*(int(text) for text in sys.argv[1:3]) if len(sys.argv) > 2 else (200, 60))
