"""Method detection limits, and scores of an interlaboratory comparison with blind samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from hazecast.grids.errors import InputError

MIN_REPLICATES = 7
_CONFIDENCE = 0.99
_MANY_BLANKS = 100
# Huber's function at 1.5 standard deviations, as in ISO 13528 annex C.
_HUBER, _MAD, _CONSISTENT = 1.5, 1.483, 1.134
_ROUNDS = 200
MIN_LABORATORIES = 5


@dataclass(frozen=True)
class DetectionLimit:
    """Method detection limit, the larger of the values from spikes and from blanks.

    Attributes
    ----------
    mdl, from_spikes : float
        In the unit of the data.
    from_blanks : float or None
        None where no blank has a numerical result.
    spikes, blanks : int
        Number of samples.
    spike_level_fits : bool or None
        Whether the spikes are 2 to 10 times the limit, as the procedure requires; None without their level.
    """

    mdl: float
    from_spikes: float
    from_blanks: float | None
    spikes: int
    blanks: int
    spike_level_fits: bool | None


def detection_limit(
    spikes: NDArray[np.float64], blanks: NDArray[np.float64], *, level: float | None = None
) -> DetectionLimit:
    """Compute the method detection limit by 40 CFR part 136, appendix B, revision 2.

    From spiked samples: t(n - 1, 0.99) times their standard deviation. From method blanks: nothing if none has
    a numerical result; the highest (their 99th percentile if there are more than 100) if some have; and if all
    have, their mean, but not less than 0, plus t(n - 1, 0.99) times their standard deviation. The limit is the
    larger of both.

    Parameters
    ----------
    spikes : float (sample,)
        At least 7 (over 3 days or more, which is not checked here), all finite.
    blanks : float (sample,)
        At least 7, NaN where the method gave no numerical result.
    level : float, optional
        Concentration of the spikes.

    Returns
    -------
    DetectionLimit
        In the unit of the data.

    Raises
    ------
    InputError
        If there are too few, a spike is missing, or spikes do not differ.
    """
    for name, values in (("spikes", spikes), ("blanks", blanks)):
        if len(values) < MIN_REPLICATES:
            raise InputError(name, len(values), f"at least {MIN_REPLICATES}")
    if not np.isfinite(spikes).all():
        raise InputError("spikes", f"{int((~np.isfinite(spikes)).sum())} without a number", "a number for each")
    if np.ptp(spikes) == 0:
        raise InputError("spikes", "a single value", "replicates that differ; give more digits")
    of_spikes = float(stats.t.ppf(_CONFIDENCE, len(spikes) - 1) * spikes.std(ddof=1))
    given = blanks[np.isfinite(blanks)]
    of_blanks: float | None = None
    if len(given) == len(blanks):
        spread = float(stats.t.ppf(_CONFIDENCE, len(given) - 1) * given.std(ddof=1))
        of_blanks = max(float(given.mean()), 0.0) + spread
    elif len(given):
        # The level that is at least as high as 99 % of the blanks, those without a numerical result being lowest.
        rank = int(np.ceil(_CONFIDENCE * len(blanks))) if len(blanks) > _MANY_BLANKS else len(blanks)
        of_blanks = float(np.sort(np.concatenate([np.full(len(blanks) - len(given), -np.inf), given]))[rank - 1])
        of_blanks = of_blanks if np.isfinite(of_blanks) else float(given.min())
    limit = max(of_spikes, of_blanks or 0.0)
    fits = None if level is None else bool(2 * limit <= level <= 10 * limit)
    return DetectionLimit(limit, of_spikes, of_blanks, len(spikes), len(blanks), fits)


@dataclass(frozen=True)
class StandardLimit:
    """Method detection limit and lower limit of determination by HJ 168, in the unit of the data.

    Attributes
    ----------
    mdl, determination : float
        t(n - 1, 0.99) s, and four times that.
    source : str
        ``blanks`` where all have a numerical result, else ``spikes``.
    replicates : int
    ratio : float or None
        Mean of the spikes over the limit, None for blanks.
    level_fits : bool or None
        Whether `ratio` is 3 to 5: otherwise another level of spikes is to be measured.
    """

    mdl: float
    determination: float
    source: Literal["blanks", "spikes"]
    replicates: int
    ratio: float | None
    level_fits: bool | None


def detection_limit_hj168(spikes: NDArray[np.float64], blanks: NDArray[np.float64]) -> StandardLimit:
    """Compute the method detection limit of HJ 168 (annex A) for a method of one substance.

    From blanks if the substance is found in all of them, else from spikes. Formula, factor 4 and the 3 to 5 times that the level of
    spikes has to be are from memory: the text could not be read (secondary sources agree on t s of at least seven).

    Parameters
    ----------
    spikes : float (sample,)
        At least 7 at one level; may be empty if the blanks serve.
    blanks : float (sample,)
        NaN where the method gave no numerical result; used if at least 7, all numerical.

    Returns
    -------
    StandardLimit

    Raises
    ------
    InputError
        If there are too few, a spike is missing, or they do not differ.
    """
    by_blanks = len(blanks) >= MIN_REPLICATES and bool(np.isfinite(blanks).all())
    source: Literal["blanks", "spikes"] = "blanks" if by_blanks else "spikes"
    used = blanks if by_blanks else spikes
    if len(used) < MIN_REPLICATES:
        raise InputError(source, len(used), f"at least {MIN_REPLICATES}")
    if not np.isfinite(used).all() or np.ptp(used) == 0:
        raise InputError(source, "a value missing, or a single value", "numbers that differ; give more digits")
    limit = float(stats.t.ppf(_CONFIDENCE, len(used) - 1) * used.std(ddof=1))
    ratio = None if by_blanks else float(used.mean() / limit)
    return StandardLimit(limit, 4 * limit, source, len(used), ratio, None if ratio is None else 3 <= ratio <= 5)


def robust_mean(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return robust mean and standard deviation by Algorithm A of ISO 13528 (annex C.3).

    Starts from the median and 1.483 times the median absolute deviation; values beyond 1.5 standard deviations
    are moved to that bound; their mean and 1.134 times their standard deviation are computed; iterated until
    convergence.

    Raises
    ------
    InputError
        If there are fewer than two values, or one is not finite.
    """
    if len(values) < 2 or not np.isfinite(values).all():
        raise InputError("values", len(values), "at least two, all finite")
    mean = float(np.median(values))
    spread = _MAD * float(np.median(np.abs(values - mean)))
    if spread == 0:
        # More than half are equal: the standard then starts from the sample standard deviation.
        spread = float(values.std(ddof=1))
    for _ in range(_ROUNDS):
        drawn = np.clip(values, mean - _HUBER * spread, mean + _HUBER * spread)
        new_mean, new_spread = float(drawn.mean()), _CONSISTENT * float(drawn.std(ddof=1))
        still = abs(new_mean - mean) <= 1e-9 * abs(spread) and abs(new_spread - spread) <= 1e-9 * abs(spread)
        mean, spread = new_mean, new_spread
        if still or spread == 0:
            break
    return mean, spread


@dataclass(frozen=True)
class Round:
    """Result of one blind sample sent to several laboratories.

    Attributes
    ----------
    assigned, assigned_error : float
        Reference value of the scores, and its standard uncertainty.
    source : str
        ``given`` or ``participants``.
    deviation : float
        Standard deviation for proficiency assessment.
    score : str
        ``z``, or ``z'`` where the assigned value's uncertainty is more than 0.3 of the deviation.
    table : pandas.DataFrame (laboratory)
        ``value error z z_prime zeta en verdict``; NaN where the laboratory gave no uncertainty. The verdict is
        by `score`: ``satisfactory`` up to 2, ``questionable`` (a warning signal) up to 3, else ``unsatisfactory``.
    """

    assigned: float
    assigned_error: float
    source: Literal["given", "participants"]
    deviation: float
    score: str
    table: pd.DataFrame


def interlaboratory(
    values: pd.Series,
    errors: pd.Series | None = None,
    *,
    assigned: float | None = None,
    assigned_error: float = 0.0,
    deviation: float | None = None,
    coverage: float = 2.0,
) -> Round:
    """Score the results of laboratories by ISO 13528:2015 (clauses 7.7, 9.4 to 9.7).

    z = (x - X) / s; z' = (x - X) / sqrt(s^2 + u(X)^2); zeta = (x - X) / sqrt(u(x)^2 + u(X)^2);
    En = (x - X) / sqrt(U(x)^2 + U(X)^2) with U = `coverage` u. Without a given value X is the robust mean and
    u(X) = 1.25 s* / sqrt(p); without a given deviation s is the robust standard deviation, which rates
    laboratories relative to each other, so that about 5 % of them fail whatever their quality.

    Parameters
    ----------
    values : pandas.Series (laboratory)
        Results, none missing.
    errors : pandas.Series (laboratory), optional
        Standard uncertainties, NaN where a laboratory gave none.
    assigned, assigned_error : float, optional
        Known content of the sample and its standard uncertainty.
    deviation : float, optional
        Fitness-for-purpose standard deviation.
    coverage : float
        Coverage factor of expanded uncertainties.

    Returns
    -------
    Round
        Assigned value, scores and verdicts.

    Raises
    ------
    InputError
        If a result is missing, an uncertainty is not positive, or there are too few laboratories for a
        consensus (5; the standard warns below 12).
    """
    error = _checked_errors(values, errors)
    if (assigned is None or deviation is None) and len(values) < MIN_LABORATORIES:
        raise InputError("laboratories", len(values), f"at least {MIN_LABORATORIES}, or a given value and deviation")
    if deviation is None and np.ptp(values.to_numpy(dtype=float)) == 0:
        raise InputError("values", "the same of all laboratories", "values that differ, or a given deviation")
    source: Literal["given", "participants"] = "given"
    robust = robust_mean(values.to_numpy(dtype=float)) if assigned is None or deviation is None else None
    if assigned is None:
        assert robust is not None
        source, assigned = "participants", robust[0]
        assigned_error = 1.25 * robust[1] / float(np.sqrt(len(values)))
    if deviation is None:
        assert robust is not None
        deviation = robust[1]
    if not deviation > 0 or assigned_error < 0:
        raise InputError(
            "deviation, uncertainty of the assigned value", (deviation, assigned_error), "above 0, and 0 or more"
        )
    score = "z'" if assigned_error > 0.3 * deviation else "z"
    table = _scores(values, error, assigned, assigned_error, deviation, coverage)
    size = table["z_prime" if score == "z'" else "z"].abs()
    table["verdict"] = np.where(size <= 2, "satisfactory", np.where(size < 3, "questionable", "unsatisfactory"))
    return Round(float(assigned), float(assigned_error), source, float(deviation), score, table)


def _checked_errors(values: pd.Series, errors: pd.Series | None) -> pd.Series:
    """Return the uncertainties of the laboratories, NaN where not given; raise InputError for faulty results."""
    if values.isna().any():
        raise InputError(f"laboratory {values.index[values.isna()][0]}: value", "nothing", "a number")
    error = pd.Series(np.nan, index=values.index) if errors is None else errors.reindex(values.index)
    if (error <= 0).any():
        raise InputError(
            f"laboratory {error.index[error <= 0][0]}: uncertainty", float(error[error <= 0].iloc[0]), "above 0"
        )
    return error


def _scores(
    values: pd.Series, error: pd.Series, assigned: float, assigned_error: float, deviation: float, coverage: float
) -> pd.DataFrame:
    difference = values - assigned
    return pd.DataFrame(
        {
            "value": values,
            "error": error,
            "z": difference / deviation,
            "z_prime": difference / np.sqrt(deviation**2 + assigned_error**2),
            "zeta": difference / np.sqrt(error**2 + assigned_error**2),
            "en": difference / (coverage * np.sqrt(error**2 + assigned_error**2)),
        }
    )
