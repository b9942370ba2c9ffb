"""Measured effect of a measure on VOC: paired tables before and after as change in OFP and OH reactivity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from hazecast.forecast.studies.ozone.voc import Reactivity, Units, reactivity, species_table
from hazecast.grids.errors import InputError

MIN_PAIRS = 5
_MEASURES = ("concentration", "ofp", "oh_reactivity")


@dataclass(frozen=True)
class VocChange:
    """What changed between paired samples.

    Attributes
    ----------
    totals : pandas.DataFrame (measure)
        Of ``concentration`` (ppb), ``ofp`` (ug m-3 of ozone) and ``oh_reactivity`` (s-1): ``before``, ``after``, mean
        ``difference`` with ``low`` and ``high``, and ``relative`` (geometric mean of after over before, less 1) with
        ``relative_low`` and ``relative_high``.
    species : pandas.DataFrame (species)
        ``group``, then ``ofp`` and ``oh_reactivity``: mean difference with ``_low`` and ``_high``; ``pairs`` measured. The
        largest decrease of OFP first.
    pairs : int
        Samples in both tables.
    not_paired : tuple of str
        Samples in one table alone; excluded.
    not_in_both : tuple of str
        Species that only one table holds; excluded.
    unknown : tuple of str
        Columns that match no known species; excluded.
    cells_missing : int
        Values missing in one sample of a pair; the species is left out of both sums of that pair.
    """

    totals: pd.DataFrame
    species: pd.DataFrame
    pairs: int
    not_paired: tuple[str, ...]
    not_in_both: tuple[str, ...]
    unknown: tuple[str, ...]
    cells_missing: int


def paired_change(before: pd.DataFrame, after: pd.DataFrame, units: Units, *, confidence: float = 0.95) -> VocChange:
    """Compare VOC samples taken in pairs before and after a measure.

    Parameters
    ----------
    before, after : pandas.DataFrame (sample, species)
        The same sample labels: a site, or an hour of the day at one site. NaN where missing.
    units : str
        ``ppb`` or ``ug m-3``, as `reactivity`.
    confidence : float
        Of the intervals, Student's t for the mean of the pairs' differences and for the mean of their log ratios.

    Returns
    -------
    VocChange
        Sums are over species measured in both samples of a pair.

    Raises
    ------
    InputError
        If fewer than five samples or no species are in both tables, a value is negative, or a sum is not above 0.

    Notes
    -----
    Pairs are taken as independent of each other. The difference is that of the air: without a comparison that the measure did
    not reach (``study intervention``) it includes what weather and season changed.
    """
    first, second = reactivity(before, units), reactivity(after, units)
    samples = before.index.intersection(after.index, sort=False)
    if len(samples) < MIN_PAIRS:
        raise InputError("samples in both tables", len(samples), f"at least {MIN_PAIRS}, named alike")
    common = [name for name in first.concentration.columns if name in second.concentration.columns]
    if not common:
        raise InputError("species in both tables", 0, "at least one")
    one, two = first.concentration.loc[samples, common], second.concentration.loc[samples, common]
    both = one.notna() & two.notna()
    totals = {}
    for measure in _MEASURES:
        sums = _sums(first, measure, both), _sums(second, measure, both)
        totals[measure] = _total(measure, *sums, confidence)
    table = pd.DataFrame(totals).T
    table.index.name = "measure"
    return VocChange(
        table,
        _by_species(first, second, both, confidence),
        len(samples),
        tuple(map(str, before.index.symmetric_difference(after.index, sort=False))),
        tuple(map(str, first.concentration.columns.symmetric_difference(second.concentration.columns, sort=False))),
        tuple(dict.fromkeys((*first.unknown, *second.unknown))),
        int((~both & (one.notna() | two.notna())).to_numpy().sum()),
    )


def _sums(found: Reactivity, measure: str, both: pd.DataFrame) -> pd.Series:
    values: pd.DataFrame = getattr(found, measure)
    # Of the species that have a MIR or a rate constant.
    columns = [name for name in both.columns if name in values.columns]
    chosen = values.loc[both.index, columns].where(both[columns])
    return chosen.sum(axis=1, min_count=1)


def _total(measure: str, before: pd.Series, after: pd.Series, confidence: float) -> dict[str, float]:
    for label, sums in (("before", before), ("after", after)):
        bad = ~(sums > 0)
        if bad.any():
            raise InputError(f"{label}, sample {sums.index[bad][0]}: sum of {measure}", sums[bad].iloc[0], "above 0")
    difference = _interval((after - before).to_numpy(dtype=float), confidence)
    ratio = np.expm1(_interval(np.log((after / before).to_numpy(dtype=float)), confidence))
    names = ("difference", "low", "high"), ("relative", "relative_low", "relative_high")
    return (
        {"before": float(before.mean()), "after": float(after.mean())}
        | dict(zip(names[0], map(float, difference), strict=True))
        | dict(zip(names[1], map(float, ratio), strict=True))
    )


def _interval(values: NDArray[np.float64], confidence: float) -> NDArray[np.float64]:
    """Return mean and limits by Student's t; limits are NaN where there are fewer than two values."""
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return np.array([values.mean() if len(values) else np.nan, np.nan, np.nan])
    margin = float(stats.t.ppf(0.5 + confidence / 2, len(values) - 1)) * values.std(ddof=1) / np.sqrt(len(values))
    return np.array([values.mean(), values.mean() - margin, values.mean() + margin])


def _by_species(first: Reactivity, second: Reactivity, both: pd.DataFrame, confidence: float) -> pd.DataFrame:
    groups = species_table()["group"]
    rows = {}
    for name in both.columns:
        row: dict[str, object] = {"group": groups[name], "pairs": int(both[name].sum())}
        for measure in ("ofp", "oh_reactivity"):
            a, b = getattr(first, measure), getattr(second, measure)
            known = name in a.columns
            change = (b[name] - a[name]).loc[both.index].to_numpy(dtype=float) if known else np.array([])
            found = _interval(change, confidence)
            row |= {measure: found[0], f"{measure}_low": found[1], f"{measure}_high": found[2]}
        rows[name] = row
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index.name = "species"
    return table.sort_values("ofp")
