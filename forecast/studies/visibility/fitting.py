"""Fits of the visibility law and of a site's learned visibility, for hits and false alarms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from hazecast.forecast.site_visibility import FREE, RISING, SiteVisibility
from hazecast.forecast.studies.visibility.hours import LIMIT, THRESHOLDS, Hours, scores
from hazecast.forecast.visibility import VisibilityModel, visibility
from hazecast.grids.errors import InputError

Float = npt.NDArray[np.float64]

# Frequency bias of what is chosen on the tuning years; a choice.
_BIAS = (0.95, 1.2)
_BOUNDS = (500.0, 800.0, 1000.0, 1500.0, 2000.0, 2500.0, 3000.0, 4000.0, 5000.0, 6000.0, 8000.0, LIMIT)
# A bound with fewer tuning hours below it takes the probability of the next one above.
_ENOUGH = 100
_UNITS, _STEPS, _BATCH, _RATE, _DECAY = 8, 900, 4096, 0.03, 1e-4


def fit_law(hours: Hours) -> VisibilityModel:
    """Fit the visibility law of `hazecast.forecast.visibility`.

    Mass extinction, growth exponent and humidity cap give the best sum of critical success indices below `THRESHOLDS`
    with a frequency bias from 0.95 to 1.2; then the distribution of what is observed about the law is fitted by likelihood,
    visibilities above `LIMIT` censored.

    Parameters
    ----------
    hours : Hours
        Of the tuning years.

    Returns
    -------
    VisibilityModel
    """
    from scipy.optimize import differential_evolution, minimize

    below = [hours.observed < bound for bound in THRESHOLDS]

    def model(numbers: Float) -> VisibilityModel:
        mass, exponent, cap = map(float, numbers)
        return VisibilityModel(mass_extinction=mass, growth_exponent=exponent, humidity_cap=cap)

    def loss(numbers: Float) -> float:
        computed = visibility(hours.pm25, hours.humidity, model(numbers))
        total = 0.0
        for bound, observed in zip(THRESHOLDS, below, strict=True):
            found = scores(observed, computed < bound)
            total += 10.0 * max(0.0, found["bias"] - _BIAS[1], _BIAS[0] - found["bias"]) - found["csi"]
        return total

    found = differential_evolution(
        loss, [(1.0, 8.0), (0.1, 1.0), (85.0, 99.0)], maxiter=40, popsize=15, seed=1, polish=False
    )
    # As many digits as the constants of `hazecast.forecast.visibility` have.
    law = model(np.array([round(x, digits) for x, digits in zip(found.x, (2, 3, 1), strict=True)]))
    away = np.log(np.maximum(hours.observed, 1.0) / visibility(hours.pm25, hours.humidity, law))
    censored = hours.observed > LIMIT

    def surprise(numbers: Float) -> float:
        scale = float(np.exp(numbers[1]))
        z = (away - numbers[0]) / scale
        seen = np.logaddexp(0.0, z) + np.logaddexp(0.0, -z) + numbers[1]
        return float(np.where(censored, np.logaddexp(0.0, z), seen).mean())

    best = minimize(surprise, np.array([0.0, -1.0]), method="Nelder-Mead")
    centre, scale = float(best.x[0]), float(np.exp(best.x[1]))
    return replace(law, residual_centre=round(centre, 3), residual_scale=round(scale, 3))


def fit_site(hours: Hours, city: str, source: str, *, seed: int = 0) -> tuple[SiteVisibility, Float]:
    """Fit a site's visibility, and choose its probabilities on years that each fit has not seen.

    Parameters
    ----------
    hours : Hours
        Of the tuning years, two at least.
    city : str
    source : str
        What it is fitted to, in words.
    seed : int

    Returns
    -------
    site : SiteVisibility
        Fitted to all years. The probabilities have the best critical success index, with a frequency bias from 0.95 to
        1.2, in forecasts of each year by a fit to the others.
    left_out : float64 (hour, bound)
        Those forecasts: probabilities of a visibility below each bound.

    Raises
    ------
    InputError
        If there is less than two years.
    """
    years = np.unique(hours.years)
    if len(years) < 2:
        raise InputError("visibility: tuning years", years, "two at least")
    left_out = np.zeros((len(hours.times), len(_BOUNDS)))
    for year in years:
        own = hours.years == year
        parts = _fit(hours.where(~own), seed)
        site = _site(parts, hours.longitude, city, source, np.full(len(_BOUNDS), 0.5))
        left_out[own] = probabilities(site, hours.where(own))
    parts = _fit(hours, seed)
    return _site(parts, hours.longitude, city, source, _chosen(hours, left_out, parts["offsets"])), left_out


def probabilities(site: SiteVisibility, hours: Hours) -> Float:
    """Return the probabilities of a site.

    Parameters
    ----------
    site : SiteVisibility
    hours : Hours

    Returns
    -------
    float64 (hour, bound)
        Of a visibility below each of the site's bounds.
    """
    score = site.score(hours.rising, hours.free)
    return np.asarray(1.0 / (1.0 + np.exp(-(score[:, None] + np.asarray(site.offsets)))), dtype=np.float64)


def _chosen(hours: Hours, left_out: Float, offsets: Float) -> Float:
    """Return the probability of each bound, such that what is below a bound is below all higher ones."""
    chosen = np.full(len(_BOUNDS), np.nan)
    for number, bound in enumerate(_BOUNDS):
        observed = hours.observed < bound
        if int(observed.sum()) < _ENOUGH:
            continue
        tried = [(scores(observed, left_out[:, number] > at), float(at)) for at in np.arange(0.1, 0.8, 0.01)]
        fair = [(found["csi"], at) for found, at in tried if _BIAS[0] <= found["bias"] <= _BIAS[1]]
        if fair:
            chosen[number] = max(fair)[1]
    known = np.flatnonzero(np.isfinite(chosen))
    if not known.size:
        raise InputError(
            "visibility: tuning hours", "no bound with enough low visibilities", f"{_ENOUGH} below one of them"
        )
    chosen = np.interp(np.arange(len(_BOUNDS)), known, chosen[known])
    # What the negative score is compared with must rise; where it doesn't, it is moved up by a hair.
    switches = offsets - np.log(chosen / (1.0 - chosen))
    for number in range(1, len(switches)):
        switches[number] = max(switches[number], switches[number - 1] + 1e-3)
    return np.asarray(1.0 / (1.0 + np.exp(switches - offsets)), dtype=np.float64)


def _site(parts: dict[str, Float], longitude: float, city: str, source: str, chosen: Float) -> SiteVisibility:
    def listed(values: Float) -> tuple[float, ...]:
        return tuple(float(value) for value in values)

    return SiteVisibility(
        city=city,
        longitude=longitude,
        source=source,
        rising=tuple(listed(row) for row in parts["rising"]),
        free=tuple(listed(row) for row in parts["free"]),
        shift=listed(parts["shift"]),
        out=listed(parts["out"]),
        direct_rising=listed(parts["direct_rising"]),
        direct_free=listed(parts["direct_free"]),
        bounds=_BOUNDS,
        offsets=listed(parts["offsets"]),
        chosen=listed(chosen),
    )


def _fit(hours: Hours, seed: int) -> dict[str, npt.NDArray[np.float64]]:
    """Return the weights that fit the probabilities of all bounds by likelihood, rounded to five digits."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits, softplus

    random = torch.Generator().manual_seed(seed)

    def start(*shape: int, scale: float = 0.0, level: float = 0.0) -> torch.Tensor:
        return (torch.randn(*shape, generator=random) * scale + level).requires_grad_()

    rising, free = start(RISING, _UNITS, scale=0.5, level=-1.0), start(FREE, _UNITS, scale=0.3)
    shift, out = start(_UNITS, scale=1.0), start(_UNITS, scale=0.3, level=-1.0)
    direct_rising, direct_free = start(RISING, level=-0.5), start(FREE)
    first, steps = start(1, level=-6.0), start(len(_BOUNDS) - 1, level=-0.5)
    weights = [rising, free, shift, out, direct_rising, direct_free, first, steps]
    up, other = (torch.tensor(part.T, dtype=torch.float32) for part in (hours.rising, hours.free))
    below = torch.tensor(hours.observed[:, None] < np.array(_BOUNDS), dtype=torch.float32)
    optimizer = torch.optim.Adam(weights, lr=_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _STEPS)
    for _ in range(_STEPS):
        batch = torch.randint(0, len(up), (_BATCH,), generator=random)
        inner = torch.tanh(up[batch] @ softplus(rising) + other[batch] @ free + shift)
        score = inner @ softplus(out) + up[batch] @ softplus(direct_rising) + other[batch] @ direct_free
        offsets = torch.cat([first, first + torch.cumsum(softplus(steps), 0)])
        loss = binary_cross_entropy_with_logits(score[:, None] + offsets, below[batch])
        loss = loss + _DECAY * ((free**2).sum() + (direct_free**2).sum())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        offsets = torch.cat([first, first + torch.cumsum(softplus(steps), 0)])
        found = {
            "rising": softplus(rising), "free": free, "shift": shift, "out": softplus(out),
            "direct_rising": softplus(direct_rising), "direct_free": direct_free, "offsets": offsets,
        }  # fmt: skip
        return {
            name: np.asarray(np.round(value.double().numpy(), 5), dtype=np.float64) for name, value in found.items()
        }
