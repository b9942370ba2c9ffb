"""Fitting the curve that turns the share of scenarios into a probability, and writing it beside the rule sets."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from hazecast.alerts.rules.calibration import Calibration, Curve, WeatherClass
from hazecast.grids.errors import InputError
from hazecast.services.core.files import atomic_write
from hazecast.services.research.replay.forecasts import ERRING_WEATHER
from hazecast.services.research.replay.result import WindowScore
from hazecast.services.work.inputs import NO_WEATHER, OBSERVED_WEATHER

# Of a replay's weather.
CLASSES: dict[str, WeatherClass] = {NO_WEATHER: "none", ERRING_WEATHER: "forecast", OBSERVED_WEATHER: "observed"}
_FEWEST_EVENTS = 10


def fit_curve(replays: Sequence[Sequence[WindowScore]], weather: WeatherClass) -> Curve:
    """Fit the curve of a kind of weather to all levels of the windows of replays together, by likelihood.

    The slope is common to all replays, the shift each one's own, and each replay counts the same. Of several the mean shift is
    kept as far as they agree in it: times m^2 / (m^2 + s^2 / n), where m is the mean and s the deviation of n shifts (shrinkage as
    James and Stein's; Efron and Morris 1975, J. Am. Stat. Assoc. 70:311). A place that none of them saw is then not
    given the shift of one that it may not resemble.

    Parameters
    ----------
    replays : sequence of sequences of WindowScore
        Windows whose events are known are used.
    weather : {"none", "forecast", "observed"}

    Returns
    -------
    Curve

    Raises
    ------
    InputError
        If fewer than 10 windows of a replay met a level.
    """
    counts, parts = 0, []
    for windows in replays:
        known = [w for w in windows if w.events is not None]
        counts += len(known)
        shares = np.clip(np.array([w.shares for w in known], dtype=np.float64).ravel(), 0.005, 0.995)
        events = np.array([w.events for w in known], dtype=bool).ravel()
        if events.sum() < _FEWEST_EVENTS:
            raise InputError("calibration", f"{events.sum()} events", f"a period with {_FEWEST_EVENTS} at least")
        parts.append((np.log(shares) - np.log1p(-shares), events))

    def unlikelihood(given: np.ndarray) -> float:
        scores = [
            (shift + np.exp(given[-1]) * raw, events) for shift, (raw, events) in zip(given[:-1], parts, strict=True)
        ]
        return float(np.sum([np.mean(np.logaddexp(0.0, score) - events * score) for score, events in scores]))

    *shifts, log_slope = minimize(unlikelihood, np.zeros(len(parts) + 1), method="BFGS").x
    shift = float(np.mean(shifts))
    if len(shifts) > 1 and shift:
        shift *= shift**2 / (shift**2 + float(np.var(shifts, ddof=1)) / len(shifts))
    return Curve(
        weather=weather, shift=round(shift, 3), slope=round(float(np.exp(log_slope)), 3), windows=counts,
        events=int(sum(events.sum() for _, events in parts)),
    )  # fmt: skip


def save_curve(curve: Curve, source: str, path: Path) -> Calibration:
    """Put a curve into a file of curves, in place of the one of the same kind of weather.

    Parameters
    ----------
    curve : Curve
    source : str
        Which forecasts and observations it was fitted to, a line.
    path : Path
        TOML; made if absent.

    Returns
    -------
    Calibration
        What the file holds.

    Raises
    ------
    InputError
        If the file is there and isn't one of curves.
    """
    others: tuple[Curve, ...] = ()
    sources: list[str] = []
    if path.exists():
        try:
            before = Calibration.model_validate(tomllib.loads(path.read_text("utf-8")))
        except ValueError as error:
            raise InputError(str(path), error, "a file of curves as hazecast thresholds --save writes it") from error
        others = tuple(c for c in before.curves if c.weather != curve.weather)
        sources = [line for line in before.source.split("; ") if not line.startswith(f"{curve.weather}: ")]
    sources.append(f"{curve.weather}: {source}")
    found = Calibration(source="; ".join(sorted(sources)), curves=tuple(sorted((*others, curve), key=_by_weather)))
    parts = [f'source = "{found.source}"\n'] + [
        f'\n[[curves]]\nweather = "{c.weather}"\nshift = {c.shift}\nslope = {c.slope}\nwindows = {c.windows}\n'
        f"events = {c.events}\n"
        for c in found.curves
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        file.write_text("".join(parts), encoding="utf-8")
    return found


def _by_weather(curve: Curve) -> str:
    return curve.weather
