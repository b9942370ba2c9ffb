"""Fits of visibility to the earlier years of a site, compared on the later ones."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from hazecast.forecast.site_visibility import SiteVisibility
from hazecast.forecast.studies.visibility.fitting import fit_law, fit_site, probabilities
from hazecast.forecast.studies.visibility.hours import THRESHOLDS, Hours, score_table
from hazecast.forecast.visibility import BEIJING, visibility
from hazecast.grids.errors import InputError


@dataclass(frozen=True)
class Comparison:
    """What `compare_fits` found.

    Attributes
    ----------
    site : SiteVisibility
        Learned from the tuning years.
    scores : pandas.DataFrame
        By period ("tuning" or "test"), visibility and threshold, as from
        `hazecast.forecast.studies.visibility.hours.score_table`. In the tuning years the learned one is scored by fits that
        have not seen the year.
    summary : dict of str to object
        Hours, the law's numbers, and forecast over observed frequency of the learned probabilities in the test years.
    """

    site: SiteVisibility
    scores: pd.DataFrame
    summary: dict[str, object]


def compare_fits(hours: Hours, test_from: np.datetime64, city: str, source: str) -> Comparison:
    """Fit the law and a site's visibility to the hours before a time, and score them there and after it.

    Parameters
    ----------
    hours : Hours
    test_from : datetime64
        UTC.
    city, source : str
        Of the site, and what it is fitted to, in words.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        If there are no hours from `test_from` on, or less than two years before it.
    """
    earlier = hours.times < test_from
    if not earlier.any() or earlier.all():
        raise InputError("visibility: test from", test_from, f"a time within {hours.times[0]} to {hours.times[-1]}")
    tuning, test = hours.where(earlier), hours.where(~earlier)
    period = " to ".join(str(one.astype("datetime64[D]")) for one in tuning.times[[0, -1]])
    law = fit_law(tuning)
    site, left_out = fit_site(tuning, city, f"{source}, {period}")
    bounds = np.asarray(site.bounds)
    tables = {}
    for name, part in (("tuning", tuning), ("test", test)):
        computed = {
            "law in use": visibility(part.pm25, part.humidity, BEIJING),
            "law fitted": visibility(part.pm25, part.humidity, law),
            "learned": _lowest(left_out, site)
            if part is tuning
            else site.visibility(site.score(part.rising, part.free)),
        }
        tables[name] = score_table(part, computed)
    stated = probabilities(site, test)
    frequency = {
        int(bound): round(float(stated[:, bounds == bound].mean() / max((test.observed < bound).mean(), 1e-9)), 2)
        for bound in THRESHOLDS
    }
    summary = {
        "tuning": period,
        "tuning_hours": len(tuning.times),
        "test_hours": len(test.times),
        "law": asdict(law),
        "learned_probability_over_frequency_below_m": frequency,
    }
    return Comparison(site, pd.concat(tables, names=["period"]), summary)


def _lowest(probability: np.ndarray, site: SiteVisibility) -> np.ndarray:
    """Return a visibility below each bound whose chosen probability is exceeded: the next lower bound."""
    below = probability > np.asarray(site.chosen)
    bounds = np.array([0.0, *site.bounds])
    # Of the lowest bound that is exceeded; above all of them, the highest.
    return np.asarray(np.where(below.any(axis=1), bounds[below.argmax(axis=1)], bounds[-1]))
