"""How often steps imposed on correlated noise are found, and how often their intervals hold the truth.

``python -m tests.tools.step_coverage 100`` prints the table of docs/studies/did_it_work.md.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

from hazecast.forecast.studies.measures.steps import find_steps

WEEKS, STANDARD_DEVIATION = 157, 0.22
CASES: dict[str, dict[int, float]] = {
    "none": {},
    "-30 %": {80: 0.7},
    "-15 %": {80: 0.85},
    "-30 %, then +40 %": {50: 0.7, 110: 1.4},
}


def noise(correlation: float, seed: int) -> np.ndarray:
    """Return logarithms (week) whose neighbours correlate."""
    drawn = np.random.default_rng(seed).normal(0.0, STANDARD_DEVIATION, WEEKS)
    for week in range(1, WEEKS):
        drawn[week] = correlation * drawn[week - 1] + np.sqrt(1 - correlation**2) * drawn[week]
    return drawn


def main(draws: int) -> None:
    """Print a row for each correlation and case."""
    index = pd.date_range("2013-03-01", periods=WEEKS, freq="7D")
    for correlation in (0.0, 0.4, 0.7):
        for name, steps in CASES.items():
            log = sum((np.arange(WEEKS) >= week) * np.log(size) for week, size in steps.items())
            counts, dates, sizes = [], [], []
            for seed in range(draws):
                found = find_steps(pd.Series(noise(correlation, seed) + log, index=index), draws=49).steps
                counts.append(len(found))
                if len(found) == len(steps):
                    pairs = list(zip(found, steps.items(), strict=True))
                    dates += [one.earliest <= index[week] <= one.latest for one, (week, _) in pairs]
                    sizes += [one.low <= size - 1 <= one.high for one, (_, size) in pairs]
            row = f"{correlation} | {name} | {np.mean(np.array(counts) == len(steps)):.2f}"
            print(f"{row} | {np.mean(np.array(counts) > len(steps)):.2f}", end="")
            print(f" | {np.mean(dates):.2f} | {np.mean(sizes):.2f}" if dates else " | |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
