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


def fit_curve(windows: Sequence[WindowScore], weather: WeatherClass, weights: Sequence[float] | None = None) -> Curve:
    """Fit the curve of a kind of weather to all levels of the windows together, by likelihood.

    Parameters
    ----------
    windows : sequence of WindowScore
        Those whose events are known are used.
    weather : {"none", "forecast", "observed"}
    weights : sequence of float, optional
        What each window counts; by default all the same.

    Returns
    -------
    Curve

    Raises
    ------
    InputError
        If fewer than 10 windows met a level.
    """
    each = [
        (w, weight) for w, weight in zip(windows, weights or [1.0] * len(windows), strict=True) if w.events is not None
    ]
    counted = [(s, e, weight) for w, weight in each for s, e in zip(w.shares, w.events or (), strict=True)]
    shares, events, weight = np.array(counted, dtype=np.float64).reshape(-1, 3).T
    if events.sum() < _FEWEST_EVENTS:
        raise InputError("calibration", f"{int(events.sum())} events", f"a period with {_FEWEST_EVENTS} at least")
    raw = np.log(np.clip(shares, 0.005, 0.995)) - np.log1p(-np.clip(shares, 0.005, 0.995))

    def unlikelihood(given: np.ndarray) -> float:
        score = given[0] + np.exp(given[1]) * raw
        return float(np.average(np.logaddexp(0.0, score) - events * score, weights=weight))

    shift, log_slope = minimize(unlikelihood, np.zeros(2), method="Nelder-Mead").x
    return Curve(
        weather=weather, shift=round(float(shift), 3), slope=round(float(np.exp(log_slope)), 3), windows=len(each),
        events=int(events.sum()),
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
