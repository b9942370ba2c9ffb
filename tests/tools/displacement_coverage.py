"""How often the intervals of displacement, and of displacement in resamples, hold the true amounts of the markers of known mixtures.

``python -m tests.tools.displacement_coverage 8`` prints the rates of docs/studies/sources.md: two markers of each of four sources in every mixture of
120 samples, the species that the source gives most of. Resamples (8) are displaced in half of the mixtures.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

from hazecast.forecast.studies.particles.mixtures import TOTAL, mix
from hazecast.forecast.studies.particles.pmf import factorize, match_factors
from hazecast.forecast.studies.particles.pmf_bs_disp import bootstrap_displace
from hazecast.forecast.studies.particles.pmf_uncertainty import DQ_MAX, displace

SOURCES = ("secondary sulfate", "traffic", "dust", "coal and metals")
RESAMPLES, MARKERS = 8, 2


def held(seed: int, *, resampled: bool) -> dict[str, list[bool]]:
    """Return whether each marker's true amount is in its interval, by dQmax, and of resamples at dQmax 4."""
    mixture = mix(seed, samples=120, sources=SOURCES)
    solution = factorize(mixture.samples(), len(SOURCES), starts=3)
    order, _ = match_factors(mixture.contributions, solution.contributions)
    names = [name for name in solution.samples.strong if name != TOTAL]
    share = mixture.profiles[names] / mixture.profiles[names].sum()
    pairs = [
        (solution.factors[number], str(name), float(mixture.profiles.loc[source, name]))
        for source, number in zip(mixture.profiles.index, order, strict=True)
        for name in share.loc[source].nlargest(MARKERS).index
    ]
    species = sorted({name for _, name, _ in pairs})

    def inside(intervals: pd.DataFrame, level: float) -> list[bool]:
        ends = [(intervals.loc[(level, factor, name)], true) for factor, name, true in pairs]
        return [bool(one["low"] <= true <= one["high"]) for one, true in ends]

    moved = displace(solution, species=species).intervals
    found = {f"displacement at {level:g}": inside(moved, level) for level in DQ_MAX}
    if resampled:
        found["in resamples at 4"] = inside(
            bootstrap_displace(solution, species, runs=RESAMPLES, dq_max=(4.0,)).intervals, 4.0
        )
    return found


def main(mixtures: int) -> None:
    """Print a row for each interval."""
    rows = [held(seed, resampled=2 * seed < mixtures) for seed in range(mixtures)]
    for name in rows[0]:
        values = [one for row in rows for one in row.get(name, [])]
        print(f"{name}: {np.mean(values):.3f} of {len(values)}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8)
