"""Experts combined on line: weights, bias and intervals that follow, in each city, what was observed.

The mean is the convex combination of the experts with the least mean square error over the last weeks, and the median
that with the least mean absolute error, by reweighted least squares: exponentially weighted second moments of the experts' errors, by city, pollutant and lead
group, drawn to those of all cities where a city is young, and minimised over the simplex (Bates and Granger 1969,
Oper. Res. Q. 20:451; with the weights' sum and sign constrained as in Timmermann 2006, Handbook of Economic
Forecasting 1:135, section 3.1). Quantiles carry offsets that follow how often observations have fallen below them:
quantile tracking (Angelopoulos, Candes and Tibshirani 2023, arXiv:2307.16895, section 2.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from hazecast.grids.contract import FORECAST_POLLUTANTS, QUANTILES
from hazecast.models.experts import EXPERTS, LEAD_GROUPS
from hazecast.models.interface import Float
from hazecast.models.place_means import Means, Products, grown
from hazecast.models.simplex import least_error

_K, _G, _P, _Q = len(EXPERTS), len(LEAD_GROUPS), len(FORECAST_POLLUTANTS), len(QUANTILES)
# Errors of the mean and of the median, both in units of the place's long level.
SPACES = 2
MEAN, MEDIAN = 0, 1
_HALF_LIFE, POOL_HALF_LIFE = 30.0, 120.0
# Days that the pool counts as beside a city's own, up to a lead time of a day and beyond: errors of the later days are
# alike for days, and tell less.
_POOL_DAYS, _POOL_DAYS_LATER, _SHORT_LEAD = 20.0, 60.0, 24
# Independent errors a day, at most: those of neighbouring hours are one.
_INDEPENDENT_A_DAY = 0.1
# Absolute errors below this, in units of the long level, weigh as much as it.
_LEAST_ABSOLUTE = 0.03
_CITY_RATE, _POOL_RATE, _FORGET_OFFSET = 0.05, 0.02, 0.005
# Steps of the offsets by lead group, in proportion to the size of its errors: a step as large as for the later days would
# shake the first hours.
_STEP = (0.25, 0.35, 0.45, 0.55, 0.75, 0.9, 1.0, 1.0, 1.0)
# A prior of equal right for all where nothing was learned yet, but for the model.
_FIRST_ERRORS = np.array([1.0, 1.5, 1.5, 1.2, 1.3, 1.5], np.float32)
_COMMON_ERROR = 0.8
# Mode (without the coming weather, with it) and number of the lead group.
_Where = tuple[int, int]


def _wheres() -> list[_Where]:
    return [(mode, group) for mode in (0, 1) for group in range(len(LEAD_GROUPS))]


@dataclass(frozen=True)
class State:
    """What was learned of `c` places; the first row is the pool of all.

    Two modes: without the coming weather (0), with it (1).

    Attributes
    ----------
    places : tuple of str (c,)
        ``""`` first, for the pool.
    moments : float32 (c, mode 2, group, pollutant 2, space 2, expert, expert)
        Mean products of the experts' errors.
    days : float32 (c, 2, group, 2)
        Days that they are the mean of, earlier ones counted less.
    bias, bias_square : float32 (c, 2, group, 2)
        Mean and mean square of the combination's errors, in units of the place's long level.
    offsets : float32 (c, 2, group, 2, 5)
        Of the quantiles, on the scale of `hazecast.models.scaling`; a place's come on top of the pool's.
    guidance : float32 (c, 2, 2)
        By pollutant: mean of what was observed and of the guidance for it, in units of the long level.
    """

    places: tuple[str, ...]
    moments: Float
    days: Float
    bias: Float
    bias_square: Float
    offsets: Float
    guidance: Float

    @staticmethod
    def empty(pool: dict[str, Float] | None = None, *, lasting: float | None = None) -> State:
        """Return the state of no place, with the pool as it was learned in training, if it was.

        Parameters
        ----------
        pool : dict of str to float32, optional
            ``moments`` and ``offsets`` of the pool, without the axis of places.
        lasting : float, optional
            Days that the pool counts as beside what it learns later; by default `POOL_HALF_LIFE` if it was trained, else one.

        Returns
        -------
        State
        """
        common = np.full((_K, _K), _COMMON_ERROR, np.float32)
        np.fill_diagonal(common, _FIRST_ERRORS)
        shapes = _shapes()
        parts = {name: np.zeros((1, *shape), np.float32) for name, shape in shapes.items()}
        parts["moments"] = np.broadcast_to(common, (1, *shapes["moments"])).copy()
        for name, value in (pool or {}).items():
            parts[name][0] = value
        parts["days"][0] = lasting if lasting is not None else POOL_HALF_LIFE if pool else 1.0
        return State(("",), **parts)

    def with_places(self, places: Sequence[str]) -> State:
        """Return the state with rows for new places: nothing learned of them."""
        new = sorted(set(places) - set(self.places))
        if not new:
            return self
        parts = {
            name: np.concatenate([getattr(self, name), np.zeros((len(new), *shape), np.float32)])
            for name, shape in _shapes().items()
        }
        return State((*self.places, *new), **parts)

    def rows(self, places: npt.NDArray[np.str_]) -> npt.NDArray[np.int64]:
        """Return the row of each place, all of which must be there."""
        row = {place: number for number, place in enumerate(self.places)}
        return np.array([row[str(place)] for place in places], np.int64)

    def arrays(self) -> dict[str, Float]:
        """Return all but the places, by name."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name != "places"}


def _shapes() -> dict[str, tuple[int, ...]]:
    by_group = (2, _G, _P)
    return {
        "moments": (*by_group, SPACES, _K, _K),
        "days": by_group,
        "bias": by_group,
        "bias_square": by_group,
        "offsets": (*by_group, _Q),
        "guidance": (_P, 2),
    }


@dataclass(frozen=True)
class Verified:
    """Forecasts beside what was observed since they were last learned from.

    Attributes
    ----------
    places : str (n,)
    informed : bool (n,)
        Whether each was given coming weather.
    errors : float32 (n, lead, 2, space 2, expert)
        Of each expert; NaN where the observation isn't known.
    below : float32 (n, lead, 2, 5)
        1 where the observation lay at or below the issued quantile, else 0; NaN where it isn't known.
    observed, guidance : float32 (n, lead, 2)
        In units of the long level; NaN where not known.
    """

    places: npt.NDArray[np.str_]
    informed: npt.NDArray[np.bool_]
    errors: Float
    below: Float
    observed: Float
    guidance: Float

    @staticmethod
    def join(parts: Sequence[Verified]) -> Verified:
        """Return several one after the other."""
        return Verified(**{one.name: np.concatenate([getattr(p, one.name) for p in parts]) for one in fields(Verified)})


def learned(state: State, lessons: Verified | Iterable[Verified], days: float = 1.0) -> State:
    """Return the state after more forecasts were verified.

    Parameters
    ----------
    state : State
    lessons : Verified or iterable of Verified
        Several are learned from together, one after the other being held in memory; all count as of one time.
    days : float
        Time in which they were, in days.

    Returns
    -------
    State
    """
    found = _Lessons(state)
    for one in (lessons,) if isinstance(lessons, Verified) else lessons:
        found.add(one)
    state = found.state
    parts = {name: value.copy() for name, value in state.arrays().items()}
    for where in _wheres():
        _learn_moments(parts, where, *found.products[where].means(), days)
        _learn_bias(parts, where, *found.residuals[where].means(), days)
        _learn_offsets(parts, where, *found.below[where].means(), days)
    _learn_guidance(parts, *found.guidance.means(), days)
    return State(state.places, **parts)


class _Lessons:
    """The sums that a state learns from, and the state with the places that they are of."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.products = {where: Products(_P, SPACES, _K, _K) for where in _wheres()}
        self.residuals = {where: Means(_P) for where in _wheres()}
        self.below = {where: Means(_P, _Q) for where in _wheres()}
        self.guidance = Means(_P, 2)
        self._weights: Float = np.zeros((0, _G, _P, SPACES, _K), np.float32)
        self._known = np.zeros(0, np.bool_)
        self._make_room()

    def _make_room(self) -> None:
        places = len(self.state.places)
        sums: list[Means | Products] = [*self.products.values(), *self.residuals.values(), *self.below.values()]
        for one in (*sums, self.guidance):
            one.make_room(places)
        self._weights = grown(self._weights, 2 * places)
        self._known = grown(self._known, 2 * places)

    def add(self, verified: Verified) -> None:
        before = len(self.state.places)
        self.state = self.state.with_places([str(place) for place in np.unique(verified.places)])
        if len(self.state.places) > before:
            self._make_room()
        row = self.state.rows(verified.places)
        weights = self._weights_of(row, verified.informed.astype(np.int64))
        for mode, group in _wheres():
            mine = np.flatnonzero(verified.informed == bool(mode))
            first, last = LEAD_GROUPS[group]
            hours = slice(first - 1, last)
            errors, below = verified.errors[mine, hours], verified.below[mine, hours]
            if not (np.isfinite(errors).any() or np.isfinite(below).any()):
                continue
            errors = errors.copy()
            residual = -np.einsum("nhpsk,npsk->nhps", errors, weights[mine, group])
            # Squares divided by absolute values: iteratively reweighted least squares, a step each day.
            errors[..., MEDIAN, :] /= np.sqrt(np.maximum(np.abs(residual[..., MEDIAN, None]), _LEAST_ABSOLUTE))
            self.products[mode, group].add(row[mine], errors)
            self.residuals[mode, group].add(row[mine], residual[..., MEAN])
            self.below[mode, group].add(row[mine], below)
        both = np.stack([verified.observed, verified.guidance], axis=-1)
        self.guidance.add(row, np.where(np.isfinite(both).all(axis=-1, keepdims=True), both, np.float32(np.nan)))

    def _weights_of(self, row: npt.NDArray[np.int64], mode: npt.NDArray[np.int64]) -> Float:
        """Return the weights with which forecasts were combined, (n, group, 2, space 2, expert); each place's computed once."""
        pairs = 2 * row + mode
        new = np.unique(pairs[~self._known[pairs]])
        if new.size:
            self._weights[new] = combining_weights(self.state, new // 2, new % 2)
            self._known[new] = True
        found: Float = self._weights[pairs]
        return found


def _kept(places: int, days: float) -> Float:
    half_life = np.full(places, _HALF_LIFE, np.float32)
    half_life[0] = POOL_HALF_LIFE
    return np.asarray(0.5 ** (days / half_life), np.float32)


_Parts = dict[str, Float]


def _learn_moments(parts: _Parts, where: _Where, today: Float, there: npt.NDArray[np.bool_], days: float) -> None:
    at = (slice(None), *where)
    before = parts["days"][at] * _kept(len(there), days)[:, None]
    total = before + np.where(there, days, 0.0)
    new = np.where(there, days / np.maximum(total, 1e-6), 0.0)[..., None, None, None]
    parts["moments"][at] = (1 - new) * parts["moments"][at] + new * today
    parts["days"][at] = total


def _learn_bias(parts: _Parts, where: _Where, today: Float, there: npt.NDArray[np.bool_], days: float) -> None:
    at = (slice(None), *where)
    weight = np.where(there, np.minimum(days / np.maximum(parts["days"][at], days), 1.0), 0.0)
    for name, value in (("bias", today), ("bias_square", today**2)):
        parts[name][at] = (1 - weight) * parts[name][at] + weight * value


def _learn_offsets(parts: _Parts, where: _Where, share: Float, there: npt.NDArray[np.bool_], days: float) -> None:
    at = (slice(None), *where)
    step = min(days, 1.0)
    moved = np.where(there[..., None], np.array(QUANTILES, np.float32) - share, 0.0)
    rate = np.full((len(there), 1, 1), _CITY_RATE)
    rate[0] = _POOL_RATE
    kept = np.full((len(there), 1, 1), 1.0 - _FORGET_OFFSET * step * _STEP[where[1]])
    kept[0] = 1.0
    parts["offsets"][at] = kept * parts["offsets"][at] + step * _STEP[where[1]] * rate * moved


def _learn_guidance(parts: _Parts, today: Float, there: npt.NDArray[np.bool_], days: float) -> None:
    weight = np.where(there, min(days / _HALF_LIFE, 1.0), 0.0)[..., None]
    parts["guidance"][:] = (1 - weight) * parts["guidance"] + weight * today


def combining_weights(state: State, row: npt.NDArray[np.int64], mode: npt.NDArray[np.int64]) -> Float:
    """Return the weights of the experts for each of `n` forecasts.

    Parameters
    ----------
    state : State
    row : int64 (n,)
        Of each forecast's place in the state.
    mode : int64 (n,)
        1 where it was given coming weather, else 0.

    Returns
    -------
    float32 (n, group, 2, space 2, expert)
        None negative, their sum 1.
    """
    pairs, which = np.unique(2 * row + mode, return_inverse=True)
    moments, days = state.moments[pairs // 2, pairs % 2], state.days[pairs // 2, pairs % 2][..., None, None, None]
    pool_days = np.array([_POOL_DAYS if last <= _SHORT_LEAD else _POOL_DAYS_LATER for _, last in LEAD_GROUPS])
    pool_days = pool_days[:, None, None, None, None]
    pooled = (days * moments + pool_days * state.moments[0][pairs % 2]) / (days + pool_days)
    return least_error(pooled)[which]


def bias_correction(state: State) -> Float:
    """Return what to add to the combined mean, float32 (c, 2, group, 2), in units of the long level.

    A city's mean error of the last weeks, drawn to zero by its own uncertainty (James and Stein 1961): no error that could
    be chance is corrected. The pool's is zero.
    """
    number = np.maximum(state.days * _INDEPENDENT_A_DAY, 1e-6)
    variance = np.maximum(state.bias_square - state.bias**2, 0.0) / number
    shrunk = np.maximum(1.0 - variance / np.maximum(state.bias**2, 1e-9), 0.0) * state.bias
    shrunk[0] = 0.0
    return np.where(state.days >= 3.0, shrunk, 0.0).astype(np.float32)


def guidance_factor(state: State) -> Float:
    """Return the factor that takes out the guidance's bias, float32 (c, 2): 1 where nothing was learned."""
    prior = 0.1
    factor = (state.guidance[..., 0] + prior) / (state.guidance[..., 1] + prior)
    return np.clip(factor, 0.2, 5.0).astype(np.float32)
