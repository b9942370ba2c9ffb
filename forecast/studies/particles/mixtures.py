"""Synthetic speciated samples with a known answer: mixtures of seven sources of a Chinese coastal city.

For validation and experiments. The profiles follow what receptor studies describe for such sources (which
species are markers of which source); their values are invented here, not measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hazecast.forecast.studies.particles.speciation import Samples, equation_uncertainty, prepare

TOTAL = "PM2.5"
# Share of each species in the mass of the source; the remainder to one is mass that no species explains.
_PROFILES: dict[str, dict[str, float]] = {
    "secondary sulfate": {"SO4": 0.55, "NH4": 0.21, "OC": 0.12, "EC": 0.01, "Se": 2e-4},
    "secondary nitrate": {"NO3": 0.62, "NH4": 0.19, "OC": 0.05, "Cl": 0.02},
    "biomass burning": {"OC": 0.50, "EC": 0.09, "K": 0.06, "Cl": 0.05, "SO4": 0.02, "NO3": 0.02, "Na": 0.005, "Zn": 6e-4},
    "traffic": {
        "OC": 0.42, "EC": 0.30, "NO3": 0.03, "Fe": 0.02, "SO4": 0.01, "Ca": 0.01, "Zn": 0.003, "Cu": 0.0015, "Mn": 5e-4,
    },
    "dust": {
        "Si": 0.24, "Al": 0.08, "Ca": 0.08, "OC": 0.06, "Fe": 0.045, "Mg": 0.02, "K": 0.015, "Na": 0.01, "Ti": 0.004,
        "Mn": 8e-4,
    },
    "coal and metals": {
        "OC": 0.28, "SO4": 0.14, "EC": 0.10, "Cl": 0.09, "NH4": 0.03, "Fe": 0.01, "Zn": 0.008, "Pb": 0.006, "As": 0.0015,
        "Mn": 0.001, "Se": 8e-4,
    },
    "shipping": {"SO4": 0.30, "OC": 0.30, "EC": 0.12, "NH4": 0.05, "V": 0.006, "Ni": 0.0025},
}  # fmt: skip
_MEANS = {
    "secondary sulfate": 14.0, "secondary nitrate": 12.0, "biomass burning": 9.0, "traffic": 10.0, "dust": 8.0,
    "coal and metals": 9.0, "shipping": 4.0,
}  # fmt: skip
_TOTAL_LIMIT = 2.0
SPECIES = tuple(dict.fromkeys([TOTAL, *(name for profile in _PROFILES.values() for name in profile)]))


@dataclass(frozen=True)
class Mixture:
    """Synthetic samples with the true sources.

    Attributes
    ----------
    profiles : pandas.DataFrame (source, species)
        Mean contribution of the source to the species, ug m-3.
    contributions : pandas.DataFrame (sample, source)
        Mass of the source, ug m-3.
    concentration, uncertainty : pandas.DataFrame (sample, species)
        As a laboratory would report them, NaN where missing; ug m-3.
    limits : dict of str to float
        Detection limits, ug m-3.
    error_fraction : float
        Relative measurement uncertainty.
    """

    profiles: pd.DataFrame
    contributions: pd.DataFrame
    concentration: pd.DataFrame
    uncertainty: pd.DataFrame
    limits: dict[str, float]
    error_fraction: float

    def samples(self) -> Samples:
        """Return the samples prepared for a receptor model."""
        return prepare(self.concentration, self.uncertainty, limits=self.limits, total=TOTAL)


def source_profiles(sources: tuple[str, ...] | None = None) -> pd.DataFrame:
    """Return the profiles (source, species) as shares of the mass of the source."""
    chosen = sources or tuple(_PROFILES)
    table = pd.DataFrame([_PROFILES[name] for name in chosen], index=pd.Index(chosen, name="source"))
    table[TOTAL] = 1.0
    return table.reindex(columns=[name for name in SPECIES if name in table]).fillna(0.0)


def mix(
    seed: int,
    *,
    samples: int = 300,
    sources: tuple[str, ...] | None = None,
    error_fraction: float = 0.1,
    below_limit: float = 0.05,
    missing: float = 0.02,
    outliers: float = 0.002,
) -> Mixture:
    """Generate synthetic daily samples.

    Source masses are log-normal with an autocorrelation of 0.6 from day to day. Each value has a normal error
    of the size of its uncertainty; some are gross errors (3 times the value).

    Parameters
    ----------
    seed : int
        Of the random numbers.
    samples : int
        Number of days.
    sources : tuple of str, optional
        Of `source_profiles`; all by default.
    error_fraction : float
        Relative measurement uncertainty.
    below_limit : float
        Share of each species' values below its detection limit; that of the total is 2 ug m-3.
    missing, outliers : float
        Shares of the values.

    Returns
    -------
    Mixture
        Samples with the true profiles and contributions.
    """
    generator = np.random.default_rng(seed)
    share = source_profiles(sources)
    state = np.zeros((samples, len(share)))
    for day in range(samples):
        before = state[day - 1] if day else np.zeros(len(share))
        state[day] = 0.6 * before + 0.8 * generator.normal(size=len(share))
    mass = np.array([_MEANS[name] for name in share.index]) * np.exp(0.8 * state - 0.32)
    index = pd.date_range("2014-01-01", periods=samples, name="sample")
    contributions = pd.DataFrame(mass, index=index, columns=share.index)
    truth = contributions @ share
    limits = {str(name): float(np.quantile(column, below_limit)) for name, column in truth.items()}
    limits[TOTAL] = _TOTAL_LIMIT
    spread = equation_uncertainty(truth, limits, error_fraction)
    measured = truth + spread * generator.normal(size=truth.shape)
    measured = measured.mask(generator.random(truth.shape) < outliers, 3 * truth)
    measured = measured.mask(generator.random(truth.shape) < missing)
    uncertainty = equation_uncertainty(measured, limits, error_fraction)
    profiles = share.mul(contributions.mean(), axis=0)
    return Mixture(profiles, contributions, measured, uncertainty, limits, error_fraction)
