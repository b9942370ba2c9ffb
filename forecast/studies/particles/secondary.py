"""Secondary aerosol: oxidation ratios of sulfur and nitrogen, and secondary organic carbon by the EC tracer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from hazecast.grids.errors import InputError

Array = NDArray[np.float64]
_MOLAR = {"so4": 96.06, "so2": 64.06, "no3": 62.00, "no2": 46.01}
MIN_SAMPLES = 30


@dataclass(frozen=True)
class SecondaryCarbon:
    """Secondary organic carbon by the EC tracer with minimum R squared.

    Attributes
    ----------
    ratio, low, high : float
        Primary OC/EC, with a 95 % interval by leaving out one block after the other.
    r2 : float
        Of secondary OC with EC at that ratio.
    secondary : pandas.Series (sample)
        OC - ratio x EC, in the unit of OC; negative values are kept: they are the noise of the method.
    share, share_low, share_high : float
        Of secondary in the sum of OC, with its interval.
    """

    ratio: float
    low: float
    high: float
    r2: float
    secondary: pd.Series
    share: float
    share_low: float
    share_high: float


def oxidation_ratios(samples: pd.DataFrame) -> pd.DataFrame:
    """Compute the sulfur and nitrogen oxidation ratios.

    Parameters
    ----------
    samples : pandas.DataFrame (sample)
        ``so4`` and ``so2``, ``no3`` and ``no2``: ug m-3 in one state of volumes; either pair or both.

    Returns
    -------
    pandas.DataFrame (sample)
        ``sor`` = n(SO4) / (n(SO4) + n(SO2)) and ``nor`` = n(NO3) / (n(NO3) + n(NO2)), of moles; NaN where a value is missing or both are 0.

    Raises
    ------
    InputError
        If neither pair is there, one of a pair is alone, or a value is negative.

    Notes
    -----
    Ratios above 0.1 are often read as oxidation in the air (Ohta and Okita 1990, Atmos. Environ. 24A:815; from memory, not verified).

    Examples
    --------
    >>> import pandas as pd
    >>> oxidation_ratios(pd.DataFrame({"so4": [9.606], "so2": [6.406]}))
       sor
    0  0.5
    """
    found = {}
    for name, particle, gas in (("sor", "so4", "so2"), ("nor", "no3", "no2")):
        if particle not in samples and gas not in samples:
            continue
        if particle not in samples or gas not in samples:
            raise InputError("columns", list(samples.columns), f"{particle} and {gas}, in ug m-3, or neither")
        for column in (particle, gas):
            bad = samples[column] < 0
            if bad.any():
                raise InputError(
                    f"{column}, sample {samples.index[bad][0]}", samples.loc[bad, column].iloc[0], "0 or more"
                )
        moles = samples[particle] / _MOLAR[particle], samples[gas] / _MOLAR[gas]
        total = moles[0] + moles[1]
        found[name] = moles[0] / total.where(total > 0)
    if not found:
        raise InputError("columns", list(samples.columns), "so4 and so2, or no3 and no2")
    return pd.DataFrame(found)


def secondary_carbon(organic: pd.Series, elemental: pd.Series, *, block: int = 1) -> SecondaryCarbon:
    """Estimate secondary organic carbon by the EC tracer with minimum R squared.

    Parameters
    ----------
    organic, elemental : pandas.Series (sample)
        OC and EC in one unit, usually ug m-3; pairs with a missing value are left out.
    block : int
        Samples that follow each other and are left out together, 24 or more for hourly values: neighbours are alike.

    Returns
    -------
    SecondaryCarbon

    Raises
    ------
    InputError
        If fewer than 30 pairs are there, a value is negative, EC does not vary, or the minimum lies at the end of the search.

    Notes
    -----
    Primary OC/EC is the ratio r at which OC - r EC does not correlate with EC (Wu and Yu 2016, Atmos. Chem. Phys. 16:5453; Millet et al. 2005,
    J. Geophys. Res. 110:D07S18). It assumes that secondary OC and EC vary independently; where both rise in stagnant air, the ratio comes
    out too high and secondary OC too low.

    The intervals are by the delete-one-block jackknife with Student's t of as many degrees of freedom as blocks less two. Deleting a block
    weights its residuals by its leverage (MacKinnon and White 1985, J. Econometrics 29:305): the few samples of high EC decide on the
    ratio, and a bootstrap, which often draws none of them, is too narrow.
    """
    both = pd.DataFrame({"oc": organic, "ec": elemental}).dropna()
    for column in both:
        bad = both[column] < 0
        if bad.any():
            raise InputError(f"{column}, sample {both.index[bad][0]}", both[column][bad].iloc[0], "0 or more")
    if len(both) < MIN_SAMPLES:
        raise InputError("pairs of OC and EC", len(both), f"at least {MIN_SAMPLES}")
    if not 1 <= block <= len(both) // 5:
        raise InputError("block", block, f"1 to {len(both) // 5}, a fifth of the pairs")
    oc, ec = both["oc"].to_numpy(), both["ec"].to_numpy()
    if np.ptp(ec) == 0:
        raise InputError("ec", "a single value", "one that varies")
    ratio = _minimum(oc, ec)
    if not 0 < ratio < float((oc.sum()) / ec.sum()):
        raise InputError(
            "OC and EC",
            f"a primary ratio of {ratio:.3g}",
            "one between 0 and the mean OC/EC: the tracer does not serve here",
        )
    secondary = both["oc"] - ratio * both["ec"]
    share = float(secondary.sum() / oc.sum())
    ratio_error, share_error = _jackknife(oc, ec, block) * stats.t.ppf(0.975, len(both) // block - 2)
    return SecondaryCarbon(
        ratio,
        ratio - ratio_error,
        ratio + ratio_error,
        float(np.corrcoef(secondary, ec)[0, 1] ** 2),
        secondary,
        share,
        share - share_error,
        share + share_error,
    )


def _jackknife(oc: Array, ec: Array, block: int) -> Array:
    """Return the standard errors of ratio and share from the estimates without one block each; the last block takes the rest."""
    blocks = len(oc) // block
    number = np.minimum(np.arange(len(oc)) // block, blocks - 1)
    found = np.empty((blocks, 2))
    for left_out in range(blocks):
        kept = number != left_out
        ratio = _minimum(oc[kept], ec[kept])
        found[left_out] = ratio, 1 - ratio * ec[kept].sum() / oc[kept].sum()
    return np.asarray(np.sqrt((blocks - 1) * found.var(axis=0)))


def _minimum(oc: Array, ec: Array) -> float:
    """Return r at which the covariance of OC - r EC with EC is 0: there the squared correlation is least, 0."""
    centred = ec - ec.mean()
    return float((oc * centred).sum() / (centred**2).sum())
