"""Visibility learned at a site that measures it: its distribution from PM2.5, humidity, season and hour of day.

A score rises with PM2.5 (means of 3 and of 24 hours) and with relative humidity, whatever the season and hour: the
weights that these pass through are not negative. The probability of a visibility below a bound is

    logistic(score + offset(bound)),

so one score gives the whole distribution, without crossings. Between bounds the offset is linear in the logarithm of the
visibility. What is compared with a threshold is not the median: for each bound the probability is fixed at which the site's
tuning years had the best critical success index, and the visibility returned lies below the bound where that is exceeded.

A site is a small file of ``forecast/visibility_sites``; ``hazecast study visibility --save FILE`` makes one
(docs/studies/visibility.md has the scores of the one shipped).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hazecast.forecast.scenarios import trailing_mean
from hazecast.grids.errors import InputError

Float = npt.NDArray[np.float64]

SITES = Path(__file__).with_name("visibility_sites")
# Visibilities returned, m. Sensors and observers report 10 km or more as one: above it, values are carried on.
_RANGE = (50.0, 50_000.0)
RISING, FREE = 4, 4
_DRIEST = 0.03


@dataclass(frozen=True)
class SiteVisibility:
    """A site's learned visibility.

    Attributes
    ----------
    city : str
        The city it is for.
    longitude : float
        Degrees east; gives the hour of day.
    source : str
        The data it was fitted to, with their period.
    rising, free : tuple of tuple of float, (input, unit)
        Weights of the hidden units, for the inputs that only raise the score (none negative) and for the others.
    shift, out : tuple of float, (unit,)
        Of the hidden units; `out` not negative.
    direct_rising, direct_free : tuple of float, (input,)
        From the inputs to the score.
    bounds : tuple of float, (bound,)
        Visibilities, m, rising.
    offsets : tuple of float, (bound,)
        Logit of the probability of a visibility below the bound, at score 0; rising.
    chosen : tuple of float, (bound,)
        The probability above which the visibility counts as below the bound.
    """

    city: str
    longitude: float
    source: str
    rising: tuple[tuple[float, ...], ...]
    free: tuple[tuple[float, ...], ...]
    shift: tuple[float, ...]
    out: tuple[float, ...]
    direct_rising: tuple[float, ...]
    direct_free: tuple[float, ...]
    bounds: tuple[float, ...]
    offsets: tuple[float, ...]
    chosen: tuple[float, ...]

    def __post_init__(self) -> None:
        where, units, bounds = f"visibility of {self.city}", len(self.shift), len(self.bounds)
        shapes = {
            name: np.shape(getattr(self, name)) for name in ("rising", "free", "out", "direct_rising", "direct_free")
        }
        wanted = {"rising": (RISING, units), "free": (FREE, units), "out": (units,), "direct_rising": (RISING,)}
        wanted["direct_free"] = (FREE,)
        if shapes != wanted or len(self.offsets) != bounds or len(self.chosen) != bounds or bounds < 2:
            raise InputError(f"{where}: shapes", shapes, f"{wanted}, and offsets and chosen as bounds")
        for name in ("rising", "out", "direct_rising"):
            if not np.all(np.asarray(getattr(self, name)) >= 0.0):
                raise InputError(f"{where}: {name}", getattr(self, name), "none below 0")
        for name in ("bounds", "offsets", "_switches"):
            if not np.all(np.diff(getattr(self, name)) > 0.0):
                raise InputError(f"{where}: {name}", getattr(self, name), "rising values")

    @property
    def _switches(self) -> Float:
        """What the negative score is compared with: offset less the logit of the chosen probability."""
        return np.asarray(self.offsets) - _logit(np.asarray(self.chosen))

    def score(self, rising: Float, free: Float) -> Float:
        """Return the score of inputs as `inputs_of` gives them.

        Parameters
        ----------
        rising, free : float64 (input, ...)
            Broadcast against each other.

        Returns
        -------
        float64 (...)
        """
        total = _weighted(self.direct_rising, rising) + _weighted(self.direct_free, free)
        for unit, (shift, out) in enumerate(zip(self.shift, self.out, strict=True)):
            inner = _weighted([w[unit] for w in self.rising], rising) + _weighted([w[unit] for w in self.free], free)
            total = total + out * np.tanh(inner + shift)
        return np.asarray(total, dtype=np.float64)

    def visibility(self, score: Float) -> Float:
        """Return the visibility to be compared with a threshold, m; NaN where the score is."""
        return _visibility(-score, self._switches, self.bounds)

    def visibility_at(self, score: Float, level: npt.ArrayLike) -> Float:
        """Return a quantile of the visibility that would be observed.

        Parameters
        ----------
        score : float64 (...)
        level : array_like
            Probability of a lower visibility, above 0 and below 1; broadcast against `score`.

        Returns
        -------
        float64 (...)
            m; NaN where the score is.
        """
        return _visibility(_logit(np.asarray(level, dtype=np.float64)) - score, np.asarray(self.offsets), self.bounds)


def inputs_of(
    pm25: Float, relative_humidity: Float, times: npt.NDArray[np.datetime64], longitude: float
) -> tuple[Float, Float]:
    """Return the inputs of a site's score.

    Parameters
    ----------
    pm25 : float64 (..., time)
        Hourly, ug m-3; earlier hours first. The 24 hours before the first one that matters should be there.
    relative_humidity : float64 (..., time)
        %.
    times : datetime64 (time,)
        End of each hour, UTC, without gaps.
    longitude : float
        Degrees east.

    Returns
    -------
    rising : float64 (4, ..., time)
        Logarithms of the PM2.5 of 3 and 24 hours (of what is known, 6 h at least), humidity, logarithm of dryness.
    free : float64 (4, time)
        Sine and cosine of the time of the year and of the solar time of day.

    Raises
    ------
    InputError
        If a concentration is negative.
    """
    if np.any(pm25 < 0.0):
        raise InputError("pm25", f"{np.nanmin(pm25)} ug m-3", "values of 0 or more")
    short, long = trailing_mean(pm25, 3, 1), trailing_mean(pm25, 24, 6)
    # An hour without PM2.5 of its own has no visibility.
    short = np.where(np.isfinite(pm25), short, np.nan)
    share = np.clip(relative_humidity, 0.0, 100.0) / 100.0
    dryness = -np.log(np.maximum(1.0 - share, _DRIEST)) - 1.0
    parts = np.broadcast_arrays(np.log(short + 5.0) - 4.0, np.log(long + 5.0) - 4.0, 2.0 * share - 1.0, dryness)
    days = (times - times.astype("datetime64[Y]")) / np.timedelta64(1, "D")
    hours = (times - times.astype("datetime64[D]")) / np.timedelta64(1, "h") + longitude / 15.0
    year, day = 2.0 * np.pi * days / 365.25, 2.0 * np.pi * hours / 24.0
    return np.stack(parts), np.stack([np.sin(year), np.cos(year), np.sin(day), np.cos(day)])


@lru_cache
def sites(folder: Path = SITES) -> dict[str, SiteVisibility]:
    """Return the learned visibilities, by city.

    Parameters
    ----------
    folder : Path
        Of ``<city>.json``.

    Returns
    -------
    dict of str to SiteVisibility

    Raises
    ------
    InputError
        If a file is broken: names it.
    """
    found = {}
    for path in sorted(folder.glob("*.json")):
        try:
            site = SiteVisibility(
                **{name: _tuples(value) for name, value in json.loads(path.read_text("utf-8")).items()}
            )
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise InputError(str(path), error, "a site as hazecast study visibility --save writes it") from error
        found[site.city] = site
    return found


def as_json(site: SiteVisibility) -> str:
    """Return a site as the text of its file."""
    return json.dumps(asdict(site), indent=1) + "\n"


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _logit(probability: Float) -> Float:
    return np.asarray(np.log(probability) - np.log1p(-probability), dtype=np.float64)


def _weighted(weights: npt.ArrayLike, inputs: Float) -> Float:
    return np.asarray(np.tensordot(np.asarray(weights), inputs, axes=1), dtype=np.float64)


def _visibility(at: Float, axis: Float, bounds: tuple[float, ...]) -> Float:
    """Interpolate the logarithm of the visibility over a rising axis; the outermost segments are carried on."""
    logs = np.log(bounds)
    segment = np.clip(np.searchsorted(axis, at, side="right") - 1, 0, len(axis) - 2)
    share = (at - axis[segment]) / (axis[segment + 1] - axis[segment])
    found = logs[segment] + share * (logs[segment + 1] - logs[segment])
    return np.asarray(np.exp(np.clip(found, *np.log(_RANGE))), dtype=np.float64)
